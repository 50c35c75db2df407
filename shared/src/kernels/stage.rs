//! What the assembly of boards needs of an output stage, and what it leaves to be done.

use super::params::OutputStage;

/// Whether the assembly's road from sums to outputs is right for a layer of `outputs` channels: its
/// tables are whole and lie at words, and no sum or shift is beyond it.
pub(super) fn suits(stage: &OutputStage<'_>, outputs: usize) -> bool {
    let channels = &stage.channels;
    stage.narrow
        && (!away(stage) || channels.shift.iter().all(|&shift| shift < 0))
        && channels.shift.len() >= outputs
        && [channels.bias, channels.multiplier]
            .iter()
            .all(|table| table.len() >= outputs && table.as_ptr().is_aligned())
}

/// Whether negative ties matter: where zero is the least output they do not.
pub(super) const fn away(stage: &OutputStage<'_>) -> bool {
    stage.zero_point != i8::MIN
}

/// Clamps what the assembly has clamped to int8 only.
pub(super) fn clamp(stage: &OutputStage<'_>, output: &mut [i8]) {
    if (stage.min, stage.max) != (i8::MIN, i8::MAX) {
        for number in output {
            *number = (*number).clamp(stage.min, stage.max);
        }
    }
}
