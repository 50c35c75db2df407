//! Packed weights: the order of weights in a model, made for kernels with a dual 16-bit
//! multiply-accumulate.
//!
//! Weights `[O, K]` of a layer whose outputs are sums over `K` terms lie in blocks of two outputs by
//! four terms, first all blocks of outputs 0 and 1, then those of 2 and 3:
//!
//! ```text
//! byte     0     1     2     3     4     5     6     7
//! output   0     1     0     1     0     1     0     1
//! term     0     0     2     2     1     1     3     3
//! ```
//!
//! Sign-extending bytes 0 and 2 of a word gives the pair of terms (0, 2) of one output, bytes 1 and 3
//! that of the other; four neighbouring activations, extended in the same way, come in the same pairs,
//! so neither side is shuffled. Where `O` is odd or `K` no multiple of four, zeros fill up the last
//! block.

/// Outputs in a block.
const OUTPUTS: usize = 2;
/// Terms in a block.
pub(super) const TERMS: usize = 4;

/// Packed weights `[O, K]`.
#[derive(Clone, Copy, Debug)]
pub struct Packed<'a> {
    bytes: &'a [i8],
    terms: usize,
}

impl<'a> Packed<'a> {
    /// Views [`Packed::len`] bytes as weights over `terms` terms.
    pub const fn new(bytes: &'a [i8], terms: usize) -> Self {
        Packed { bytes, terms }
    }

    /// Bytes that `outputs` by `terms` weights take; `usize::MAX` if a `usize` cannot count them.
    pub const fn len(outputs: usize, terms: usize) -> usize {
        let outputs = outputs.next_multiple_of(OUTPUTS);
        outputs.saturating_mul(terms.next_multiple_of(TERMS))
    }

    /// The bytes in their order.
    pub const fn bytes(self) -> &'a [i8] {
        self.bytes
    }

    /// Terms of each output.
    pub const fn terms(self) -> usize {
        self.terms
    }

    /// Weight of `output` for `term`, both in range.
    pub fn at(self, output: usize, term: usize) -> i8 {
        self.bytes[place(self.terms, output, term)]
    }

    /// Weights of `output`, term by term.
    pub fn of(self, output: usize) -> impl Iterator<Item = i8> + use<'a> {
        (0..self.terms).map(move |term| self.at(output, term))
    }

    /// Returns true if the bytes hold `outputs` outputs.
    pub const fn has(self, outputs: usize) -> bool {
        self.bytes.len() == Self::len(outputs, self.terms)
    }
}

/// Index of the byte that holds the weight of `output` for `term`.
const fn place(terms: usize, output: usize, term: usize) -> usize {
    let block = output / OUTPUTS * terms.next_multiple_of(TERMS) / TERMS + term / TERMS;
    let (even_or_odd, first_or_second) = (term % 2, term % TERMS / 2);
    block * OUTPUTS * TERMS + even_or_odd * 4 + first_or_second * 2 + output % OUTPUTS
}

/// Packs `weights`, `[O, K]` with `K` `terms`; whole outputs only.
#[cfg(feature = "alloc")]
pub fn pack(weights: &[i8], terms: usize) -> alloc::vec::Vec<i8> {
    let outputs = weights.len() / terms.max(1);
    let mut bytes = alloc::vec![0; Packed::len(outputs, terms)];
    for (output, weights) in weights.chunks_exact(terms.max(1)).enumerate() {
        for (term, &weight) in weights.iter().enumerate() {
            bytes[place(terms, output, term)] = weight;
        }
    }
    bytes
}

#[cfg(all(test, feature = "alloc"))]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    #[test]
    fn a_block_is_as_the_page_says() {
        let weights: Vec<i8> = (0..2 * 4).collect();
        assert_eq!(pack(&weights, 4), [0, 4, 2, 6, 1, 5, 3, 7]);
    }

    #[test]
    fn every_weight_is_found_again_and_the_rest_is_zero() {
        for outputs in 1..6 {
            for terms in 1..10 {
                let weights: Vec<i8> = (1..=(outputs * terms) as i8).collect();
                let bytes = pack(&weights, terms);
                let packed = Packed::new(&bytes, terms);
                assert!(packed.has(outputs));
                let found: Vec<i8> = (0..outputs).flat_map(|output| packed.of(output)).collect();
                assert_eq!(found, weights);
                let zeros = bytes.iter().filter(|byte| **byte == 0).count();
                assert_eq!(bytes.len() - zeros, weights.len());
            }
        }
    }
}
