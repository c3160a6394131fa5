//! How counts, shapes and indices are written in the messages of this room.

/// `10,000`.
pub(super) fn count(n: usize) -> String {
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

/// `28 × 28`; `a scalar` for no axes.
pub(super) fn extents(shape: &[usize]) -> String {
    if shape.is_empty() {
        return "a scalar".into();
    }
    let all: Vec<String> = shape.iter().map(usize::to_string).collect();
    all.join(" × ")
}

/// Shape without the axes of extent 1, which do not change the order of elements.
pub(super) fn squeezed(shape: &[usize]) -> Vec<usize> {
    shape.iter().copied().filter(|&d| d != 1).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_have_thousands_separators() {
        let all = [0, 999, 1000, 10_000, 1_234_567].map(count);
        assert_eq!(all, ["0", "999", "1,000", "10,000", "1,234,567"]);
    }
}
