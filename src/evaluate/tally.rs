//! The running figures of one tensor: what its float values become on its quantization grid.

use super::histogram::{evenly, of_step_errors, on_grid};
use super::outputs::Noise;
use super::report::Histogram;
use super::twins::Grid;

/// Figures over the values seen so far.
#[derive(Debug, Clone)]
pub(super) struct Tally {
    pub(super) values: Histogram,
    pub(super) dequantized: Histogram,
    pub(super) step_error: Histogram,
    pub(super) local: Noise,
    seen: u64,
    clipped: u64,
    squared_steps: f64,
}

/// One scale and zero point, and the integers they span.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Line {
    pub(super) scale: f32,
    pub(super) zero_point: i64,
    pub(super) low: i64,
    pub(super) high: i64,
}

impl Line {
    /// The integer that QUANTIZE computes for a real (float32 division, halves away from zero), and whether it had to be clamped
    /// into the range.
    pub(super) fn quantize(&self, x: f32) -> (i64, bool) {
        // The cast saturates.
        let free = ((x / self.scale).round() as i64).saturating_add(self.zero_point);
        let q = free.clamp(self.low, self.high);
        (q, q != free)
    }

    /// The real that an integer stands for.
    pub(super) fn real(&self, q: i64) -> f64 {
        q.saturating_sub(self.zero_point) as f64 * f64::from(self.scale)
    }
}

/// Distance of neighbouring float16 values at `x`.
pub(super) fn half_step(x: f32) -> f64 {
    // Ten bits of fraction; below 2^-14 the numbers are subnormal and equally spaced.
    let exponent = f64::from(x.abs()).log2().floor().max(-14.0);
    (exponent - 10.0).exp2()
}

impl Tally {
    /// For float values from `min` to `max`, read on a grid of steps of `scale` (the largest, where there are several).
    pub(super) fn new(grid: &Grid, min: f32, max: f32, scale: f32) -> Self {
        let (min, max) = (f64::from(min), f64::from(max));
        let values = match grid {
            Grid::Integers { .. } => on_grid(min, max, f64::from(scale)),
            Grid::Half => evenly(min, max),
        };
        Self {
            dequantized: values.clone(),
            values,
            step_error: of_step_errors(),
            local: Noise::default(),
            seen: 0,
            clipped: 0,
            squared_steps: 0.0,
        }
    }

    /// Counts a float value and its copy on the grid, whose step there is `step`.
    pub(super) fn add(&mut self, x: f32, copy: f64, step: f64, clipped: bool) {
        let real = f64::from(x);
        self.values.add(real);
        self.dequantized.add(copy);
        self.local.add(real, copy);
        self.seen += 1;
        self.clipped += u64::from(clipped);
        if step > 0.0 {
            let error = (real - copy) / step;
            self.step_error.add(error);
            self.squared_steps += error * error;
        }
    }

    /// Share of values outside the range that can be represented.
    pub(super) fn clipped(&self) -> f64 {
        self.clipped as f64 / self.seen.max(1) as f64
    }

    /// Root mean square of the step errors.
    pub(super) fn step_rms(&self) -> f64 {
        (self.squared_steps / self.seen.max(1) as f64).sqrt()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::Quantization;

    #[test]
    fn figures_by_hand() {
        let line = Line {
            scale: 0.5,
            zero_point: 1,
            low: -128,
            high: 127,
        };
        let grid = Grid::Integers {
            quantization: Quantization::per_tensor(0.5, 1),
            low: -128,
            high: 127,
        };
        let mut tally = Tally::new(&grid, -1.0, 100.0, 0.5);
        for x in [0.1, -1.0, 100.0, 0.25] {
            let (q, clipped) = line.quantize(x);
            tally.add(x, line.real(q), 0.5, clipped);
        }
        // 0.1 → 0, −1 → −1, 100 → (127 − 1)/2 = 63 and clipped, 0.25 → 0.5 (half away from zero).
        assert_eq!(tally.clipped(), 0.25);
        let squared = 0.2f64.powi(2) + 74f64.powi(2) + 0.5f64.powi(2);
        assert!((tally.step_rms() - (squared / 4.0).sqrt()).abs() < 1e-6);
        let counts = &tally.step_error.counts;
        assert_eq!(
            (counts.len(), counts[63], counts[24], counts[35], counts[32]),
            (64, 1, 1, 1, 1)
        );
        assert_eq!(tally.values.counts.iter().sum::<u64>(), 4);
        assert_eq!(tally.dequantized.counts.iter().sum::<u64>(), 4);
    }

    #[test]
    fn float16_steps_are_the_distance_of_neighbours() {
        for x in [1.0f32, 1.5, 1000.0, 3e-5, 65000.0, -0.1] {
            let low = half::f16::from_f32(x);
            let next = half::f16::from_bits(low.to_bits() + 1);
            let distance = (next.to_f64() - low.to_f64()).abs();
            assert_eq!(half_step(low.to_f32()), distance, "{x}");
        }
        assert_eq!(half_step(0.0), 2f64.powi(-24));
    }
}
