//! Pictures that a laptop sends: the same road as the camera's, behind the camera.

use posy_shared::engine::Engine;
use posy_shared::image::PixelFormat;
use posy_shared::kernels::Kernels;
use posy_shared::link::{Ask, Refusal, Reply, Request};
use posy_shared::picture::Picture;
use posy_shared::preprocess::Size;

use super::{Heard, Link, refuse, reply, settle};
use crate::camera::Clock;
use crate::classify::{ClassifyError, RowBuffers, unpacked};
use crate::program::Console;

/// Answers the requests of one picture: [`Ask::Begin`], which has been heard, [`Ask::Row`] and
/// [`Ask::Finish`]. Ends with the picture, with the connection, or at any other request, which is heard
/// again.
pub fn rows<P: Console, T: Clock, K: Kernels>(
    console: &mut P,
    clock: &mut T,
    link: &mut Link<'_>,
    engine: &mut Engine<'_, '_, K>,
    buffers: &mut RowBuffers<'_>,
) {
    let Some(Request { epoch, number, ask }) = link.request() else {
        return;
    };
    let (size, pixels) = match ask {
        Ask::Begin {
            width,
            height,
            pixels,
        } => (Size { width, height }, pixels),
        // Its answer may have been lost: the engine still has it.
        Ask::Finish => {
            match engine.last_output() {
                Some(logits) if link.finished == Some(number) => {
                    reply(console, epoch, number, logits_reply(logits))
                }
                _ => refuse(console, epoch, number, Refusal::Order),
            };
            return;
        }
        _ => {
            refuse(console, epoch, number, Refusal::Order);
            return;
        }
    };
    let row_len = pixels.row_len(size.width);
    let rgb = buffers.rgb.get_mut(..3 * usize::from(size.width));
    let (Some(rgb), Ok(mut picture)) = (rgb, Picture::begin(engine, size, buffers.scratch)) else {
        refuse(console, epoch, number, Refusal::Range);
        return;
    };
    reply(console, epoch, number, Reply::Done);
    let mut next: u16 = 0;
    loop {
        match link.poll(console, clock.now_ms()) {
            Heard::Request => {}
            Heard::Nothing if !link.is_open() => return,
            Heard::Nothing | Heard::Text(_) => continue,
        }
        let Some(Request { number, ask, .. }) = link.request() else {
            return;
        };
        match ask {
            // Sent again.
            Ask::Row { index, .. } if index.checked_add(1) == Some(next) => {
                reply(console, epoch, number, Reply::Done);
            }
            Ask::Row { index, bytes } if index == next && index < size.height => {
                let taken = match bytes.len() == row_len {
                    true => push(&mut picture, pixels, bytes, rgb),
                    false => Err(Refusal::Range),
                };
                next += u16::from(taken.is_ok());
                settle(console, epoch, number, taken);
            }
            Ask::Row { .. } => {
                refuse(console, epoch, number, Refusal::Order);
            }
            Ask::Finish => {
                match picture.finish() {
                    Ok(logits) => {
                        reply(console, epoch, number, logits_reply(logits));
                        link.finished = Some(number);
                    }
                    Err(_) => {
                        refuse(console, epoch, number, Refusal::Order);
                    }
                }
                return;
            }
            _ => {
                link.hold();
                return;
            }
        }
    }
}

fn logits_reply(logits: &[i8]) -> Reply<'_> {
    Reply::Logits(bytemuck::cast_slice(logits))
}

/// Gives a row to the picture.
fn push<K: Kernels>(
    picture: &mut Picture<'_, '_, '_, K>,
    pixels: PixelFormat,
    bytes: &[u8],
    rgb: &mut [u8],
) -> Result<(), Refusal> {
    if !picture.wants_row() {
        return picture.skip_row().map_err(|_| Refusal::Order);
    }
    let row = unpacked::<core::convert::Infallible>(pixels, bytes, rgb);
    let pushed = row.and_then(|row| picture.push_rgb(row).map_err(ClassifyError::from));
    pushed.map_err(|_| Refusal::Range)
}
