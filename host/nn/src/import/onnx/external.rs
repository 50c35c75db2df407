//! External data: constants in files beside an `.onnx` file, as PyTorch's exporter writes them.

use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Component, Path, PathBuf};

use tract_onnx::pb::tensor_proto::DataLocation;
use tract_onnx::pb::{ModelProto, TensorProto};

use super::OnnxError;
use crate::bounded;
use crate::graph::builder::{extents, shown};

/// Moves external data from files of `folder` into the model, at most `most` bytes in all, and
/// passes each piece to `seen`, in order. Files elsewhere are not opened.
pub(super) fn embed(
    model: &mut ModelProto,
    folder: &Path,
    most: u64,
    seen: &mut dyn FnMut(&[u8]),
) -> Result<(), OnnxError> {
    let Some(graph) = &mut model.graph else {
        return Ok(());
    };
    let attributes = graph.node.iter_mut().flat_map(|node| &mut node.attribute);
    let of_nodes = attributes.filter_map(|attribute| attribute.t.as_mut());
    let mut left = most;
    for tensor in graph.initializer.iter_mut().chain(of_nodes) {
        if tensor.data_location != Some(DataLocation::External as i32) {
            continue;
        }
        let bytes = read(tensor, folder, left)?;
        left -= bytes.len() as u64;
        seen(&bytes);
        tensor.raw_data = bytes;
        tensor.external_data.clear();
        tensor.data_location = None;
    }
    Ok(())
}

/// True if a file lies in `folder`, whatever links lead there.
fn is_inside(path: &Path, folder: &Path) -> io::Result<bool> {
    let folder = match folder.as_os_str().is_empty() {
        true => Path::new("."),
        false => folder,
    };
    Ok(path.canonicalize()?.starts_with(folder.canonicalize()?))
}

/// Bytes of a tensor; ONNX's `docs/ExternalData.md` describes the entries.
fn read(tensor: &TensorProto, folder: &Path, most: u64) -> Result<Vec<u8>, OnnxError> {
    let entry = |key: &str| {
        let mut entries = tensor.external_data.iter();
        let entry = entries.find(|entry| entry.key == key);
        entry.map(|entry| entry.value.as_str())
    };
    let location = entry("location").unwrap_or_default();
    let elsewhere = || OnnxError::Elsewhere {
        tensor: shown(&tensor.name),
        location: shown(location),
    };
    let is_here = |part: Component<'_>| matches!(part, Component::Normal(_) | Component::CurDir);
    if location.is_empty() || !Path::new(location).components().all(is_here) {
        return Err(elsewhere());
    }
    let path = folder.join(location);
    let number = |key: &str| entry(key).map(|text| text.parse::<u64>().map_err(|_| elsewhere()));
    let offset = number("offset").transpose()?.unwrap_or(0);
    let failed = |source: io::Error| OnnxError::Beside {
        path: PathBuf::from(&path),
        reason: source.to_string(),
    };
    if !is_inside(&path, folder).map_err(failed)? {
        let reason = "it is a link out of the network's folder; put the file itself there";
        return Err(OnnxError::Beside {
            path,
            reason: reason.into(),
        });
    }
    // What is larger may hold other networks too.
    let mut file = bounded::open(&path, u64::MAX).map_err(|error| failed(error.into()))?;
    let whole = file.metadata().map_err(failed)?.len();
    let rest = whole.saturating_sub(offset);
    let len = number("length").transpose()?.unwrap_or(rest);
    if len > rest || len > most {
        let reason = match len > most {
            true => "it is larger than any network that posy runs".to_owned(),
            false => format!(
                "\"{}\" lies behind its end; it is cut short",
                shown(&tensor.name)
            ),
        };
        return Err(OnnxError::Beside { path, reason });
    }
    // An element has up to eight bytes; the exact length is checked where the tensor is used.
    let (_, numbers) = extents(tensor.dims.iter().copied()).map_err(|_| elsewhere())?;
    if len > 8 * numbers as u64 {
        return Err(elsewhere());
    }
    file.seek(SeekFrom::Start(offset)).map_err(failed)?;
    let mut bytes = Vec::with_capacity(len as usize);
    file.take(len).read_to_end(&mut bytes).map_err(failed)?;
    Ok(bytes)
}
