//! The first samples of a calibration with what the float model answers: enough to judge a quantized model by, without another run
//! of the float one.

use std::ops::Range;

use super::feed::fitting_rows;
use crate::data::{Dataset, concat};
use crate::error::Result;
use crate::graph::{Graph, Value};
use crate::invalid;

/// Samples that are enough, and of a graph of which one alone is work for a run.
const ENOUGH: usize = 8;
const ENOUGH_OF_LARGE: usize = 4;
/// Bytes of inputs and outputs beyond which none are kept.
const MOST_BYTES: usize = 32 << 20;

/// Some samples, as the data set gave them, and the float model's outputs for them.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Probe {
    /// By sample, one value an input.
    inputs: Vec<Vec<Value>>,
    /// By output, the values of all samples; `None` where it is not float32 or its first axis is not the samples.
    outputs: Vec<Option<Vec<f32>>>,
    /// Samples still wanted.
    wanted: usize,
}

impl Probe {
    /// Nothing yet, for calibrating the main subgraph of `graph`. How much will be kept depends on the graph alone.
    pub(super) fn of(graph: &Graph) -> Self {
        let wanted = match fitting_rows(graph, 0) {
            1 => ENOUGH_OF_LARGE,
            _ => ENOUGH,
        };
        Self {
            wanted,
            ..Self::default()
        }
    }

    /// Keeps of a run of `samples`, the next ones of `data`, and its outputs as much as is still wanted, unless it is too large.
    pub(super) fn add(
        &mut self,
        data: &dyn Dataset,
        samples: Range<usize>,
        outputs: &[Value],
    ) -> Result<()> {
        if self.wanted == 0 {
            return Ok(());
        }
        let wanted = samples.len().min(self.wanted);
        if self.inputs.is_empty() {
            self.outputs = vec![Some(vec![]); outputs.len()];
        }
        for (all, value) in self.outputs.iter_mut().zip(outputs) {
            // A graph whose batch is fixed may give more rows than there are samples.
            let rows = value.shape.first().copied().unwrap_or(1);
            let values = value.as_f32().filter(|_| rows >= samples.len().max(1));
            let part = values.and_then(|v| v.get(..v.len() / rows * wanted));
            match (&mut *all, part) {
                (Some(all), Some(part)) => all.extend_from_slice(part),
                (all, _) => *all = None,
            }
        }
        for i in samples.start..samples.start + wanted {
            self.inputs.push(data.batch(i..i + 1)?);
        }
        let inputs = self.inputs.iter().flatten();
        let inputs: usize = inputs.map(|v| v.data.len() * v.dtype().bits() / 8).sum();
        let outputs: usize = self.outputs.iter().flatten().map(Vec::len).sum();
        self.wanted -= wanted;
        if inputs + outputs * size_of::<f32>() > MOST_BYTES {
            *self = Self::default();
        }
        Ok(())
    }

    /// What the float model gave as output number `output` for the samples of `range`; `None` where that is not known.
    pub fn output(&self, output: usize, range: Range<usize>) -> Option<&[f32]> {
        let all = self.outputs.get(output)?.as_deref()?;
        let each = all.len() / self.inputs.len().max(1);
        all.get(range.start * each..range.end * each)
    }
}

impl Dataset for Probe {
    fn name(&self) -> &str {
        "the calibration data"
    }

    fn len(&self) -> usize {
        self.inputs.len()
    }

    fn batch(&self, range: Range<usize>) -> Result<Vec<Value>> {
        match self.inputs.get(range) {
            Some(samples) if !samples.is_empty() => concat(samples.to_vec()),
            _ => invalid!("The calibration kept {} samples", self.inputs.len()),
        }
    }

    fn labels(&self) -> Option<&[u32]> {
        None
    }
}
