//! Geometry of the bar charts: ends of the axes, ticks, and where a value lies on them.

/// A linear axis with round ticks.
#[derive(Debug, Clone, PartialEq)]
pub struct Axis {
    /// Value at the left end.
    pub start: f64,
    /// Value at the right end; above `start`.
    pub end: f64,
    /// Round values with their figures, within the axis.
    pub ticks: Vec<(f64, String)>,
}

impl Axis {
    /// From zero to a little above the largest value, with about four ticks.
    pub fn from_zero(largest: f64) -> Self {
        let largest = if largest.is_finite() && largest > 0.0 {
            largest
        } else {
            1.0
        };
        let step = round_step(largest / 4.0);
        let last = (largest / step).ceil().max(1.0);
        let decimals = decimals_of(step);
        let ticks = (0..=last as usize)
            .map(|i| {
                let value = i as f64 * step;
                let figure = if i == 0 {
                    "0".into()
                } else {
                    super::format::fixed(value, decimals)
                };
                (value, figure)
            })
            .collect();
        Self {
            start: 0.0,
            end: last * step,
            ticks,
        }
    }

    /// Zero in the middle, reaching `reach` to both sides, with three ticks.
    pub fn around_zero(reach: f64) -> Self {
        if !(reach.is_finite() && reach > 0.0) {
            return Self {
                start: -1.0,
                end: 1.0,
                ticks: vec![(0.0, "0".into())],
            };
        }
        let step = round_step(reach);
        let step = if step > reach { step / 2.0 } else { step };
        let decimals = decimals_of(step);
        let ticks = [-step, 0.0, step]
            .map(|v| {
                let figure = if v == 0.0 {
                    "0".into()
                } else {
                    super::format::signed(v, decimals)
                };
                (v, figure)
            })
            .to_vec();
        let end = (reach * 1.08).max(step);
        Self {
            start: -end,
            end,
            ticks,
        }
    }

    /// Where `value` lies, 0 at the left end and 1 at the right, kept within both.
    pub fn place(&self, value: f64) -> f32 {
        (((value - self.start) / (self.end - self.start)) as f32).clamp(0.0, 1.0)
    }
}

/// The smallest of 1, 2, 2.5 and 5 times a power of ten that is at least `x`.
fn round_step(x: f64) -> f64 {
    let power = 10f64.powf(x.log10().floor());
    for factor in [1.0, 2.0, 2.5, 5.0] {
        if factor * power >= x * (1.0 - 1e-9) {
            return factor * power;
        }
    }
    10.0 * power
}

/// Decimals that tell multiples of `step` apart.
pub(super) fn decimals_of(step: f64) -> usize {
    (0..9)
        .find(|&d| {
            let scaled = step * 10f64.powi(d);
            (scaled - scaled.round()).abs() < 1e-6
        })
        .and_then(|d| usize::try_from(d).ok())
        .unwrap_or(9)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_from_zero_end_on_a_round_tick() {
        let axis = Axis::from_zero(85.4);
        let figures: Vec<_> = axis.ticks.iter().map(|t| t.1.as_str()).collect();
        assert_eq!(figures, ["0", "25", "50", "75", "100"]);
        assert_eq!(axis.place(0.0), 0.0);
        assert_eq!(axis.place(50.0), 0.5);
        assert_eq!(axis.place(1e9), 1.0);
        let small = Axis::from_zero(0.07);
        assert_eq!(small.ticks[1].1, "0.02");
    }

    #[test]
    fn axes_without_data_still_stand() {
        for axis in [
            Axis::from_zero(0.0),
            Axis::from_zero(f64::NAN),
            Axis::around_zero(0.0),
        ] {
            assert!(axis.end > axis.start && axis.ticks.iter().any(|t| t.0 == 0.0));
        }
    }

    #[test]
    fn deltas_have_zero_in_the_middle() {
        let axis = Axis::around_zero(0.095);
        assert_eq!(axis.place(0.0), 0.5);
        let figures: Vec<_> = axis.ticks.iter().map(|t| t.1.as_str()).collect();
        assert_eq!(figures, ["−0.05", "0", "+0.05"]);
        assert!(
            axis.ticks
                .iter()
                .all(|t| t.0 > axis.start - 1e-9 && t.0 < axis.end + 1e-9)
        );
    }
}
