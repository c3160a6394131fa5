//! How far the outputs of two engines lie apart on the same file and the same samples.

use serde::{Deserialize, Serialize};

use super::answers::best;
use super::outputs::{Output, outputs, reals};
use crate::error::Result;
use crate::graph::{Data, Graph, Value};
use crate::unsupported;

/// How far a second engine's outputs lie from the first's.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Difference {
    /// Samples compared.
    pub samples: usize,
    /// Largest difference over all integer outputs, in steps of the output's scale; `None` without integer outputs.
    pub max_steps: Option<u64>,
    /// Largest difference over all float outputs, as a share of the largest magnitude that the first engine gave there; infinite
    /// where only one of them is no number, `None` without float outputs.
    pub max_of_peak: Option<f64>,
    /// Share of samples whose best answer differs; `None` where the model is no classifier.
    pub differing: Option<f64>,
}

/// Running extremes of one comparison.
#[derive(Debug, Default)]
pub(super) struct Apart {
    steps: Option<u64>,
    /// Per output: largest magnitude and largest difference of floats.
    floats: Vec<Option<(f64, f64)>>,
}

impl Apart {
    /// Takes in one batch; rows beyond `rows` are padding.
    pub(super) fn add(
        &mut self,
        outputs: &[Output],
        ours: &[Value],
        theirs: &[Value],
        rows: usize,
    ) -> Result<()> {
        self.floats.resize(outputs.len(), None);
        if theirs.len() != ours.len() {
            return unsupported!(
                "The second engine gives {} outputs, the first {}",
                theirs.len(),
                ours.len()
            );
        }
        for (i, (a, b)) in ours.iter().zip(theirs).enumerate() {
            let held = a.shape.first().copied().unwrap_or(1).max(1);
            let kept = a.data.len() / held * rows.min(held);
            let same = a.dtype() == b.dtype() && a.shape == b.shape;
            if !same {
                return unsupported!(
                    "The second engine gives output '{}' as {} {:?}, the first as {} {:?}",
                    outputs.get(i).map_or("", |o| o.name.as_str()),
                    b.dtype(),
                    b.shape,
                    a.dtype(),
                    a.shape
                );
            }
            let steps = self.steps.unwrap_or(0);
            match (&a.data, &b.data) {
                (Data::F32(a), Data::F32(b)) => self.floats(i, pairs(a, b, kept, |&x| x.into())),
                (Data::F16(a), Data::F16(b)) => self.floats(i, pairs(a, b, kept, |x| x.to_f64())),
                (Data::F64(a), Data::F64(b)) => self.floats(i, pairs(a, b, kept, |&x| x)),
                (Data::I8(a), Data::I8(b)) => self.steps(steps, pairs(a, b, kept, |&x| x.into())),
                (Data::U8(a), Data::U8(b)) => self.steps(steps, pairs(a, b, kept, |&x| x.into())),
                (Data::I16(a), Data::I16(b)) => self.steps(steps, pairs(a, b, kept, |&x| x.into())),
                (Data::U16(a), Data::U16(b)) => self.steps(steps, pairs(a, b, kept, |&x| x.into())),
                (Data::I32(a), Data::I32(b)) => self.steps(steps, pairs(a, b, kept, |&x| x.into())),
                (Data::U32(a), Data::U32(b)) => self.steps(steps, pairs(a, b, kept, |&x| x.into())),
                (Data::I64(a), Data::I64(b)) => self.steps(steps, pairs(a, b, kept, |&x| x.into())),
                (Data::U64(a), Data::U64(b)) => self.steps(steps, pairs(a, b, kept, |&x| x.into())),
                (Data::Bool(a), Data::Bool(b)) => {
                    self.steps(steps, pairs(a, b, kept, |&x| x.into()))
                }
                // The types are equal.
                _ => {}
            }
        }
        Ok(())
    }

    fn floats(&mut self, output: usize, pairs: impl Iterator<Item = (f64, f64)>) {
        let (mut peak, mut apart) = self.floats[output].unwrap_or((0.0, 0.0));
        for (a, b) in pairs {
            if a.is_finite() {
                peak = peak.max(a.abs());
            }
            let d = (a - b).abs();
            if d > apart {
                apart = d;
            } else if d.is_nan() && !(a.is_nan() && b.is_nan()) && a != b {
                apart = f64::INFINITY;
            }
        }
        self.floats[output] = Some((peak, apart));
    }

    fn steps(&mut self, so_far: u64, pairs: impl Iterator<Item = (i128, i128)>) {
        let largest = pairs.map(|(a, b)| a.abs_diff(b)).max().unwrap_or(0);
        self.steps = Some(so_far.max(u64::try_from(largest).unwrap_or(u64::MAX)));
    }

    /// The figures over all batches, with each engine's best answer per sample.
    pub(super) fn finish(self, samples: usize, ours: &[u32], theirs: &[u32]) -> Difference {
        // Without any magnitude a difference is measured as it is.
        let share = |(peak, apart): (f64, f64)| if peak > 0.0 { apart / peak } else { apart };
        let differing = ours.iter().zip(theirs).filter(|(a, b)| a != b).count();
        let known = !ours.is_empty() && ours.len() == theirs.len();
        Difference {
            samples,
            max_steps: self.steps,
            max_of_peak: self
                .floats
                .into_iter()
                .flatten()
                .map(share)
                .reduce(f64::max),
            differing: known.then(|| differing as f64 / ours.len() as f64),
        }
    }
}

/// How far the outputs of one run lie apart; every row of the first axis counts as a sample.
///
/// # Errors
/// Outputs of other types or shapes.
pub fn difference(graph: &Graph, ours: &[Value], theirs: &[Value]) -> Result<Difference> {
    let outputs = outputs(graph)?;
    let mut apart = Apart::default();
    apart.add(&outputs, ours, theirs, usize::MAX)?;
    let rows = ours.first().and_then(|y| y.shape.first().copied());
    let rows = rows.unwrap_or(1).max(1);
    let answers = |values: &[Value]| {
        let classifier = outputs.iter().zip(values);
        let mut classifier = classifier.filter_map(|(o, v)| Some((o, v, o.classes?)));
        let Some((output, value, classes)) = classifier.next() else {
            return vec![];
        };
        let reals = reals(output, value, rows).unwrap_or_default();
        reals.chunks_exact(classes).map(best).collect()
    };
    Ok(apart.finish(rows, &answers(ours), &answers(theirs)))
}

/// The first `kept` pairs, each value through `real`.
fn pairs<'a, T, R>(
    a: &'a [T],
    b: &'a [T],
    kept: usize,
    real: impl Fn(&T) -> R + 'a,
) -> impl Iterator<Item = (R, R)> + 'a {
    let pairs = a.iter().zip(b).take(kept);
    pairs.map(move |(a, b)| (real(a), real(b)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::{DType, Node, Op, Subgraph, Tensor};

    fn two_outputs() -> Vec<Output> {
        let graph = Graph {
            subgraphs: vec![Subgraph {
                tensors: vec![
                    Tensor::new("x", DType::Float32, vec![1, 2]),
                    Tensor::new("q", DType::Int8, vec![1, 2]),
                ],
                inputs: vec![0],
                outputs: vec![0, 1],
                nodes: vec![Node::new(Op::Relu, vec![Some(0)], vec![1])],
                ..Subgraph::default()
            }],
            ..Graph::default()
        };
        outputs(&graph).unwrap()
    }

    fn batch(x: [f32; 4], q: [i8; 4]) -> Vec<Value> {
        vec![
            Value::new(vec![2, 2], Data::F32(x.to_vec())).unwrap(),
            Value::new(vec![2, 2], Data::I8(q.to_vec())).unwrap(),
        ]
    }

    #[test]
    fn steps_shares_of_the_peak_and_answers_by_hand() {
        let outputs = two_outputs();
        let mut apart = Apart::default();
        let a = batch([4.0, -8.0, 1.0, 2.0], [127, 0, 5, 5]);
        let b = batch([4.5, -8.0, 1.0, 90.0], [-128, 0, 5, 6]);
        // The second row is padding.
        apart.add(&outputs, &a, &b, 1).unwrap();
        let d = apart.finish(1, &[0, 1, 2, 3], &[0, 1, 2, 2]);
        assert_eq!(d.max_steps, Some(255));
        assert_eq!(d.max_of_peak, Some(0.5 / 8.0));
        assert_eq!(d.differing, Some(0.25));
        let mut apart = Apart::default();
        let nan = batch([f32::NAN, f32::INFINITY, 1.0, 2.0], [0; 4]);
        apart.add(&outputs, &nan, &nan, 2).unwrap();
        let d = apart.finish(2, &[], &[]);
        assert_eq!((d.max_of_peak, d.differing), (Some(0.0), None));
        let mut apart = Apart::default();
        apart.add(&outputs, &a, &nan, 2).unwrap();
        let d = apart.finish(2, &[], &[]);
        assert_eq!(d.max_of_peak, Some(f64::INFINITY));
        let short = Value::new(vec![1, 2], Data::F32(vec![0.0; 2])).unwrap();
        let other = [short, a[1].clone()];
        assert!(Apart::default().add(&outputs, &a, &other, 2).is_err());
    }
}
