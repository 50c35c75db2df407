//! How much scratch the kernels of boards want, known on the laptop too: what fits a board is told
//! before anything is flashed.

use super::packed::TERMS;

/// Most pixels whose activations are in scratch together.
pub(crate) const MAX_PIXELS: usize = 56;

/// Words of scratch of a board's kernels for sums over `terms` terms in rows of `width` pixels: the
/// weights of two channels and the activations, all as int16.
pub const fn board_scratch_len(terms: usize, width: usize) -> usize {
    let pixels = if width < MAX_PIXELS {
        width
    } else {
        MAX_PIXELS
    };
    let terms = terms.next_multiple_of(TERMS);
    terms + terms / 2 * pixels
}
