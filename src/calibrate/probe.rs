//! The first samples of a calibration with what the float model answers: enough to judge a quantized model by, without another run
//! of the float one.

use std::ops::Range;

use crate::data::Dataset;
use crate::error::Result;
use crate::graph::Value;
use crate::invalid;

/// Samples that are enough; those of the run that reaches it all count.
const ENOUGH: usize = 8;
/// Bytes of inputs and outputs beyond which none are kept.
const MOST_BYTES: usize = 32 << 20;

/// Some samples, as the data set gave them, and the float model's outputs for them.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Probe {
    runs: Vec<Run>,
    samples: usize,
    full: bool,
}

/// One run of the float model.
#[derive(Debug, Clone, PartialEq)]
struct Run {
    samples: Range<usize>,
    inputs: Vec<Value>,
    outputs: Vec<Value>,
}

impl Probe {
    /// Keeps a run of `samples`, the next ones of `data`, and its outputs, unless there are enough or they are too large.
    pub(super) fn add(
        &mut self,
        data: &dyn Dataset,
        samples: Range<usize>,
        outputs: &[Value],
    ) -> Result<()> {
        if self.full {
            return Ok(());
        }
        let bytes = |values: &[Value]| -> usize {
            {
                let each = values.iter().map(|v| v.data.len() * v.dtype().bits() / 8);
                each.sum()
            }
        };
        if bytes(outputs) > MOST_BYTES {
            self.full = true;
            return Ok(());
        }
        let inputs = data.batch(samples.clone())?;
        self.samples = samples.end;
        self.runs.push(Run {
            samples,
            inputs,
            outputs: outputs.to_vec(),
        });
        let held = self.runs.iter();
        let held: usize = held.map(|r| bytes(&r.inputs) + bytes(&r.outputs)).sum();
        if held > MOST_BYTES {
            *self = Self::default();
        }
        self.full = self.samples >= ENOUGH || held > MOST_BYTES;
        Ok(())
    }

    /// The samples of each run and the float model's outputs for them.
    pub fn runs(&self) -> impl Iterator<Item = (Range<usize>, &[Value])> {
        self.runs
            .iter()
            .map(|r| (r.samples.clone(), &r.outputs[..]))
    }
}

impl Dataset for Probe {
    fn name(&self) -> &str {
        "the calibration data"
    }

    fn len(&self) -> usize {
        self.samples
    }

    /// Only whole runs can be asked for.
    fn batch(&self, range: Range<usize>) -> Result<Vec<Value>> {
        match self.runs.iter().find(|r| r.samples == range) {
            Some(run) => Ok(run.inputs.clone()),
            None => invalid!(
                "Samples {} to {} are no run of the calibration",
                range.start,
                range.end
            ),
        }
    }

    fn labels(&self) -> Option<&[u32]> {
        None
    }
}
