//! What answers say of labels and data that do not belong to the model: classes in another order, values of another range.

/// Fewest samples that say anything.
const FEWEST: usize = 50;
/// Most classes that are tried.
const MOST_CLASSES: usize = 2_000;

/// What looks wrong about `answers` to samples of these `labels`, out of `classes`; one sentence each.
///
/// Classes in another order: fewer than half the answers are right, but right for at least half the samples, and for half as many again
/// as now, if each class were called what most of its samples are answered as, no two classes the same. Chance: fewer right answers than 1/classes by
/// more than four standard deviations. One answer to nearly everything: usually values of another range.
pub(super) fn doubts(answers: &[u32], labels: &[u32], classes: usize) -> Vec<String> {
    let samples = answers.len().min(labels.len());
    if samples < FEWEST || !(2..=MOST_CLASSES).contains(&classes) {
        return vec![];
    }
    let mut counts = vec![0usize; classes * classes];
    let mut answered = vec![0usize; classes];
    for (&label, &answer) in labels.iter().zip(answers) {
        let (label, answer) = (label as usize, answer as usize);
        if let Some(count) = counts.get_mut(label * classes + answer)
            && answer < classes
        {
            *count += 1;
        }
        if let Some(count) = answered.get_mut(answer) {
            *count += 1;
        }
    }
    let right: usize = (0..classes)
        .filter_map(|c| counts.get(c * classes + c))
        .sum();
    let mut taken = vec![false; classes];
    let (mut renamed, mut example, mut unique) = (0, None, true);
    for (label, row) in counts.chunks_exact(classes).enumerate() {
        let most = row
            .iter()
            .enumerate()
            .max_by_key(|&(answer, &n)| (n, classes - answer));
        let Some((answer, &n)) = most.filter(|(_, n)| **n > 0) else {
            continue;
        };
        renamed += n;
        if let Some(taken) = taken.get_mut(answer) {
            unique &= !*taken;
            *taken = true;
        }
        if answer != label && example.is_none_or(|(_, _, most)| n > most) {
            example = Some((label, answer, n));
        }
    }
    let mut found = vec![];
    let most = answered.iter().enumerate().max_by_key(|&(_, &n)| n);
    let (n, p) = (samples as f64, 1.0 / classes as f64);
    if let Some((label, answer, _)) = example
        && unique
        && right * 2 < samples
        && renamed * 2 >= samples
        && renamed * 2 >= right * 3
    {
        found.push(format!(
            "The classes look permuted: most samples of class {label} are answered as {answer}, and {:.0} % would be right in another order, {:.0} % are now; check the order of the classes",
            renamed as f64 / n * 100.0,
            right as f64 / n * 100.0
        ));
    } else if (right as f64) < n * p - 4.0 * (n * p * (1.0 - p)).sqrt() {
        found.push(format!(
            "Only {:.2} % of the answers are right, fewer than by chance ({:.2} %): check the labels and the order of the classes",
            right as f64 / n * 100.0,
            p * 100.0
        ));
    } else if let Some((answer, &count)) = most
        && count as f64 > 0.95 * n
        && labels.iter().filter(|&&l| l as usize == answer).count() * 2 < samples
    {
        found.push(format!(
            "Nearly every sample is answered as class {answer}: check that the values are in the range the model was trained with"
        ));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels() -> Vec<u32> {
        (0..200).map(|i| i % 10).collect()
    }

    #[test]
    fn good_answers_raise_no_doubts() {
        let right: Vec<u32> = labels()
            .iter()
            .enumerate()
            .map(|(i, &l)| if i % 3 == 0 { (l + i as u32) % 10 } else { l })
            .collect();
        assert!(doubts(&right, &labels(), 10).is_empty());
        let chance: Vec<u32> = (0..200).map(|i| (i / 7) % 10).collect();
        assert!(doubts(&chance, &labels(), 10).is_empty());
    }

    #[test]
    fn inverted_and_permuted_classes_are_seen() {
        for answers in [
            labels().iter().map(|l| 9 - l).collect::<Vec<u32>>(),
            labels().iter().map(|l| (l + 1) % 10).collect(),
        ] {
            let found = doubts(&answers, &labels(), 10);
            assert!(
                found.len() == 1 && found[0].contains("permuted"),
                "{found:?}"
            );
        }
        // Two classes, swapped.
        let two: Vec<u32> = (0..100).map(|i| i % 2).collect();
        let swapped: Vec<u32> = two.iter().map(|l| 1 - l).collect();
        assert!(doubts(&swapped, &two, 2)[0].contains("permuted"));
    }

    #[test]
    fn worse_than_chance_and_one_answer_to_all_are_seen() {
        let odd: Vec<u32> = (0..2000).map(|i| (i % 10 + 1 + i / 10 % 9) % 10).collect();
        let labels: Vec<u32> = (0..2000).map(|i| i % 10).collect();
        assert!(doubts(&odd, &labels, 10)[0].contains("by chance"));
        assert!(doubts(&[3; 2000], &labels, 10)[0].contains("Nearly every"));
    }
}
