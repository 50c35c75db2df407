//! The model slot: a region of flash, apart from the program, that holds a `.posy` file.
//!
//! Flash can be half written, erased, or written by another version of posy; so nothing in it is
//! believed before [`Model::read_slot`] and [`check`] have gone through it. What it says fits a line on a serial port.

use core::fmt;

use embedded_storage::nor_flash::{ErrorType, NorFlash, NorFlashErrorKind, ReadNorFlash};
use posy_shared::engine::{Engine, EngineError, arena_len};
use posy_shared::kernels::Kernels;
use posy_shared::model::{FORMAT_VERSION, LayerFault, Model, ReadError};

/// The flash of a slot, its offsets from the slot's start, which can be read in place.
///
/// Code that runs while flash is written must not lie in it, unless the chip stalls reads
/// meanwhile: that is the implementation's business.
pub trait SlotFlash: NorFlash {
    /// Every byte of the slot, as it is now.
    fn bytes(&self) -> &[u8];
}

/// A slot that is read and never written.
#[derive(Clone, Copy, Debug)]
pub struct FixedSlot<'a>(pub &'a [u8]);

impl SlotFlash for FixedSlot<'_> {
    fn bytes(&self) -> &[u8] {
        self.0
    }
}

impl ErrorType for FixedSlot<'_> {
    type Error = NorFlashErrorKind;
}

impl ReadNorFlash for FixedSlot<'_> {
    const READ_SIZE: usize = 1;

    fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), Self::Error> {
        let here = self.0.get(offset as usize..);
        let here = here.and_then(|rest| rest.get(..bytes.len()));
        bytes.copy_from_slice(here.ok_or(NorFlashErrorKind::OutOfBounds)?);
        Ok(())
    }

    fn capacity(&self) -> usize {
        self.0.len()
    }
}

/// Every write fails.
impl NorFlash for FixedSlot<'_> {
    const WRITE_SIZE: usize = 1;
    const ERASE_SIZE: usize = 4096;

    fn erase(&mut self, _: u32, _: u32) -> Result<(), Self::Error> {
        Err(NorFlashErrorKind::Other)
    }

    fn write(&mut self, _: u32, _: &[u8]) -> Result<(), Self::Error> {
        Err(NorFlashErrorKind::Other)
    }
}

/// Reasons for which a slot holds no model that this board can run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SlotError {
    /// Empty flash: no byte has been written.
    Empty,
    /// Something else than a model has been written.
    Magic,
    /// A push was cut short, and no model is left.
    Torn,
    /// The model is of another format version.
    Version {
        /// Version of the model.
        found: u16,
        /// Version that this program reads.
        reads: u16,
    },
    /// The model is longer than the slot.
    Length {
        /// Bytes of the model.
        model: usize,
        /// Bytes of the slot.
        slot: usize,
    },
    /// The model is not as it was written.
    Checksum {
        /// CRC-32 in the file.
        expected: u32,
        /// CRC-32 of the contents.
        found: u32,
    },
    /// A layer cannot be run.
    Layer {
        /// Index of the layer.
        index: usize,
        /// Fault of the layer.
        fault: LayerFault,
    },
    /// Anything else that is wrong with the file.
    File(ReadError),
    /// The model gives features: there is nothing to tell from a picture.
    NoLabels,
    /// The model needs more memory than the board has for it.
    Memory {
        /// Bytes that its plan takes.
        needed: usize,
        /// Bytes that there are.
        available: usize,
    },
    /// The buffer for a row of input is too short.
    Row {
        /// Numbers in a row of input.
        needed: usize,
        /// Numbers that there is room for.
        available: usize,
    },
    /// The golden input gave another answer than on the laptop.
    Golden,
    /// The golden input could not be run; a fault in posy.
    Engine(EngineError),
}

impl fmt::Display for SlotError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => write!(
                f,
                "the model slot is empty; write a model with `posy flash`"
            ),
            Self::Magic => write!(
                f,
                "the model slot holds something else; write a model with `posy flash`"
            ),
            Self::Torn => write!(
                f,
                "the model slot holds no whole model: a push was cut short; push the model again"
            ),
            Self::Version { found, reads } => write!(
                f,
                "the model is of format {found}, this program reads {reads}; write program and \
                 model with the same `posy flash`"
            ),
            Self::Length { model, slot } => write!(
                f,
                "the model has {model} bytes, the slot {slot}; choose a smaller network"
            ),
            Self::Checksum { expected, found } => write!(
                f,
                "the model is damaged (CRC {found:08x}, should be {expected:08x}); write it again \
                 with `posy flash`"
            ),
            Self::Layer { index, fault } => write!(
                f,
                "layer {index} of the model {fault}; make it again with `posy retrain`"
            ),
            Self::File(error) => write!(f, "{error}; make it again with `posy retrain`"),
            Self::NoLabels => write!(
                f,
                "the model has no labels; write one made by `posy retrain` with `posy flash`"
            ),
            Self::Memory { needed, available } => write!(
                f,
                "the model needs {needed} bytes of RAM, there are {available}; choose a smaller \
                 network"
            ),
            Self::Row { needed, available } => write!(
                f,
                "the model's rows are {needed} long, there is room for {available}; choose a \
                 smaller network"
            ),
            Self::Golden => write!(
                f,
                "golden check failed: this board computes otherwise than the laptop; flash \
                 program and model again"
            ),
            Self::Engine(error) => write!(f, "golden check: {error}"),
        }
    }
}

impl core::error::Error for SlotError {}

impl From<ReadError> for SlotError {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Empty => Self::Empty,
            ReadError::Magic => Self::Magic,
            ReadError::Torn => Self::Torn,
            ReadError::Version { found } => Self::Version {
                found,
                reads: FORMAT_VERSION,
            },
            ReadError::Length { expected, found } => Self::Length {
                model: expected,
                slot: found,
            },
            ReadError::Checksum { expected, found } => Self::Checksum { expected, found },
            ReadError::Layer { index, fault } => Self::Layer { index, fault },
            other => Self::File(other),
        }
    }
}

/// Checks that a board can run `model`: that it fits `arena`, that it has labels, and that its
/// golden input, run in `arena` with `kernels`, gives the laptop's answer. `row` holds a row of
/// input on its way: three numbers for each pixel of the network's width.
///
/// # Errors
/// [`SlotError::Memory`], [`SlotError::NoLabels`], [`SlotError::Row`], [`SlotError::Golden`] or
/// [`SlotError::Engine`]. The others are those of [`Model::read_slot`], by `From`.
pub fn check<K: Kernels>(
    model: &Model<'_>,
    arena: &mut [i8],
    row: &mut [i8],
    kernels: K,
) -> Result<(), SlotError> {
    fits(model, arena.len(), row.len(), &kernels)?;
    let needed = model.input_shape().row_len();
    let row = row.get_mut(..needed).unwrap_or_default();
    Engine::new(model, arena, kernels)
        .and_then(|mut engine| engine.golden_check(row))
        .map_err(|error| match error {
            EngineError::Golden => SlotError::Golden,
            EngineError::Arena { needed, given } => SlotError::Memory {
                needed,
                available: given,
            },
            other => SlotError::Engine(other),
        })
}

/// Checks what [`check`] does but for the golden input, for `available` bytes of arena and `row_len`
/// numbers of row.
///
/// # Errors
/// [`SlotError::Memory`], [`SlotError::NoLabels`] or [`SlotError::Row`].
pub fn fits<K: Kernels>(
    model: &Model<'_>,
    available: usize,
    row_len: usize,
    kernels: &K,
) -> Result<(), SlotError> {
    let needed = arena_len(model, kernels);
    if needed > available {
        return Err(SlotError::Memory { needed, available });
    }
    if model.labels().next().is_none() {
        return Err(SlotError::NoLabels);
    }
    let (needed, available) = (model.input_shape().row_len(), row_len);
    match needed > available {
        true => Err(SlotError::Row { needed, available }),
        false => Ok(()),
    }
}
