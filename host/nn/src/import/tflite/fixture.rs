//! Writes small `.tflite` files for tests, valid or not.

use flatbuffers::{FlatBufferBuilder, UnionWIPOffset, VOffsetT, WIPOffset};

use super::names::*;

type Offset = WIPOffset<UnionWIPOffset>;

/// A file as plain data.
#[derive(Clone)]
pub struct File {
    pub version: u32,
    pub graphs: usize,
    pub tensors: Vec<TensorSpec>,
    pub operators: Vec<OperatorSpec>,
    pub inputs: Vec<i32>,
    pub outputs: Vec<i32>,
}

#[derive(Clone, Default)]
pub struct TensorSpec {
    pub name: String,
    pub shape: Vec<i32>,
    pub signature: Vec<i32>,
    pub number_type: i8,
    pub scales: Vec<f32>,
    pub zero_points: Vec<i64>,
    pub dimension: i32,
    pub data: Vec<u8>,
}

#[derive(Clone)]
pub struct OperatorSpec {
    pub builtin: i32,
    pub custom: String,
    pub inputs: Vec<i32>,
    pub outputs: Vec<i32>,
    /// Number in the union `BuiltinOptions`, and fields.
    pub options: Option<(u8, Vec<(u16, Field)>)>,
}

#[derive(Clone, Copy)]
pub enum Field {
    Byte(i8),
    Int(i32),
    Real(f32),
}

fn slot(id: u16) -> VOffsetT {
    4 + 2 * id
}

/// A tensor of int8 activations.
pub fn map(name: &str, shape: &[i32], scale: f32) -> TensorSpec {
    TensorSpec {
        name: name.into(),
        shape: shape.into(),
        number_type: INT8,
        scales: vec![scale],
        zero_points: vec![-128],
        ..TensorSpec::default()
    }
}

/// Varied int8 weights with one scale per index of `dimension`.
pub fn weights(name: &str, shape: &[i32], dimension: i32) -> TensorSpec {
    let elements = shape.iter().product::<i32>();
    let channels = shape[dimension as usize];
    TensorSpec {
        name: name.into(),
        shape: shape.into(),
        number_type: INT8,
        scales: (0..channels).map(|c| 0.01 + 0.001 * c as f32).collect(),
        zero_points: vec![0; channels as usize],
        dimension,
        data: (0..elements).map(|i| (i * 37 % 251) as u8).collect(),
        ..TensorSpec::default()
    }
}

/// An int32 tensor, such as a bias, paddings or axes.
pub fn integers(name: &str, shape: &[i32], values: &[i32]) -> TensorSpec {
    TensorSpec {
        name: name.into(),
        shape: shape.into(),
        number_type: INT32,
        data: values.iter().flat_map(|v| v.to_le_bytes()).collect(),
        ..TensorSpec::default()
    }
}

pub fn operator(builtin: i32, inputs: &[i32], output: i32) -> OperatorSpec {
    OperatorSpec {
        builtin,
        custom: String::new(),
        inputs: inputs.into(),
        outputs: vec![output],
        options: None,
    }
}

/// Options of CONV_2D (`depthwise` false) or DEPTHWISE_CONV_2D with ReLU6.
pub fn convolution(depthwise: bool, padding: i8, stride: i32) -> Option<(u8, Vec<(u16, Field)>)> {
    let (kind, activation) = if depthwise { (2, 4) } else { (1, 3) };
    let stride = Field::Int(stride);
    Some((
        kind,
        vec![
            (0, Field::Byte(padding)),
            (1, stride),
            (2, stride),
            (activation, Field::Byte(3)),
        ],
    ))
}

/// An int8 network with every operator that posy runs: 3 x 3 convolution, padded depthwise, 1 x 1
/// convolution, addition, pool, fully connected, softmax.
pub fn small() -> File {
    let tensors = vec![
        map("input", &[1, 5, 5, 2], 0.5),
        weights("conv_w", &[4, 3, 3, 2], 0),
        integers("conv_b", &[4], &[1, -2, 3, -4]),
        map("conv", &[1, 3, 3, 4], 0.02),
        integers("paddings", &[4, 2], &[0, 0, 1, 1, 1, 1, 0, 0]),
        map("padded", &[1, 5, 5, 4], 0.02),
        weights("depthwise_w", &[1, 3, 3, 4], 3),
        integers("depthwise_b", &[4], &[5, 6, 7, 8]),
        map("depthwise", &[1, 3, 3, 4], 0.03),
        weights("pointwise_w", &[4, 1, 1, 4], 0),
        map("pointwise", &[1, 3, 3, 4], 0.04),
        map("sum", &[1, 3, 3, 4], 0.05),
        map("pool", &[1, 1, 1, 4], 0.05),
        map("flat", &[1, 4], 0.05),
        weights("dense_w", &[3, 4], 0),
        integers("dense_b", &[3], &[100, 200, -300]),
        map("logits", &[1, 3], 0.1),
        map("softmax", &[1, 3], 1.0 / 256.0),
        integers("shape", &[2], &[1, 4]),
        integers("pointwise_b", &[4], &[0; 4]),
    ];
    let operators = vec![
        OperatorSpec {
            options: convolution(false, 0, 2),
            ..operator(CONV_2D, &[0, 1, 2], 3)
        },
        operator(PAD, &[3, 4], 5),
        OperatorSpec {
            options: convolution(true, 1, 1),
            ..operator(DEPTHWISE_CONV_2D, &[5, 6, 7], 8)
        },
        OperatorSpec {
            options: convolution(false, 1, 1),
            ..operator(CONV_2D, &[8, 9, 19], 10)
        },
        OperatorSpec {
            options: Some((11, vec![(0, Field::Byte(0))])),
            ..operator(ADD, &[3, 10], 11)
        },
        OperatorSpec {
            options: Some((
                5,
                vec![
                    (0, Field::Byte(1)),
                    (3, Field::Int(3)),
                    (4, Field::Int(3)),
                    (1, Field::Int(1)),
                    (2, Field::Int(1)),
                ],
            )),
            ..operator(AVERAGE_POOL_2D, &[11], 12)
        },
        operator(RESHAPE, &[12, 18], 13),
        OperatorSpec {
            options: Some((8, vec![(0, Field::Byte(0))])),
            ..operator(FULLY_CONNECTED, &[13, 14, 15], 16)
        },
        OperatorSpec {
            options: Some((9, vec![(0, Field::Real(1.0))])),
            ..operator(SOFTMAX, &[16], 17)
        },
    ];
    File {
        version: 3,
        graphs: 1,
        tensors,
        operators,
        inputs: vec![0],
        outputs: vec![17],
    }
}

impl File {
    /// The tensor called `name`.
    pub fn tensor(&mut self, name: &str) -> &mut TensorSpec {
        self.tensors
            .iter_mut()
            .find(|t| t.name == name)
            .expect("a tensor of the fixture")
    }

    /// The file's bytes.
    pub fn bytes(&self) -> Vec<u8> {
        let mut fbb = FlatBufferBuilder::new();
        let mut buffers = vec![empty_buffer(&mut fbb, &[])];
        let mut tensors = Vec::new();
        for spec in &self.tensors {
            let mut buffer = 0u32;
            if !spec.data.is_empty() {
                buffer = buffers.len() as u32;
                buffers.push(empty_buffer(&mut fbb, &spec.data));
            }
            tensors.push(tensor(&mut fbb, spec, buffer));
        }
        let mut codes = Vec::new();
        let mut operators = Vec::new();
        for (index, spec) in self.operators.iter().enumerate() {
            let custom = fbb.create_string(&spec.custom);
            let start = fbb.start_table();
            fbb.push_slot::<i8>(slot(0), spec.builtin.min(127) as i8, 0);
            fbb.push_slot_always(slot(1), custom);
            fbb.push_slot::<i32>(slot(3), spec.builtin, 0);
            codes.push(WIPOffset::<UnionWIPOffset>::new(
                fbb.end_table(start).value(),
            ));
            operators.push(operator_table(&mut fbb, spec, index as u32));
        }
        let graphs: Vec<Offset> = (0..self.graphs)
            .map(|_| {
                let (tensors, operators) =
                    (fbb.create_vector(&tensors), fbb.create_vector(&operators));
                let (inputs, outputs) = (
                    fbb.create_vector(&self.inputs),
                    fbb.create_vector(&self.outputs),
                );
                let start = fbb.start_table();
                fbb.push_slot_always(slot(0), tensors);
                fbb.push_slot_always(slot(1), inputs);
                fbb.push_slot_always(slot(2), outputs);
                fbb.push_slot_always(slot(3), operators);
                WIPOffset::new(fbb.end_table(start).value())
            })
            .collect();
        let (codes, graphs) = (fbb.create_vector(&codes), fbb.create_vector(&graphs));
        let buffers = fbb.create_vector(&buffers);
        let start = fbb.start_table();
        fbb.push_slot::<u32>(slot(0), self.version, 0);
        fbb.push_slot_always(slot(1), codes);
        fbb.push_slot_always(slot(2), graphs);
        fbb.push_slot_always(slot(4), buffers);
        let root = fbb.end_table(start);
        fbb.finish(root, Some("TFL3"));
        fbb.finished_data().to_vec()
    }
}

fn empty_buffer(fbb: &mut FlatBufferBuilder<'_>, data: &[u8]) -> Offset {
    let data = (!data.is_empty()).then(|| fbb.create_vector(data));
    let start = fbb.start_table();
    if let Some(data) = data {
        fbb.push_slot_always(slot(0), data);
    }
    WIPOffset::new(fbb.end_table(start).value())
}

fn tensor(fbb: &mut FlatBufferBuilder<'_>, spec: &TensorSpec, buffer: u32) -> Offset {
    let (shape, signature) = (
        fbb.create_vector(&spec.shape),
        fbb.create_vector(&spec.signature),
    );
    let name = fbb.create_string(&spec.name);
    let (scales, zero_points) = (
        fbb.create_vector(&spec.scales),
        fbb.create_vector(&spec.zero_points),
    );
    let start = fbb.start_table();
    fbb.push_slot_always(slot(2), scales);
    fbb.push_slot_always(slot(3), zero_points);
    fbb.push_slot::<i32>(slot(6), spec.dimension, 0);
    let quantisation = fbb.end_table(start);
    let start = fbb.start_table();
    fbb.push_slot_always(slot(0), shape);
    fbb.push_slot::<i8>(slot(1), spec.number_type, 0);
    fbb.push_slot::<u32>(slot(2), buffer, 0);
    fbb.push_slot_always(slot(3), name);
    if !spec.scales.is_empty() {
        fbb.push_slot_always(slot(4), quantisation);
    }
    fbb.push_slot_always(slot(7), signature);
    WIPOffset::new(fbb.end_table(start).value())
}

fn operator_table(fbb: &mut FlatBufferBuilder<'_>, spec: &OperatorSpec, code: u32) -> Offset {
    let options = spec.options.as_ref().map(|(kind, fields)| {
        let start = fbb.start_table();
        for (id, field) in fields {
            match field {
                Field::Byte(value) => fbb.push_slot_always(slot(*id), *value),
                Field::Int(value) => fbb.push_slot_always(slot(*id), *value),
                Field::Real(value) => fbb.push_slot_always(slot(*id), *value),
            }
        }
        (*kind, fbb.end_table(start))
    });
    let (inputs, outputs) = (
        fbb.create_vector(&spec.inputs),
        fbb.create_vector(&spec.outputs),
    );
    let start = fbb.start_table();
    fbb.push_slot::<u32>(slot(0), code, 0);
    fbb.push_slot_always(slot(1), inputs);
    fbb.push_slot_always(slot(2), outputs);
    if let Some((kind, options)) = options {
        fbb.push_slot::<u8>(slot(3), kind, 0);
        fbb.push_slot_always(slot(4), options);
    }
    WIPOffset::new(fbb.end_table(start).value())
}
