//! Data sets: samples for calibration and evaluation, checked before any work starts.

use std::ops::Range;

use crate::error::Result;
use crate::graph::{DType, Value};

/// What a model input asks of a data set.
#[derive(Debug, Clone, PartialEq)]
pub struct InputSpec {
    /// The input's name.
    pub name: String,
    /// Its element type; data sets hand out reals as float32 whatever it is, and integers for integer inputs without scale.
    pub dtype: DType,
    /// Its shape, axis 0 the batch.
    pub shape: Vec<usize>,
    /// Scale and zero point if the input is quantized.
    pub quantization: Option<(f32, i64)>,
}

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
/// Stub.
pub mod demo {
    /// Stub.
    pub const MODEL: &[u8] = &[];
    /// Stub.
    pub const CALIBRATION: (&str, &[u8], &[u8]) = ("", &[], &[]);
    /// Stub.
    pub const TEST: (&str, &[u8], &[u8]) = ("", &[], &[]);
}
use bytes::Bytes;
use std::sync::Arc;
/// Stub.
pub fn open(
    _: &str,
    _: Bytes,
    _: Option<(String, Bytes)>,
    _: &[InputSpec],
) -> Result<Arc<dyn Dataset>> {
    crate::unsupported!("stub")
}
/// Stub.
pub fn synthetic(_: &[InputSpec], _: usize, _: u64) -> Result<Arc<dyn Dataset>> {
    crate::unsupported!("stub")
}
/// Stub.
pub fn label_candidates(_: &str) -> Vec<String> {
    vec![]
}
/// Stub.
pub fn take(d: Arc<dyn Dataset>, _: usize) -> Arc<dyn Dataset> {
    d
}
/// Stub.
pub fn input_specs(_: &crate::graph::Graph, _: usize) -> Vec<InputSpec> {
    vec![]
}
