//! Figures of tensors as text: true minus, thousands comma, a space before the unit.

/// What stands where a figure does not apply.
pub const NONE: &str = "–";

/// `2,028`, `−128`.
pub fn integer(n: i64) -> String {
    let digits = n.unsigned_abs().to_string();
    let mut text = String::new();
    if n < 0 {
        text.push('−');
    }
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A count.
pub fn count(n: usize) -> String {
    integer(i64::try_from(n).unwrap_or(i64::MAX))
}

/// Three significant digits: `0.00871`, `12.5`, `7.76e−5`.
pub fn significant(x: f64) -> String {
    if x == 0.0 {
        return "0".into();
    }
    if !x.is_finite() {
        return x.to_string().replace('-', "−");
    }
    let exponent = format!("{x:.2e}")
        .split_once('e')
        .and_then(|(_, e)| e.parse::<i32>().ok())
        .unwrap_or(0);
    let text = match exponent {
        -4..=2 => format!("{x:.*}", (2 - exponent) as usize),
        3..=5 => return integer(x.round() as i64),
        _ => format!("{x:.2e}"),
    };
    text.replace('-', "−")
}

/// With its sign and that many decimals: `+0.04`, `−0.30`, `0.00`.
pub fn signed(x: f64, decimals: usize) -> String {
    let text = format!("{:.decimals$}", x.abs());
    if text.bytes().all(|b| matches!(b, b'0' | b'.')) {
        return text;
    }
    format!("{}{text}", if x < 0.0 { '−' } else { '+' })
}

/// A share 0..1: `0 %`, `< 0.001 %`, `0.012 %`, `3.4 %`.
pub fn share(x: f64) -> String {
    let percent = x * 100.0;
    match percent {
        p if p <= 0.0 => "0 %".into(),
        p if p < 0.001 => "< 0.001 %".into(),
        p if p < 1.0 => format!("{p:.3} %"),
        p => format!("{p:.1} %"),
    }
}

/// `38.2`, `exact`, `> 120`: dB without the unit, for cells under a head that names it.
pub fn db_short(db: f64) -> String {
    match db {
        d if d == f64::INFINITY => "exact".into(),
        d if d > 120.0 => "> 120".into(),
        d => format!("{d:.1}").replace('-', "−"),
    }
}

/// `38.2 dB`, `exact`, `> 120 dB`.
pub fn db(db: f64) -> String {
    let text = db_short(db);
    if text == "exact" {
        text
    } else {
        text + " dB"
    }
}

/// The text of a figure, or a dash.
pub fn or_none<T>(figure: Option<T>, text: impl Fn(T) -> String) -> String {
    figure.map_or_else(|| NONE.to_owned(), text)
}

/// `10 × 2,028`, `scalar`.
pub fn shape(shape: &[usize]) -> String {
    if shape.is_empty() {
        return "scalar".into();
    }
    let extents: Vec<String> = shape.iter().map(|&d| count(d)).collect();
    extents.join(" × ")
}

/// The name in at most `most` characters: what is too much is taken out of the middle, the last part of the path stays if it fits.
pub fn elide(name: &str, most: usize) -> String {
    let length = name.chars().count();
    if length <= most {
        return name.to_owned();
    }
    if most < 3 {
        return "…".into();
    }
    let room = most - 1;
    let last = name.rsplit('/').next().unwrap_or(name).chars().count();
    // The last part, but a fifth of the room for the beginning; without a path, halves.
    let tail = if last < length {
        last.min(room - room / 5)
    } else {
        room / 2
    };
    let head: String = name.chars().take(room - tail).collect();
    let tail: String = name.chars().skip(length - tail).collect();
    format!("{head}…{tail}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_have_commas_and_a_true_minus() {
        assert_eq!([0, 999, 85_376, -1_234_567].map(integer), ["0", "999", "85,376", "−1,234,567"]);
    }

    #[test]
    fn scales_have_three_significant_digits() {
        let text = [0.008_71, 0.180_9, 7.76e-5, 0.999_9, 12.46, 99_950.0, 0.0, -3.05e-5].map(significant);
        assert_eq!(text, ["0.00871", "0.181", "7.76e−5", "1.00", "12.5", "99,950", "0", "−3.05e−5"]);
    }

    #[test]
    fn signs_are_left_off_what_rounds_to_zero() {
        let text = [0.04, -0.296, 0.001, -0.001].map(|x| signed(x, 2));
        assert_eq!(text, ["+0.04", "−0.30", "0.00", "0.00"]);
    }

    #[test]
    fn shares_and_decibels_name_their_limits() {
        assert_eq!([0.0, 4e-6, 0.000_12, 0.034].map(share), ["0 %", "< 0.001 %", "0.012 %", "3.4 %"]);
        assert_eq!([38.24, f64::INFINITY, 130.0, -3.0].map(db), ["38.2 dB", "exact", "> 120 dB", "−3.0 dB"]);
    }

    #[test]
    fn long_names_keep_their_ends() {
        assert_eq!(elide("dense_1/MatMul", 20), "dense_1/MatMul");
        assert_eq!(elide("StatefulPartitionedCall_1:0", 17), "Stateful…Call_1:0");
        assert_eq!(elide("max_pooling2d_1/MaxPool2d", 20), "max_poolin…MaxPool2d");
        assert!(elide("a/an_extraordinarily_long_last_part", 12).chars().count() == 12);
    }
}
