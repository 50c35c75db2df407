//! What a network takes, and which boards have it.

use posy_shared::model::{Layer, Model, Op, Shape};
use posy_shared::plan::{PlanError, search};

use super::boards::{Board, PROGRAM_FLASH_BYTES, PROGRAM_RAM_BYTES};
use crate::backbone::network::Common;
use crate::backbone::zoo::Architecture;

/// What a model takes on a board.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Footprint {
    /// Bytes of the model file: weights, tables, header.
    pub flash_bytes: u64,
    /// Bytes of RAM that the engine needs.
    pub ram_bytes: u64,
    /// Multiply-accumulates in one inference.
    pub products: u64,
}

impl Footprint {
    /// Bytes of a header, labels and provenance included: an estimate, for networks that are known
    /// by their shapes alone.
    const HEADER_BYTES: u64 = 2048;

    /// The footprint of layers without their weights.
    ///
    /// # Errors
    /// Where the layers have no memory plan.
    pub fn of_layers(layers: &[Layer]) -> Result<Self, PlanError> {
        let block = layers.iter().map(|layer| {
            layer.weight_len().next_multiple_of(16) + layer.table_len().next_multiple_of(4)
        });
        Ok(Footprint {
            flash_bytes: block.sum::<usize>() as u64 + Self::HEADER_BYTES,
            ram_bytes: search(layers)?.arena_len as u64,
            products: layers.iter().map(Layer::products).sum(),
        })
    }

    /// The footprint of an architecture with a last layer for `labels` labels.
    ///
    /// # Errors
    /// Where the layers have no memory plan.
    pub fn of_architecture(architecture: &Architecture, labels: u16) -> Result<Self, PlanError> {
        let mut layers: Vec<Layer> = architecture.layers().iter().map(bare_layer).collect();
        if let Some(features) = layers.last().map(|layer| layer.output) {
            layers.push(Layer {
                op: Op::Dense,
                input: features,
                output: Shape {
                    channels: labels,
                    ..features
                },
                ..layers[layers.len() - 1]
            });
        }
        Self::of_layers(&layers)
    }

    /// The footprint of a model as it is.
    pub fn of_model(model: &Model<'_>) -> Self {
        Footprint {
            flash_bytes: model.file_len() as u64,
            ram_bytes: model.plan().arena_len as u64,
            products: model.layers().iter().map(Layer::products).sum(),
        }
    }
}

/// A layer of which only the shape counts.
fn bare_layer(common: &Common) -> Layer {
    Layer {
        op: common.op,
        input: common.input,
        output: common.output,
        stride: common.stride,
        padding: common.padding,
        input_zero_point: 0,
        output_zero_point: 0,
        output_min: i8::MIN,
        output_max: i8::MAX,
        skip: common.skip.unwrap_or(0) as u8,
        weights: 0,
        tables: 0,
    }
}

/// Whether a model fits a board beside the program.
pub fn fits(footprint: &Footprint, board: &Board) -> bool {
    footprint.flash_bytes + PROGRAM_FLASH_BYTES <= board.flash_bytes
        && footprint.ram_bytes + PROGRAM_RAM_BYTES <= board.ram_bytes
}
