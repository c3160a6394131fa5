//! How far a scale is from the one that would serve the observed values best.
//!
//! s* minimises Σ(x − x'(s))² over the observed values, x'(s) = s · clamp(round(x/s), qmin − z, qmax − z), with the zero point z
//! of the file. It is searched among s_max · 2^(−t), s_max being the smallest scale that clips nothing (a larger one can only win
//! by luck), for t from 0 to 4 in steps of 1/8, then of 1/64 around the best; the file's own scale is one more candidate
//! and wins ties.
//! Of large tensors a stratified sample stands for all values.

/// Bins of [`Sample`].
const STRATA: usize = 512;
/// Values that each bin keeps.
const KEPT: usize = 4;

/// A sample of many values: their range is cut into 512 strata, each keeps four of its values at random (the same ones on every
/// run) and their number. Tails, which decide over clipping, are thus kept whole.
#[derive(Debug, Clone)]
pub(super) struct Sample {
    start: f32,
    per_stratum: f32,
    counts: Vec<u64>,
    kept: Vec<[f32; KEPT]>,
}

impl Sample {
    /// For values from `min` to `max`.
    pub(super) fn new(min: f32, max: f32) -> Self {
        let per_stratum = STRATA as f32 / (max - min);
        Self {
            start: min,
            per_stratum: if per_stratum.is_finite() {
                per_stratum
            } else {
                0.0
            },
            counts: vec![0; STRATA],
            kept: vec![[0.0; KEPT]; STRATA],
        }
    }

    /// Takes a value into account.
    pub(super) fn add(&mut self, x: f32) {
        // Zero is exact with any scale.
        if x == 0.0 {
            return;
        }
        let stratum = (((x - self.start) * self.per_stratum) as usize).min(STRATA - 1);
        let seen = self.counts[stratum];
        self.counts[stratum] += 1;
        // Reservoir sampling: the n-th value stays with probability KEPT / n.
        let place = if seen < KEPT as u64 {
            seen
        } else {
            let mut hash = (seen ^ (stratum as u64) << 40).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            hash = (hash ^ (hash >> 32)).wrapping_mul(0xd6e8_feb8_6659_fd93);
            ((u128::from(hash) * u128::from(seen + 1)) >> 64) as u64
        };
        if let Some(slot) = self.kept[stratum].get_mut(place as usize) {
            *slot = x;
        }
    }

    /// The kept values, each with the number of values it stands for.
    pub(super) fn weighted(&self) -> Vec<(f32, f32)> {
        let mut all = vec![];
        for (&count, kept) in self.counts.iter().zip(&self.kept) {
            let held = count.min(KEPT as u64) as usize;
            let weight = count as f32 / held.max(1) as f32;
            all.extend(kept[..held].iter().map(|&x| (x, weight)));
        }
        all
    }
}

/// log2(scale / s*) over weighted values; `low` and `high` are the integer range less the zero point. `None` if all values are
/// zero or none but zero can be represented.
pub(super) fn scale_error(values: &[(f32, f32)], scale: f32, low: i64, high: i64) -> Option<f64> {
    let (low, high) = (low as f32, high as f32);
    let covering = |&(x, _): &(f32, f32)| {
        let room = if x > 0.0 { high } else { low };
        if room == 0.0 { 0.0 } else { x / room }
    };
    let widest = values.iter().map(covering).fold(0f32, f32::max);
    if !(widest.is_normal() && scale.is_normal() && scale > 0.0) {
        return None;
    }
    let at = |t: f64| (f64::from(widest) * (-t).exp2()) as f32;
    let error = |s: f32| squared_error(values, s, low, high);
    let better = |best: (f64, f64), t: f64| {
        let candidate = error(at(t));
        if candidate < best.0 {
            (candidate, t)
        } else {
            best
        }
    };
    // From coarse scales to fine ones, so that the coarsest of equals wins.
    let first = (error(at(0.0)), 0.0);
    let coarse = (1..=32).map(|i| f64::from(i) / 8.0).fold(first, better);
    let around = |i: i32| (coarse.1 + f64::from(i) / 64.0).max(0.0);
    let (least, t) = (-7..=7).map(around).fold(coarse, better);
    if error(scale) <= least * (1.0 + 1e-9) {
        return Some(0.0);
    }
    Some(f64::from(scale).log2() - f64::from(at(t)).log2())
}

/// Σ w · (x − x'(s))².
fn squared_error(values: &[(f32, f32)], s: f32, low: f32, high: f32) -> f64 {
    /// Adding and subtracting this rounds a float32 below 2^22 to a whole number, without a call.
    const ROUND: f32 = 12_582_912.0;
    let inverse = 1.0 / s;
    let mut sum = 0.0;
    for part in values.chunks(64) {
        let mut partial = 0f32;
        for &(x, weight) in part {
            let q = (x * inverse).clamp(low, high);
            let q = (q + ROUND) - ROUND;
            // In steps, so that float32 neither over- nor underflows for unusual scales.
            let steps = x * inverse - q;
            partial += weight * steps * steps;
        }
        sum += f64::from(partial);
    }
    sum * f64::from(s) * f64::from(s)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Values of a triangular density over ±1.
    fn triangle() -> Vec<(f32, f32)> {
        let mut all = vec![];
        for i in -500i32..=500 {
            all.push((i as f32 / 500.0 + 0.000_31, (501 - i.abs()) as f32));
        }
        all
    }

    /// Brute force in float64: every scale of a fine grid.
    fn naive(values: &[(f32, f32)], low: f64, high: f64) -> f64 {
        let error = |s: f64| -> f64 {
            let one = |&(x, w): &(f32, f32)| {
                let x = f64::from(x);
                let e = x - (x / s).round().clamp(low, high) * s;
                f64::from(w) * e * e
            };
            values.iter().map(one).sum()
        };
        let grid = (0..2000).map(|i| 2f64.powf(-f64::from(i) / 500.0) * 1.000_31 / high);
        grid.min_by(|a, b| error(*a).total_cmp(&error(*b))).unwrap()
    }

    #[test]
    fn the_best_scale_is_that_of_brute_force() {
        let values = triangle();
        for bits in [4, 8] {
            let high = (1i64 << (bits - 1)) - 1;
            let best = naive(&values, -(high as f64), high as f64) as f32;
            for factor in [1.0, 0.25, 8.0] {
                let error = scale_error(&values, best * factor, -high, high).unwrap();
                let wanted = f64::from(factor).log2();
                assert!(
                    (error - wanted).abs() < 0.1,
                    "{bits} bits: {error}, {wanted}"
                );
            }
        }
    }

    #[test]
    fn a_scale_that_makes_no_error_is_right() {
        let values = [(1.0, 1.0), (-1.0, 1.0), (0.5, 3.0)];
        assert_eq!(scale_error(&values, 0.5, -127, 127), Some(0.0));
        assert_eq!(scale_error(&[(0.0, 1.0)], 0.5, -127, 127), None);
        assert_eq!(scale_error(&[], 0.5, -127, 127), None);
        assert_eq!(scale_error(&values, 0.0, -127, 127), None);
        // A zero point at the lower end leaves no room for negative values.
        assert_eq!(scale_error(&[(-1.0, 1.0)], 0.5, 0, 255), None);
    }

    #[test]
    fn a_sample_keeps_tails_whole_and_weighs_the_rest() {
        let mut sample = Sample::new(-1.0, 10.0);
        let mut state = 1u32;
        for _ in 0..100_000 {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            sample.add((state >> 8) as f32 / (1u32 << 23) as f32 - 1.0);
        }
        sample.add(10.0);
        let values = sample.weighted();
        assert_eq!(values.iter().filter(|v| **v == (10.0, 1.0)).count(), 1);
        let total: f32 = values.iter().map(|v| v.1).sum();
        assert!((total - 100_001.0).abs() < 2.0, "{total}");
        let mean = values.iter().map(|v| v.0 * v.1).sum::<f32>() / total;
        assert!(mean.abs() < 0.01, "{mean}");
        assert_eq!(Sample::new(2.0, 2.0).weighted(), []);
    }
}
