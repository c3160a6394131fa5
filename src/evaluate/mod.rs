//! Measures what quantization did: answers against labels and against float, tensor by tensor, and latency.

mod report;

pub use report::{ChannelReport, Evaluation, Histogram, Latency, TensorKind, TensorReport};
