//! The figures, as plain data that JSON, tables and plots read.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::graph::TensorId;

/// Quality of one file over a data set.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Evaluation {
    /// Samples evaluated.
    pub samples: usize,
    /// Share of samples whose best answer is the label; `None` without labels.
    pub top1: Option<f64>,
    /// Share of samples whose label is among the five best answers; `None` without labels or with fewer than five classes.
    pub top5: Option<f64>,
    /// Share of samples on which the best answer is the float model's; `None` for the float model itself.
    pub agreement: Option<f64>,
    /// Signal to quantization noise over all outputs against the float model's, dB; `None` for the float model itself,
    /// infinite if equal.
    pub sqnr_db: Option<f64>,
    /// Δ top-1 to the float model with its 95 % paired interval (low, high); `None` without labels or for the float model.
    pub delta_interval: Option<(f64, f64)>,
    /// Time the evaluation took.
    pub seconds: f64,
    /// Best answer per sample (index of the largest output element, the first on a tie).
    #[serde(skip)]
    pub answers: Vec<u32>,
    /// What looks wrong with the labels or the data, one sentence each: classes in another order, far fewer right answers than by chance.
    pub warnings: Vec<String>,
    /// Margin of each answer: the best minus the second-best softmax score, 0..1; 0 for a tie.
    #[serde(skip)]
    pub margins: Vec<f32>,
    /// What the file put out, for the comparison with another than the float model; `None` where that is not known any more.
    #[serde(skip)]
    pub outputs: Option<Arc<Outputs>>,
}

/// The real outputs of a file over a data set.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Outputs {
    /// Elements a sample of each output.
    pub sizes: Vec<usize>,
    /// The values of each output, sample by sample; `None` beyond [`Outputs::MOST_KEPT`].
    pub values: Option<Vec<Vec<f32>>>,
}

/// Latency of single runs at the model's default shape.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Latency {
    /// Fastest run, ms.
    pub min_ms: f64,
    /// Median, ms.
    pub median_ms: f64,
    /// 95 % of runs were at least this fast, ms.
    pub p95_ms: f64,
    /// Threads used.
    pub threads: usize,
    /// Runs timed.
    pub runs: usize,
}

/// Counts over equal bins.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Histogram {
    /// Left edge of the first bin.
    pub start: f64,
    /// Width of each bin.
    pub step: f64,
    /// Values in each bin.
    pub counts: Vec<u64>,
}

/// What a quantized tensor is in the network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TensorKind {
    /// A weight of a convolution or matrix product, or another constant operand.
    Weights,
    /// A bias.
    Bias,
    /// What an operator computes, or a model input.
    Activation,
}

/// What quantization did to one tensor of a written file (design, section 6, has the words).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TensorReport {
    /// Tensor of the quantized file's main subgraph.
    pub tensor: TensorId,
    /// Its name.
    pub name: String,
    /// Operator that makes it (activations) or uses it (constants), such as `CONV_2D`; `INPUT` for model inputs.
    pub op: String,
    /// Index of that operator in the quantized file, if any.
    pub node: Option<usize>,
    /// What it is.
    pub kind: TensorKind,
    /// Its type, as users see it.
    pub dtype: String,
    /// Its shape.
    pub shape: Vec<usize>,
    /// Smallest and largest float value seen.
    pub range: (f32, f32),
    /// Largest scale (the only one when per tensor).
    pub scale: f32,
    /// Zero point (of the first channel).
    pub zero_point: i64,
    /// Smallest and largest integer the type allows here.
    pub q_range: (i64, i64),
    /// log2(s / s*); the worst channel's when per channel. `None` where it means nothing (bias, constant zero).
    pub scale_error: Option<f64>,
    /// Steps between the zero point and the real-valued one; `None` for symmetric tensors.
    pub zero_point_error: Option<f64>,
    /// Share of float values outside the representable range.
    pub clipped: f64,
    /// SQNR of this tensor quantized alone, dB.
    pub sqnr_local_db: Option<f64>,
    /// SQNR of float model against quantized model at this tensor, dB.
    pub sqnr_cumulative_db: Option<f64>,
    /// Float values.
    pub values: Histogram,
    /// The same values after quantize and dequantize, same bins.
    pub dequantized: Histogram,
    /// (x − x')/s.
    pub step_error: Histogram,
    /// Root mean square of the step error; 0.289 is ideal.
    pub step_rms: f64,
    /// One per channel when there is more than one scale.
    pub channels: Vec<ChannelReport>,
}

/// One channel of a per-channel tensor.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ChannelReport {
    /// Its scale.
    pub scale: f32,
    /// log2(s / s*); `None` for a dead channel.
    pub scale_error: Option<f64>,
    /// SQNR of the channel, dB; `None` for a dead channel.
    pub sqnr_db: Option<f64>,
}
