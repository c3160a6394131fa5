//! Where a variant and the baseline answer differently, and what each class is taken for.

use std::sync::Arc;

use super::data::choice;
use super::look::Look;
use crate::evaluate::Evaluation;
use crate::workbench::{Experiment, ExperimentId, Role, Workbench};

/// Classes of a matrix that can be read.
pub const MOST_CLASSES: usize = 20;

/// What became of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Change {
    /// Only the baseline was right.
    Lost,
    /// Only the variant is right.
    Gained,
    /// Neither is right, and they differ.
    BothWrong,
    /// They differ, and there are no labels.
    Differs,
    /// They agree.
    Agrees,
}

impl Change {
    /// In words.
    pub fn name(self) -> &'static str {
        match self {
            Change::Lost => "Lost",
            Change::Gained => "Gained",
            Change::BothWrong => "Both wrong",
            Change::Differs => "Differs",
            Change::Agrees => "Agrees",
        }
    }
}

/// One sample with both answers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pair {
    /// Which sample.
    pub sample: usize,
    /// Its class.
    pub label: Option<u32>,
    /// The baseline's answer and its margin.
    pub base: (u32, f32),
    /// The variant's.
    pub ours: (u32, f32),
    /// What became of it.
    pub change: Change,
}

/// A label and what it was taken for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Confused {
    /// The class.
    pub label: u32,
    /// The answer.
    pub answer: u32,
    /// How often by the variant, and by the baseline.
    pub counts: (usize, usize),
}

/// A variant beside the baseline.
#[derive(Debug, Clone, PartialEq)]
pub struct Samples {
    /// Samples evaluated.
    pub samples: usize,
    /// Classes seen in labels and answers.
    pub classes: usize,
    /// Counts of the variant and of the baseline by label, then answer; empty without labels or beyond [`MOST_CLASSES`].
    pub matrix: Vec<(usize, usize)>,
    /// Pairs of different classes, most frequent first, at most 200.
    pub confused: Vec<Confused>,
    /// Samples with different answers: lost first, then those that the baseline was surest of.
    pub differing: Vec<Pair>,
    /// How many are right by the variant and by the baseline; `None` without labels.
    pub right: Option<(usize, usize)>,
}

impl Samples {
    /// Compares two evaluations of the same data.
    pub fn of(base: &Evaluation, ours: &Evaluation, labels: Option<&[u32]>) -> Self {
        let samples = base.answers.len().min(ours.answers.len());
        let pairs = || (0..samples).filter_map(|i| pair(base, ours, labels, i));
        let largest = pairs()
            .flat_map(|p| [p.base.0, p.ours.0, p.label.unwrap_or(0)])
            .max();
        let classes = largest.map_or(0, |c| c as usize + 1);
        let mut counts = std::collections::BTreeMap::<(u32, u32), (usize, usize)>::new();
        let mut right = (0, 0);
        for p in pairs() {
            let Some(label) = p.label else { continue };
            counts.entry((label, p.ours.0)).or_default().0 += 1;
            counts.entry((label, p.base.0)).or_default().1 += 1;
            right.0 += usize::from(p.ours.0 == label);
            right.1 += usize::from(p.base.0 == label);
        }
        let mut matrix = vec![];
        if !counts.is_empty() && classes <= MOST_CLASSES {
            matrix = vec![(0, 0); classes * classes];
            for (&(label, answer), &n) in &counts {
                if let Some(cell) = matrix.get_mut(label as usize * classes + answer as usize) {
                    *cell = n;
                }
            }
        }
        let mut confused: Vec<Confused> = counts
            .into_iter()
            .filter(|((label, answer), n)| label != answer && n.0 + n.1 > 0)
            .map(|((label, answer), counts)| Confused {
                label,
                answer,
                counts,
            })
            .collect();
        confused.sort_by_key(|c| (std::cmp::Reverse(c.counts), c.label, c.answer));
        confused.truncate(200);
        let mut differing: Vec<Pair> = pairs().filter(|p| p.change != Change::Agrees).collect();
        differing.sort_by(|a, b| (a.change.cmp(&b.change)).then(b.base.1.total_cmp(&a.base.1)));
        Self {
            samples,
            classes,
            matrix,
            confused,
            differing,
            right: labels.map(|_| right),
        }
    }

    /// How many differ in this way.
    pub fn count(&self, change: Change) -> usize {
        self.differing.iter().filter(|p| p.change == change).count()
    }

    /// Of the differing samples, those whose answer by the variant is a tie.
    pub fn ties(&self) -> usize {
        self.differing.iter().filter(|p| p.ours.1 == 0.0).count()
    }
}

/// Sample `i` with both answers.
fn pair(base: &Evaluation, ours: &Evaluation, labels: Option<&[u32]>, i: usize) -> Option<Pair> {
    let answer =
        |e: &Evaluation| Some((*e.answers.get(i)?, e.margins.get(i).copied().unwrap_or(0.0)));
    let (base, ours) = (answer(base)?, answer(ours)?);
    let label = labels.and_then(|l| l.get(i).copied());
    let change = match label {
        _ if base.0 == ours.0 => Change::Agrees,
        None => Change::Differs,
        Some(label) if base.0 == label => Change::Lost,
        Some(label) if ours.0 == label => Change::Gained,
        Some(_) => Change::BothWrong,
    };
    Some(Pair {
        sample: i,
        label,
        base,
        ours,
        change,
    })
}

/// Samples with that label that the variant gave that answer, in order, at most `most`.
pub fn in_cell(
    base: &Evaluation,
    ours: &Evaluation,
    labels: &[u32],
    cell: (u32, u32),
    most: usize,
) -> Vec<Pair> {
    (0..ours.answers.len())
        .filter_map(|i| pair(base, ours, Some(labels), i))
        .filter(|p| (p.label, p.ours.0) == (Some(cell.0), cell.1))
        .take(most)
        .collect()
}

/// `0.6 %`, or `tie` where the two best scores are equal.
pub fn margin_words(margin: f32) -> String {
    match margin {
        0.0 => "tie".into(),
        m if m < 0.0005 => "< 0.1 %".into(),
        m => format!("{} %", super::format::fixed(f64::from(m) * 100.0, 1)),
    }
}

/// The name of a class; its number where it has none.
pub fn class_name(classes: &[String], class: u32) -> String {
    match classes.get(class as usize).filter(|n| !n.is_empty()) {
        Some(name) => name.clone(),
        None => class.to_string(),
    }
}

/// Variants whose answers can be compared with the baseline's: evaluated on the data that is chosen now.
pub fn candidates(bench: &Workbench) -> Vec<&Experiment> {
    let baseline = bench.baseline().map(|e| e.id);
    bench
        .experiments
        .iter()
        .filter(|e| Some(e.id) != baseline && is_comparable(bench, e))
        .collect()
}

fn is_comparable(bench: &Workbench, e: &Experiment) -> bool {
    let current = e.key.evaluation == bench.evaluation.version && !e.is_stale();
    current && e.evaluation.as_ref().is_some_and(|e| !e.answers.is_empty())
}

/// What there is to compare, computed once per pair of evaluations.
#[derive(Debug, Default)]
pub struct Memo {
    of: Option<(ExperimentId, usize, usize)>,
    samples: Option<Arc<Samples>>,
}

/// Both evaluations and their labels.
pub struct Both {
    /// The baseline's.
    pub base: Arc<Evaluation>,
    /// The variant's.
    pub ours: Arc<Evaluation>,
    /// What was compared.
    pub samples: Arc<Samples>,
    /// What the baseline is called, and its marker.
    pub baseline: (String, Look),
}

impl Memo {
    /// The comparison of this variant with the baseline; `None` while either is not evaluated on the data that is chosen now.
    pub fn get(&mut self, bench: &Workbench, ours: &Experiment) -> Option<Both> {
        let baseline = bench.baseline().filter(|e| is_comparable(bench, e))?;
        let base = baseline.evaluation.clone()?;
        let evaluation = ours
            .evaluation
            .clone()
            .filter(|_| is_comparable(bench, ours))?;
        let address = |e: &Arc<Evaluation>| Arc::as_ptr(e) as usize;
        let of = Some((ours.id, address(&base), address(&evaluation)));
        if of != self.of || self.samples.is_none() {
            let loaded = choice(bench, Role::Evaluation).loaded.as_ref();
            let labels = loaded.and_then(|l| l.dataset.labels());
            self.samples = Some(Arc::new(Samples::of(&base, &evaluation, labels)));
            self.of = of;
        }
        Some(Both {
            base,
            ours: evaluation,
            samples: self.samples.clone()?,
            baseline: (baseline.name(), Look::of(baseline)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn evaluation(answers: &[u32], margins: &[f32]) -> Evaluation {
        Evaluation {
            samples: answers.len(),
            top1: None,
            top5: None,
            agreement: None,
            sqnr_db: None,
            delta_interval: None,
            seconds: 0.0,
            warnings: vec![],
            answers: answers.to_vec(),
            margins: margins.to_vec(),
            outputs: None,
        }
    }

    #[test]
    fn disagreements_are_sorted_by_what_they_cost() {
        let labels = [0, 1, 2, 2, 0];
        let base = evaluation(&[0, 1, 1, 0, 0], &[0.9, 0.5, 0.2, 0.1, 0.3]);
        let ours = evaluation(&[0, 0, 2, 1, 1], &[0.9, 0.0, 0.2, 0.1, 0.4]);
        let s = Samples::of(&base, &ours, Some(&labels));
        let seen: Vec<_> = s.differing.iter().map(|p| (p.sample, p.change)).collect();
        use Change::{BothWrong, Gained, Lost};
        assert_eq!(seen, [(1, Lost), (4, Lost), (2, Gained), (3, BothWrong)]);
        assert_eq!((s.right, s.ties(), s.count(Lost)), (Some((2, 3)), 1, 2));
        // Label 2: once right and once taken for 1 by the variant, taken for 1 and for 0 by float32.
        assert_eq!(&s.matrix[6..9], [(0, 1), (1, 1), (1, 0)]);
        let cell = in_cell(&base, &ours, &labels, (2, 1), 10);
        assert_eq!(cell.iter().map(|p| p.sample).collect::<Vec<_>>(), [3]);
    }

    #[test]
    fn without_labels_answers_only_differ() {
        let base = evaluation(&[0, 1], &[0.9, 0.5]);
        let s = Samples::of(&base, &evaluation(&[0, 0], &[0.9, 0.1]), None);
        assert_eq!((s.matrix.len(), s.confused.len(), s.right), (0, 0, None));
        assert_eq!(s.differing[0].change, Change::Differs);
    }

    #[test]
    fn equal_scores_are_a_tie() {
        assert_eq!(
            [0.0, 0.0001, 0.0061].map(margin_words),
            ["tie", "< 0.1 %", "0.6 %"]
        );
    }
}
