//! Options that name a board's serial port, the same for every command.

use clap::Args;

use crate::device::link::{Connection, Finder, LinkError};

#[derive(Clone, Debug, Args)]
pub(super) struct PortArguments {
    /// The serial port, such as /dev/ttyACM0, /dev/cu.usbmodem101 or COM3, if it is not found.
    #[arg(long, value_name = "PORT")]
    pub(super) port: Option<String>,
    /// Baud rate; a board's own USB port accepts any.
    #[arg(long, value_name = "N", default_value_t = 115_200, value_parser = clap::value_parser!(u32).range(1..))]
    pub(super) baud: u32,
    /// Wait so many times as long for a reply, for an emulated board.
    #[arg(long, value_name = "N", default_value_t = 1, hide = true, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(super) slow: u32,
}

impl PortArguments {
    pub(super) fn finder(&self) -> Finder {
        Finder {
            port: self.port.clone(),
            baud: self.baud,
            slow: self.slow,
        }
    }

    /// Connects to the board.
    pub(super) fn connect(&self) -> Result<Connection, LinkError> {
        self.finder().connect()
    }
}
