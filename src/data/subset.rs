//! The first samples of a data set.

use std::ops::Range;
use std::sync::Arc;

use super::Dataset;
use super::words::count;
use crate::error::Result;
use crate::graph::Value;
use crate::invalid;

struct Subset {
    whole: Arc<dyn Dataset>,
    samples: usize,
}

impl Dataset for Subset {
    fn name(&self) -> &str {
        self.whole.name()
    }

    fn len(&self) -> usize {
        self.samples
    }

    fn batch(&self, range: Range<usize>) -> Result<Vec<Value>> {
        if range.end > self.samples {
            return invalid!(
                "Samples {}..{} were asked of the first {} of {}",
                range.start,
                range.end,
                self.samples,
                self.name()
            );
        }
        self.whole.batch(range)
    }

    fn labels(&self) -> Option<&[u32]> {
        self.whole.labels().and_then(|l| l.get(..self.samples))
    }
}

/// The first `samples` of a data set. Fails if it has fewer, or if none are asked for.
pub fn take(dataset: Arc<dyn Dataset>, samples: usize) -> Result<Arc<dyn Dataset>> {
    if samples == 0 {
        return invalid!("No samples were asked for; at least 1 is needed");
    }
    if samples > dataset.len() {
        return invalid!(
            "{} samples were asked for, {} has {}",
            count(samples),
            dataset.name(),
            count(dataset.len())
        );
    }
    if samples == dataset.len() {
        return Ok(dataset);
    }
    Ok(Arc::new(Subset {
        whole: dataset,
        samples,
    }))
}
