//! Counting values into equal bins that fit the quantization grid.

use super::report::Histogram;

/// Most bins of a histogram of values.
const MOST_BINS: f64 = 256.0;
/// Bins of the histogram of step errors, over ±[`STEP_ERROR_ENDS`] steps.
const STEP_ERROR_BINS: usize = 64;
/// What lies beyond is counted in the end bins.
const STEP_ERROR_ENDS: f64 = 2.0;

/// Empty bins for values from `min` to `max` on the grid of the multiples of `scale`: edges lie half a step beside grid
/// levels, and each bin holds as many levels as it takes to need no more than 256.
pub(super) fn on_grid(min: f64, max: f64, scale: f64) -> Histogram {
    let (low, high) = ((min / scale).round(), (max / scale).round());
    let levels = high - low + 1.0;
    if !(levels.is_finite() && scale > 0.0 && levels >= 1.0) {
        return evenly(min, max);
    }
    let group = (levels / MOST_BINS).ceil().max(1.0);
    Histogram {
        start: (low - 0.5) * scale,
        step: group * scale,
        counts: vec![0; (levels / group).ceil() as usize],
    }
}

/// 256 empty bins from `min` to `max`, or one if they are equal.
pub(super) fn evenly(min: f64, max: f64) -> Histogram {
    let step = (max - min) / MOST_BINS;
    if step.is_finite() && step > 0.0 {
        Histogram {
            start: min,
            step,
            counts: vec![0; MOST_BINS as usize],
        }
    } else {
        Histogram {
            start: min - 0.5,
            step: 1.0,
            counts: vec![0],
        }
    }
}

/// Empty bins for step errors: 64 over ±2 steps.
pub(super) fn of_step_errors() -> Histogram {
    Histogram {
        start: -STEP_ERROR_ENDS,
        step: 2.0 * STEP_ERROR_ENDS / STEP_ERROR_BINS as f64,
        counts: vec![0; STEP_ERROR_BINS],
    }
}

impl Histogram {
    /// Counts a value; one beyond the bins goes to the end bin on its side.
    pub(super) fn add(&mut self, x: f64) {
        // The cast saturates: below the first bin it gives 0, for NaN too.
        let bin = ((x - self.start) / self.step) as usize;
        let last = self.counts.len().saturating_sub(1);
        if let Some(count) = self.counts.get_mut(bin.min(last)) {
            *count += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_level_lies_in_the_middle_of_its_bin() {
        let mut bins = on_grid(-1.0, 2.0, 0.5);
        assert_eq!((bins.start, bins.step, bins.counts.len()), (-1.25, 0.5, 7));
        for level in -2..=4 {
            bins.add(f64::from(level) * 0.5);
        }
        assert_eq!(bins.counts, [1; 7]);
        bins.add(-100.0);
        bins.add(100.0);
        assert_eq!((bins.counts[0], bins.counts[6]), (2, 2));
    }

    #[test]
    fn fine_grids_are_grouped() {
        let bins = on_grid(-1.0, 1.0, 1.0 / 32767.0);
        assert_eq!(bins.counts.len(), 256);
        assert!((bins.step * 32767.0 - 256.0).abs() < 1e-9);
        assert!(bins.start + bins.step * 256.0 >= 1.0);
    }

    #[test]
    fn impossible_grids_still_give_bins() {
        for (min, max, scale) in [
            (0.0, 0.0, 0.0),
            (0.0, 1.0, f64::NAN),
            (-1.0, 1.0, 0.0),
            (0.0, 1.0, -1.0),
            (-1e300, 1e300, 1e-300),
            (3.0, 3.0, 0.1),
        ] {
            let mut bins = on_grid(min, max, scale);
            assert!((1..=256).contains(&bins.counts.len()), "{bins:?}");
            bins.add(min);
            bins.add(f64::NAN);
            assert_eq!(bins.counts.iter().sum::<u64>(), 2);
        }
    }
}
