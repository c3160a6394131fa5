//! Round figures for the axes of plots.

use super::{figures, format};

/// Figures along an axis, with their texts; all of one precision.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Ticks {
    /// Where and what.
    pub marks: Vec<(f64, String)>,
}

/// Multiples of 1, 2 or 5 times a power of ten within `low..=high`, at most `most` of them.
pub fn ticks(low: f64, high: f64, most: usize) -> Ticks {
    marks(low, high, most, |x, decimals| {
        let text = format!("{:.decimals$}", x.abs());
        let zero = text.bytes().all(|b| matches!(b, b'0' | b'.'));
        match (zero, x < 0.0) {
            (true, _) => "0".into(),
            (false, true) => format!("−{text}"),
            (false, false) => text,
        }
    })
}

/// The same with `+` before what is above 0.
pub fn signed_ticks(low: f64, high: f64, most: usize) -> Ticks {
    marks(low, high, most, |x, decimals| {
        match format::signed(x, decimals) {
            text if text.starts_with('0') => "0".into(),
            text => text,
        }
    })
}

/// Whole numbers only.
pub fn count_ticks(high: u64, most: usize) -> Ticks {
    let top = high as f64;
    let mut step = step(top, most);
    if step < 1.0 {
        step = 1.0;
    }
    let last = (top / step + 1e-9).floor() as u64;
    let at = |i: u64| (i as f64 * step, figures::integer((i as f64 * step) as i64));
    Ticks {
        marks: (0..=last).map(at).collect(),
    }
}

fn marks(low: f64, high: f64, most: usize, text: impl Fn(f64, usize) -> String) -> Ticks {
    if !(low.is_finite() && high.is_finite() && low < high) {
        return Ticks::default();
    }
    let step = step(high - low, most);
    let decimals = (-step.log10().floor()).clamp(0.0, 17.0) as usize;
    let (first, last) = ((low / step - 1e-9).ceil(), (high / step + 1e-9).floor());
    let count = (last - first).clamp(-1.0, 100.0) as i64;
    let at = |i: i64| {
        let x = (first + i as f64) * step;
        (x, text(x, decimals))
    };
    Ticks {
        marks: (0..=count).map(at).collect(),
    }
}

/// The smallest of 1, 2, 5 times a power of ten that goes into `range` at most `most` times.
fn step(range: f64, most: usize) -> f64 {
    let rough = (range / most.max(1) as f64).max(f64::MIN_POSITIVE);
    let power = 10f64.powf(rough.log10().floor());
    let factor = [1.0, 2.0, 5.0]
        .into_iter()
        .find(|f| f * power >= rough * (1.0 - 1e-9));
    factor.unwrap_or(10.0) * power
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(ticks: Ticks) -> Vec<String> {
        ticks.marks.into_iter().map(|m| m.1).collect()
    }

    #[test]
    fn figures_are_round_and_of_one_precision() {
        assert_eq!(
            texts(ticks(-1.1, 1.2, 5)),
            ["−1.0", "−0.5", "0", "0.5", "1.0"]
        );
        assert_eq!(texts(ticks(0.0, 0.0101, 3)), ["0", "0.005", "0.010"]);
        assert_eq!(
            texts(signed_ticks(-0.45, 0.25, 4)),
            ["−0.4", "−0.2", "0", "+0.2"]
        );
        assert_eq!(texts(ticks(0.0, 12_000.0, 3)), ["0", "5000", "10000"]);
    }

    #[test]
    fn counts_are_whole() {
        assert_eq!(texts(count_ticks(2, 5)), ["0", "1", "2"]);
        assert_eq!(texts(count_ticks(2_300, 3)), ["0", "1,000", "2,000"]);
        assert_eq!(texts(count_ticks(0, 3)), ["0"]);
    }

    #[test]
    fn a_range_that_is_none_has_no_figures() {
        assert_eq!(ticks(1.0, 1.0, 5), Ticks::default());
        assert_eq!(ticks(f64::NAN, 1.0, 5), Ticks::default());
        assert_eq!(ticks(0.0, f64::INFINITY, 5), Ticks::default());
    }
}
