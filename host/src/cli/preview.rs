//! `posy monitor --preview`: what the network sees, in half blocks, above the board's answers.

use std::fmt::Write as _;
use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;
use std::time::Duration;

use posy_shared::link::View;

use super::output::note;
use super::{Failure, usage};
use crate::device::link::{Connection, Event, Finder, LinkError};
use crate::device::protocol::Line;
use posy_nn::rgb::Rgb;

/// Columns of the picture at most; a row of characters shows two rows of pixels.
const COLUMNS: usize = 64;

/// Wait for one event.
const WAIT: Duration = Duration::from_millis(500);

/// Time for which an unplugged board is waited for.
const PATIENCE: Duration = Duration::from_secs(3600);

/// Shows pictures and answers until Ctrl-C; where they come `quick`, small pictures of the camera alone.
pub(super) fn run(finder: &Finder, quick: bool) -> Result<ExitCode, Failure> {
    if !io::stdout().is_terminal() {
        return Err(usage(
            "--preview draws in a terminal; without it, posy monitor prints lines",
        ));
    }
    let mut connection = finder.connect()?;
    loop {
        note!(
            "{} on {}; Ctrl-C ends",
            connection.info().board,
            connection.port()
        );
        let Err(failure) = follow(&mut connection, quick) else {
            continue;
        };
        match failure.downcast_ref::<LinkError>() {
            Some(error) if error.is_passing() => note!("{error}"),
            _ => return Err(failure),
        }
        drop(connection);
        connection = finder.connect_again(PATIENCE)?;
    }
}

fn follow(connection: &mut Connection, quick: bool) -> Result<(), Failure> {
    connection.pause(quick)?;
    connection.preview(Some(match quick {
        true => View::Small,
        false => View::Input,
    }))?;
    let mut drawn = 0;
    let mut below = String::new();
    loop {
        let picture = match connection.next(WAIT)? {
            Some(Event::Picture(picture)) => picture.to_rgb(),
            Some(Event::Line(Line::Answer(answer))) => {
                below = Line::Answer(answer).to_string();
                continue;
            }
            Some(Event::Line(line)) => {
                note!("{line}");
                drawn = 0;
                continue;
            }
            _ => continue,
        };
        let mut text = String::new();
        if drawn > 0 {
            write!(text, "\x1b[{drawn}A")?;
        }
        let blocks = half_blocks(&picture, COLUMNS);
        drawn = blocks.lines().count() + 1;
        // The answer belongs to the picture before: it comes after its picture.
        writeln!(text, "{blocks}\x1b[K{below}")?;
        let mut out = io::stdout().lock();
        out.write_all(text.as_bytes())?;
        out.flush()?;
    }
}

/// A picture in half blocks of 24-bit colours, at most `columns` wide; a line for two rows of pixels.
fn half_blocks(picture: &Rgb, columns: usize) -> String {
    let (width, height) = (usize::from(picture.width), usize::from(picture.height));
    let step = width.div_ceil(columns.max(1)).max(1);
    let at = |x: usize, y: usize| {
        let start = 3 * (y.min(height.saturating_sub(1)) * width + x);
        picture
            .data
            .get(start..start + 3)
            .map_or([0; 3], |pixel| [pixel[0], pixel[1], pixel[2]])
    };
    let mut text = String::new();
    for y in (0..height).step_by(2 * step) {
        for x in (0..width).step_by(step) {
            let ([r, g, b], [s, h, c]) = (at(x, y), at(x, y + step));
            let _ = write!(text, "\x1b[38;2;{r};{g};{b}m\x1b[48;2;{s};{h};{c}m\u{2580}");
        }
        text.push_str("\x1b[0m\n");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_rows_of_pixels_are_one_row_of_half_blocks() {
        let picture = Rgb {
            width: 2,
            height: 3,
            data: (0..18).collect(),
        };
        let text = half_blocks(&picture, 64);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 2);
        assert_eq!(
            lines[0],
            "\x1b[38;2;0;1;2m\x1b[48;2;6;7;8m▀\x1b[38;2;3;4;5m\x1b[48;2;9;10;11m▀\x1b[0m"
        );
        // Below the last row it is repeated.
        assert!(lines[1].starts_with("\x1b[38;2;12;13;14m\x1b[48;2;12;13;14m▀"));
        assert_eq!(half_blocks(&picture, 1).matches('▀').count(), 1);
    }
}
