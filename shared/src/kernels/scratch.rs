//! Scratch sizes of the boards' kernels. The laptop knows them too, to tell whether a model fits a
//! board before anything is flashed.

use super::packed::TERMS;

/// Largest number of pixels whose activations [`dsp`] holds in scratch together.
pub(crate) const DSP_PIXELS: usize = 56;

/// Pixels that [`armv6m`] computes together.
pub(crate) const ARMV6M_BLOCK: usize = 4;

/// Words of activations that [`armv6m`] holds in scratch, unless one block of pixels takes more.
const ARMV6M_WORDS: usize = 2048;

/// Words of scratch of the DSP kernels: the weights of two channels and the activations, all as int16.
pub(crate) const fn dsp(terms: usize, width: usize) -> usize {
    let pixels = if width < DSP_PIXELS {
        width
    } else {
        DSP_PIXELS
    };
    let terms = terms.next_multiple_of(TERMS);
    terms + terms / 2 * pixels
}

/// Largest number of pixels whose activations the Armv6-M kernels hold in scratch together, in whole
/// blocks.
pub(crate) const fn armv6m_pixels(terms: usize, width: usize) -> usize {
    let width = width.next_multiple_of(ARMV6M_BLOCK);
    let most = match (2 * ARMV6M_WORDS).checked_div(terms.next_multiple_of(TERMS)) {
        Some(pixels) if pixels >= ARMV6M_BLOCK => pixels / ARMV6M_BLOCK * ARMV6M_BLOCK,
        _ => ARMV6M_BLOCK,
    };
    if width < most { width } else { most }
}

/// Words of scratch of the Armv6-M kernels: the weights of two channels, a word each, and the
/// activations, two to a word.
pub(crate) const fn armv6m(terms: usize, width: usize) -> usize {
    let pixels = armv6m_pixels(terms, width);
    terms.next_multiple_of(TERMS) * (2 + pixels / 2)
}

/// Words of scratch that are enough for the kernels of any board, for each core in use, for sums over
/// `terms` terms in rows of `width` pixels.
pub const fn board_scratch_len(terms: usize, width: usize) -> usize {
    let (dsp, armv6m) = (dsp(terms, width), armv6m(terms, width));
    if dsp > armv6m { dsp } else { armv6m }
}
