//! The serial port of a board.

use std::io::{self, Read, Write};
use std::time::{Duration, Instant};

use serialport::{SerialPort, SerialPortInfo, SerialPortType, UsbPortInfo};

/// Longest wait of one read.
const WAIT: Duration = Duration::from_millis(100);

/// Longest time that a port may take no bytes.
const STUCK: Duration = Duration::from_secs(2);

/// Errors of a serial port.
#[derive(Debug, thiserror::Error)]
pub enum PortError {
    /// The system cannot list its ports.
    #[error("the serial ports cannot be listed: {0}; name one with --port")]
    List(serialport::Error),
    /// No board is connected.
    #[error(
        "there is no USB serial port: plug the board in, by a cable that has data lines (many only \
         charge), and wait some seconds after writing a program; a port of another kind is named with \
         --port"
    )]
    None,
    /// Several ports may be the board's.
    #[error("there are several serial ports; name one with --port: {}", listed(.0))]
    Several(Vec<SerialPortInfo>),
    /// The user has no permission to open the port.
    #[error("{port}: this user may not open it; {ALLOW}")]
    Denied {
        /// The port.
        port: String,
    },
    /// The port cannot be opened.
    #[error("{port}: {source}; is it plugged in, and no other program using it?")]
    Open {
        /// The port.
        port: String,
        /// The system's error.
        source: serialport::Error,
    },
    /// The port was disconnected.
    #[error("{port}: the port went away ({source}); plug the board in and start again")]
    Gone {
        /// The port.
        port: String,
        /// The system's error.
        source: io::Error,
    },
}

/// Advice that gives a user permission to open serial ports.
const ALLOW: &str = match cfg!(target_os = "linux") {
    true => {
        "do once: sudo usermod -aG dialout $USER (on Arch Linux the group is uucp), then log out and \
         in again"
    }
    false => "change its permissions",
};

fn listed(ports: &[SerialPortInfo]) -> String {
    let lines: Vec<String> = ports.iter().map(shown).collect();
    lines.join("; ")
}

/// A port as it is listed for the user.
fn shown(port: &SerialPortInfo) -> String {
    let name = &port.port_name;
    let SerialPortType::UsbPort(usb) = &port.port_type else {
        return name.clone();
    };
    let ids = format!("{:04x}:{:04x}", usb.vid, usb.pid);
    let words = [&usb.manufacturer, &usb.product, &usb.serial_number];
    let words: Vec<&str> = words.into_iter().flatten().map(|word| &**word).collect();
    let line = format!("{name} ({ids} {}", words.join(" "));
    format!("{})", line.trim_end())
}

/// USB vendor IDs of the serial ports of posy's boards: Raspberry Pi (the Picos and their debug
/// probe), ST (the debug probe of Nucleo boards, and the WeAct's own port), SEGGER (the probe of Nordic's kits),
/// Arduino, Seeed, Adafruit.
const MAKERS: [u16; 6] = [0x2E8A, 0x0483, 0x1366, 0x2341, 0x2886, 0x239A];

fn usb(port: &SerialPortInfo) -> Option<&UsbPortInfo> {
    match &port.port_type {
        SerialPortType::UsbPort(usb) => Some(usb),
        _ => None,
    }
}

/// Name of programs with a USB port of their own as devices.
const PRODUCT: &str = "posy";

/// The board's most likely port: the only USB port, or else the only one from a vendor of posy's
/// boards, or of several the only one that is called posy.
///
/// # Errors
/// [`PortError::List`], [`PortError::None`], [`PortError::Several`].
pub fn find() -> Result<String, PortError> {
    choose(serialport::available_ports().map_err(PortError::List)?)
}

fn choose(mut ports: Vec<SerialPortInfo>) -> Result<String, PortError> {
    // macOS lists each port twice; /dev/tty waits for a modem's carrier when it is opened.
    ports.retain(|port| usb(port).is_some() && !port.port_name.starts_with("/dev/tty."));
    let is_known = |port: &SerialPortInfo| usb(port).is_some_and(|usb| MAKERS.contains(&usb.vid));
    if ports.iter().any(is_known) {
        ports.retain(is_known);
    }
    // A debug probe of the same maker has a port too.
    let is_posy = |port: &SerialPortInfo| {
        usb(port).is_some_and(|usb| usb.product.as_deref() == Some(PRODUCT))
    };
    if ports.iter().filter(|port| is_posy(port)).count() == 1 {
        ports.retain(is_posy);
    }
    ports.sort_by(|a, b| a.port_name.cmp(&b.port_name));
    match &ports[..] {
        [] => Err(PortError::None),
        [port] => Ok(port.port_name.clone()),
        _ => Err(PortError::Several(ports)),
    }
}

/// An open port.
pub struct Port {
    name: String,
    port: Box<dyn SerialPort>,
}

impl Port {
    /// Opens a port with 8 data bits, no parity, one stop bit.
    ///
    /// # Errors
    /// [`PortError::Denied`], [`PortError::Open`].
    pub fn open(name: &str, baud: u32) -> Result<Self, PortError> {
        let opened = serialport::new(name, baud).timeout(WAIT).open();
        let mut port = opened.map_err(|source| match source.kind {
            serialport::ErrorKind::Io(io::ErrorKind::PermissionDenied) => PortError::Denied {
                port: name.to_owned(),
            },
            _ => PortError::Open {
                port: name.to_owned(),
                source,
            },
        })?;
        // A board may be silent until DTR says that a reader is there; not every port has it.
        let _ = port.write_data_terminal_ready(true);
        Ok(Port {
            name: name.to_owned(),
            port,
        })
    }

    /// Reads available bytes into `bytes`; returns their number, 0 if none came within a tenth of a
    /// second.
    ///
    /// # Errors
    /// [`PortError::Gone`].
    pub fn read(&mut self, bytes: &mut [u8]) -> Result<usize, PortError> {
        match self.port.read(bytes) {
            // A connected port returns data or a timeout, never zero bytes.
            Ok(0) => Err(self.gone(io::ErrorKind::UnexpectedEof.into())),
            Ok(len) => Ok(len),
            Err(error) => match error.kind() {
                io::ErrorKind::TimedOut | io::ErrorKind::Interrupted => Ok(0),
                _ => Err(self.gone(error)),
            },
        }
    }

    /// The port's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Sends `bytes`. What the port does not take within `STUCK` is dropped: whoever waits for a reply
    /// sends again.
    ///
    /// # Errors
    /// [`PortError::Gone`].
    pub fn send_all(&mut self, bytes: &[u8]) -> Result<(), PortError> {
        let end = Instant::now() + STUCK;
        let mut left = bytes;
        while !left.is_empty() && Instant::now() < end {
            match self.port.write(left) {
                Ok(len) => left = left.get(len..).unwrap_or_default(),
                Err(error) => match error.kind() {
                    io::ErrorKind::TimedOut | io::ErrorKind::Interrupted => {}
                    _ => return Err(self.gone(error)),
                },
            }
        }
        Ok(())
    }

    /// Sends one byte.
    ///
    /// # Errors
    /// [`PortError::Gone`].
    pub fn send(&mut self, byte: u8) -> Result<(), PortError> {
        let sent = self.port.write_all(&[byte]);
        sent.map_err(|error| self.gone(error))
    }

    fn gone(&self, source: io::Error) -> PortError {
        PortError::Gone {
            port: self.name.clone(),
            source,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn port(name: &str, ids: Option<(u16, u16)>) -> SerialPortInfo {
        let usb = |(vid, pid)| {
            SerialPortType::UsbPort(UsbPortInfo {
                vid,
                pid,
                serial_number: Some("E661".to_owned()),
                manufacturer: None,
                product: Some("posy\x1b[2J".to_owned()),
            })
        };
        SerialPortInfo {
            port_name: name.to_owned(),
            port_type: ids.map_or(SerialPortType::Unknown, usb),
        }
    }

    #[test]
    fn the_likeliest_port_is_taken() {
        let built_in = port("/dev/ttyS0", None);
        let adapter = port("/dev/ttyUSB0", Some((0x0403, 0x6001)));
        let pico = port("/dev/ttyACM0", Some((0x2E8A, 0x000A)));
        let nucleo = port("/dev/ttyACM1", Some((0x0483, 0x374B)));
        let twin = port("/dev/tty.usbmodem1", Some((0x2E8A, 0x000A)));
        let name =
            |ports: &[&SerialPortInfo]| choose(ports.iter().map(|port| (*port).clone()).collect());
        assert_eq!(name(&[&built_in, &adapter]).unwrap(), "/dev/ttyUSB0");
        assert_eq!(name(&[&adapter, &pico, &twin]).unwrap(), "/dev/ttyACM0");
        assert!(matches!(name(&[]), Err(PortError::None)));
        assert!(matches!(name(&[&built_in]), Err(PortError::None)));
        let error = name(&[&nucleo, &adapter, &pico]).unwrap_err().to_string();
        // The display removes control characters.
        let (first, second) = error
            .split_once("/dev/ttyACM0 (2e8a:000a posy\x1b[2J E661)")
            .unwrap();
        assert!(first.contains("--port"), "{error}");
        assert!(second.contains("/dev/ttyACM1 (0483:374b"), "{error}");
        assert!(!error.contains("ttyUSB0"), "{error}");

        // A Pico and the probe at its side.
        let called = |name: &str, product: &str, number: &str| {
            let mut port = port(name, Some((0x2E8A, 0x000C)));
            if let SerialPortType::UsbPort(usb) = &mut port.port_type {
                usb.product = Some(product.to_owned());
                usb.serial_number = Some(number.to_owned());
            }
            port
        };
        let probe = called("/dev/ttyACM2", "Debugprobe on Pico (CMSIS-DAP)", "E0C9");
        let (one, two) = (
            called("/dev/ttyACM3", "posy", "E6614103E7452D2F"),
            called("/dev/ttyACM4", "posy", "E6614103E7452D30"),
        );
        assert_eq!(name(&[&probe, &one]).unwrap(), "/dev/ttyACM3");
        let error = name(&[&probe, &one, &two]).unwrap_err();
        assert!(matches!(error, PortError::Several(_)), "{error}");
        // Two boards are told apart.
        let error = error.to_string();
        for said in [
            "/dev/ttyACM3 (2e8a:000c posy E6614103E7452D2F)",
            "/dev/ttyACM4 (2e8a:000c posy E6614103E7452D30)",
        ] {
            assert!(error.contains(said), "{error}");
        }
    }
}
