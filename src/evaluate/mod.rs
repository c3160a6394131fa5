//! Measures what quantization did: answers against labels and against float, tensor by tensor, and latency.

mod against;
mod answers;
mod constants;
mod difference;
mod doubts;
mod histogram;
mod latency;
mod outputs;
mod probe;
mod profile;
mod quality;
mod report;
mod scale_error;
mod single;
mod tally;
mod tensors;
mod twins;

pub use against::{Contrast, against};
pub use answers::paired_delta;
pub use difference::{Difference, difference};
pub use latency::{LEAST_RUNS, MOST_RUNS, WARM_UP_RUNS, latency, latency_inputs, latency_of};
pub use probe::probe_sqnr;
pub use profile::{OperatorTime, Profile, profile};
pub use quality::{Baseline, Runner, SideBySide, baseline, evaluate, evaluate_with, own_runner};
pub use report::{
    ChannelReport, Evaluation, Histogram, Latency, Outputs, TensorKind, TensorReport,
};
pub use single::{Answer, Single};
pub use tensors::tensors;
