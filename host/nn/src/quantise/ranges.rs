//! Range observer: the activation range of a layer with the least mean square error, rounding and
//! clipping together.
//!
//! A range that holds every observed value makes steps coarse for the sake of a few outliers. With
//! steps of width `s` a value inside has a mean square error of `s^2 / 12`; one outside, the square
//! of its distance to the range. The sum is taken over a histogram, for many candidate ranges
//! (calibration by mean square error of Nagel et al. 2021, "A White Paper on Neural Network
//! Quantization", section 3.1).

/// Number of bins of a histogram.
const BINS: usize = 2048;
/// Number of candidates for each end of the range, from the whole down to a quarter.
const SHARES: usize = 48;

/// Histogram of a layer's outputs.
#[derive(Clone, Debug, PartialEq)]
pub struct Histogram {
    least: f32,
    greatest: f32,
    counts: Vec<u64>,
}

impl Histogram {
    /// An empty histogram from `least` to `greatest`, widened to zero.
    pub fn new((least, greatest): (f32, f32)) -> Self {
        Histogram {
            least: least.min(0.0),
            greatest: greatest.max(0.0),
            counts: vec![0; BINS],
        }
    }

    /// Counts values.
    pub fn add(&mut self, numbers: &[f32]) {
        let width = (self.greatest - self.least) / BINS as f32;
        if !width.is_normal() {
            return;
        }
        for number in numbers {
            let bin = ((number - self.least) / width) as usize;
            self.counts[bin.min(BINS - 1)] += 1;
        }
    }

    /// Range with the least mean square error; the whole range if the histogram is empty.
    pub fn best_range(&self) -> (f32, f32) {
        let (least, greatest) = (f64::from(self.least), f64::from(self.greatest));
        let width = (greatest - least) / BINS as f64;
        // Sum of squared clipping errors for each candidate end.
        let beyond = |end: f64, outside: &dyn Fn(f64) -> f64| -> f64 {
            let bins = self
                .counts
                .iter()
                .enumerate()
                .filter(|(_, count)| **count > 0);
            bins.map(|(bin, count)| {
                let far = outside(least + (bin as f64 + 0.5) * width - end).max(0.0);
                far * far * *count as f64
            })
            .sum()
        };
        let share = |step: usize| 1.0 - 0.75 * step as f64 / SHARES as f64;
        let above: Vec<(f64, f64)> = (0..SHARES)
            .map(|step| share(step) * greatest)
            .map(|end| (end, beyond(end, &|far| far)))
            .collect();
        let below: Vec<(f64, f64)> = (0..SHARES)
            .map(|step| share(step) * least)
            .map(|end| (end, beyond(end, &|far| -far)))
            .collect();
        let total = self.counts.iter().sum::<u64>() as f64;
        let mut best = (f64::INFINITY, (self.least, self.greatest));
        for (low, cut_below) in &below {
            for (high, cut_above) in &above {
                let step = (high - low) / 255.0;
                let error = cut_below + cut_above + total * step * step / 12.0;
                if error < best.0 {
                    best = (error, (*low as f32, *high as f32));
                }
            }
        }
        best.1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Mean square error of quantising to a range.
    fn error(numbers: &[f32], (least, greatest): (f32, f32)) -> f64 {
        let step = (greatest - least) / 255.0;
        let off = |number: &f32| {
            let steps = ((number.clamp(least, greatest) - least) / step).round();
            f64::from(least + steps * step - number).powi(2)
        };
        numbers.iter().map(off).sum::<f64>() / numbers.len() as f64
    }

    /// Normal distribution as a sum of twelve uniform ones, and a few outliers.
    fn numbers() -> Vec<f32> {
        let mut state = 1_u32;
        let mut even = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as f32 / (1 << 24) as f32 - 0.5
        };
        let mut numbers: Vec<f32> = (0..200_000)
            .map(|_| (0..12).map(|_| even()).sum())
            .collect();
        numbers.extend([6.5, -7.0]);
        numbers
    }

    #[test]
    fn the_range_loses_least() {
        let numbers = numbers();
        let mut histogram = Histogram::new((-7.0, 6.5));
        histogram.add(&numbers);
        let best = histogram.best_range();
        assert!(best.0 > -6.0 && best.1 < 6.0, "{best:?}");
        let least = error(&numbers, best);
        assert!(least < 0.8 * error(&numbers, (-7.0, 6.5)));
        for (low, high) in [(0.8, 0.8), (1.0, 1.3), (1.3, 1.0), (1.25, 1.25), (0.9, 0.9)] {
            assert!(
                least < 1.02 * error(&numbers, (best.0 * low, best.1 * high)),
                "{low} {high}"
            );
        }
    }

    /// Half of the values lie at the upper end, as behind ReLU6.
    #[test]
    fn nothing_is_cut_where_many_numbers_lie_at_the_end() {
        let mut histogram = Histogram::new((0.0, 6.0));
        histogram.add(&[6.0; 500]);
        histogram.add(&[1.0; 500]);
        assert_eq!(histogram.best_range(), (0.0, 6.0));
        assert_eq!(Histogram::new((0.0, 6.0)).best_range(), (0.0, 6.0));
        assert_eq!(Histogram::new((0.0, 0.0)).best_range(), (0.0, 0.0));
    }
}
