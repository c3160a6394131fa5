//! Measures what quantization did: answers against labels and against float, tensor by tensor, and latency.

mod report;

pub use report::{ChannelReport, Evaluation, Histogram, Latency, TensorKind, TensorReport};
/// Stub.
#[derive(Debug, Clone)]
pub struct Baseline;
use crate::{data::Dataset, error::Result, graph::Graph, progress::Progress};
use std::sync::Arc;
/// Stub.
pub fn baseline(_: &Arc<Graph>, _: &dyn Dataset, _: usize, _: &Progress) -> Result<Baseline> {
    crate::unsupported!("stub")
}
/// Stub.
pub fn evaluate(
    _: &Arc<Graph>,
    _: &dyn Dataset,
    _: Option<&Baseline>,
    _: usize,
    _: &Progress,
) -> Result<Evaluation> {
    crate::unsupported!("stub")
}
/// Stub.
pub fn tensors(
    _: &Arc<Graph>,
    _: &Arc<Graph>,
    _: &dyn Dataset,
    _: usize,
    _: &Progress,
) -> Result<Vec<TensorReport>> {
    crate::unsupported!("stub")
}
/// Stub.
pub fn latency(_: &Arc<Graph>, _: usize, _: f64, _: &Progress) -> Result<Latency> {
    crate::unsupported!("stub")
}
