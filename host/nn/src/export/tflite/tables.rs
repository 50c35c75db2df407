//! Tables of a `.tflite` file from plain data.
//!
//! Field numbers are those of TensorFlow Lite's `schema.fbs`, schema version 3.

use flatbuffers::{FlatBufferBuilder, UnionWIPOffset, VOffsetT, WIPOffset};

type Offset = WIPOffset<UnionWIPOffset>;

/// Enumeration `TensorType`.
pub(super) const INT32: i8 = 2;
pub(super) const INT8: i8 = 9;

/// A file with one graph.
#[derive(Default)]
pub(super) struct File {
    pub(super) tensors: Vec<Tensor>,
    pub(super) operators: Vec<Operator>,
    pub(super) input: i32,
    pub(super) output: i32,
}

/// A tensor, with its values if it is constant.
#[derive(Default)]
pub(super) struct Tensor {
    pub(super) name: String,
    pub(super) shape: Vec<i32>,
    pub(super) number_type: i8,
    pub(super) scales: Vec<f32>,
    pub(super) zero_points: Vec<i64>,
    /// Dimension that scales run along.
    pub(super) dimension: i32,
    pub(super) data: Vec<u8>,
}

/// An operator.
pub(super) struct Operator {
    /// Number in `BuiltinOperator`, and the version with int8.
    pub(super) code: (i8, i32),
    pub(super) inputs: Vec<i32>,
    pub(super) output: i32,
    /// Number in the union `BuiltinOptions`, 0 for none, and its fields.
    pub(super) options: (u8, Vec<(u16, Field)>),
}

/// A field of an options table.
pub(super) enum Field {
    Byte(i8),
    Int(i32),
    Real(f32),
    Ints(Vec<i32>),
}

/// Offset of field `id` in a table's vtable.
pub(super) const fn slot(id: u16) -> VOffsetT {
    4 + 2 * id
}

impl File {
    /// Adds a tensor and returns its index.
    pub(super) fn tensor(&mut self, tensor: Tensor) -> i32 {
        self.tensors.push(tensor);
        self.tensors.len() as i32 - 1
    }

    /// Bytes of the file; `metadata` are names and contents.
    pub(super) fn bytes(&self, description: &str, metadata: &[(&str, Vec<u8>)]) -> Vec<u8> {
        let mut fbb = FlatBufferBuilder::new();
        // The first buffer is empty: tensors without data refer to it.
        let mut buffers = vec![buffer(&mut fbb, &[])];
        let mut tensors = Vec::new();
        for tensor in &self.tensors {
            let mut index = 0;
            if !tensor.data.is_empty() {
                index = buffers.len() as u32;
                buffers.push(buffer(&mut fbb, &tensor.data));
            }
            tensors.push(tensor.table(&mut fbb, index));
        }
        let mut entries = Vec::new();
        for (name, content) in metadata {
            let index = buffers.len() as u32;
            buffers.push(buffer(&mut fbb, content));
            entries.push(metadata_table(&mut fbb, name, index));
        }

        let mut known: Vec<(i8, i32)> = Vec::new();
        let mut operators = Vec::new();
        for operator in &self.operators {
            let code = known.iter().position(|code| *code == operator.code);
            let code = code.unwrap_or_else(|| {
                known.push(operator.code);
                known.len() - 1
            });
            operators.push(operator.table(&mut fbb, code as u32));
        }
        let codes: Vec<Offset> = known
            .iter()
            .map(|code| code_table(&mut fbb, *code))
            .collect();
        let graph = self.graph(&mut fbb, &tensors, &operators);

        let codes = fbb.create_vector(&codes);
        let graphs = fbb.create_vector(&[graph]);
        let description = fbb.create_string(description);
        let buffers = fbb.create_vector(&buffers);
        let entries = fbb.create_vector(&entries);
        let start = fbb.start_table();
        fbb.push_slot_always::<u32>(slot(0), 3);
        fbb.push_slot_always(slot(1), codes);
        fbb.push_slot_always(slot(2), graphs);
        fbb.push_slot_always(slot(3), description);
        fbb.push_slot_always(slot(4), buffers);
        fbb.push_slot_always(slot(6), entries);
        let root = fbb.end_table(start);
        fbb.finish(root, Some("TFL3"));
        fbb.finished_data().to_vec()
    }

    fn graph(
        &self,
        fbb: &mut FlatBufferBuilder<'_>,
        tensors: &[Offset],
        operators: &[Offset],
    ) -> Offset {
        let tensors = fbb.create_vector(tensors);
        let operators = fbb.create_vector(operators);
        let inputs = fbb.create_vector(&[self.input]);
        let outputs = fbb.create_vector(&[self.output]);
        let name = fbb.create_string("main");
        let start = fbb.start_table();
        fbb.push_slot_always(slot(0), tensors);
        fbb.push_slot_always(slot(1), inputs);
        fbb.push_slot_always(slot(2), outputs);
        fbb.push_slot_always(slot(3), operators);
        fbb.push_slot_always(slot(4), name);
        Offset::new(fbb.end_table(start).value())
    }
}

impl Tensor {
    fn table(&self, fbb: &mut FlatBufferBuilder<'_>, buffer: u32) -> Offset {
        let shape = fbb.create_vector(&self.shape);
        let name = fbb.create_string(&self.name);
        let quantisation = (!self.scales.is_empty()).then(|| {
            let scales = fbb.create_vector(&self.scales);
            let zero_points = fbb.create_vector(&self.zero_points);
            let start = fbb.start_table();
            fbb.push_slot_always(slot(2), scales);
            fbb.push_slot_always(slot(3), zero_points);
            fbb.push_slot::<i32>(slot(6), self.dimension, 0);
            fbb.end_table(start)
        });
        let start = fbb.start_table();
        fbb.push_slot_always(slot(0), shape);
        fbb.push_slot::<i8>(slot(1), self.number_type, 0);
        fbb.push_slot::<u32>(slot(2), buffer, 0);
        fbb.push_slot_always(slot(3), name);
        if let Some(quantisation) = quantisation {
            fbb.push_slot_always(slot(4), quantisation);
        }
        Offset::new(fbb.end_table(start).value())
    }
}

impl Operator {
    fn table(&self, fbb: &mut FlatBufferBuilder<'_>, code: u32) -> Offset {
        let inputs = fbb.create_vector(&self.inputs);
        let outputs = fbb.create_vector(&[self.output]);
        let (kind, fields) = &self.options;
        let mut lists = Vec::new();
        for (_, field) in fields {
            if let Field::Ints(numbers) = field {
                lists.push(fbb.create_vector(numbers));
            }
        }
        let mut lists = lists.into_iter();
        let start = fbb.start_table();
        for (id, field) in fields {
            match field {
                Field::Byte(value) => fbb.push_slot_always(slot(*id), *value),
                Field::Int(value) => fbb.push_slot_always(slot(*id), *value),
                Field::Real(value) => fbb.push_slot_always(slot(*id), *value),
                Field::Ints(_) => {
                    if let Some(list) = lists.next() {
                        fbb.push_slot_always(slot(*id), list);
                    }
                }
            }
        }
        let options = fbb.end_table(start);
        let start = fbb.start_table();
        fbb.push_slot::<u32>(slot(0), code, 0);
        fbb.push_slot_always(slot(1), inputs);
        fbb.push_slot_always(slot(2), outputs);
        // Operators without options have the number 0.
        if *kind > 0 {
            fbb.push_slot_always::<u8>(slot(3), *kind);
            fbb.push_slot_always(slot(4), options);
        }
        Offset::new(fbb.end_table(start).value())
    }
}

/// A data buffer, aligned to eight bytes, which is enough for every element type.
fn buffer(fbb: &mut FlatBufferBuilder<'_>, data: &[u8]) -> Offset {
    let data = (!data.is_empty()).then(|| {
        // Words are written last first; the padding of the last one lies behind the data.
        let words = data.chunks(8).map(|bytes| {
            let mut word = [0; 8];
            word[..bytes.len()].copy_from_slice(bytes);
            u64::from_le_bytes(word)
        });
        fbb.start_vector::<u64>(words.len());
        for word in words.rev() {
            fbb.push(word);
        }
        fbb.end_vector::<u8>(data.len())
    });
    let start = fbb.start_table();
    if let Some(data) = data {
        fbb.push_slot_always(slot(0), data);
    }
    Offset::new(fbb.end_table(start).value())
}

/// Table `OperatorCode`.
fn code_table(fbb: &mut FlatBufferBuilder<'_>, (builtin, version): (i8, i32)) -> Offset {
    let start = fbb.start_table();
    // Readers older than the fourth field take the operator from the first.
    fbb.push_slot::<i8>(slot(0), builtin, 0);
    fbb.push_slot::<i32>(slot(2), version, 1);
    fbb.push_slot::<i32>(slot(3), builtin.into(), 0);
    Offset::new(fbb.end_table(start).value())
}

/// Table `Metadata`.
fn metadata_table(fbb: &mut FlatBufferBuilder<'_>, name: &str, buffer: u32) -> Offset {
    let name = fbb.create_string(name);
    let start = fbb.start_table();
    fbb.push_slot_always(slot(0), name);
    fbb.push_slot::<u32>(slot(1), buffer, 0);
    Offset::new(fbb.end_table(start).value())
}
