//! Measures what quantization did: answers against labels and against float, tensor by tensor, and latency.

mod answers;
mod constants;
mod doubts;
mod histogram;
mod latency;
mod outputs;
mod quality;
mod report;
mod scale_error;
mod tally;
mod tensors;
mod twins;

pub use latency::latency;
pub use quality::{Baseline, baseline, evaluate};
pub use report::{ChannelReport, Evaluation, Histogram, Latency, TensorKind, TensorReport};
pub use tensors::tensors;
