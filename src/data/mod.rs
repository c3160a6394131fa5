//! Data sets: samples for calibration and evaluation, checked before any work starts.

mod array;
pub mod demo;
mod idx;
#[cfg(feature = "train")]
mod labelled;
mod labels;
mod npy;
mod npy_value;
mod npz;
mod open;
mod spec;
mod subset;
mod synthetic;
mod words;

#[cfg(feature = "train")]
pub use labelled::LabelledImages;
pub use labels::label_candidates;
pub use npy_value::{read_npy, write_npy};
pub use open::open;
pub use spec::{InputSpec, input_specs};
pub use subset::take;
pub use synthetic::{synthetic, word};

use std::ops::Range;

use crate::error::Result;
use crate::graph::Value;

/// Most bytes that a compressed file may unpack to.
const MAX_UNPACKED: usize = 1 << 30;

/// Samples, and labels where there are any. Reading a batch must not cost more memory than the batch.
pub trait Dataset: Send + Sync {
    /// What it is called where its figures appear, such as the file's name.
    fn name(&self) -> &str;
    /// Number of samples.
    fn len(&self) -> usize;
    /// Whether there are none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
    /// One array per model input, in input order, each with the samples of `range` along axis 0.
    fn batch(&self, range: Range<usize>) -> Result<Vec<Value>>;
    /// The class of each sample, if known; as many as samples.
    fn labels(&self) -> Option<&[u32]>;
}
