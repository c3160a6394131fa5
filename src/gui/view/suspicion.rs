//! What the float model's answers say of the data: a class order that looks wrong, values of another range than it was trained on.

use super::data::range_words;
use crate::workbench::Workbench;

/// Accuracy below which the data, not the model, is suspected.
const BAD: f64 = 0.5;
/// Share of right answers in the best other order from which the order is suspected.
const GOOD: f64 = 0.6;
/// Share of samples that get one and the same answer from which the values are suspected.
const ONE_ANSWER: f64 = 0.8;

/// The sentence about the evaluation data, found once per evaluation.
#[derive(Debug, Default)]
pub struct Memo {
    /// Which evaluation of which data it is about.
    of: Option<(usize, u64)>,
    words: Option<String>,
}

impl Memo {
    /// Looks again if the float model was evaluated anew or other data was chosen.
    pub fn update(&mut self, bench: &Workbench) {
        let version = bench.evaluation.version;
        let float = bench.float().filter(|e| !e.is_stale());
        let float = float.filter(|e| e.key.evaluation == version);
        let evaluation = float.and_then(|e| e.evaluation.as_ref());
        let of = evaluation.map(|e| (std::sync::Arc::as_ptr(e) as usize, version));
        if of == self.of {
            return;
        }
        self.of = of;
        self.words = evaluation.and_then(|evaluation| {
            let loaded = bench.evaluation.loaded.as_ref()?;
            let range = range_words(&loaded.preview.values);
            let range = range.split(", ").next().unwrap_or_default();
            let labels = loaded.dataset.labels()?;
            suspicion(&evaluation.answers, labels, &loaded.classes, range)
        });
    }

    /// The sentence, if there is one.
    pub fn words(&self) -> Option<&str> {
        self.words.as_deref()
    }
}

/// One sentence about the data that `answers` (of the float model) were given on, or nothing; `range` are the values that it saw.
pub fn suspicion(
    answers: &[u32],
    labels: &[u32],
    classes: &[String],
    range: &str,
) -> Option<String> {
    let samples = answers.len().min(labels.len());
    if samples < 20 {
        return None;
    }
    let share = |n: usize| n as f64 / samples as f64;
    let right = answers.iter().zip(labels).filter(|(a, l)| a == l).count();
    if share(right) >= BAD {
        return None;
    }
    let mut pairs = std::collections::BTreeMap::<(u32, u32), usize>::new();
    let mut given = std::collections::BTreeMap::<u32, usize>::new();
    for (&answer, &label) in answers.iter().zip(labels) {
        *pairs.entry((label, answer)).or_default() += 1;
        *given.entry(answer).or_default() += 1;
    }
    let (&most, &times) = given.iter().max_by_key(|(_, n)| **n)?;
    let name = |class: u32| match classes.get(class as usize).filter(|n| !n.is_empty()) {
        Some(name) => name.clone(),
        None => class.to_string(),
    };
    if share(times) >= ONE_ANSWER {
        return Some(format!(
            "float32 answers {} to {:.0} % of the samples, it may have been trained on other values than {range}",
            name(most),
            share(times) * 100.0
        ));
    }
    // The most frequent answer of each label; an order is possible only if no two labels share it.
    let mut best = std::collections::BTreeMap::<u32, (u32, usize)>::new();
    for (&(label, answer), &n) in &pairs {
        let held = best.entry(label).or_insert((answer, n));
        if n > held.1 {
            *held = (answer, n);
        }
    }
    let mut taken: Vec<u32> = best.values().map(|b| b.0).collect();
    taken.sort_unstable();
    taken.dedup();
    let other: usize = best.values().map(|b| b.1).sum();
    if taken.len() < best.len() || share(other) < GOOD {
        return None;
    }
    let (&label, &(answer, _)) = best.iter().find(|(label, (answer, _))| *label != answer)?;
    let (label, answer) = (name(label), name(answer));
    Some(format!(
        "float32 answers {answer} where the label says {label}: the class order looks wrong, in another one {:.0} % would be right",
        share(other) * 100.0
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels() -> Vec<u32> {
        (0..100).map(|i| i % 2).collect()
    }

    fn names() -> Vec<String> {
        vec!["cat".into(), "dog".into()]
    }

    #[test]
    fn good_answers_are_not_suspected() {
        assert_eq!(suspicion(&labels(), &labels(), &names(), "0 to 1"), None);
        assert_eq!(
            suspicion(&[1; 5], &[0; 5], &names(), "0 to 1"),
            None,
            "too few to tell"
        );
    }

    #[test]
    fn inverted_classes_are_told() {
        let answers: Vec<u32> = labels().iter().map(|l| 1 - l).collect();
        let words = suspicion(&answers, &labels(), &names(), "0 to 1").unwrap();
        assert_eq!(
            words,
            "float32 answers dog where the label says cat: the class order looks wrong, in another one 100 % would be right"
        );
    }

    #[test]
    fn one_answer_to_everything_points_at_the_values() {
        let labels: Vec<u32> = (0..100).map(|i| i % 10).collect();
        let words = suspicion(&[3; 100], &labels, &[], "0.00 to 1.00").unwrap();
        assert!(
            words.contains("answers 3 to 100 %") && words.contains("0.00 to 1.00"),
            "{words}"
        );
    }

    #[test]
    fn merely_bad_answers_say_nothing_of_the_order() {
        let labels: Vec<u32> = (0..100).map(|i| i % 4).collect();
        let answers: Vec<u32> = (0..100).map(|i| (i / 7) % 4).collect();
        assert_eq!(suspicion(&answers, &labels, &[], "0 to 1"), None);
    }
}
