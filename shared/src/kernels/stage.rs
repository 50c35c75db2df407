//! Output stages that the boards' assembly can compute, and the clamping that follows it.

use super::params::OutputStage;

/// Returns true if the assembly's requantisation is exact for a layer of `outputs` channels: its tables
/// are complete and word-aligned, and all sums and shifts are in its range.
pub(super) fn suits(stage: &OutputStage<'_>, outputs: usize) -> bool {
    let channels = &stage.channels;
    stage.narrow
        && (!away(stage) || channels.shift.iter().all(|&shift| shift < 0))
        && channels.shift.len() >= outputs
        && [channels.bias, channels.multiplier]
            .iter()
            .all(|table| table.len() >= outputs && table.as_ptr().is_aligned())
}

/// Returns true if negative ties must round away from zero; if zero is the least output they are
/// clamped anyway.
pub(super) const fn away(stage: &OutputStage<'_>) -> bool {
    stage.zero_point != i8::MIN
}

/// Applies the clamps; the assembly clamps to int8 only.
pub(super) fn clamp(stage: &OutputStage<'_>, output: &mut [i8]) {
    if (stage.min, stage.max) != (i8::MIN, i8::MAX) {
        for number in output {
            *number = (*number).clamp(stage.min, stage.max);
        }
    }
}
