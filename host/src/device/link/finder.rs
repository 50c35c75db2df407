//! Finding a board, and finding it again.

use std::thread::sleep;
use std::time::{Duration, Instant};

use super::{Connection, LinkError};
use crate::device::port::{self, PortError};

/// Baud rate of boards that have a UART; a board's own USB port takes any.
pub const BAUD: u32 = 115_200;

/// Interval between two looks for a board.
const INTERVAL: Duration = Duration::from_millis(200);

/// Search for a board: by the name of its port, or among all ports.
#[derive(Clone, Debug)]
pub struct Finder {
    /// The serial port, if it is named.
    pub port: Option<String>,
    /// Baud rate.
    pub baud: u32,
    /// Factor of time-outs; more than 1 for an emulated board.
    pub slow: u32,
}

impl Default for Finder {
    fn default() -> Self {
        Finder {
            port: None,
            baud: BAUD,
            slow: 1,
        }
    }
}

impl Finder {
    /// Connects to the board on the named port, or else to the only one that is likely a board's.
    ///
    /// # Errors
    /// [`LinkError`].
    pub fn connect(&self) -> Result<Connection, LinkError> {
        let name = match &self.port {
            Some(name) => name.clone(),
            None => port::find()?,
        };
        Connection::open(&name, self.baud, self.slow)
    }

    /// [`Finder::connect`] to a board that went away, for as long as `patience`. After that, or where
    /// waiting does not help, the last error.
    ///
    /// # Errors
    /// [`LinkError`].
    pub fn connect_again(&self, patience: Duration) -> Result<Connection, LinkError> {
        let end = Instant::now() + patience;
        loop {
            match self.connect() {
                Err(error) if may_pass(&error) && Instant::now() < end => sleep(INTERVAL),
                found => return found,
            }
        }
    }
}

/// A port that has just appeared may not be this user's yet.
const fn may_pass(error: &LinkError) -> bool {
    error.is_passing() || matches!(error, LinkError::Port(PortError::Denied { .. }))
}
