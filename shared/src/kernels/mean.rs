//! TFLite's int8 `MEAN` over a whole map.
//!
//! It runs once a picture on a few hundred values, so all variants share this one.

use super::params::MeanParams;
use super::requant;

/// Turns the sums of all pixels, `[C]` little-endian i32 in bytes, into means with the output's scale.
///
/// The sum of `input - zero_point` is rescaled at once, as in TFLite's reference kernels
/// (`reference_ops::QuantizedMeanOrSum`), whose multiplier includes the division.
pub fn mean_finish(params: &MeanParams, sums: &[i8], output: &mut [i8]) {
    let zeros = params.pixels * i32::from(params.input_zero_point);
    for (out, sum) in output.iter_mut().zip(sums.as_chunks::<4>().0) {
        let sum = i32::from_le_bytes(sum.map(|byte| byte as u8)) - zeros;
        let scaled = requant::rescale(sum, params.scale);
        *out = requant::place(scaled, params.zero_point, params.min, params.max);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::requant::Multiplier;

    /// Expected values: LiteRT 2.3.0's reference kernels, `MEAN` of a 3 x 3 map, input scale 0.02 and
    /// zero point -128, output scale 0.0075 and zero point -128.
    #[test]
    fn means_are_those_of_the_reference_kernels() {
        let params = MeanParams {
            pixels: 9,
            input_zero_point: -128,
            // 0.02 / 0.0075 is 1431655765 * 2^-29; times 2^3, divided by 9.
            scale: Multiplier {
                mantissa: 1_272_582_902,
                shift: -1,
            },
            zero_point: -128,
            min: -128,
            max: 127,
        };
        let sums = [-9 * 128, -9 * 128 + 17, -1000, 9 * 127];
        let bytes: alloc::vec::Vec<i8> = sums
            .iter()
            .flat_map(|sum: &i32| sum.to_le_bytes().map(|byte| byte as i8))
            .collect();
        let mut output = [0; 4];
        mean_finish(&params, &bytes, &mut output);
        assert_eq!(output, [-128, -123, -83, 127]);
    }
}
