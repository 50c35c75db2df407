//! TensorFlow Lite metadata for apps: labels, and the normalisation of pixels.
//!
//! Field numbers are those of TensorFlow Lite's `metadata_schema.fbs` (identifier "M001").
//! Associated files are stored in a ZIP archive behind the flatbuffer, where the task library and
//! Android's tools look for them.

use std::io::{Cursor, Seek, SeekFrom, Write};

use flatbuffers::{FlatBufferBuilder, UnionWIPOffset, WIPOffset};

use super::tables::slot;

type Offset = WIPOffset<UnionWIPOffset>;

/// Name of the label file, one label a line.
const LABELS: &str = "labels.txt";
/// Enumeration `AssociatedFileType`: labels of the output's last axis.
const TENSOR_AXIS_LABELS: i8 = 2;

/// Metadata of a classifier; `grey` is the mean and standard deviation of its input, grey levels.
pub(super) fn bytes(grey: (f32, f32), channels: u16) -> Vec<u8> {
    let mut fbb = FlatBufferBuilder::new();
    let image = image(&mut fbb, grey, channels);
    let scores = scores(&mut fbb);
    let (inputs, outputs) = (fbb.create_vector(&[image]), fbb.create_vector(&[scores]));
    let start = fbb.start_table();
    fbb.push_slot_always(slot(2), inputs);
    fbb.push_slot_always(slot(3), outputs);
    let graph = Offset::new(fbb.end_table(start).value());
    let graphs = fbb.create_vector(&[graph]);
    let name = fbb.create_string("posy image classifier");
    let least = fbb.create_string("1.0.0");
    let start = fbb.start_table();
    fbb.push_slot_always(slot(0), name);
    fbb.push_slot_always(slot(3), graphs);
    fbb.push_slot_always(slot(7), least);
    let root = fbb.end_table(start);
    fbb.finish(root, Some("M001"));
    fbb.finished_data().to_vec()
}

/// `TensorMetadata` of the input: RGB or grey, and the mean and standard deviation that turn a pixel of 0
/// to 255 into the real number that the network was trained on.
fn image(fbb: &mut FlatBufferBuilder<'_>, (mean, std): (f32, f32), channels: u16) -> Offset {
    let mean = fbb.create_vector(&[mean]);
    let deviation = fbb.create_vector(&[std]);
    let start = fbb.start_table();
    fbb.push_slot_always(slot(0), mean);
    fbb.push_slot_always(slot(1), deviation);
    let options = fbb.end_table(start);
    let start = fbb.start_table();
    fbb.push_slot_always::<u8>(slot(0), 1); // NormalizationOptions
    fbb.push_slot_always(slot(1), options);
    let unit = Offset::new(fbb.end_table(start).value());
    let units = fbb.create_vector(&[unit]);
    let start = fbb.start_table();
    // RGB, GRAYSCALE.
    fbb.push_slot_always::<i8>(slot(0), if channels == 1 { 2 } else { 1 });
    let properties = fbb.end_table(start);
    let start = fbb.start_table();
    fbb.push_slot_always::<u8>(slot(0), 2); // ImageProperties
    fbb.push_slot_always(slot(1), properties);
    let content = fbb.end_table(start);
    let name = fbb.create_string("image");
    let start = fbb.start_table();
    fbb.push_slot_always(slot(0), name);
    fbb.push_slot_always(slot(3), content);
    fbb.push_slot_always(slot(4), units);
    Offset::new(fbb.end_table(start).value())
}

/// `TensorMetadata` of the output: probabilities with a label file.
fn scores(fbb: &mut FlatBufferBuilder<'_>) -> Offset {
    let file_name = fbb.create_string(LABELS);
    let start = fbb.start_table();
    fbb.push_slot_always(slot(0), file_name);
    fbb.push_slot_always::<i8>(slot(2), TENSOR_AXIS_LABELS);
    let file = Offset::new(fbb.end_table(start).value());
    let files = fbb.create_vector(&[file]);
    let start = fbb.start_table();
    let properties = fbb.end_table(start);
    let start = fbb.start_table();
    fbb.push_slot_always::<u8>(slot(0), 1); // FeatureProperties
    fbb.push_slot_always(slot(1), properties);
    let content = fbb.end_table(start);
    let name = fbb.create_string("probability");
    let start = fbb.start_table();
    fbb.push_slot_always(slot(0), name);
    fbb.push_slot_always(slot(3), content);
    fbb.push_slot_always(slot(6), files);
    Offset::new(fbb.end_table(start).value())
}

/// Appends the labels to a file as a ZIP archive of one stored file. Its offsets count from the
/// beginning of the whole file.
pub(super) fn append_labels(bytes: &mut Vec<u8>, labels: &[String]) {
    let text: String = labels.iter().flat_map(|label| [label, "\n"]).collect();
    let mut cursor = Cursor::new(bytes);
    // Writing to a vector cannot fail.
    let written = cursor.seek(SeekFrom::End(0)).and_then(|_| {
        let mut zip = zip::ZipWriter::new(&mut cursor);
        let options = zip::write::SimpleFileOptions::default()
            .compression_method(zip::CompressionMethod::Stored);
        zip.start_file(LABELS, options)
            .map_err(std::io::Error::other)?;
        zip.write_all(text.as_bytes())?;
        zip.finish().map_err(std::io::Error::other)?;
        Ok(())
    });
    debug_assert!(written.is_ok(), "{written:?}");
}
