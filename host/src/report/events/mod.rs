//! TensorBoard's event files.
//!
//! A file is a chain of records, each a little-endian length (u64), the masked CRC-32C of those
//! eight bytes, an `Event` as a protocol buffer, and its masked CRC-32C (TensorFlow's
//! `core/lib/io/record_writer.h`; the mask is that of `core/lib/hash/crc32c.h`). The first event
//! names the version of the format.

mod graph;
mod histogram;
mod proto;

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use crc::{CRC_32_ISCSI, Crc};
use prost::Message;

pub use graph::{Graph, GraphNode};
use proto::{Hparams, JsonKind, Kind, What};

/// CRC-32C.
static CRC: Crc<u32> = Crc::<u32>::new(&CRC_32_ISCSI);

/// Infix of the names of event files, by which TensorBoard finds them; [`SUFFIX`] ends the names of
/// the files that are written here.
const INFIX: &str = "tfevents";
const SUFFIX: &str = ".posy";

/// An event file cannot be written.
#[derive(Debug, thiserror::Error)]
#[error(
    "{}: the event file cannot be written: {source}; give another folder as --summaries-dir",
    path.display()
)]
pub struct EventError {
    /// The file or its folder.
    pub path: PathBuf,
    /// Error of the system.
    pub source: io::Error,
}

/// A value that a run was made with.
#[derive(Clone, Debug, PartialEq)]
pub enum Hparam {
    /// A number.
    Number(f64),
    /// A word.
    Text(String),
    /// Yes or no.
    Flag(bool),
}

/// A value of a summary, under its tag.
#[derive(Clone, Debug)]
pub struct Tagged(proto::Value);

impl Tagged {
    fn new(tag: &str, kind: Kind) -> Self {
        Tagged(proto::Value {
            tag: tag.to_owned(),
            metadata: None,
            kind: Some(kind),
        })
    }

    /// A number.
    pub fn scalar(tag: &str, value: f64) -> Self {
        Self::new(tag, Kind::Scalar(value as f32))
    }

    /// A histogram of values; those that are not finite are left out.
    pub fn histogram(tag: &str, values: impl Iterator<Item = f64> + Clone) -> Self {
        Self::new(tag, Kind::Histogram(histogram::histogram(values)))
    }

    /// A picture: a PNG file of `width` x `height` pixels in RGB.
    pub fn image(tag: &str, width: u32, height: u32, png: Vec<u8>) -> Self {
        let image = proto::Image {
            height: height as i32,
            width: width as i32,
            colorspace: 3,
            encoded: png,
        };
        Self::new(tag, Kind::Image(image))
    }

    /// A value for TensorBoard's plugin HParams. The plugin looks at the metadata and not at the tensor,
    /// which must be there.
    fn hparams(tag: &str, data: Hparams) -> Self {
        let content = proto::HparamsData {
            version: 0,
            data: Some(data),
        };
        let tensor = proto::Tensor {
            dtype: proto::dtype::FLOAT,
            shape: Some(proto::TensorShape {
                dim: vec![proto::Dim { size: 1 }],
            }),
            float_val: vec![0.0],
        };
        let mut tagged = Self::new(tag, Kind::Tensor(tensor));
        tagged.0.metadata = Some(proto::Metadata {
            plugin_data: Some(proto::PluginData {
                plugin_name: "hparams".to_owned(),
                content: content.encode_to_vec(),
            }),
        });
        tagged
    }
}

/// An event file that is being written, and can be read meanwhile. It goes again if it is dropped
/// before [`EventFile::finish`].
#[derive(Debug)]
pub struct EventFile {
    path: PathBuf,
    file: BufWriter<File>,
    /// Files of an earlier run in the same place.
    earlier: Vec<PathBuf>,
    finished: bool,
}

fn now() -> f64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0.0, |since| since.as_secs_f64())
}

/// A checksum that is stored beside what it is of must not be its own checksum's input as it is.
fn masked_crc(bytes: &[u8]) -> u32 {
    CRC.checksum(bytes)
        .rotate_right(15)
        .wrapping_add(0xa282_ead8)
}

impl EventFile {
    /// Begins a file in `folder`, which is made where it is missing. Event files that this program
    /// left there are of an earlier run in the same place, and go when this one is finished.
    ///
    /// # Errors
    /// What the system says.
    pub fn create(folder: &Path) -> Result<Self, EventError> {
        let failed = |path: &Path| {
            let path = path.to_owned();
            move |source| EventError { path, source }
        };
        fs::create_dir_all(folder).map_err(failed(folder))?;
        let mut earlier = Vec::new();
        for entry in fs::read_dir(folder).map_err(failed(folder))?.flatten() {
            let name = entry.file_name();
            let name = name.to_string_lossy();
            if name.contains(INFIX) && name.ends_with(SUFFIX) {
                earlier.push(entry.path());
            }
        }
        let (path, file) = new_file(folder)?;
        let mut events = EventFile {
            path,
            file: BufWriter::new(file),
            earlier,
            finished: false,
        };
        events.event(0, What::FileVersion("brain.Event:2".to_owned()))?;
        Ok(events)
    }

    /// Writes values of a step.
    ///
    /// # Errors
    /// What the system says.
    pub fn summary(&mut self, step: usize, values: Vec<Tagged>) -> Result<(), EventError> {
        let value = values.into_iter().map(|tagged| tagged.0).collect();
        self.event(step, What::Summary(proto::Summary { value }))
    }

    /// Writes the graph of the network.
    ///
    /// # Errors
    /// What the system says.
    pub fn graph(&mut self, graph: &Graph) -> Result<(), EventError> {
        self.event(0, What::GraphDef(graph.encode()))
    }

    /// Writes what the run was made with, for the table of runs.
    ///
    /// # Errors
    /// What the system says.
    pub fn session(&mut self, hparams: &[(&str, Hparam)]) -> Result<(), EventError> {
        let hparams = hparams.iter().map(|(name, value)| {
            let kind = match value.clone() {
                Hparam::Number(number) => JsonKind::Number(number),
                Hparam::Text(text) => JsonKind::Text(text),
                Hparam::Flag(flag) => JsonKind::Bool(flag),
            };
            ((*name).to_owned(), proto::JsonValue { kind: Some(kind) })
        });
        let start = proto::SessionStart {
            hparams: hparams.collect(),
            start_time_secs: now(),
        };
        let tag = "_hparams_/session_start_info";
        self.summary(0, vec![Tagged::hparams(tag, Hparams::Start(start))])
    }

    /// Writes that the run has come to its end.
    ///
    /// # Errors
    /// What the system says.
    pub fn session_end(&mut self) -> Result<(), EventError> {
        let end = proto::SessionEnd {
            status: 1,
            end_time_secs: now(),
        };
        let tag = "_hparams_/session_end_info";
        self.summary(0, vec![Tagged::hparams(tag, Hparams::End(end))])
    }

    /// Hands what was written to the system, so that whoever reads the file sees it.
    ///
    /// # Errors
    /// What the system says.
    pub fn flush(&mut self) -> Result<(), EventError> {
        self.file.flush().map_err(|source| EventError {
            path: self.path.clone(),
            source,
        })
    }

    /// Keeps the file, and removes those of an earlier run.
    ///
    /// # Errors
    /// What the system says.
    pub fn finish(mut self) -> Result<(), EventError> {
        self.flush()?;
        self.finished = true;
        for path in std::mem::take(&mut self.earlier) {
            match fs::remove_file(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(EventError {
                        path,
                        source: error,
                    });
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn event(&mut self, step: usize, what: What) -> Result<(), EventError> {
        let event = proto::Event {
            wall_time: now(),
            step: step as i64,
            what: Some(what),
        };
        self.record(&event.encode_to_vec())
            .map_err(|source| EventError {
                path: self.path.clone(),
                source,
            })
    }

    fn record(&mut self, bytes: &[u8]) -> io::Result<()> {
        let length = (bytes.len() as u64).to_le_bytes();
        self.file.write_all(&length)?;
        self.file.write_all(&masked_crc(&length).to_le_bytes())?;
        self.file.write_all(bytes)?;
        self.file.write_all(&masked_crc(bytes).to_le_bytes())
    }
}

impl Drop for EventFile {
    fn drop(&mut self) {
        if !self.finished {
            // A run that fails has enough to say.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// A file whose name says when it was begun, which no other file in `folder` has.
fn new_file(folder: &Path) -> Result<(PathBuf, File), EventError> {
    let seconds = now().floor();
    for number in 0u32.. {
        let path = folder.join(format!(
            "events.out.{INFIX}.{seconds:010.0}.{number}{SUFFIX}"
        ));
        match File::create_new(&path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Ok(file) => return Ok((path, file)),
            Err(source) => return Err(EventError { path, source }),
        }
    }
    Err(EventError {
        path: folder.to_owned(),
        source: io::ErrorKind::AlreadyExists.into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The check value of CRC-32C in RFC 3720, section B.4: 32 bytes of zeros.
    #[test]
    fn checksums_are_of_castagnoli() {
        assert_eq!(CRC.checksum(&[0; 32]), 0x8a91_36aa);
    }

    #[test]
    fn a_run_in_the_same_place_replaces_its_files_and_no_others() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["events.out.tfevents.1.posy", "events.out.tfevents.2.host"] {
            fs::write(folder.path().join(name), "x").unwrap();
        }
        let names = || -> Vec<String> {
            fs::read_dir(folder.path())
                .unwrap()
                .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
                .collect()
        };
        // One that fails changes nothing.
        let file = EventFile::create(folder.path()).unwrap();
        assert_eq!(names().len(), 3);
        drop(file);
        assert!(names().contains(&"events.out.tfevents.1.posy".to_owned()));
        EventFile::create(folder.path()).unwrap().finish().unwrap();
        let names = names();
        assert_eq!(names.len(), 2, "{names:?}");
        assert!(names.contains(&"events.out.tfevents.2.host".to_owned()));
        assert!(!names.contains(&"events.out.tfevents.1.posy".to_owned()));
    }

    #[test]
    fn an_unusable_folder_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("taken");
        fs::write(&file, "").unwrap();
        let error = EventFile::create(&file).unwrap_err().to_string();
        assert!(
            error.contains("taken") && error.contains("--summaries-dir"),
            "{error}"
        );
    }
}
