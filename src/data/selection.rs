//! Which samples of a data set are used: all, the first, a seeded random choice, or some of each class.

use std::ops::Range;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::random::word;
use super::words::count;
use super::{Dataset, Origin};
use crate::error::Result;
use crate::graph::{Data, Value};
use crate::invalid;

/// Which samples are used. Chosen ones keep the order of the data set; where there are fewer than asked for, all are used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "pick")]
pub enum Selection {
    /// Every sample.
    #[default]
    All,
    /// The first ones. In a folder of classes samples come in turns, one of each class, so the first are of all classes.
    First {
        /// How many.
        samples: usize,
    },
    /// A random choice without repetition, the same for the same seed: the last of a Fisher–Yates shuffle that counts down and
    /// draws place `⌊word · n / 2⁶⁴⌋` out of n for the last of n from the words of splitmix64 (its finaliser over seed + (i + 1) · 0x9e3779b97f4a7c15).
    Random {
        /// How many.
        samples: usize,
        /// Which choice.
        seed: u64,
    },
    /// The first ones of each class.
    PerClass {
        /// How many of each.
        samples: usize,
    },
}

/// An order to try samples in, and how many of them are wanted.
pub(super) struct Queue {
    pub(super) order: Vec<usize>,
    pub(super) wanted: usize,
}

impl Selection {
    /// The first `samples`, or all.
    pub fn first(samples: Option<usize>) -> Self {
        samples.map_or(Selection::All, |samples| Selection::First { samples })
    }

    /// The number that is asked for (of each class where it goes by class); `None` for all.
    pub fn samples(&self) -> Option<usize> {
        match *self {
            Selection::All => None,
            Selection::First { samples }
            | Selection::Random { samples, .. }
            | Selection::PerClass { samples } => Some(samples),
        }
    }

    /// The same kind of selection of another number; all become the first ones, and `None` all.
    pub fn with_samples(self, samples: Option<usize>) -> Self {
        let Some(samples) = samples else {
            return Selection::All;
        };
        match self {
            Selection::All | Selection::First { .. } => Selection::First { samples },
            Selection::Random { seed, .. } => Selection::Random { samples, seed },
            Selection::PerClass { .. } => Selection::PerClass { samples },
        }
    }

    /// What to try out of `len` samples whose classes are `classes`.
    pub(super) fn queues(&self, len: usize, classes: Option<&[u32]>) -> Result<Vec<Queue>> {
        if self.samples() == Some(0) {
            return invalid!("No samples were asked for; at least 1 is needed");
        }
        let whole = |wanted: usize| {
            vec![Queue {
                order: (0..len).collect(),
                wanted: wanted.min(len),
            }]
        };
        Ok(match *self {
            Selection::All => whole(len),
            Selection::First { samples } => whole(samples),
            Selection::Random { samples, seed } => vec![Queue {
                order: shuffled(len, seed),
                wanted: samples.min(len),
            }],
            Selection::PerClass { samples } => {
                let Some(classes) = classes else {
                    return invalid!(
                        "{} samples of each class were asked for, but the classes are not known: there are no labels",
                        count(samples)
                    );
                };
                let mut orders = std::collections::BTreeMap::<u32, Vec<usize>>::new();
                for (i, &class) in classes.iter().enumerate().take(len) {
                    orders.entry(class).or_default().push(i);
                }
                let queue = |order: Vec<usize>| Queue {
                    wanted: samples.min(order.len()),
                    order,
                };
                orders.into_values().map(queue).collect()
            }
        })
    }
}

impl std::fmt::Display for Selection {
    /// `all`, `the first 100`, `100 at random (seed 7)`, `10 of each class`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match *self {
            Selection::All => write!(f, "all"),
            Selection::First { samples } => write!(f, "the first {}", count(samples)),
            Selection::Random { samples, seed } => {
                write!(f, "{} at random (seed {seed})", count(samples))
            }
            Selection::PerClass { samples } => write!(f, "{} of each class", count(samples)),
        }
    }
}

/// 0..len in the order of [`Selection::Random`].
fn shuffled(len: usize, seed: u64) -> Vec<usize> {
    let mut order: Vec<usize> = (0..len).collect();
    for (draw, last) in (1..len).rev().enumerate() {
        // Below 2^64 times last + 1, so the quotient is at most `last`.
        let place = (u128::from(word(seed, draw as u64)) * (last as u128 + 1)) >> 64;
        order.swap(last, place as usize);
    }
    order.reverse();
    order
}

/// Samples of a data set, chosen by number.
struct Chosen {
    whole: Arc<dyn Dataset>,
    indices: Vec<usize>,
    labels: Option<Vec<u32>>,
}

impl Dataset for Chosen {
    fn name(&self) -> &str {
        self.whole.name()
    }

    fn len(&self) -> usize {
        self.indices.len()
    }

    fn batch(&self, range: Range<usize>) -> Result<Vec<Value>> {
        let Some(indices) = self.indices.get(range.clone()) else {
            return invalid!(
                "Samples {}..{} were asked of {} chosen ones of {}",
                range.start,
                range.end,
                self.indices.len(),
                self.name()
            );
        };
        // Neighbours are read in one piece.
        let mut pieces = vec![];
        let mut rest = indices;
        while let Some((&first, _)) = rest.split_first() {
            let run = rest
                .iter()
                .enumerate()
                .take_while(|&(i, &index)| index == first + i)
                .count();
            pieces.push(self.whole.batch(first..first + run)?);
            rest = rest.get(run..).unwrap_or(&[]);
        }
        concat(pieces)
    }

    fn labels(&self) -> Option<&[u32]> {
        self.labels.as_deref()
    }

    fn origin(&self, sample: usize) -> Option<Origin> {
        self.whole.origin(*self.indices.get(sample)?)
    }
}

/// Batches one after the other along axis 0, input by input.
///
/// # Errors
/// Batches of different types.
pub fn concat(batches: Vec<Vec<Value>>) -> Result<Vec<Value>> {
    let mut batches = batches.into_iter();
    let Some(mut all) = batches.next() else {
        return Ok(vec![]);
    };
    for batch in batches {
        for (value, more) in all.iter_mut().zip(batch) {
            let rows = more.shape.first().copied().unwrap_or(0);
            append(&mut value.data, more.data)?;
            if let Some(first) = value.shape.first_mut() {
                *first += rows;
            }
        }
    }
    Ok(all)
}

fn append(to: &mut Data, from: Data) -> Result<()> {
    macro_rules! by_type {
        ($($variant:ident)*) => {
            match (to, from) {
                $((Data::$variant(to), Data::$variant(mut from)) => to.append(&mut from),)*
                (to, from) => {
                    return invalid!("A batch holds {}, the one before it {}", from.dtype(), to.dtype());
                }
            }
        };
    }
    by_type!(F32 F16 F64 I8 I16 I32 I64 U8 U16 U32 U64 Bool);
    Ok(())
}

/// The chosen samples of a data set. Costs no reading.
///
/// # Errors
/// No samples asked for; a choice by class of data without labels.
pub fn select(dataset: Arc<dyn Dataset>, selection: &Selection) -> Result<Arc<dyn Dataset>> {
    let queues = selection.queues(dataset.len(), dataset.labels())?;
    let chosen = |q: Queue| q.order.into_iter().take(q.wanted);
    let mut indices: Vec<usize> = queues.into_iter().flat_map(chosen).collect();
    indices.sort_unstable();
    if indices.len() == dataset.len() {
        return Ok(dataset);
    }
    let labels = dataset
        .labels()
        .map(|l| indices.iter().filter_map(|&i| l.get(i).copied()).collect());
    Ok(Arc::new(Chosen {
        whole: dataset,
        indices,
        labels,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shuffle_is_a_permutation_that_the_seed_decides() {
        let orders = [0, 1, 0].map(|seed| shuffled(1000, seed));
        assert_eq!(orders[0], orders[2]);
        assert_ne!(orders[0], orders[1]);
        for order in &orders {
            let mut sorted = order.clone();
            sorted.sort_unstable();
            assert!(sorted.iter().copied().eq(0..1000));
        }
        // By a Python transcription of the docstring, so that every version chooses the same samples.
        assert_eq!(shuffled(10, 7), [3, 0, 7, 4, 2, 1, 6, 8, 5, 9]);
    }

    #[test]
    fn per_class_takes_the_first_of_each() {
        let classes = [2, 0, 0, 2, 0, 2, 1];
        let queues = Selection::PerClass { samples: 2 }
            .queues(7, Some(&classes))
            .unwrap();
        let taken: Vec<Vec<usize>> = queues
            .into_iter()
            .map(|q| q.order[..q.wanted].to_vec())
            .collect();
        assert_eq!(taken, [vec![1, 2], vec![6], vec![0, 3]]);
        assert!(Selection::PerClass { samples: 2 }.queues(7, None).is_err());
    }
}
