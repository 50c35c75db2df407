//! Which layers have weights whose products fit their lanes everywhere: found once, when weights are
//! shown, so that rows need not look for others.

use crate::kernels::params::Weighted;
use crate::model::MAX_LAYERS;

/// Bits in a word.
const WORD: usize = u32::BITS as usize;

/// The layers that are tame: without a weight of -128 where they are depthwise, else without two
/// that are added to one another before they are taken apart.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Tame {
    layers: [u32; MAX_LAYERS.div_ceil(WORD)],
}

/// Whether no two neighbouring terms of an output are both -128 in packed weights.
fn packed_is_tame(bytes: &[i8]) -> bool {
    let mut words = bytes.as_chunks::<4>().0.iter();
    words.all(|&[a, b, c, d]| (a, c) != (i8::MIN, i8::MIN) && (b, d) != (i8::MIN, i8::MIN))
}

impl Tame {
    /// None yet.
    pub const fn new() -> Self {
        Tame {
            layers: [0; MAX_LAYERS.div_ceil(WORD)],
        }
    }

    /// Looks at the weights of a layer.
    pub fn note(&mut self, layer: Weighted<'_>) {
        let (index, tame) = match layer {
            Weighted::Depthwise3x3(params) => (params.layer, !params.weights.contains(&i8::MIN)),
            Weighted::Conv3x3(params) => (params.layer, packed_is_tame(params.weights.bytes())),
            Weighted::Pointwise(params) => (params.layer, packed_is_tame(params.weights.bytes())),
            Weighted::Dense(params) => (params.layer, packed_is_tame(params.weights.bytes())),
        };
        if let Some(layers) = self.layers.get_mut(index / WORD) {
            let bit = 1 << (index % WORD);
            *layers = if tame { *layers | bit } else { *layers & !bit };
        }
    }

    /// Whether a layer has been shown and is tame.
    pub fn has(&self, layer: usize) -> bool {
        let layers = self.layers.get(layer / WORD);
        layers.is_some_and(|layers| layers >> (layer % WORD) & 1 != 0)
    }
}
