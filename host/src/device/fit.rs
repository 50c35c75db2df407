//! Resources that a network needs, and the boards that have them.

use posy_nn::graph::network::Common;
use posy_nn::zoo::Architecture;
use posy_shared::kernels::board_scratch_len;
use posy_shared::model::{HEAD_ALIGN, Layer, Model, Op, Shape};
use posy_shared::plan::{Plan, PlanError, search};

use super::boards::{BOARDS, Board};
use super::speed::Estimate;

/// Resources that a model needs on a board.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Footprint {
    /// Size of the model file, bytes: weights, tables, header.
    pub flash_bytes: u64,
    /// RAM of the engine on a board with one core, bytes: the memory plan, and the kernels'
    /// scratch.
    pub ram_bytes: u64,
    /// The scratch within that, bytes; each further core has its own.
    pub scratch_bytes: u64,
    /// Multiply-accumulates (MACs) per inference.
    pub products: u64,
    /// Estimated milliseconds for an answer on each of [`BOARDS`], in their order.
    #[serde(skip)]
    answers_ms: [u32; BOARDS.len()],
}

impl Footprint {
    /// Size of a header, labels and provenance included, bytes: an estimate for networks of which
    /// only the shapes are known.
    const HEADER_BYTES: usize = 2048;

    /// The footprint of layers without their weights.
    ///
    /// # Errors
    /// Returns an error if the layers have no memory plan.
    pub fn of_layers(layers: &[Layer]) -> Result<Self, PlanError> {
        let block = |layer: &Layer| {
            layer.weight_len().next_multiple_of(16) + layer.table_len().next_multiple_of(4)
        };
        // A last dense layer lies in the head with the header, in whole units of flash.
        let dense = |layer: &&Layer| layer.op == Op::Dense;
        let last = layers.last().filter(dense).map_or(0, block);
        let backbone = layers.iter().map(block).sum::<usize>() - last;
        let head = (last + Self::HEADER_BYTES).next_multiple_of(HEAD_ALIGN);
        let scratch_bytes = scratch_bytes(layers);
        let plan = search(layers)?;
        Ok(Footprint {
            flash_bytes: (head + backbone) as u64,
            ram_bytes: plan.arena_len as u64 + scratch_bytes,
            scratch_bytes,
            products: layers.iter().map(Layer::products).sum(),
            answers_ms: answers_ms(layers, &plan),
        })
    }

    /// The footprint of an architecture with a last layer for `labels` labels.
    ///
    /// # Errors
    /// Returns an error if the layers have no memory plan.
    pub fn of_architecture(architecture: &Architecture, labels: u16) -> Result<Self, PlanError> {
        Self::of_network(&architecture.layers(), labels)
    }

    /// The footprint of a network up to its features, with a last layer for `labels` labels.
    ///
    /// # Errors
    /// Returns an error if the layers have no memory plan.
    pub fn of_network(layers: &[Common], labels: u16) -> Result<Self, PlanError> {
        Self::of_layers(&with_last_layer(layers, labels))
    }

    /// The footprint of a complete model.
    pub fn of_model(model: &Model<'_>) -> Self {
        let scratch_bytes = scratch_bytes(model.layers());
        Footprint {
            flash_bytes: model.file_len() as u64,
            ram_bytes: model.plan().arena_len as u64 + scratch_bytes,
            scratch_bytes,
            products: model.layers().iter().map(Layer::products).sum(),
            answers_ms: answers_ms(model.layers(), model.plan()),
        }
    }

    /// Estimated milliseconds for an answer on `board`, camera included; see [`Estimate`].
    pub fn answer_ms(&self, board: &Board) -> u32 {
        let places = BOARDS.iter().zip(self.answers_ms);
        let mut found = places.filter(|(other, _)| other.name == board.name);
        found.next().map_or(0, |(_, ms)| ms)
    }

    /// RAM of the engine on `board`, with all cores that its program uses, bytes.
    pub fn ram_bytes_on(&self, board: &Board) -> u64 {
        self.ram_bytes + self.scratch_bytes * (u64::from(board.cores) - 1)
    }
}

/// Estimated milliseconds for an answer on each board.
fn answers_ms(layers: &[Layer], plan: &Plan) -> [u32; BOARDS.len()] {
    BOARDS.map(|board| (1e3 * Estimate::of(layers, plan, &board).total_s()).round() as u32)
}

/// The layers of an architecture with a last layer for `labels` labels; only their shapes are
/// valid.
#[cfg(test)]
pub(super) fn layers_of(architecture: &Architecture, labels: u16) -> Vec<Layer> {
    with_last_layer(&architecture.layers(), labels)
}

fn with_last_layer(layers: &[Common], labels: u16) -> Vec<Layer> {
    let mut layers: Vec<Layer> = layers.iter().map(bare_layer).collect();
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
    layers
}

/// Scratch of a board's kernels for `layers`, with room for word alignment, bytes.
fn scratch_bytes(layers: &[Layer]) -> u64 {
    let packed = [Op::Conv3x3, Op::Pointwise, Op::Dense];
    let layers = layers.iter().filter(|layer| packed.contains(&layer.op));
    let words = layers.map(|layer| board_scratch_len(layer.terms(), layer.output.width.into()));
    words.max().map_or(0, |words| 4 * words as u64 + 3)
}

/// A layer of which only the shape is valid.
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
        single_rounding: false,
        skip: common.skip.unwrap_or(0) as u8,
        weights: 0,
        tables: 0,
    }
}

/// Returns true if a model fits a board beside the program.
pub fn fits(footprint: &Footprint, board: &Board) -> bool {
    footprint.flash_bytes <= board.slot_bytes().into()
        && footprint.ram_bytes_on(board) <= board.arena_bytes.into()
}

/// Names of the boards that a model fits.
pub fn fitting(footprint: &Footprint) -> Vec<&'static str> {
    let boards = BOARDS.iter().filter(|board| fits(footprint, board));
    boards.map(|board| board.name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_and_an_arena_can_be_filled_and_no_more() {
        for board in &BOARDS {
            let full = Footprint {
                flash_bytes: board.slot_bytes().into(),
                ram_bytes: u64::from(board.arena_bytes) - 100 * (u64::from(board.cores) - 1),
                scratch_bytes: 100,
                products: 1,
                answers_ms: [1; BOARDS.len()],
            };
            assert!(fits(&full, board), "{}", board.name);
            for (flash, ram) in [(1, 0), (0, 1)] {
                let more = Footprint {
                    flash_bytes: full.flash_bytes + flash,
                    ram_bytes: full.ram_bytes + ram,
                    ..full
                };
                assert!(!fits(&more, board), "{}: {more:?}", board.name);
            }
        }
    }
}
