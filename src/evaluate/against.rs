//! One file's answers and outputs against another's over the same samples, when the baseline is not the float model itself.

use super::answers::paired_delta;
use super::outputs::Noise;
use super::report::{Evaluation, Outputs};

/// An evaluation against a baseline of choice.
#[derive(Debug, Clone, PartialEq)]
pub struct Contrast {
    /// The figures of the file, with agreement, SQNR and the change in accuracy against that baseline; those that mean nothing are `None`.
    pub evaluation: Evaluation,
    /// Why some of them are `None`, in a sentence's end: `their outputs have other shapes`.
    pub without: Option<&'static str>,
}

impl Contrast {
    /// The baseline itself, or a file that was measured on other data: nothing to compare.
    pub fn none(ours: &Evaluation, without: Option<&'static str>) -> Self {
        let evaluation = Evaluation {
            agreement: None,
            sqnr_db: None,
            delta_interval: None,
            ..ours.clone()
        };
        Self {
            evaluation,
            without,
        }
    }
}

/// The figures of `ours` against `base`, both over the same samples, which have these `labels`, if any. SQNR takes `base` for the
/// signal. Answers and outputs are compared only if both files give as many elements a sample.
pub fn against(ours: &Evaluation, base: &Evaluation, labels: Option<&[u32]>) -> Contrast {
    if ours.samples != base.samples {
        return Contrast::none(ours, Some("they were measured on other samples"));
    }
    let mut found = Contrast::none(ours, None);
    let sizes = |e: &Evaluation| e.outputs.as_ref().map(|o| o.sizes.clone());
    let (own, theirs) = (sizes(ours), sizes(base));
    let alike = own.is_none() || theirs.is_none() || own == theirs;
    let figures = &mut found.evaluation;
    if let Some(labels) = labels {
        // Right and wrong can be compared whatever the classes are.
        figures.delta_interval = paired_delta(ours, base, labels).map(|d| d.1);
    }
    if !alike {
        found.without = Some("their outputs have other shapes");
        return found;
    }
    let answered = ours.answers.len() == base.answers.len() && !ours.answers.is_empty();
    if answered {
        let pairs = ours.answers.iter().zip(&base.answers);
        let same = pairs.filter(|(a, b)| a == b).count();
        figures.agreement = Some(same as f64 / ours.answers.len() as f64);
    }
    match (values(ours), values(base)) {
        (Some(copy), Some(signal)) => {
            let mut noise = Noise::default();
            for (copy, signal) in copy.iter().zip(signal) {
                let pairs = signal.iter().zip(copy);
                pairs.for_each(|(&x, &copy)| noise.add(x.into(), copy.into()));
            }
            figures.sqnr_db = noise.db().filter(|_| !signal.is_empty());
        }
        _ => found.without = Some("their outputs are too large to be kept"),
    }
    found
}

/// What a file put out, where that is kept.
fn values(e: &Evaluation) -> Option<&[Vec<f32>]> {
    e.outputs.as_ref()?.values.as_deref()
}

impl Outputs {
    /// Elements of all real outputs over all samples up to which they are kept: 16 MB.
    pub const MOST_KEPT: usize = 4 << 20;

    /// Whether the figures can be those of `samples` samples.
    pub fn is_sound(&self, samples: usize) -> bool {
        let fits = |values: &Vec<Vec<f32>>| {
            values.len() == self.sizes.len()
                && (values.iter().zip(&self.sizes))
                    .all(|(v, &size)| Some(v.len()) == size.checked_mul(samples))
        };
        self.values.as_ref().is_none_or(fits)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn evaluation(answers: &[u32], values: &[f32]) -> Evaluation {
        Evaluation {
            samples: answers.len(),
            top1: Some(0.5),
            top5: None,
            agreement: Some(0.125),
            sqnr_db: Some(1.0),
            delta_interval: None,
            seconds: 0.0,
            warnings: vec![],
            answers: answers.to_vec(),
            margins: vec![0.0; answers.len()],
            outputs: Some(Arc::new(Outputs {
                sizes: vec![values.len() / answers.len()],
                values: Some(vec![values.to_vec()]),
            })),
        }
    }

    #[test]
    fn figures_are_taken_against_any_baseline() {
        let base = evaluation(&[0, 1], &[3.0, 0.0, 0.0, 1.0]);
        let ours = evaluation(&[0, 0], &[3.0, 0.0, 0.1, 1.0]);
        let found = against(&ours, &base, Some(&[0, 1]));
        assert_eq!(found.without, None);
        assert_eq!(found.evaluation.agreement, Some(0.5));
        let db = found.evaluation.sqnr_db.unwrap();
        assert!((db - 30.0).abs() < 1e-4, "{db}");
        // Of two samples one is lost: −1/2 and its interval.
        let (low, high) = found.evaluation.delta_interval.unwrap();
        assert!((low + high + 1.0).abs() < 1e-12 && low < -0.5);
        let same = against(&base, &base, None).evaluation;
        assert_eq!(
            (same.agreement, same.sqnr_db, same.delta_interval),
            (Some(1.0), Some(f64::INFINITY), None)
        );
    }

    #[test]
    fn what_cannot_be_compared_is_left_out_and_says_why() {
        let base = evaluation(&[0, 1], &[3.0, 0.0, 0.0, 1.0]);
        let other = evaluation(&[0, 0], &[1.0, 0.0, 0.0, 1.0, 0.0, 0.0]);
        let found = against(&other, &base, Some(&[0, 1]));
        assert!(found.without.unwrap().contains("other shapes"));
        assert_eq!(
            (found.evaluation.agreement, found.evaluation.sqnr_db),
            (None, None)
        );
        assert!(found.evaluation.delta_interval.is_some());
        let fewer = evaluation(&[0], &[1.0, 0.0]);
        let found = against(&fewer, &base, None);
        assert!(found.without.unwrap().contains("other samples"));
        let mut large = base.clone();
        large.outputs = Some(Arc::new(Outputs {
            sizes: vec![2],
            values: None,
        }));
        let found = against(&large, &base, None);
        assert_eq!(
            (found.evaluation.agreement, found.evaluation.sqnr_db),
            (Some(1.0), None)
        );
        assert!(found.without.unwrap().contains("too large"));
    }
}
