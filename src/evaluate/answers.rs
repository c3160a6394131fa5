//! What a classifier answers: best class, rank of the right one, and the paired comparison of two models.

use super::report::Evaluation;

/// Index of the largest value, the first on a tie; 0 for none.
pub(super) fn best(values: &[f32]) -> u32 {
    let mut best = 0;
    for (i, x) in values.iter().enumerate() {
        if *x > values[best] {
            best = i;
        }
    }
    best as u32
}

/// The best minus the second-best softmax score of one answer, 0..1. An output whose values are shares already (none below 0,
/// their sum within 5 % of 1) is taken as it is.
pub(super) fn margin(values: &[f32]) -> f32 {
    let (mut first, mut second) = (f32::NEG_INFINITY, f32::NEG_INFINITY);
    for &x in values {
        if x > first {
            (first, second) = (x, first);
        } else if x > second {
            second = x;
        }
    }
    if second == f32::NEG_INFINITY || first == second {
        return 0.0;
    }
    if are_shares(values) {
        return first - second;
    }
    let total: f32 = values.iter().map(|&x| (x - first).exp()).sum();
    (1.0 - (second - first).exp()) / total
}

/// Whether an output's values are shares already: none below 0, their sum within 5 % of 1.
fn are_shares(values: &[f32]) -> bool {
    let sum: f32 = values.iter().sum();
    values.iter().all(|&x| x >= 0.0) && (sum - 1.0).abs() <= 0.05
}

/// Softmax scores of one answer; an output that holds shares already is taken as it is.
pub(super) fn shares(values: &[f32]) -> Vec<f32> {
    if are_shares(values) {
        return values.to_vec();
    }
    let largest = values.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let powers: Vec<f32> = values.iter().map(|&x| (x - largest).exp()).collect();
    let total: f32 = powers.iter().sum();
    powers.into_iter().map(|x| x / total).collect()
}

/// How many classes are answered before `label`: larger values, and equal ones with a smaller index.
pub(super) fn rank(values: &[f32], label: usize) -> usize {
    let Some(&own) = values.get(label) else {
        return values.len();
    };
    let before = |&(i, &x): &(usize, &f32)| x > own || (x == own && i < label);
    values.iter().enumerate().filter(before).count()
}

/// 95 % interval of a difference in accuracy, (low, high), from paired answers: with b samples that only the second model
/// answers correctly and c that only the first does out of n, (b − c)/n ± 1.96 · √(b + c − (b − c)²/n) / n (the normal
/// approximation for paired proportions, as in McNemar's test).
pub(super) fn paired_interval(b: usize, c: usize, n: usize) -> (f64, f64) {
    let (b, c, n) = (b as f64, c as f64, n as f64);
    let delta = (b - c) / n;
    let half = 1.96 * (b + c - (b - c) * (b - c) / n).max(0.0).sqrt() / n;
    (delta - half, delta + half)
}

/// Top-1 accuracy of one evaluation minus that of another on the same labelled samples, with its 95 % paired interval; `None` where
/// they have not as many answers as there are labels.
pub fn paired_delta(
    ours: &Evaluation,
    base: &Evaluation,
    labels: &[u32],
) -> Option<(f64, (f64, f64))> {
    let n = labels.len();
    if n == 0 || ours.answers.len() != n || base.answers.len() != n {
        return None;
    }
    let (mut gained, mut lost) = (0, 0);
    for ((ours, base), label) in ours.answers.iter().zip(&base.answers).zip(labels) {
        gained += usize::from(ours == label && base != label);
        lost += usize::from(ours != label && base == label);
    }
    let delta = (gained as f64 - lost as f64) / n as f64;
    Some((delta, paired_interval(gained, lost, n)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_of_equals_is_best() {
        assert_eq!(best(&[1.0, 3.0, 3.0, 2.0]), 1);
        assert_eq!(best(&[-2.0, -1.0]), 1);
        assert_eq!(best(&[]), 0);
    }

    #[test]
    fn margins_are_gaps_of_softmax_scores() {
        // e^2 and e^1 of a sum of e^2 + e^1 + 1.
        let (a, b) = (2f32.exp(), 1f32.exp());
        let expected = (a - b) / (a + b + 1.0);
        assert!((margin(&[0.0, 2.0, 1.0]) - expected).abs() < 1e-6);
        assert!(
            (margin(&[0.1, 0.7, 0.2]) - 0.5).abs() < 1e-6,
            "shares already"
        );
        assert_eq!(margin(&[3.0, 3.0, -1.0]), 0.0);
        assert_eq!((margin(&[]), margin(&[1.0])), (0.0, 0.0));
        let all = shares(&[0.0, 2.0, 1.0]);
        assert!((all[1] - all[2] - expected).abs() < 1e-6, "{all:?}");
        assert!((all.iter().sum::<f32>() - 1.0).abs() < 1e-6);
        assert_eq!(shares(&[0.1, 0.7, 0.2]), [0.1, 0.7, 0.2]);
    }

    #[test]
    fn ties_rank_by_index() {
        let values = [0.5, 0.5, 0.5, 0.9, 0.1];
        let ranks: Vec<usize> = (0..5).map(|label| rank(&values, label)).collect();
        assert_eq!(ranks, [1, 2, 3, 0, 4]);
    }

    #[test]
    fn the_interval_is_that_of_the_paper_example() {
        // b = 10, c = 4, n = 100: delta 0.06, variance (14 − 0.36)/100².
        let (low, high) = paired_interval(10, 4, 100);
        assert!((low - (0.06 - 1.96 * 13.64f64.sqrt() / 100.0)).abs() < 1e-12);
        assert!((high + low - 0.12).abs() < 1e-12);
        assert_eq!(paired_interval(0, 0, 50), (0.0, 0.0));
    }
}
