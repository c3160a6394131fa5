//! Means of activations per channel, where weights meet them: what bias correction asks of a calibration.

use crate::graph::{Op, Subgraph, TensorId};
use crate::kernels::{self, Isa, Vectorized};

/// Running sums per channel of the tensors that operators with weights read. Each channel adds its values one after another
/// in double precision, so that neither batches nor threads leave a trace.
pub(super) struct Means {
    tensors: Vec<Watch>,
}

/// One tensor.
#[derive(Clone, Default)]
enum Watch {
    /// No operator with weights reads it, or its values do not divide into channels.
    #[default]
    Not,
    /// Nothing seen yet. Channels are what a weight says, or the last axis.
    Asked(Option<usize>),
    /// Sums, and how many values each is of.
    Sums(Vec<f64>, u64),
}

impl Means {
    /// Watches what the operators with weights of `main` read.
    pub fn of(main: &Subgraph) -> Self {
        let mut tensors = vec![Watch::Not; main.tensors.len()];
        for node in &main.nodes {
            let (activation, channels) = match node.op {
                Op::Conv2d(_) | Op::DepthwiseConv2d(_) => (0, None),
                // It takes the rows of its weights out of the input, whatever the input's axes.
                Op::FullyConnected(_) => {
                    let weights = node.input(1).and_then(|t| main.tensors.get(t));
                    (0, weights.and_then(|w| w.shape.get(1).copied()))
                }
                Op::TransposeConv(_) => (2, None),
                // No other operator has a bias that is quantized with its weights.
                _ => continue,
            };
            let Some(watch) = node.input(activation).and_then(|t| tensors.get_mut(t)) else {
                continue;
            };
            match watch {
                Watch::Asked(known) => *known = channels.max(*known),
                Watch::Not | Watch::Sums(..) => *watch = Watch::Asked(channels),
            }
        }
        Self { tensors }
    }

    /// Adds the values of tensor `id`, whose last axis has the extent `last`.
    pub fn add(&mut self, id: TensorId, last: Option<usize>, values: &[f32]) {
        let Some(watch) = self.tensors.get_mut(id) else {
            return;
        };
        if let Watch::Asked(channels) = watch {
            let channels = channels.or(last).unwrap_or(1);
            *watch = match channels > 0 && values.len().is_multiple_of(channels) {
                true => Watch::Sums(vec![0.0; channels], 0),
                false => Watch::Not,
            };
        }
        let Watch::Sums(sums, count) = watch else {
            return;
        };
        if !values.len().is_multiple_of(sums.len()) {
            *watch = Watch::Not;
            return;
        }
        *count += (values.len() / sums.len()) as u64;
        kernels::vectorized(Isa::chosen(), AddRows { values, sums });
    }

    /// The means, one entry a tensor.
    pub fn finish(self) -> Vec<Option<Vec<f32>>> {
        let mean = |watch| match watch {
            Watch::Sums(sums, count) if count > 0 => {
                let each = sums.iter().map(|s| (s / count as f64) as f32);
                Some(each.collect())
            }
            Watch::Not | Watch::Asked(_) | Watch::Sums(..) => None,
        };
        self.tensors.into_iter().map(mean).collect()
    }
}

/// Adds each row of `values` to `sums`.
struct AddRows<'a> {
    values: &'a [f32],
    sums: &'a mut [f64],
}

impl Vectorized for AddRows<'_> {
    #[inline(always)]
    fn run(self) {
        for row in self.values.chunks_exact(self.sums.len()) {
            for (sum, &x) in self.sums.iter_mut().zip(row) {
                *sum += f64::from(x);
            }
        }
    }
}
