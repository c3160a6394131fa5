//! Bias correction: the mean error that rounding the weights leaves on each output channel, taken back by the bias.
//!
//! Rounded weights W' in place of W move output channel o by E\[W x − W' x\] = Σ (W − W') · E\[x\] on average; that is added to
//! its bias. Source: Nagel, van Baalen, Blankevoort, Welling 2019, "Data-Free Quantization Through Weight Equalization and
//! Bias Correction" (arXiv 1906.04721), section 4.2, with E\[x\] measured in calibration rather than derived from batch-norm.
//! Zeros that padding feeds count as such, each tap of a window being inside the input for its share of the output positions.

use super::constants::quantized_constant;
use super::plan::{QuantPlan, Reason};
use super::rules::{Inputs, Rule};
use crate::calibrate::Calibration;
use crate::error::Result;
use crate::graph::{DType, Graph, Node, Op, Padding, Quantization, Subgraph, Tensor, TensorId};
use crate::kernels::{Isa, Vectorized, vectorized};
use crate::progress::Progress;

/// Products that are summed between two looks at the cancel flag.
const PIECE: usize = 1 << 18;

/// One bias that takes the mean error of its weights back.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct BiasCorrection {
    /// Index of the node.
    pub node: usize,
    /// Which of its inputs is the bias.
    pub input: usize,
    /// Which holds the weights.
    pub weights: usize,
    /// Mean of each channel of the activation that the weights meet, over the calibration data.
    pub means: Vec<f32>,
}

/// Adds to `plan` a correction for every node whose weights and bias it quantizes, where calibration knows the means.
pub(super) fn decide(
    main: &Subgraph,
    rules: &[Option<Rule>],
    calibration: &Calibration,
    plan: &mut QuantPlan,
) {
    for (i, (node, rule)) in main.nodes.iter().zip(rules).enumerate() {
        let Some(Inputs::Weighted(w)) = rule.map(|r| r.inputs) else {
            continue;
        };
        let (Some(t), Some(bias)) = (node.input(w.activation), node.input(w.bias)) else {
            continue;
        };
        let seen = calibration.means.get(t).and_then(|m| m.as_deref());
        let Some(means) = seen.and_then(|m| folded(m, inputs_of(main, node, w.weights)?)) else {
            continue;
        };
        let own = plan
            .uses
            .iter_mut()
            .find(|u| (u.node, u.input) == (i, w.bias));
        match own {
            Some(own) => own.reason = Reason::CorrectedBias,
            None => plan.tensors[bias].reason = Reason::CorrectedBias,
        }
        plan.corrections.push(BiasCorrection {
            node: i,
            input: w.bias,
            weights: w.weights,
            means,
        });
    }
}

/// Channels of the activation that `node` reads, by its weights and that activation's shape; `None` if they do not fit.
fn inputs_of(main: &Subgraph, node: &Node, weights: usize) -> Option<usize> {
    let weights = &main.tensors[node.input(weights)?].shape;
    let last = |slot| main.tensors[node.input(slot)?].shape.last().copied();
    let fits = |whole: usize, part: usize| (part > 0 && whole.is_multiple_of(part)).then_some(());
    match (&node.op, &weights[..]) {
        (Op::Conv2d(_), &[outputs, _, _, each]) => {
            let channels = last(0)?;
            fits(channels, each)?;
            fits(outputs, channels / each)?;
            Some(channels)
        }
        (Op::DepthwiseConv2d(_), &[_, _, _, outputs]) => {
            let channels = last(0)?;
            fits(outputs, channels)?;
            Some(channels)
        }
        (Op::FullyConnected(_), &[_, inputs]) | (Op::TransposeConv(_), &[_, _, _, inputs]) => {
            Some(inputs)
        }
        // Only these have a bias.
        _ => None,
    }
}

/// `means` over `channels` channels: the same, or of fewer channels that repeat along them.
fn folded(means: &[f32], channels: usize) -> Option<Vec<f32>> {
    if channels == 0 || means.is_empty() || !means.len().is_multiple_of(channels) {
        return None;
    }
    let times = (means.len() / channels) as f64;
    let of = |c| {
        means
            .iter()
            .skip(c)
            .step_by(channels)
            .map(|&m| f64::from(m))
    };
    Some(
        (0..channels)
            .map(|c| (of(c).sum::<f64>() / times) as f32)
            .collect(),
    )
}

/// The bias tensor `t` of a node, corrected for the error of `stored`, its weights as they are written, and quantized. Fails if
/// plan and graph do not fit each other, and when cancelled.
pub(super) fn corrected(
    main: &Subgraph,
    correction: &BiasCorrection,
    (t, dtype, quantization): (TensorId, DType, &Quantization),
    stored: &Tensor,
    progress: &Progress,
) -> Result<Tensor> {
    let old = &main.tensors[t];
    let node = &main.nodes[correction.node];
    let errors = mean_errors(main, node, correction, stored, progress)?;
    let (Some(errors), Some(bias)) = (errors, old.f32s()) else {
        return crate::invalid!(
            "The bias {t} ({:?}) and its correction do not fit; make the plan anew.",
            old.name
        );
    };
    quantized_constant(
        t,
        &moved(old, &bias, &errors),
        dtype,
        quantization,
        progress,
    )
}

/// `quantized`, made of the main subgraph `float` by `plan`, as it computes without the corrections of the plan; `None` where a
/// node of the plan is not found in it. For comparing the two: equal constants stay double.
///
/// # Errors
/// Cancellation.
pub fn uncorrected(
    float: &Graph,
    plan: &QuantPlan,
    quantized: &Graph,
    progress: &Progress,
) -> Result<Option<Graph>> {
    let mut graph = quantized.clone();
    let (Some(main), Some(own)) = (float.subgraphs.first(), graph.subgraphs.first_mut()) else {
        return Ok(None);
    };
    // Nodes keep their order.
    let mut rest = 0..own.nodes.len();
    for correction in &plan.corrections {
        let Some(node) = main.nodes.get(correction.node) else {
            return Ok(None);
        };
        let name = |graph: &Subgraph, node: &Node| {
            let weights = graph.tensors.get(node.input(correction.weights)?)?;
            Some(weights.name.clone())
        };
        let wanted = name(main, node);
        let is_it = |n: &Node| n.op.name() == node.op.name() && name(own, n) == wanted;
        let found = rest.find(|&i| is_it(&own.nodes[i]));
        let bias = found.and_then(|i| own.nodes[i].input(correction.input));
        let (Some(t), Some(bias)) = (node.input(correction.input), bias) else {
            return Ok(None);
        };
        let (old, stored) = (&main.tensors[t], &mut own.tensors[bias]);
        let Some(q) = &stored.quantization else {
            return Ok(None);
        };
        stored.data = quantized_constant(t, old, stored.dtype, q, progress)?.data;
    }
    Ok(Some(graph))
}

/// The bias `old` with other values: its own and what is added to them.
fn moved(old: &Tensor, values: &[f32], added: &[f64]) -> Tensor {
    let sums = values.iter().zip(added).map(|(&b, e)| f64::from(b) + e);
    let bytes: Vec<u8> = sums.flat_map(|b| (b as f32).to_le_bytes()).collect();
    Tensor {
        data: Some(bytes.into()),
        ..old.clone()
    }
}

/// What the bias of node `i` of the written file `file` stands for, if it is the bias `t` of `float` corrected by the means that
/// `calibration` saw: that tensor with the correction in its values. `None` if its integers are those of `t` itself, or neither.
///
/// # Errors
/// Cancellation.
pub fn corrected_bias(
    (float, t): (&Subgraph, TensorId),
    (file, i): (&Subgraph, usize),
    calibration: &Calibration,
    progress: &Progress,
) -> Result<Option<Tensor>> {
    let Some(node) = file.nodes.get(i) else {
        return Ok(None);
    };
    let (activation, weights, input) = match node.op {
        Op::Conv2d(_) | Op::DepthwiseConv2d(_) | Op::FullyConnected(_) => (0, 1, 2),
        Op::TransposeConv(_) => (2, 1, 3),
        // Only these have a bias.
        _ => return Ok(None),
    };
    let at = |slot| file.tensors.get(node.input(slot)?);
    let (Some(stored), Some(own)) = (at(weights), at(input)) else {
        return Ok(None);
    };
    let named = |n: &&Node| {
        let same = n.input(weights).and_then(|w| float.tensors.get(w));
        n.input(input) == Some(t) && same.is_some_and(|w| w.name == stored.name)
    };
    let Some(origin) = float.nodes.iter().find(named) else {
        return Ok(None);
    };
    let seen = origin
        .input(activation)
        .and_then(|x| calibration.means.get(x)?.as_ref());
    let means = seen.and_then(|m| folded(m, inputs_of(float, origin, weights)?));
    let (Some(means), Some(bias)) = (means, float.tensors[t].f32s()) else {
        return Ok(None);
    };
    let correction = BiasCorrection {
        node: i,
        input,
        weights,
        means,
    };
    let Some(errors) = mean_errors(float, origin, &correction, stored, progress)? else {
        return Ok(None);
    };
    let target = moved(&float.tensors[t], &bias, &errors);
    let is = |old: &Tensor| -> Result<bool> {
        let Some(q) = &own.quantization else {
            return Ok(false);
        };
        Ok(quantized_constant(t, old, own.dtype, q, progress)?.data == own.data)
    };
    let corrected = !is(&float.tensors[t])? && is(&target)?;
    Ok(corrected.then_some(target))
}

/// E\[W x − W' x\] of each output channel; `None` if plan and graph do not fit each other.
fn mean_errors(
    main: &Subgraph,
    node: &Node,
    correction: &BiasCorrection,
    stored: &Tensor,
    progress: &Progress,
) -> Result<Option<Vec<f64>>> {
    let float = node.input(correction.weights).map(|t| &main.tensors[t]);
    let (Some(float), Some(quantization)) = (float, &stored.quantization) else {
        return Ok(None);
    };
    let (Some(weights), Some(bytes)) = (float.f32s(), &stored.data) else {
        return Ok(None);
    };
    let means = &correction.means;
    let shape = &float.shape[..];
    let depthwise = matches!(node.op, Op::DepthwiseConv2d(_));
    let (outputs, inputs) = match *shape {
        [1, _, _, outputs] if depthwise => (outputs, 1),
        [outputs, _, _, inputs] | [outputs, inputs] => (outputs, inputs),
        _ => return Ok(None),
    };
    let scales = &quantization.scales;
    let fits = weights.len() == bytes.len()
        && inputs_of(main, node, correction.weights) == Some(means.len())
        && (scales.len() == 1 || scales.len() == outputs);
    if !fits || weights.is_empty() {
        return Ok(None);
    }
    let shares = shares(main, node, shape);
    // Depthwise weights have the channel last: tap by tap a weight a channel; all others channel by channel, tap by tap.
    let groups = (means.len() / inputs).max(1);
    let mut errors = vec![0f64; outputs];
    let mut since_check = 0;
    let isa = Isa::chosen();
    let runs = weights.chunks_exact(inputs).zip(bytes.chunks_exact(inputs));
    for (run, (reals, integers)) in runs.enumerate() {
        since_check += inputs;
        if since_check >= PIECE {
            progress.check()?;
            since_check = 0;
        }
        let (output, tap) = match depthwise {
            true => (run % outputs, run / outputs),
            false => (run / shares.len(), run % shares.len()),
        };
        let scale = f64::from(scales[output % scales.len()]);
        let first = output / (outputs / groups).max(1) * inputs;
        let (Some(means), Some(share)) = (means.get(first..first + inputs), shares.get(tap)) else {
            return Ok(None);
        };
        let mut error = 0.0;
        let run = MeanError {
            reals,
            integers,
            means,
            scale,
            out: &mut error,
        };
        vectorized(isa, run);
        errors[output] += share * error;
    }
    Ok(Some(errors))
}

/// Σ (w − `scale` · q) · mean.
struct MeanError<'a> {
    reals: &'a [f32],
    integers: &'a [u8],
    means: &'a [f32],
    scale: f64,
    out: &'a mut f64,
}

impl Vectorized for MeanError<'_> {
    #[inline(always)]
    fn run(self) {
        /// Sums side by side, which makes vectors of them.
        const LANES: usize = 16;
        let one = |w: f32, q: u8, mean: f32| {
            (f64::from(w) - self.scale * f64::from(q as i8)) * f64::from(mean)
        };
        let (w, w_rest) = self.reals.as_chunks::<LANES>();
        let (q, q_rest) = self.integers.as_chunks::<LANES>();
        let (m, m_rest) = self.means.as_chunks::<LANES>();
        let mut sums = [0f64; LANES];
        for ((w, q), m) in w.iter().zip(q).zip(m) {
            for j in 0..LANES {
                sums[j] += one(w[j], q[j], m[j]);
            }
        }
        let rest = w_rest.iter().zip(q_rest).zip(m_rest);
        let rest: f64 = rest.map(|((&w, &q), &m)| one(w, q, m)).sum();
        *self.out = sums.into_iter().sum::<f64>() + rest;
    }
}

/// For each tap of a window, row by row, the share of output positions at which it meets the input.
fn shares(main: &Subgraph, node: &Node, weights: &[usize]) -> Vec<f64> {
    let extent = |t: Option<TensorId>, axis: usize| {
        let tensor = &main.tensors[t?];
        let signature = tensor.shape_signature.as_ref();
        let known = signature.is_none_or(|s| s.get(axis).is_none_or(|&d| d >= 0));
        let extent = tensor.shape.get(axis).copied();
        extent.filter(|&n| known && n > 0)
    };
    let along = |axis: usize| -> Vec<f64> {
        let taps = weights.get(axis).copied().unwrap_or(1);
        let (input, output) = (node.input(0), node.outputs.first().copied());
        let option = |values: &[i32; 2]| values.get(axis - 1).map_or(1, |&v| v.max(1) as usize);
        match &node.op {
            Op::Conv2d(o) => {
                let steps = (option(&o.stride), option(&o.dilation));
                reached(o.padding, extent(input, axis), taps, steps)
            }
            Op::DepthwiseConv2d(o) => {
                let steps = (option(&o.stride), option(&o.dilation));
                reached(o.padding, extent(input, axis), taps, steps)
            }
            // A convolution the other way round: each input position meets each tap once, unless that falls outside.
            Op::TransposeConv(o) => match (extent(node.input(2), axis), extent(output, axis)) {
                (Some(from), Some(to)) => {
                    let inside = reached(o.padding, Some(to), taps, (option(&o.stride), 1));
                    let times = from as f64 / to as f64;
                    inside.iter().map(|share| share * times).collect()
                }
                _ => vec![1.0 / option(&o.stride) as f64; taps],
            },
            // Only these have windows.
            _ => vec![1.0; taps],
        }
    };
    if weights.len() < 4 {
        return vec![1.0];
    }
    let (rows, columns) = (along(1), along(2));
    let each = rows.iter().flat_map(|r| columns.iter().map(move |c| r * c));
    each.collect()
}

/// [`shares`] along one axis; without padding or where the extent is not known each tap always meets the input.
fn reached(
    padding: Padding,
    input: Option<usize>,
    taps: usize,
    (stride, dilation): (usize, usize),
) -> Vec<f64> {
    let (Padding::Same, Some(input @ 1..)) = (padding, input) else {
        return vec![1.0; taps];
    };
    let outputs = input.div_ceil(stride);
    let reach = taps
        .saturating_sub(1)
        .saturating_mul(dilation)
        .saturating_add(1);
    let covered = (outputs - 1).saturating_mul(stride).saturating_add(reach);
    let pad = covered.saturating_sub(input) / 2;
    (0..taps)
        .map(|tap| {
            // Output o reads o · stride + at − pad, which lies in 0..input for `first` ≤ o < `end`.
            let at = tap.saturating_mul(dilation);
            let first = pad.saturating_sub(at).div_ceil(stride);
            let end = input
                .saturating_add(pad)
                .saturating_sub(at)
                .div_ceil(stride)
                .min(outputs);
            end.saturating_sub(first) as f64 / outputs as f64
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn taps_meet_padding_at_the_border() {
        let share = |input, taps, stride, dilation| {
            reached(Padding::Same, Some(input), taps, (stride, dilation))
        };
        assert_eq!(share(4, 3, 1, 1), [0.75, 1.0, 0.75]);
        // 4 columns, stride 2: the padding is behind.
        assert_eq!(share(4, 3, 2, 1), [1.0, 1.0, 0.5]);
        assert_eq!(share(5, 3, 2, 1), [2.0 / 3.0, 1.0, 2.0 / 3.0]);
        assert_eq!(share(4, 3, 1, 2), [0.5, 1.0, 0.5]);
        assert_eq!(share(1, 5, 1, 1), [0.0, 0.0, 1.0, 0.0, 0.0]);
        assert_eq!(share(7, 1, 1, 1), [1.0]);
        assert_eq!(reached(Padding::Valid, Some(4), 2, (1, 1)), [1.0, 1.0]);
        assert_eq!(reached(Padding::Same, None, 2, (1, 1)), [1.0, 1.0]);
        // Nonsense sizes stay finite.
        assert_eq!(share(usize::MAX, 1, 1, usize::MAX), [1.0]);
    }

    #[test]
    fn means_that_repeat_along_channels_are_averaged() {
        assert_eq!(folded(&[1.0, 2.0, 3.0, 6.0], 2), Some(vec![2.0, 4.0]));
        assert_eq!(folded(&[1.0, 2.0], 2), Some(vec![1.0, 2.0]));
        assert_eq!(folded(&[1.0, 2.0, 3.0], 2), None);
        assert_eq!(folded(&[], 1), None);
        assert_eq!(folded(&[1.0], 0), None);
    }
}
