//! Which preprocessing a model asks for, where it says so, and whether what it is fed looks like that.

use serde::{Deserialize, Serialize};

use super::preprocess::{Preprocess, Scale};
use super::preview::ValueRange;
use super::spec::input_specs;
use crate::graph::{Graph, Node, Op, Subgraph};

/// Who said how files become inputs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum GuessedFrom {
    /// Nobody: the default, or data that needs none.
    #[default]
    Nobody,
    /// The user.
    User,
    /// The model's metadata (NormalizationOptions).
    Metadata,
    /// The operators that the model begins with, which scale its input themselves.
    Layers,
    /// The range of the model's quantized input, or its type.
    InputRange,
}

impl std::fmt::Display for GuessedFrom {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            GuessedFrom::Nobody => "the default",
            GuessedFrom::User => "as chosen",
            GuessedFrom::Metadata => "by the model's metadata",
            GuessedFrom::Layers => "by the model's first layers",
            GuessedFrom::InputRange => "by the model's input",
        })
    }
}

/// The preprocessing that a model asks for, and where it says so; the defaults and [`GuessedFrom::Nobody`] where it says nothing.
///
/// `normalization` is the mean and deviation of its metadata. Else a model whose first operators shrink its input (MUL, ADD, SUB, DIV
/// by constants, or first weights so small that 0..1 would not move them: a Rescaling layer that was folded in) takes `raw`
/// grey levels; one that spreads its input takes `unit`. Else the range of a quantized input decides, where it is that of a
/// preset: a uint8 input of scale 1/128 and zero point 128 spans −1..1, is fed `signed` reals, and quantizing them gives back the file's
/// bytes. An integer input without scale takes `raw`.
pub fn guess(
    graph: &Graph,
    normalization: Option<&(Vec<f64>, Vec<f64>)>,
) -> (Preprocess, GuessedFrom) {
    let scaled = |scale| Preprocess {
        scale,
        ..Preprocess::default()
    };
    let specs = input_specs(graph, 0);
    let Some(spec) = specs.first() else {
        return Default::default();
    };
    if !spec.is_real() {
        return (scaled(Scale::Raw), GuessedFrom::InputRange);
    }
    if let Some(scale) = normalization.and_then(|(mean, deviation)| named(mean, deviation)) {
        return (scaled(scale), GuessedFrom::Metadata);
    }
    if let Some(scale) = graph.subgraphs.first().and_then(first_layers) {
        return (scaled(scale), GuessedFrom::Layers);
    }
    let range = spec.quantization.and_then(|(scale, zero_point)| {
        let (low, high) = spec.dtype.integer_range()?;
        let real = |q: i64| (q - zero_point) as f64 * f64::from(scale);
        by_range(real(low), real(high))
    });
    match range {
        Some(scale) => (scaled(scale), GuessedFrom::InputRange),
        None => Default::default(),
    }
}

/// The preset of a mean and deviation, or those themselves; `None` for figures that cannot be meant.
fn named(mean: &[f64], deviation: &[f64]) -> Option<Scale> {
    let sound = |x: &[f64]| !x.is_empty() && x.iter().all(|x| x.is_finite() && x.abs() < 1e6);
    if !sound(mean) || !sound(deviation) || deviation.iter().any(|&d| d < 1e-6) {
        return None;
    }
    let near = |a: f64, b: f64| (a - b).abs() <= 0.6;
    let all =
        |m: f64, d: f64| mean.iter().all(|&x| near(x, m)) && deviation.iter().all(|&x| near(x, d));
    Some(if all(127.5, 127.5) {
        Scale::Signed
    } else if all(0.0, 255.0) {
        Scale::Unit
    } else if all(0.0, 1.0) && deviation.iter().all(|&d| d > 0.9) {
        Scale::Raw
    } else {
        Scale::Own {
            mean: mean.to_vec(),
            deviation: deviation.to_vec(),
        }
    })
}

/// The preset whose values span what a quantized input spans, within 4 %.
fn by_range(low: f64, high: f64) -> Option<Scale> {
    let spans = [
        (Scale::Unit, 0.0, 1.0),
        (Scale::Signed, -1.0, 1.0),
        (Scale::Raw, 0.0, 255.0),
        (Scale::Imagenet, -2.118, 2.64),
    ];
    let close = |&(_, l, h): &(Scale, f64, f64)| {
        let slack = (h - l) * 0.04;
        (low - l).abs() <= slack && (high - h).abs() <= slack
    };
    spans.into_iter().find(close).map(|(scale, ..)| scale)
}

/// What the first operators say of the values that a model takes.
fn first_layers(graph: &Subgraph) -> Option<Scale> {
    let mut tensor = *graph.inputs.first()?;
    // What became of the input so far: factor · x + offset, the largest over the channels.
    let (mut factor, mut offset, mut steps) = (1f64, 0f64, 0);
    loop {
        let mut readers = graph
            .nodes
            .iter()
            .filter(|n| n.inputs.contains(&Some(tensor)));
        let (node, more) = (readers.next()?, readers.next());
        if more.is_some() || steps > 8 {
            break;
        }
        let constant = |i: usize| {
            let values = graph.tensors.get(node.input(i)?)?.f32s()?;
            let size = |x: &f32| f64::from(x.abs());
            (!values.is_empty()).then(|| values.iter().map(size).fold(0.0, f64::max))
        };
        // The other input of a commutative operator.
        let other = || constant(usize::from(node.input(0) == Some(tensor)));
        match &node.op {
            Op::Quantize | Op::Dequantize | Op::Cast { .. } => {}
            Op::Mul { .. } => {
                let by = other()?;
                (factor, offset) = (factor * by, offset * by);
            }
            Op::Div { .. } if node.input(0) == Some(tensor) => {
                let by = constant(1).filter(|&x| x > 0.0)?;
                (factor, offset) = (factor / by, offset / by);
            }
            Op::Add { .. } => offset = offset.max(other()?),
            Op::Sub { .. } if node.input(0) == Some(tensor) => offset = offset.max(constant(1)?),
            _ => {
                if steps == 0 {
                    return folded(graph, node);
                }
                break;
            }
        }
        if !matches!(node.op, Op::Quantize | Op::Dequantize | Op::Cast { .. }) {
            steps += 1;
        }
        tensor = *node.outputs.first()?;
    }
    if steps == 0 {
        return None;
    }
    // 1/255 and 1/127.5 shrink grey levels; a mean in grey levels is far above any other.
    if factor <= 0.1 || offset >= 20.0 {
        Some(Scale::Raw)
    } else if (1.2..=20.0).contains(&factor) {
        Some(Scale::Unit)
    } else {
        None
    }
}

/// `raw` if the weights of the first convolution are so small that no output would reach ½ on values of 0..1.
fn folded(graph: &Subgraph, node: &Node) -> Option<Scale> {
    if !matches!(node.op, Op::Conv2d(_)) {
        return None;
    }
    let weights = graph.tensors.get(node.input(1)?)?;
    let outputs = *weights.shape.first()?;
    let values = weights.f32s().filter(|v| !v.is_empty() && outputs > 0)?;
    let sums = values.chunks(values.len() / outputs.min(values.len()));
    let reach = sums.map(|c| c.iter().map(|w| w.abs()).sum::<f32>());
    let reach = reach.fold(0.0, f32::max);
    (reach > 0.0 && reach < 0.5).then_some(Scale::Raw)
}

/// What is odd about the values that a model is fed, one sentence each. `asked` is what the model asks for, `preprocess` how files became
/// inputs (`None` for data in the model's shape), `values` what a few samples hold.
pub fn range_warnings(
    asked: &(Preprocess, GuessedFrom),
    preprocess: Option<&Preprocess>,
    channels: usize,
    values: ValueRange,
) -> Vec<String> {
    let (wanted, from) = asked;
    let span = |p: &Preprocess| {
        let lines = p.lines(channels).ok()?;
        let ends = |level: f64| lines.iter().map(move |(m, d)| (level - m) / d);
        let low = ends(0.0).fold(f64::INFINITY, f64::min);
        Some((low, ends(255.0).fold(f64::NEG_INFINITY, f64::max)))
    };
    let Some((low, high)) = span(wanted).filter(|_| *from != GuessedFrom::Nobody) else {
        return vec![];
    };
    let width = high - low;
    let source = from.to_string();
    let source = source.trim_start_matches("by ");
    let asks = format!(
        "{source} asks for {} to {} ({})",
        short(low),
        short(high),
        wanted.scale_name()
    );
    match preprocess.map(span) {
        Some(Some((l, h))) => {
            if (l - low).abs().max((h - high).abs()) <= 0.2 * width {
                return vec![];
            }
            vec![format!(
                "The preprocessing gives values from {} to {}, {asks}",
                short(l),
                short(h)
            )]
        }
        Some(None) => vec![],
        None => {
            let (l, h) = (f64::from(values.min), f64::from(values.max));
            let outside = l < low - 0.5 * width || h > high + 0.5 * width;
            let narrow = h - l < 0.05 * width;
            if !outside && !narrow {
                return vec![];
            }
            vec![format!(
                "The data holds values from {} to {}, {asks}",
                short(l),
                short(h)
            )]
        }
    }
}

/// A few digits, no zeros behind them.
fn short(x: f64) -> String {
    let text = format!("{x:.3}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    match text {
        "-0" | "" => "0".into(),
        text => text.replace('-', "−"),
    }
}
