//! Texts that only tensors need: integers with a sign, shapes, names.

use super::format;

/// `2,028`, `−128`.
pub fn integer(n: i64) -> String {
    let text = format::count(usize::try_from(n.unsigned_abs()).unwrap_or(usize::MAX));
    if n < 0 { format!("−{text}") } else { text }
}

/// `38.2`, `exact`, `> 120`: dB without the unit, for cells under a head that names it.
pub fn db_short(db: f64) -> String {
    let text = format::decibel(db);
    text.strip_suffix(" dB").map_or(text.clone(), str::to_owned)
}

/// The text of a figure, or a dash.
pub fn or_none<T>(figure: Option<T>, text: impl Fn(T) -> String) -> String {
    figure.map_or_else(|| format::NONE.to_owned(), text)
}

/// `10 × 2,028`, `scalar`.
pub fn shape(shape: &[usize]) -> String {
    if shape.is_empty() {
        return "scalar".into();
    }
    let extents: Vec<String> = shape.iter().map(|&d| format::count(d)).collect();
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
        assert_eq!(
            [0, 999, 85_376, -1_234_567].map(integer),
            ["0", "999", "85,376", "−1,234,567"]
        );
    }

    #[test]
    fn decibels_without_their_unit_name_their_limits() {
        assert_eq!(
            [38.24, f64::INFINITY, 130.0, -3.0].map(db_short),
            ["38.2", "exact", "> 120", "−3.0"]
        );
    }

    #[test]
    fn long_names_keep_their_ends() {
        assert_eq!(elide("dense_1/MatMul", 20), "dense_1/MatMul");
        assert_eq!(
            elide("StatefulPartitionedCall_1:0", 17),
            "Stateful…Call_1:0"
        );
        assert_eq!(
            elide("max_pooling2d_1/MaxPool2d", 20),
            "max_poolin…MaxPool2d"
        );
        assert!(
            elide("a/an_extraordinarily_long_last_part", 12)
                .chars()
                .count()
                == 12
        );
    }
}
