//! Recognises kinds of file by their bytes, for error messages about a file that posy does not read
//! in that place; each suggests the one command that helps.

use std::io::Cursor;
use std::path::Path;

use crate::import::{onnx, tensorflow, tflite};
use crate::shell::{in_python, quoted_path};

/// Apparent kind of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// An empty file.
    Empty,
    /// A Git LFS pointer in place of a large file.
    LfsPointer,
    /// HTML.
    WebPage,
    /// A compressed archive.
    Gzip,
    /// A zip archive, with the path of a network in it, if any.
    Zip(Option<String>),
    /// Keras 3.
    Keras,
    /// Older Keras, or other data in HDF5.
    Hdf5,
    /// Output of `torch.save`.
    PyTorch,
    /// Weights in safetensors.
    SafeTensors,
    /// TensorFlow's SavedModel.
    SavedModel,
    /// TensorFlow.js.
    TensorFlowJs,
    /// An image.
    Photo,
    /// An executable for a board.
    Program,
    /// Text.
    Text,
    /// A `.posy` model.
    Posy,
    /// A TensorFlow Lite file.
    Tflite,
    /// A TensorFlow frozen graph.
    Frozen,
    /// An ONNX file.
    Onnx,
    /// An unknown kind.
    Unknown,
}

impl Kind {
    /// Recognises a file's bytes.
    pub fn of(bytes: &[u8]) -> Self {
        let text = text_of(bytes);
        match bytes {
            [] => Self::Empty,
            [b'P', b'O', b'S', b'Y', ..] => Self::Posy,
            [b'P', b'K', 3, 4, ..] => zipped(bytes),
            [0x1f, 0x8b, ..] => Self::Gzip,
            [0x89, b'H', b'D', b'F', ..] => Self::Hdf5,
            // torch.save wrote a bare pickle before it wrote archives.
            [0x80, 2..=5, ..] => Self::PyTorch,
            [0x7f, b'E', b'L', b'F', ..] | [b'U', b'F', b'2', b'\n', ..] => Self::Program,
            [0xff, 0xd8, 0xff, ..]
            | [0x89, b'P', b'N', b'G', ..]
            | [b'G', b'I', b'F', b'8', ..] => Self::Photo,
            _ if tflite::is_tflite(bytes) => Self::Tflite,
            _ if is_saved_model(bytes) => Self::SavedModel,
            // Before protocol buffers, whose first field a line feed could begin.
            _ if text.is_some_and(|text| text.starts_with('<')) => Self::WebPage,
            _ if onnx::is_onnx(bytes) => Self::Onnx,
            _ if tensorflow::is_frozen(bytes) => Self::Frozen,
            [_, _, _, _, _, _, _, 0, b'{', b'"', ..] => Self::SafeTensors,
            _ => match text {
                Some(text) if text.starts_with("version https://git-lfs") => Self::LfsPointer,
                Some(text) if text.starts_with('{') && text.contains("\"modelTopology\"") => {
                    Self::TensorFlowJs
                }
                Some(_) => Self::Text,
                None => Self::Unknown,
            },
        }
    }

    /// Recognises a folder at `path`.
    pub fn of_folder(path: &Path) -> Option<Self> {
        let saved = path.join("saved_model.pb").is_file();
        (path.is_dir() && saved).then_some(Self::SavedModel)
    }

    /// True if posy reads this kind anywhere.
    pub fn is_read(&self) -> bool {
        matches!(
            self,
            Self::Empty | Self::Posy | Self::Tflite | Self::Frozen | Self::Onnx | Self::Unknown
        )
    }

    /// Description, as the end of a sentence.
    pub fn what(&self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::LfsPointer => "a Git LFS pointer, a note in place of the file itself",
            Self::WebPage => "a web page, not the file that the page is about",
            Self::Gzip => "a compressed archive",
            Self::Zip(_) => "a zip archive",
            Self::Keras => "a Keras model (.keras)",
            Self::Hdf5 => "a Keras model in HDF5 (.h5)",
            Self::PyTorch => "a PyTorch checkpoint, weights without their network",
            Self::SafeTensors => "a safetensors file, weights without their network",
            Self::SavedModel => "a TensorFlow SavedModel",
            Self::TensorFlowJs => "a TensorFlow.js model",
            Self::Photo => "a photo",
            Self::Program => "a program for a processor",
            Self::Text => "a text",
            Self::Posy => "a model that posy has written",
            Self::Tflite => "a TensorFlow Lite file",
            Self::Frozen => "a frozen TensorFlow graph",
            Self::Onnx => "an ONNX file",
            Self::Unknown => "of unknown kind",
        }
    }

    /// A sentence with the command that converts it to a network that posy reads. `path` is the
    /// file's, or the folder's.
    pub fn help(&self, path: &Path) -> String {
        let shown = quoted_path(path);
        match self {
            Self::Empty => "Fetch it again.".into(),
            Self::LfsPointer => "`git lfs pull`, in the folder where it was cloned, gets it.".into(),
            Self::WebPage => format!(
                "`curl -L -o {shown} ADDRESS` gets it, with the address behind the page's download button (on \
                 GitHub: \"Raw\")."
            ),
            Self::Gzip => format!("`tar xzf {shown}` unpacks it; give the network's file inside."),
            Self::Zip(None) => format!("`unzip {shown}` unpacks it; give the network's file inside."),
            Self::Zip(Some(name)) => format!("`unzip {shown}` unpacks it; give {name} inside."),
            Self::Keras | Self::Hdf5 => {
                let model = format!("tf.keras.models.load_model({})", in_python(path));
                convert(&format!("from_keras_model({model})"))
            }
            Self::SavedModel => {
                let folder = match path.is_dir() {
                    true => path,
                    false => path.parent().unwrap_or(path),
                };
                let folder = match folder.as_os_str().is_empty() {
                    true => Path::new("."),
                    false => folder,
                };
                convert(&format!("from_saved_model({})", in_python(folder)))
            }
            Self::PyTorch | Self::SafeTensors => {
                "`torch.onnx.export(model, torch.zeros(1, 3, 224, 224), \"model.onnx\")`, in the Python program that \
                 makes the model, writes both into a file that posy reads."
                    .into()
            }
            Self::TensorFlowJs => format!(
                "`tensorflowjs_converter --input_format tfjs_layers_model --output_format keras {shown} model.h5` \
                 makes a Keras model of it."
            ),
            Self::Posy => "Give the network it was trained from.".into(),
            Self::Photo | Self::Program | Self::Text | Self::Unknown => {
                "Give the file of a pre-trained network; `posy models` lists some.".into()
            }
            Self::Tflite | Self::Frozen | Self::Onnx => {
                format!("`posy retrain --backbone {shown}` teaches it your labels.")
            }
        }
    }
}

/// TensorFlow's conversion of `from` to a float `.tflite` file.
fn convert(from: &str) -> String {
    format!(
        "`python3 -c \"import tensorflow as tf; \
         open('model.tflite', 'wb').write(tf.lite.TFLiteConverter.{from}.convert())\"` makes a model.tflite of it."
    )
}

/// Beginning of a file as text, if it is UTF-8.
fn text_of(bytes: &[u8]) -> Option<&str> {
    let head = &bytes[..bytes.len().min(2000)];
    let head = match std::str::from_utf8(head) {
        Ok(text) => text,
        // The end may fall within a character.
        Err(error) if head.len() - error.valid_up_to() < 4 => {
            std::str::from_utf8(&head[..error.valid_up_to()]).ok()?
        }
        Err(_) => return None,
    };
    let visible = |c: char| !c.is_control() || c.is_ascii_whitespace();
    let text = head.trim_start_matches(|c: char| c.is_whitespace() || c == '\u{feff}');
    (!text.is_empty() && text.chars().all(visible)).then_some(text)
}

/// Kind of a zip archive by the names in it.
fn zipped(bytes: &[u8]) -> Kind {
    let Ok(archive) = zip::ZipArchive::new(Cursor::new(bytes)) else {
        return Kind::Zip(None);
    };
    let names: Vec<String> = archive
        .file_names()
        .filter_map(|name| Some(name.ok()?.into_owned()))
        .collect();
    let has = |wanted: &str| names.iter().any(|name| name == wanted);
    if has("config.json") && (has("model.weights.h5") || has("metadata.json")) {
        return Kind::Keras;
    }
    if names.iter().any(|name| name.ends_with("/data.pkl")) {
        return Kind::PyTorch;
    }
    let network = |name: &&String| {
        [".tflite", ".onnx", ".posy", ".pb"]
            .iter()
            .any(|ending| name.ends_with(ending))
    };
    Kind::Zip(names.iter().find(network).cloned())
}

/// True if the bytes are a `saved_model.pb`: schema version 1, then a MetaGraphDef, which begins
/// with a message. An ONNX file of that version would continue with its producer's name.
fn is_saved_model(bytes: &[u8]) -> bool {
    let [0x08, 0x01, 0x12, rest @ ..] = bytes else {
        return false;
    };
    let continued = rest.iter().take_while(|byte| **byte >= 0x80).count();
    continued < 5 && rest.get(continued + 1) == Some(&0x0a)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn archive(names: &[&str]) -> Vec<u8> {
        let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
        for name in names {
            let stored = zip::write::SimpleFileOptions::default()
                .compression_method(zip::CompressionMethod::Stored);
            zip.start_file(*name, stored).unwrap();
            zip.write_all(b"x").unwrap();
        }
        zip.finish().unwrap().into_inner()
    }

    /// First bytes of files as the formats' own tools write them.
    #[test]
    fn kinds_are_told_by_their_bytes() {
        let tflite = b"\x1c\0\0\0TFL3".to_vec();
        let inner = "converted_tflite/model.tflite";
        let cases: Vec<(Vec<u8>, Kind)> = vec![
            (b"".to_vec(), Kind::Empty),
            (
                b"version https://git-lfs.github.com/spec/v1\noid sha256:".to_vec(),
                Kind::LfsPointer,
            ),
            (b"\n\n  <!DOCTYPE html>\n<html>".to_vec(), Kind::WebPage),
            (
                b"\xef\xbb\xbf<?xml version='1.0'?><Error>".to_vec(),
                Kind::WebPage,
            ),
            (b"\x1f\x8b\x08\0".to_vec(), Kind::Gzip),
            (
                archive(&["config.json", "metadata.json", "model.weights.h5"]),
                Kind::Keras,
            ),
            (
                archive(&["archive/data.pkl", "archive/version"]),
                Kind::PyTorch,
            ),
            (
                archive(&["labels.txt", inner]),
                Kind::Zip(Some(inner.into())),
            ),
            (archive(&["readme.txt"]), Kind::Zip(None)),
            (b"PK\x03\x04 and nothing".to_vec(), Kind::Zip(None)),
            (
                b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.".to_vec(),
                Kind::PyTorch,
            ),
            (b"\x89HDF\r\n\x1a\n".to_vec(), Kind::Hdf5),
            (
                b"\x08\x01\x12\xf1\xaf=\n\xf7&\x12".to_vec(),
                Kind::SavedModel,
            ),
            (b"\x08\x01\x12\x07pytorch".to_vec(), Kind::Onnx),
            (b"\x08\x07\x12\x07pytorch".to_vec(), Kind::Onnx),
            (
                b"\x40\0\0\0\0\0\0\0{\"weight\":".to_vec(),
                Kind::SafeTensors,
            ),
            (
                b"{\"format\": \"layers-model\", \"modelTopology\": {}".to_vec(),
                Kind::TensorFlowJs,
            ),
            (b"\xff\xd8\xff\xe0".to_vec(), Kind::Photo),
            (b"\x7fELF\x01".to_vec(), Kind::Program),
            (b"daisy\nroses\n".to_vec(), Kind::Text),
            (b"POSY\x03".to_vec(), Kind::Posy),
            (tflite, Kind::Tflite),
            (b"\x0a\x2b\x0a\x05input".to_vec(), Kind::Frozen),
            (b"\x03\x9a\xff".to_vec(), Kind::Unknown),
        ];
        for (bytes, kind) in cases {
            assert_eq!(
                Kind::of(&bytes),
                kind,
                "{:?}",
                String::from_utf8_lossy(&bytes)
            );
        }
        // The cut falls within a two-byte letter.
        let long = "x".repeat(1999) + "é and more";
        assert_eq!(Kind::of(long.as_bytes()), Kind::Text);
    }

    #[test]
    fn commands_name_the_file_as_a_shell_and_python_take_it() {
        let help = |kind: Kind, path: &str| kind.help(Path::new(path));
        assert!(help(Kind::Gzip, "my net.tgz").contains("`tar xzf 'my net.tgz'`"));
        assert!(help(Kind::Keras, "net.keras").contains("load_model('net.keras')"));
        assert!(help(Kind::SavedModel, "saved_model.pb").contains("from_saved_model('.')"));
        assert!(help(Kind::SavedModel, "net/saved_model.pb").contains("from_saved_model('net')"));
    }
}
