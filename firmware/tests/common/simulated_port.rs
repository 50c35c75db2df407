//! A parallel port behind the simulated sensor, instead of the ArduChip.

use posy_firmware::camera::{FramePort, GrabError};

use super::simulated::Wire;

/// The port of a [`Wire`] fails by itself only where `port_fails_at` says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PortFault;

impl std::fmt::Display for PortFault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("port fault")
    }
}

impl FramePort for Wire {
    type Error = PortFault;

    fn grab(&mut self, frame: &mut [u32], timeout_ms: u32) -> Result<(), GrabError<PortFault>> {
        let mut camera = self.0.borrow_mut();
        let index = camera.port_count;
        camera.port_count += 1;
        if camera.port_fails_at == Some(index) {
            return Err(GrabError::Port(PortFault));
        }
        // No clock from an unplugged camera, no VSYNC from a stalled one.
        if !camera.plugged || !camera.fills {
            camera.delayed_ms += u64::from(timeout_ms);
            return Err(GrabError::Timeout);
        }
        let mut bytes = camera.next_frame();
        if !camera.torn.is_empty() {
            let len = bytes.len() as i32 + camera.torn.remove(0);
            bytes.resize(len.try_into().unwrap(), 0);
        }
        let (words, _) = bytes.as_chunks::<4>();
        for (word, bytes) in frame.iter_mut().zip(words) {
            *word = u32::from_le_bytes(*bytes);
        }
        if words.len() < frame.len() {
            let words = words.len();
            return Err(GrabError::Short { words });
        }
        if bytes.len() > 4 * frame.len() {
            return Err(GrabError::Overrun);
        }
        Ok(())
    }
}
