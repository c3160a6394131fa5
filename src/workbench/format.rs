//! Numbers as people read them: true minus, thousands comma, a space before the unit, one precision per column.

/// Not applicable.
pub const NONE: &str = "–";

/// `85,376`.
pub fn count(n: usize) -> String {
    let digits = n.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, c) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(c);
    }
    out
}

/// A figure with that many decimals, thousands commas and a true minus; a rounded zero has no sign.
pub fn fixed(x: f64, decimals: usize) -> String {
    let plain = format!("{:.decimals$}", x.abs());
    let is_zero = plain.chars().all(|c| c == '0' || c == '.');
    let (whole, rest) = plain.split_at(plain.find('.').unwrap_or(plain.len()));
    let grouped = match whole.parse::<usize>() {
        Ok(n) if n >= 1_000 => format!("{}{rest}", count(n)),
        _ => plain,
    };
    if x < 0.0 && !is_zero {
        format!("−{grouped}")
    } else {
        grouped
    }
}

/// As [`fixed`], with a plus in front of what is above zero.
pub fn signed(x: f64, decimals: usize) -> String {
    let text = fixed(x, decimals);
    let is_zero = text.chars().all(|c| c == '0' || c == '.');
    if x > 0.0 && !is_zero {
        format!("+{text}")
    } else {
        text
    }
}

/// `25.4 kB`; 1 kB = 1,000 B.
pub fn size(bytes: usize) -> String {
    let b = bytes as f64;
    if bytes < 1_000 {
        format!("{bytes} B")
    } else if b < 999_950.0 {
        format!("{} kB", fixed(b / 1e3, 1))
    } else if b < 999_950_000.0 {
        format!("{} MB", fixed(b / 1e6, 1))
    } else {
        format!("{} GB", fixed(b / 1e9, 2))
    }
}

/// `3.41 ×`: how many times `of` goes into `base`; a dash where that means nothing.
pub fn times(base: f64, of: f64) -> String {
    let times = base / of;
    // Nothing that is measured is as many times as large.
    if of > 0.0 && of.is_finite() && times.abs() < 1e15 {
        format!("{} ×", fixed(times, 2))
    } else {
        NONE.into()
    }
}

/// `97.90 %` of a share 0..1.
pub fn percent(share: f64) -> String {
    format!("{} %", fixed(share * 100.0, 2))
}

/// A small share: `0 %`, `< 0.001 %`, else three decimals.
pub fn small_percent(share: f64) -> String {
    let p = share * 100.0;
    if p <= 0.0 {
        "0 %".into()
    } else if p < 0.001 {
        "< 0.001 %".into()
    } else {
        format!("{} %", fixed(p, 3))
    }
}

/// `−0.03 pp` of a difference of shares.
pub fn points(delta: f64) -> String {
    format!("{} pp", fixed(delta * 100.0, 2))
}

/// `45.8 dB`; `exact` when nothing was lost, `> 120 dB` beyond measure.
pub fn decibel(db: f64) -> String {
    if db == f64::INFINITY {
        "exact".into()
    } else if db.is_nan() {
        NONE.into()
    } else if db > 120.0 {
        "> 120 dB".into()
    } else {
        format!("{} dB", fixed(db, 1))
    }
}

/// Three significant digits: `0.00871`, `9.56e−4`, `12.3`.
pub fn significant(x: f64) -> String {
    if x == 0.0 {
        return "0".into();
    }
    if !x.is_finite() {
        return NONE.into();
    }
    // Rounding first: 0.0009996 has the exponent of 0.001.
    let scientific = format!("{:.2e}", x.abs());
    let exponent: i32 = scientific
        .split_once('e')
        .and_then(|(_, e)| e.parse().ok())
        .unwrap_or(0);
    if (-3..6).contains(&exponent) {
        fixed(x, usize::try_from(2 - exponent).unwrap_or(0))
    } else {
        let (mantissa, _) = scientific.split_once('e').unwrap_or((&scientific, ""));
        let sign = if x < 0.0 { "−" } else { "" };
        let minus = if exponent < 0 { "−" } else { "" };
        format!("{sign}{mantissa}e{minus}{}", exponent.unsigned_abs())
    }
}

/// The unit that a column of times shares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimeUnit {
    /// Such as `µs`.
    pub name: &'static str,
    /// Milliseconds to this unit, as a power of ten.
    exponent: i32,
}

impl TimeUnit {
    /// The unit in which the median of these times (ms) is between 1 and 1,000.
    pub fn for_column(times_ms: impl IntoIterator<Item = f64>) -> Self {
        let mut times: Vec<f64> = times_ms.into_iter().filter(|t| t.is_finite()).collect();
        times.sort_by(f64::total_cmp);
        let median = times.get(times.len() / 2).copied().unwrap_or(1.0);
        let (name, exponent) = if median < 1e-3 {
            ("ns", 6)
        } else if median < 1.0 {
            ("µs", 3)
        } else if median < 1e3 {
            ("ms", 0)
        } else {
            ("s", -3)
        };
        Self { name, exponent }
    }

    /// The time as a figure in this unit.
    pub fn of(self, ms: f64) -> f64 {
        ms * 10f64.powi(self.exponent)
    }

    /// `17.1 µs`.
    pub fn text(self, ms: f64) -> String {
        format!("{} {}", fixed(self.of(ms), 1), self.name)
    }
}

/// `4 s left` in round words; whole seconds up, minutes from 90 s on.
pub fn time_left(left: std::time::Duration) -> String {
    let seconds = left.as_secs_f64().ceil().max(1.0);
    if seconds < 90.0 {
        format!("{seconds:.0} s left")
    } else {
        format!("{:.0} min left", (seconds / 60.0).ceil())
    }
}

/// A name that fits `most` characters: its middle goes, its end stays.
pub fn elide(name: &str, most: usize) -> String {
    let chars: Vec<char> = name.chars().collect();
    if chars.len() <= most || most < 4 {
        return name.to_owned();
    }
    let tail = (most - 1) * 2 / 3;
    let head = most - 1 - tail;
    let start: String = chars[..head].iter().collect();
    let end: String = chars[chars.len() - tail..].iter().collect();
    format!("{start}…{end}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_grouped_and_signed_with_a_true_minus() {
        assert_eq!(
            [0, 999, 1000, 85_376, 1_234_567].map(count),
            ["0", "999", "1,000", "85,376", "1,234,567"]
        );
        assert_eq!(points(-0.0003), "−0.03 pp");
        assert_eq!(points(-0.000_000_1), "0.00 pp");
        assert_eq!(signed(0.044, 2), "+0.04");
        assert_eq!(signed(0.0001, 2), "0.00");
        assert_eq!(signed(-0.3, 2), "−0.30");
    }

    #[test]
    fn sizes_use_decimal_units_and_never_read_1000() {
        assert_eq!(
            [999, 25_360, 999_949, 999_950, 102_800_000].map(size),
            ["999 B", "25.4 kB", "999.9 kB", "1.0 MB", "102.8 MB"]
        );
    }

    #[test]
    fn shares_and_ratios() {
        assert_eq!(percent(0.979), "97.90 %");
        assert_eq!(
            [0.0, 1e-6, 0.0123].map(small_percent),
            ["0 %", "< 0.001 %", "1.230 %"]
        );
        assert_eq!(times(85_376.0, 25_048.0), "3.41 ×");
        assert_eq!(times(1.0, 0.0), NONE);
        assert_eq!(
            [42.83, f64::INFINITY, 130.0, f64::NAN].map(decibel),
            ["42.8 dB", "exact", "> 120 dB", NONE]
        );
    }

    #[test]
    fn scales_have_three_significant_digits() {
        assert_eq!(significant(0.008_714), "0.00871");
        assert_eq!(significant(0.181_2), "0.181");
        assert_eq!(significant(9.564e-4), "9.56e−4");
        assert_eq!(significant(-7.756e-5), "−7.76e−5");
        assert_eq!(significant(0.000_999_6), "0.00100");
        assert_eq!(significant(123.4), "123");
        assert_eq!(significant(0.0), "0");
    }

    #[test]
    fn a_column_of_times_has_one_unit() {
        let unit = TimeUnit::for_column([0.0412, 0.0171, 2.0]);
        assert_eq!(
            (unit.text(0.0171), unit.text(2.0)),
            ("17.1 µs".into(), "2,000.0 µs".into())
        );
        assert_eq!(TimeUnit::for_column([3.0]).text(3.04), "3.0 ms");
        assert_eq!(TimeUnit::for_column([]).name, "ms");
    }

    #[test]
    fn waiting_is_told_in_round_figures() {
        let left = |s| time_left(std::time::Duration::from_secs_f64(s));
        assert_eq!(
            [0.2, 3.4, 200.0].map(left),
            ["1 s left", "4 s left", "4 min left"]
        );
    }

    #[test]
    fn names_lose_their_middle() {
        assert_eq!(
            elide("train-images-idx3-ubyte.gz", 20),
            "train-i…dx3-ubyte.gz"
        );
        assert_eq!(elide("short", 20), "short");
    }
}
