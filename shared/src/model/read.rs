//! Reading a `.posy` file: everything is checked here, once.

use core::fmt;

use heapless::Vec;
use serde::Deserialize;

use super::blocks::Blocks;
use super::check::{LayerFault, check_layer};
use super::distinct::distinct;
use super::header::{Acceptance, Golden, InputContract, MAX_LABELS, Provenance, Verdict};
use super::layer::{Layer, MAX_LAYERS, Op, Shape};
use super::prelude::{CRC, FORMAT_VERSION, PRELUDE_LEN, Prelude, head_crc, u32_at};
use super::slot::{self, Head};
use crate::familiarity::{Familiarity, MAX_FEATURES};
use crate::plan::{Plan, PlanError};
use crate::preprocess::{MAX_OUTPUT_SIDE, PixelMap};
use crate::scores::{LogisticScores, Scores};
use crate::softmax::Softmax;

/// Alignment of the blocks in the file.
pub(crate) const BLOCK_ALIGN: usize = 16;

/// Bytes between prelude and header: header length, CRC-32 of the backbone, zeros.
pub(crate) const LENGTHS_LEN: usize = 16;

/// Reason that bytes are not a valid model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadError {
    /// There are no bytes, or (in flash) all of them are erased.
    Empty,
    /// The first bytes are not those of a model.
    Magic,
    /// The file has another format version.
    Version {
        /// Version of the file.
        found: u16,
    },
    /// The file is shorter or longer than its header declares.
    Length {
        /// Bytes that the header declares.
        expected: usize,
        /// Bytes present.
        found: usize,
    },
    /// The checksum does not match: the contents have changed since they were written.
    Checksum {
        /// CRC-32 in the file.
        expected: u32,
        /// CRC-32 of the contents.
        found: u32,
    },
    /// The prelude or the header cannot be decoded.
    Header,
    /// A slot in flash has no whole model, only what is left of one: a push was cut short.
    Torn,
    /// A layer cannot be run.
    Layer {
        /// Index of the layer.
        index: usize,
        /// Fault in the layer.
        fault: LayerFault,
    },
    /// The layers cannot be laid out in memory.
    Plan(PlanError),
    /// The memory plan needs another number of bytes than the file declares.
    Arena {
        /// Bytes that the file declares.
        expected: usize,
        /// Bytes that the plan needs.
        found: usize,
    },
    /// The number of labels differs from that of their logits, or a label is empty or appears twice.
    Labels,
    /// The contract does not fit the model: the input is not an RGB or grey picture of a size that
    /// the preprocessing produces, or the tables for pixels or scores, or the golden check, do not match
    /// the layers.
    Contract,
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => write!(f, "there is no model: the bytes are empty or erased"),
            Self::Magic => write!(f, "this is not a posy model: it does not begin with POSY"),
            Self::Version { found } => write!(
                f,
                "the model is of format version {found}, and this posy reads version \
                 {FORMAT_VERSION}"
            ),
            Self::Length { expected, found } => write!(
                f,
                "the model should be {expected} bytes long and is {found}: it was cut off or \
                 something was appended"
            ),
            Self::Checksum { expected, found } => write!(
                f,
                "the model is damaged: its checksum is {found:08x} and should be {expected:08x}"
            ),
            Self::Header => write!(f, "the model's header is damaged"),
            Self::Torn => write!(f, "there is no whole model: a push was cut short"),
            Self::Layer { index, fault } => write!(f, "layer {index} of the model {fault}"),
            Self::Plan(error) => write!(f, "the model's memory plan is wrong: {error}"),
            Self::Arena { expected, found } => write!(
                f,
                "the model's memory plan is wrong: it says {expected} bytes and takes {found}"
            ),
            Self::Labels => write!(f, "the model's labels do not match its last layer"),
            Self::Contract => write!(f, "the model's input or output tables are wrong"),
        }
    }
}

impl core::error::Error for ReadError {}

/// A model whose bytes have been checked, and which borrows them.
#[derive(Clone, Debug)]
pub struct Model<'a> {
    pub(super) layers: Vec<Layer, MAX_LAYERS>,
    /// Bit set, one bit a layer; see [`OutputStage::narrow`](crate::kernels::OutputStage::narrow).
    pub(super) narrow: u128,
    pub(super) plan: Plan,
    pub(super) blocks: Blocks<'a>,
    input: InputContract,
    labels: &'a str,
    verdict: Verdict,
    provenance: Provenance<'a>,
    golden: Golden<'a>,
    file_len: usize,
}

/// Sections of a model that the prelude delimits; their checksums have been verified.
struct Parts<'a> {
    header: &'a [u8],
    blocks: Blocks<'a>,
    file_len: usize,
}

/// The parts of the model in `slot` whose head begins at `head.at`, behind a prelude that may not
/// have been written yet.
fn split<'a>(slot: &'a [u8], head: &Head) -> Result<Parts<'a>, ReadError> {
    let prelude = &head.prelude;
    let file_len = prelude.file_len().ok_or(ReadError::Header)?;
    let (at, len) = (head.at as usize, prelude.head_len as usize);
    if !head.fits(slot.len()) {
        return Err(ReadError::Length {
            expected: file_len,
            found: slot.len(),
        });
    }
    let bytes = slot.get(at..).and_then(|bytes| bytes.get(..len));
    let bytes = bytes.ok_or(ReadError::Header)?;
    let contents = bytes.get(PRELUDE_LEN..).ok_or(ReadError::Header)?;
    let checksum = |expected: u32, found: u32| match found == expected {
        true => Ok(()),
        false => Err(ReadError::Checksum { expected, found }),
    };
    checksum(prelude.crc, head_crc(&prelude.to_bytes(), contents))?;
    let start = prelude.backbone_offset as usize;
    let backbone = slot
        .get(start..)
        .and_then(|rest| rest.get(..prelude.backbone_len as usize));
    let backbone = backbone.ok_or(ReadError::Header)?;
    let field = |at| u32_at(contents, at).ok_or(ReadError::Header);
    checksum(field(4)?, CRC.checksum(backbone))?;
    let zeros = contents.get(8..LENGTHS_LEN).ok_or(ReadError::Header)?;
    if zeros.iter().any(|&byte| byte != 0) {
        return Err(ReadError::Header);
    }
    let rest = contents.get(LENGTHS_LEN..).ok_or(ReadError::Header)?;
    let header = rest.get(..field(0)? as usize).ok_or(ReadError::Header)?;
    let block_start = (PRELUDE_LEN + LENGTHS_LEN + header.len()).next_multiple_of(BLOCK_ALIGN);
    Ok(Parts {
        header,
        blocks: Blocks {
            backbone,
            head: bytes.get(block_start..).ok_or(ReadError::Header)?,
        },
        file_len,
    })
}

/// Decodes the next field of the header.
fn take<'a, T: Deserialize<'a>>(header: &mut &'a [u8]) -> Result<T, ReadError> {
    let (field, rest) = postcard::take_from_bytes(header).map_err(|_| ReadError::Header)?;
    *header = rest;
    Ok(field)
}

/// Decodes a list of the header item by item. Decoding a list whole would copy it on a board's small
/// stack.
fn take_list<'a, T: Deserialize<'a>>(
    header: &mut &'a [u8],
    list: &mut Vec<T, MAX_LAYERS>,
) -> Result<(), ReadError> {
    for _ in 0..take::<u32>(header)? {
        list.push(take(header)?).map_err(|_| ReadError::Header)?;
    }
    Ok(())
}

impl<'a> Model<'a> {
    /// Reads a file: the bytes are the model and nothing else.
    ///
    /// # Errors
    /// The first fault found; see [`ReadError`].
    pub fn read(bytes: &'a [u8]) -> Result<Self, ReadError> {
        let prelude = Prelude::parse(bytes)?;
        let expected = prelude.file_len().ok_or(ReadError::Header)?;
        if expected != bytes.len() {
            return Err(ReadError::Length {
                expected,
                found: bytes.len(),
            });
        }
        // In a file the backbone follows the head.
        if prelude.backbone_offset != prelude.head_len {
            return Err(ReadError::Header);
        }
        Self::read_head(bytes, &Head { at: 0, prelude })
    }

    /// Reads a slot in flash: the newest model in it, whatever else it holds; see
    /// [`slot`](super::slot).
    ///
    /// # Errors
    /// What is wrong with the bytes; see [`ReadError`].
    pub fn read_slot(slot: &'a [u8]) -> Result<Self, ReadError> {
        match slot::newest(slot) {
            Some(head) => Self::read_head(slot, &head),
            None => Err(slot::absence(slot)),
        }
    }

    /// Reads the model with the head `head` out of a slot. The prelude is taken from `head`: that in
    /// the slot may not have been written yet.
    ///
    /// # Errors
    /// The first fault found; see [`ReadError`].
    // Not inlined: its temporaries would otherwise stay on a board's stack for good.
    #[inline(never)]
    pub fn read_head(slot: &'a [u8], head: &Head) -> Result<Self, ReadError> {
        let Parts {
            mut header,
            blocks,
            file_len,
        } = split(slot, head)?;
        let header = &mut header;
        let input = take(header)?;
        // Skips the layers first, so that they are later decoded straight into their final place. A
        // copy of them would take 3 kB of a board's stack.
        let mut layers = *header;
        for _ in 0..take::<u32>(header)? {
            take::<Layer>(header)?;
        }
        let mut cuts = Vec::new();
        take_list(header, &mut cuts)?;
        let arena_len = take::<u32>(header)? as usize;
        let mut model = Model {
            layers: Vec::new(),
            narrow: 0,
            plan: Plan::default(),
            blocks,
            input,
            labels: take(header)?,
            verdict: take(header)?,
            provenance: take(header)?,
            golden: take(header)?,
            file_len,
        };
        if !header.is_empty() {
            return Err(ReadError::Header);
        }
        take_list(&mut layers, &mut model.layers)?;
        for index in 0..model.layers.len() {
            let narrow = check_layer(&model.layers, index, &blocks)
                .map_err(|fault| ReadError::Layer { index, fault })?;
            model.narrow |= u128::from(narrow) << index;
        }
        model.plan = Plan::new(&model.layers, &cuts).map_err(ReadError::Plan)?;
        if model.plan.arena_len != arena_len {
            return Err(ReadError::Arena {
                expected: arena_len,
                found: model.plan.arena_len,
            });
        }
        model.check_labels()?;
        model.check_contract()?;
        Ok(model)
    }

    fn check_contract(&self) -> Result<(), ReadError> {
        let input = self.input_shape();
        let fits = |table: Option<u32>, len: usize| {
            table.is_none_or(|offset| self.blocks.region(offset, len).is_some())
        };
        if matches!(input.channels, 1 | 3)
            && fits(self.input.table, 256 * usize::from(input.channels))
            && fits(self.verdict.logistic, 2 * LogisticScores::LEN)
            && input.height.max(input.width) <= MAX_OUTPUT_SIDE
            && self.golden.logits.len() == self.output_len()
            && self.verdict.beta.is_valid()
            && self.verdict.unknown_below <= 1 << 16
            && self.check_acceptance()
        {
            Ok(())
        } else {
            Err(ReadError::Contract)
        }
    }

    /// Returns true if the familiarity tables match the features, or there are none.
    fn check_acceptance(&self) -> bool {
        let Some(acceptance) = &self.verdict.acceptance else {
            return true;
        };
        let features = self.last_dense().map_or(0, |layer| layer.input.len());
        (1..=MAX_FEATURES).contains(&features)
            && acceptance.prototypes > 0
            && self.familiarity_tables(acceptance, features).is_some()
    }

    /// The last layer, if it is dense.
    fn last_dense(&self) -> Option<&Layer> {
        self.layers.last().filter(|layer| layer.op == Op::Dense)
    }

    fn familiarity_tables(
        &self,
        acceptance: &Acceptance,
        features: usize,
    ) -> Option<Familiarity<'a>> {
        let prototypes = features.checked_mul(acceptance.prototypes.into())?;
        let len = prototypes.checked_add(features.checked_mul(3)?)?;
        let (centre, rest) = self
            .blocks
            .region(acceptance.table, len)?
            .split_at_checked(features)?;
        let (scale, prototypes) = rest.split_at_checked(2 * features)?;
        Some(Familiarity {
            centre: bytemuck::cast_slice(centre),
            scale,
            prototypes: bytemuck::cast_slice(prototypes),
            multiplier: acceptance.multiplier,
        })
    }

    /// The familiarity tables, if the model has them.
    pub fn familiarity(&self) -> Option<Familiarity<'a>> {
        let acceptance = self.verdict.acceptance.as_ref()?;
        self.familiarity_tables(acceptance, self.last_dense()?.input.len())
    }

    /// Fills in the output of the last layer that is not a dot product: the familiarity.
    pub(crate) fn complete(&self, features: &[i8], outputs: &mut [i8]) {
        if let (Some(tables), Some(last)) = (self.familiarity(), outputs.last_mut()) {
            *last = tables.of(features);
        }
    }

    fn check_labels(&self) -> Result<(), ReadError> {
        let count = self.labels().count();
        let ended = self.labels.is_empty() || self.labels.ends_with('\n');
        let others = self.other_outputs();
        let one_each = match count {
            0 => others == 0,
            _ => count + others == self.output_len(),
        };
        let clean = self
            .labels()
            .all(|label| !label.is_empty() && !label.chars().any(char::is_control));
        if ended && one_each && count <= MAX_LABELS && clean && distinct(self.labels) {
            Ok(())
        } else {
            Err(ReadError::Labels)
        }
    }

    /// Bytes of the file: of head and backbone.
    pub const fn file_len(&self) -> usize {
        self.file_len
    }

    /// The layers in running order.
    #[inline]
    pub fn layers(&self) -> &[Layer] {
        &self.layers
    }

    /// Memory plan of the model.
    #[inline]
    pub const fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Shape of the picture that the first layer reads.
    #[inline]
    pub fn input_shape(&self) -> Shape {
        self.layers.first().map_or(
            Shape {
                height: 0,
                width: 0,
                channels: 0,
            },
            |layer| layer.input,
        )
    }

    /// Preprocessing that turns pictures into input rows.
    pub const fn input_contract(&self) -> &InputContract {
        &self.input
    }

    /// Mapping from pixels to input values.
    pub fn pixel_map(&self) -> PixelMap<'a> {
        let table = self.input.table;
        let grey = self.input_shape().channels == 1;
        let table = |len| table.and_then(|offset| self.blocks.region(offset, len));
        let colour = table(768).and_then(|table| table.try_into().ok());
        match (grey, colour) {
            (false, Some(table)) => PixelMap::Table(table),
            (false, None) => PixelMap::Centred,
            (true, _) => match table(256).and_then(|table| table.try_into().ok()) {
                Some(table) => PixelMap::GreyTable(table),
                None => PixelMap::Grey,
            },
        }
    }

    /// Scores of the labels for `logits`, one for each [logit](Model::logit_len).
    pub fn scores(&self, logits: &[i8]) -> Scores<'a> {
        let table = self.verdict.logistic;
        let table = table.and_then(|offset| self.blocks.region(offset, 2 * LogisticScores::LEN));
        match table.and_then(LogisticScores::new) {
            Some(table) => Scores::Logistic(table),
            None => Scores::Softmax(Softmax::new(self.verdict.beta, logits)),
        }
    }

    /// Length of the model's output: the logits of the labels, then that of "none of these" and the
    /// familiarity if the [verdict](Verdict) has them; or the features if there are no labels.
    pub fn output_len(&self) -> usize {
        self.layers().last().map_or(0, |layer| layer.output.len())
    }

    /// Number of outputs after the labels' logits: that of "none of these" and the familiarity.
    const fn other_outputs(&self) -> usize {
        self.verdict.unknown_logit as usize + self.verdict.acceptance.is_some() as usize
    }

    /// Number of outputs that are logits: of the labels, and of "none of these" if there is one.
    pub fn logit_len(&self) -> usize {
        self.output_len()
            .saturating_sub(self.verdict.acceptance.is_some() as usize)
    }

    /// Number of labels.
    pub fn label_len(&self) -> usize {
        match self.labels.is_empty() {
            true => 0,
            false => self.output_len().saturating_sub(self.other_outputs()),
        }
    }

    /// The labels in the order of the logits; none for a model whose output is features.
    pub fn labels(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        self.labels.split_terminator('\n')
    }

    /// Decision rule from logits to an answer.
    pub const fn verdict(&self) -> &Verdict {
        &self.verdict
    }

    /// Origin of the model.
    pub const fn provenance(&self) -> &Provenance<'a> {
        &self.provenance
    }

    /// The golden input and its output.
    pub const fn golden(&self) -> &Golden<'a> {
        &self.golden
    }
}
