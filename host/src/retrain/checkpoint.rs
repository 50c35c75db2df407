//! Checkpoint of fine-tuning: the state after an epoch, in a file, so that a killed run goes on.
//!
//! ```text
//! magic (8), key of the run (32), epoch (4), steps (4), parameters (4), measurements (4),
//! best validation loss (8), parameters, first moments, second moments, best parameters (4 each),
//! measurements (40 each), CRC-32C of all before (4)
//! ```
//!
//! Numbers are little-endian. The key is a hash of everything that decides the result, so that no
//! other run takes the file. A damaged file is as none.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crc::{CRC_32_ISCSI, Crc, Table};
use posy_nn::atomic;

use crate::train::qat::adamw::AdamW;
use crate::train::qat::{Measurement, State};
use crate::units::hex;

static CRC: Crc<u32, Table<16>> = Crc::<u32, Table<16>>::new(&CRC_32_ISCSI);

const MAGIC: &[u8; 8] = b"posyft\0\x01";
const HEADER: usize = 8 + 32 + 4 * 4 + 8;
/// Bytes of a measurement.
const MEASUREMENT: usize = 40;
/// Least time between two writes: an epoch of a small network takes less.
const INTERVAL: Duration = Duration::from_millis(200);
/// Share of the time that may go into writing: one part in so many.
const SHARE: u32 = 20;
/// Age from which on a file that no run went on from is removed.
const OLD: Duration = Duration::from_hours(7 * 24);

/// The file of a run.
#[derive(Debug)]
pub(super) struct Checkpoint {
    path: PathBuf,
    key: [u8; 32],
    written: Instant,
    pause: Duration,
}

impl Checkpoint {
    /// The file of the run `key` in `folder`. Removes files there that are old.
    pub(super) fn new(folder: &Path, key: [u8; 32]) -> Self {
        let name = hex(&key[..8]);
        for entry in folder.read_dir().into_iter().flatten().flatten() {
            let modified = entry.metadata().and_then(|about| about.modified());
            let age = modified.ok().and_then(|time| time.elapsed().ok());
            if age.is_some_and(|age| age > OLD) {
                // What cannot be removed is left for the next run.
                let _ = std::fs::remove_file(entry.path());
            }
        }
        Checkpoint {
            path: folder.join(format!("{name}.state")),
            key,
            written: Instant::now(),
            pause: INTERVAL,
        }
    }

    /// The state that was written last, if it is whole and has as many parameters as `start`.
    pub(super) fn read(&self, start: &State) -> Option<State> {
        let bytes = std::fs::read(&self.path).ok()?;
        let state = decode(&bytes, &self.key)?;
        (state.best.len() == start.best.len()).then_some(state)
    }

    /// Writes the state, unless it wrote one a moment ago. A run whose state cannot be written goes
    /// on without.
    pub(super) fn write(&mut self, state: &State) {
        if self.written.elapsed() < self.pause {
            return;
        }
        let started = Instant::now();
        if let Some(folder) = self.path.parent() {
            let _ = std::fs::create_dir_all(folder);
        }
        let _ = atomic::write(&self.path, &encode(state, &self.key));
        self.written = Instant::now();
        self.pause = INTERVAL.max(started.elapsed() * SHARE);
    }

    /// Removes the file after the run.
    pub(super) fn remove(self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

fn encode(state: &State, key: &[u8; 32]) -> Vec<u8> {
    let adam = &state.adam;
    let counts = [
        state.epoch as u32,
        adam.steps,
        adam.values.len() as u32,
        state.history.len() as u32,
    ];
    let mut bytes = Vec::with_capacity(HEADER + 16 * adam.values.len());
    bytes.extend(MAGIC);
    bytes.extend(key);
    counts
        .iter()
        .for_each(|count| bytes.extend(count.to_le_bytes()));
    bytes.extend(state.best_loss.to_le_bytes());
    for values in [&adam.values, &adam.first, &adam.second, &state.best] {
        values
            .iter()
            .for_each(|value| bytes.extend(value.to_le_bytes()));
    }
    for found in &state.history {
        bytes.extend((found.epoch as u64).to_le_bytes());
        for value in [
            found.training_loss,
            found.training_accuracy,
            found.validation_loss,
            found.validation_accuracy,
        ] {
            bytes.extend(value.to_le_bytes());
        }
    }
    let crc = CRC.checksum(&bytes);
    bytes.extend(crc.to_le_bytes());
    bytes
}

fn decode(bytes: &[u8], key: &[u8; 32]) -> Option<State> {
    let (bytes, crc) = bytes.split_last_chunk::<4>()?;
    let sound = CRC.checksum(bytes) == u32::from_le_bytes(*crc);
    if !sound || bytes.get(..8)? != MAGIC || bytes.get(8..40)? != key {
        return None;
    }
    let count = |at: usize| {
        Some(u32::from_le_bytes(
            *bytes.get(40 + 4 * at..)?.first_chunk()?,
        ))
    };
    let [epoch, steps, parameters, measurements] = [count(0)?, count(1)?, count(2)?, count(3)?];
    let best_loss = f64::from_le_bytes(*bytes.get(56..)?.first_chunk()?);
    let body = bytes.get(HEADER..)?;
    let each = 4 * parameters as usize;
    if body.len() != 4 * each + MEASUREMENT * measurements as usize {
        return None;
    }
    let (parameters, measurements) = body.split_at(4 * each);
    let values = |part: usize| -> Vec<f32> {
        let (values, _) = parameters[part * each..][..each].as_chunks::<4>();
        values
            .iter()
            .map(|&bytes| f32::from_le_bytes(bytes))
            .collect()
    };
    let history = measurements.chunks_exact(MEASUREMENT).map(|bytes| {
        let (words, _) = bytes.as_chunks::<8>();
        let word = |at: usize| u64::from_le_bytes(words[at]);
        Measurement {
            epoch: word(0) as usize,
            training_loss: f64::from_bits(word(1)),
            training_accuracy: f64::from_bits(word(2)),
            validation_loss: f64::from_bits(word(3)),
            validation_accuracy: f64::from_bits(word(4)),
        }
    });
    Some(State {
        epoch: epoch as usize,
        adam: AdamW {
            values: values(0),
            first: values(1),
            second: values(2),
            steps,
        },
        best: values(3),
        best_loss,
        history: history.collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state() -> State {
        State {
            epoch: 3,
            adam: AdamW {
                values: vec![1.0, -2.5],
                first: vec![0.1, 0.2],
                second: vec![0.3, 0.4],
                steps: 12,
            },
            best: vec![0.5, 7.0],
            best_loss: 0.25,
            history: vec![Measurement {
                epoch: 1,
                training_loss: 1.5,
                training_accuracy: 0.5,
                validation_loss: 0.25,
                validation_accuracy: 0.75,
            }],
        }
    }

    #[test]
    fn a_state_is_read_as_it_was_written_and_by_its_own_run_alone() {
        let bytes = encode(&state(), &[7; 32]);
        assert_eq!(decode(&bytes, &[7; 32]), Some(state()));
        assert_eq!(decode(&bytes, &[8; 32]), None);
        for len in 0..bytes.len() {
            assert_eq!(decode(&bytes[..len], &[7; 32]), None);
        }
        for at in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[at] ^= 1;
            assert_eq!(decode(&damaged, &[7; 32]), None, "{at}");
        }
    }
}
