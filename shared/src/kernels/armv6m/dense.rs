//! Dense layers: a single pixel, for which two lanes gain nothing, as the second would only hold a
//! copy. Each weight is sign-extended from its byte where it is used, and never stored.

use crate::kernels::params::DenseParams;

use super::TERMS;

/// Computes the dot products of the two outputs whose weights are packed together, the first in the
/// lower half. Sixteen instructions for four products.
///
/// # Safety
/// `fours` is not zero; `8 * fours` bytes can be read from `packed` on, aligned to a word, and
/// `4 * fours` words from `activations` on, which are in the order of the weights.
#[cfg_attr(feature = "armv6m-in-ram", unsafe(link_section = ".data.armv6m"))]
#[unsafe(naked)]
unsafe extern "C" fn pair_sums(packed: *const i8, activations: *const i32, fours: usize) -> u64 {
    core::arch::naked_asm!(
        "push {{r4, r5, r6, r7, lr}}",
        "lsls r2, r2, #3",
        "adds r2, r2, r0",
        "mov r12, r2",
        "movs r2, #0",
        "movs r3, #0",
        // r2 and r3 the sums, r4 the weights of two terms, r5 and r6 their activations.
        "2:",
        ".rept 2",
        "ldmia r0!, {{r4}}",
        "ldmia r1!, {{r5, r6}}",
        "sxtb r7, r4",
        "muls r7, r5, r7",
        "adds r2, r2, r7",
        "asrs r4, r4, #8",
        "sxtb r7, r4",
        "muls r7, r5, r7",
        "adds r3, r3, r7",
        "asrs r4, r4, #8",
        "sxtb r7, r4",
        "muls r7, r6, r7",
        "adds r2, r2, r7",
        "asrs r4, r4, #8",
        "muls r4, r6, r4",
        "adds r3, r3, r4",
        ".endr",
        "cmp r0, r12",
        "bne 2b",
        "movs r0, r2",
        "movs r1, r3",
        "pop {{r4, r5, r6, r7, pc}}",
    )
}

/// Computes a dense layer; returns false if the assembly cannot.
pub(super) fn dense(
    params: &DenseParams<'_>,
    input: &[i8],
    scratch: &mut [u32],
    output: &mut [i8],
) -> bool {
    let terms = params.weights.terms();
    let whole = terms.next_multiple_of(TERMS);
    let bytes = params.weights.bytes();
    let activations = scratch.get_mut(..whole);
    let Some(activations) = activations.filter(|_| {
        terms > 0
            && input.len() == terms
            && params.weights.has(output.len())
            && bytes.as_ptr().cast::<u32>().is_aligned()
    }) else {
        return false;
    };
    let zero_point = i32::from(params.input_zero_point);
    // Terms beyond the last are multiplied by weights of zero.
    let less = |number: Option<&i8>| (number.map_or(0, |&x| i32::from(x) - zero_point)) as u32;
    for (four, numbers) in activations.chunks_exact_mut(TERMS).zip(input.chunks(TERMS)) {
        four.copy_from_slice(&[0, 2, 1, 3].map(|term: usize| less(numbers.get(term))));
    }
    let pairs = bytes.chunks_exact(2 * whole).zip(output.chunks_mut(2));
    for (pair, (packed, places)) in pairs.enumerate() {
        // SAFETY: the bytes of a pair are whole blocks of eight bytes, word-aligned as all blocks are;
        // there is a word of activations for each term, in their order.
        let both = unsafe {
            let activations = activations.as_ptr().cast();
            pair_sums(packed.as_ptr(), activations, whole / TERMS)
        };
        let sums = [both as i32, (both >> 32) as i32];
        for (of, (place, sum)) in places.iter_mut().zip(sums).enumerate() {
            *place = params.output.apply(2 * pair + of, sum);
        }
    }
    true
}
