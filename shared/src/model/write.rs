//! Writing a `.posy` file. Allocates; used by the laptop alone.

use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use core::fmt;

use super::blocks::HEAD_BLOCK;
use super::header::{Acceptance, Golden, GoldenRows, Header, InputContract, Provenance, Verdict};
use super::layer::{Layer, MAX_LAYERS, Op};
use super::prelude::{CRC, HEAD_ALIGN, PRELUDE_LEN, Prelude};
use super::read::{BLOCK_ALIGN, LENGTHS_LEN, Model, ReadError};
use crate::engine::{Engine, EngineError};
use crate::kernels::{pack, requant::Multiplier, scalar::Scalar};
use crate::plan::{self, PlanError};
use crate::scores::LogisticScores;

/// A layer with its weights and tables; the writer fills in the offsets in `layer`.
#[derive(Clone, Debug, PartialEq)]
pub struct LayerSpec {
    /// Shapes and constants.
    pub layer: Layer,
    /// Weights in the order that [`Op`] gives; the writer packs them.
    pub weights: Vec<i8>,
    /// Tables for the layer's operation.
    pub tables: Tables,
}

/// Tables of a layer.
#[derive(Clone, Debug, PartialEq)]
pub enum Tables {
    /// No tables: a pool, or a map flattened.
    None,
    /// Tables of a layer with weights.
    Channels(ChannelTables),
    /// Tables of an addition.
    Add(AddTables),
    /// Multiplier of a mean, from the sum over all pixels.
    Mean(Multiplier),
}

/// Tables of a layer with weights, one entry per output channel in each.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ChannelTables {
    /// Bias, added to the sum of products.
    pub bias: Vec<i32>,
    /// Requantisation multiplier of the sum.
    pub scale: Vec<Multiplier>,
}

/// Requantisation multipliers of an addition.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AddTables {
    /// Multiplier of the previous layer's output.
    pub a: Multiplier,
    /// Multiplier of the other operand.
    pub b: Multiplier,
    /// Multiplier of the sum.
    pub output: Multiplier,
}

/// [`Acceptance`] with its tables, D features and M prototypes. The writer fills in the offset in
/// `facts` and the number of prototypes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AcceptanceSpec {
    /// Weights and threshold.
    pub facts: Acceptance,
    /// Means of the features, `[D]`.
    pub centre: Vec<i8>,
    /// Factor of each feature, `[D]`, in 256ths.
    pub scale: Vec<u16>,
    /// Prototypes, `[M, D]`.
    pub prototypes: Vec<i8>,
}

/// Everything that goes into a file.
#[derive(Clone, Debug)]
pub struct ModelSpec<'a> {
    /// Layers in running order.
    pub layers: Vec<LayerSpec>,
    /// Preprocessing of the input; the writer fills in [`InputContract::table`].
    pub input: InputContract,
    /// Input value (as its byte) of each grey level, `[C, 256]` for C input channels; `None` if the input
    /// is the pixel minus 128.
    pub pixel_table: Option<Vec<u8>>,
    /// Labels in the order of the logits; empty for a model whose output is features.
    pub labels: Vec<String>,
    /// Score of each logit from -128 to 127, in 1/65536, of a network whose labels do not exclude one
    /// another; `None` for the softmax.
    pub logistic: Option<Vec<u16>>,
    /// Decision rule; the writer fills in [`Verdict::acceptance`] and [`Verdict::logistic`].
    pub verdict: Verdict,
    /// Out-of-distribution test. The last layer must then have one output more than there are logits;
    /// its weights and tables are ignored.
    pub acceptance: Option<AcceptanceSpec>,
    /// Origin of the model.
    pub provenance: Provenance<'a>,
}

/// Reason that a model cannot be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WriteError {
    /// The layers cannot be laid out in memory.
    Plan(PlanError),
    /// A layer's tables do not match its operation or size.
    Tables {
        /// Index of the layer.
        layer: usize,
    },
    /// The familiarity tables disagree on the number of features, or have too many prototypes.
    Acceptance,
    /// The scores are not one for each int8.
    Scores,
    /// The file would exceed 4 GiB or the header does not encode.
    TooLarge,
    /// The written file cannot be read back.
    Read(ReadError),
    /// The written model does not run.
    Run(EngineError),
}

impl fmt::Display for WriteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Plan(error) => write!(f, "the network has no memory plan: {error}"),
            Self::Tables { layer } => write!(f, "layer {layer} has tables of another kind or size"),
            Self::Acceptance => write!(f, "the tables of familiarity are of another size"),
            Self::Scores => write!(f, "the scores are not one for each logit from -128 to 127"),
            Self::TooLarge => write!(f, "the model is too large for its file format"),
            Self::Read(error) => write!(f, "the network makes no valid model: {error}"),
            Self::Run(error) => write!(f, "the model does not run: {error}"),
        }
    }
}

impl core::error::Error for WriteError {}

/// Seed of the golden input.
const GOLDEN_SEED: u32 = 0x706F_7379;

/// Writes a model: plans its memory, lays out its weights, runs its golden input.
///
/// # Errors
/// See [`WriteError`].
pub fn write(spec: &ModelSpec<'_>) -> Result<Vec<u8>, WriteError> {
    write_with(spec, run_golden)
}

/// Writes a model as [`write()`] does, with the golden logits that `run_golden` gives for it: one byte
/// each, from another implementation of the engine, or made up where a test wants a heavy model.
///
/// # Errors
/// See [`WriteError`], and those of `run_golden`.
pub fn write_with(
    spec: &ModelSpec<'_>,
    run_golden: impl FnOnce(&Model<'_>) -> Result<Vec<u8>, WriteError>,
) -> Result<Vec<u8>, WriteError> {
    let mut blocks = Blocks::default();
    let last = spec.layers.len().wrapping_sub(1);
    let mut layers: heapless::Vec<Layer, MAX_LAYERS> = heapless::Vec::new();
    for (index, layer) in spec.layers.iter().enumerate() {
        let layer = match layer.layer.op {
            Op::Dense if index == last => {
                let mut layer = append_layer(&mut blocks.head, index, layer)?;
                layer.weights |= HEAD_BLOCK;
                layer.tables |= HEAD_BLOCK;
                layer
            }
            _ => append_layer(&mut blocks.backbone, index, layer)?,
        };
        layers
            .push(layer)
            .map_err(|_| WriteError::Plan(PlanError::LayerCount))?;
    }
    let mut input = spec.input;
    input.table = None;
    if let Some(table) = &spec.pixel_table {
        input.table = Some(align(&mut blocks.backbone, BLOCK_ALIGN)?);
        blocks.backbone.extend_from_slice(table);
    }
    let mut verdict = spec.verdict;
    verdict.logistic = match &spec.logistic {
        Some(scores) => Some(append_scores(&mut blocks.head, scores)? | HEAD_BLOCK),
        None => None,
    };
    verdict.acceptance = match &spec.acceptance {
        Some(acceptance) => Some(append_acceptance(&mut blocks.head, acceptance)?),
        None => None,
    };
    let plan = plan::search(&layers).map_err(WriteError::Plan)?;
    let labels: String = spec.labels.iter().flat_map(|label| [label, "\n"]).collect();
    let output_len = layers.last().map_or(0, |layer| layer.output.len());
    let blank = vec![0; output_len];
    let mut header = Header {
        input,
        layers: &layers,
        cuts: &plan.cuts,
        arena_len: plan.arena_len as u32,
        labels: &labels,
        verdict,
        provenance: spec.provenance,
        golden: Golden {
            seed: GOLDEN_SEED,
            logits: &blank,
        },
    };
    // The golden logits are those of the file itself, run once without them.
    let unproven = encode(&header, &blocks)?;
    let logits = run_golden(&Model::read(&unproven).map_err(WriteError::Read)?)?;
    header.golden.logits = &logits;
    encode(&header, &blocks)
}

/// The two blocks as they grow.
#[derive(Default)]
struct Blocks {
    backbone: Vec<u8>,
    head: Vec<u8>,
}

/// Pads the block to a multiple of `to` and returns its length, which leaves [`HEAD_BLOCK`] free.
fn align(block: &mut Vec<u8>, to: usize) -> Result<u32, WriteError> {
    block.resize(block.len().next_multiple_of(to), 0);
    let len = u32::try_from(block.len()).ok();
    len.filter(|&len| len < HEAD_BLOCK)
        .ok_or(WriteError::TooLarge)
}

/// Appends weights and tables, and returns the layer with their offsets.
fn append_layer(block: &mut Vec<u8>, index: usize, spec: &LayerSpec) -> Result<Layer, WriteError> {
    let mut layer = spec.layer;
    let wrong = WriteError::Tables { layer: index };
    if spec.weights.len() != layer.weight_count() {
        return Err(wrong);
    }
    layer.weights = align(block, BLOCK_ALIGN)?;
    let append = |block: &mut Vec<u8>, weights: &[i8]| {
        block.extend(weights.iter().map(|&weight| weight as u8));
    };
    match layer.op {
        Op::Depthwise3x3 => append(block, &spec.weights),
        _ => append(block, &pack(&spec.weights, layer.terms())),
    }
    layer.tables = align(block, 4)?;
    match &spec.tables {
        Tables::None if matches!(layer.op, Op::GlobalAveragePool | Op::Flatten) => {}
        Tables::Mean(scale) if layer.op == Op::Mean => append_scale(block, *scale),
        Tables::Add(add) if layer.op == Op::Add => {
            for scale in [add.a, add.b, add.output] {
                append_scale(block, scale);
            }
        }
        Tables::Channels(tables)
            if layer.op.has_weights()
                && tables.bias.len() == usize::from(layer.output.channels)
                && tables.scale.len() == tables.bias.len() =>
        {
            block.extend(tables.bias.iter().flat_map(|bias| bias.to_le_bytes()));
            let mantissas = tables.scale.iter().map(|scale| scale.mantissa);
            block.extend(mantissas.flat_map(i32::to_le_bytes));
            block.extend(tables.scale.iter().map(|scale| scale.shift as u8));
        }
        _ => return Err(wrong),
    }
    Ok(layer)
}

/// Appends a multiplier and its shift.
fn append_scale(block: &mut Vec<u8>, scale: Multiplier) {
    block.extend(scale.mantissa.to_le_bytes());
    block.extend(i32::from(scale.shift).to_le_bytes());
}

/// Appends the scores of all logits.
fn append_scores(block: &mut Vec<u8>, scores: &[u16]) -> Result<u32, WriteError> {
    if scores.len() != LogisticScores::LEN {
        return Err(WriteError::Scores);
    }
    let offset = align(block, BLOCK_ALIGN)?;
    block.extend(scores.iter().flat_map(|score| score.to_le_bytes()));
    Ok(offset)
}

/// Appends the familiarity tables.
fn append_acceptance(block: &mut Vec<u8>, spec: &AcceptanceSpec) -> Result<Acceptance, WriteError> {
    let features = spec.centre.len();
    let prototypes = spec.prototypes.len() / features.max(1);
    if spec.scale.len() != features || spec.prototypes.len() != prototypes * features {
        return Err(WriteError::Acceptance);
    }
    let table = align(block, BLOCK_ALIGN)?;
    block.extend(spec.centre.iter().map(|&centre| centre as u8));
    block.extend(spec.scale.iter().flat_map(|scale| scale.to_le_bytes()));
    block.extend(spec.prototypes.iter().map(|&number| number as u8));
    Ok(Acceptance {
        table: table | HEAD_BLOCK,
        prototypes: u16::try_from(prototypes).map_err(|_| WriteError::Acceptance)?,
        ..spec.facts
    })
}

fn encode(header: &Header<'_>, blocks: &Blocks) -> Result<Vec<u8>, WriteError> {
    let header = postcard::to_allocvec(header).map_err(|_| WriteError::TooLarge)?;
    let field = |length: usize| u32::try_from(length).map_err(|_| WriteError::TooLarge);
    let mut file = vec![0; PRELUDE_LEN];
    file.extend(field(header.len())?.to_le_bytes());
    file.extend(CRC.checksum(&blocks.backbone).to_le_bytes());
    file.resize(PRELUDE_LEN + LENGTHS_LEN, 0);
    file.extend(header);
    file.resize(file.len().next_multiple_of(BLOCK_ALIGN), 0);
    file.extend_from_slice(&blocks.head);
    // As erased flash is, so that a push can leave it out.
    file.resize(file.len().next_multiple_of(HEAD_ALIGN), 0xFF);
    let head_len = field(file.len())?;
    let prelude = Prelude {
        generation: 0,
        base: 0,
        head_len,
        backbone_offset: head_len,
        backbone_len: field(blocks.backbone.len())?,
        crc: 0,
    };
    let prelude = prelude.sealed(file.get(PRELUDE_LEN..).unwrap_or_default());
    if prelude.file_len().is_none() {
        return Err(WriteError::TooLarge);
    }
    if let Some(first) = file.first_chunk_mut() {
        *first = prelude.to_bytes();
    }
    file.extend_from_slice(&blocks.backbone);
    Ok(file)
}

fn run_golden(model: &Model<'_>) -> Result<Vec<u8>, WriteError> {
    let mut arena = vec![0; model.plan().arena_len];
    let mut row = vec![0; model.input_shape().row_len()];
    let mut engine = Engine::new(model, &mut arena, Scalar).map_err(WriteError::Run)?;
    let mut rows = GoldenRows::new(GOLDEN_SEED);
    for _ in 0..model.input_shape().height {
        rows.fill(&mut row);
        engine.push_row(&row).map_err(WriteError::Run)?;
    }
    let logits = engine.finish().map_err(WriteError::Run)?;
    Ok(logits.iter().map(|&logit| logit as u8).collect())
}
