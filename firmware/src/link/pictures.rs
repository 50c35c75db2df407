//! Pictures on their way to a laptop, row by row as they are read.

use core::fmt;

use posy_shared::link::{Body, Frame, Message, Refusal, Reply, View, send};
use posy_shared::model::Model;

use super::{Link, refuse, refuse_for, reply};
use crate::camera::{Camera, CameraReport, FrameFormat, Readiness};
use crate::classify::{ClassifyError, Eye, RowBuffers, look};
use crate::program::Console;
use crate::report::notice;

/// Sends the rows of one picture as they come by. Where the console gives up, the rest is left out.
pub struct Preview<'p, P> {
    console: &'p mut P,
    epoch: u32,
    frame: u16,
    view: View,
    /// Pixels in a row and rows of the network's input.
    input: (u16, u16),
    /// Index of the next row; none where nothing has been sent, or nothing more is.
    next: Option<u16>,
    /// True if the console has taken everything.
    taken: bool,
    /// Feeds the watchdog.
    feed: fn(),
}

impl<'p, P: Console> Preview<'p, P> {
    /// The next picture of `link`, seen as `view`, of a network whose input `model` says.
    pub fn new(
        console: &'p mut P,
        link: &mut Link<'_>,
        view: View,
        model: Option<&Model<'_>>,
    ) -> Self {
        link.frame = link.frame.wrapping_add(1);
        Preview {
            console,
            epoch: link.epoch,
            frame: link.frame,
            view,
            input: model.map_or((0, 0), |model| {
                let shape = model.input_shape();
                (shape.width, shape.height)
            }),
            next: None,
            taken: true,
            feed: link.feed,
        }
    }

    fn say(&mut self, body: Body<'_>) {
        let epoch = self.epoch;
        let console = &mut *self.console;
        self.taken =
            self.taken && send(&Message { epoch, body }, &mut |bytes| console.frame(bytes));
    }

    fn row(&mut self, bytes: &[u8]) {
        // A picture takes seconds over a UART.
        (self.feed)();
        if let Some(index) = self.next {
            let frame = self.frame;
            self.say(Body::Row {
                frame,
                index,
                bytes,
            });
            self.next = index.checked_add(1).filter(|_| self.taken);
        }
    }

    /// Ends the picture, which is `whole` or not; whether the console has taken everything.
    pub fn end(mut self, whole: bool) -> bool {
        if !whole && self.next.is_some() {
            let frame = self.frame;
            self.say(Body::Torn { frame });
        }
        self.taken
    }
}

impl<P: Console> Eye for Preview<'_, P> {
    fn begin(&mut self, format: FrameFormat) {
        let (width, height) = match self.view {
            View::Camera | View::Small => (format.width, format.height),
            View::Input => self.input,
        };
        self.say(Body::Frame(Frame {
            frame: self.frame,
            view: self.view,
            width,
            height,
            pixels: format.pixels,
        }));
        self.next = self.taken.then_some(0);
    }

    fn camera_row(&mut self, row: &[u8]) {
        if self.view != View::Input {
            self.row(row);
        }
    }

    fn input_row(&mut self, row: &[i8]) {
        if self.view == View::Input {
            self.row(bytemuck::cast_slice(row));
        }
    }
}

/// Parts of the program that a picture is taken with: the model, if there is one, room for rows, and the
/// report of the camera's set-up.
pub type Parts<'p, 'm, 'b> = (
    Option<&'p Model<'m>>,
    &'p mut RowBuffers<'b>,
    &'p mut Option<CameraReport>,
);

/// Brings the camera to where it shows what is seen from now on; says what its set-up found.
fn prepare<C: Camera, P: Console>(
    camera: &mut C,
    console: &mut P,
    link: &Link<'_>,
    found: &mut Option<CameraReport>,
    small: bool,
) -> Result<(), ClassifyError<C::Error>> {
    if !small {
        camera.leave_small();
    }
    loop {
        (link.feed)();
        match camera.start().map_err(ClassifyError::Camera)? {
            Readiness::Ready => break,
            Readiness::Settling => {}
            Readiness::Found(report) => {
                *found = Some(report);
                // A console that fails does so again at the next line, where it is heard.
                let _ = notice(console, format_args!("camera: {report}"));
            }
        }
    }
    camera.discard_next();
    match small {
        true => camera.enter_small().map_err(ClassifyError::Camera),
        false => Ok(()),
    }
}

/// Takes one picture and sends it, without classifying it. `request` is the number of a request
/// that is answered when the picture has been sent. The camera's error, where it has one, comes back.
pub fn capture<C: Camera<Error: fmt::Display>, P: Console>(
    camera: &mut C,
    console: &mut P,
    link: &mut Link<'_>,
    view: View,
    (model, buffers, found): Parts<'_, '_, '_>,
    request: Option<u16>,
) -> Result<(), ClassifyError<C::Error>> {
    if view == View::Input && model.is_none() {
        if let Some(number) = request {
            refuse(console, link.epoch, number, Refusal::NoModel);
        }
        return Ok(());
    }
    let model = model.filter(|_| view == View::Input);
    let small = view == View::Small;
    let prepared = prepare(camera, console, link, found, small);
    let mut preview = Preview::new(console, link, view, model);
    let looked = prepared.and_then(|()| look(camera, model, buffers, &mut preview));
    if !preview.end(looked.is_ok()) {
        // Nobody reads: so nobody waits for an answer either.
        link.close();
        return looked;
    }
    match (&looked, request) {
        (Ok(()), Some(number)) => {
            reply(console, link.epoch, number, Reply::Done);
        }
        (Err(error), Some(number)) => {
            refuse_for(console, link.epoch, number, Refusal::Camera, error);
        }
        (_, None) => {}
    }
    looked
}
