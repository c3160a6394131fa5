//! What the inputs of a model ask of a data set.

use super::words::extents;
use crate::error::Result;
use crate::graph::{DType, Graph, Tensor};
use crate::invalid;

/// What a model input asks of a data set.
#[derive(Debug, Clone, PartialEq)]
pub struct InputSpec {
    /// The input's name.
    pub name: String,
    /// Its element type; data sets hand out reals as float32 whatever it is, and integers for integer inputs without scale.
    pub dtype: DType,
    /// Its shape, axis 0 the batch.
    pub shape: Vec<usize>,
    /// What the model leaves open of its shape.
    pub open: Open,
    /// Scale and zero point if the input is quantized.
    pub quantization: Option<(f32, i64)>,
}

/// What a model leaves open of an input's shape, the batch (axis 0) aside.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Open {
    /// Nothing.
    #[default]
    None,
    /// The extents of these axes, ascending, none of them 0.
    Axes(Vec<usize>),
    /// Even how many axes there are.
    Rank,
}

impl Open {
    /// What the tensor of an input leaves open.
    pub fn of(tensor: &Tensor) -> Self {
        let signature = tensor.shape_signature.as_deref().unwrap_or_default();
        let axes = signature.iter().enumerate().skip(1);
        let axes: Vec<usize> = axes.filter(|(_, d)| **d < 0).map(|(i, _)| i).collect();
        if !axes.is_empty() && signature.len() == tensor.shape.len() {
            Open::Axes(axes)
        } else if !tensor.has_rank && tensor.shape.is_empty() {
            Open::Rank
        } else {
            Open::None
        }
    }
}

impl InputSpec {
    /// Whether it takes reals (as float32) rather than plain integers or booleans.
    pub fn is_real(&self) -> bool {
        match self.dtype {
            DType::Float32 | DType::Float16 | DType::BFloat16 | DType::Float64 => true,
            _ => self.quantization.is_some(),
        }
    }

    /// Shape of one sample: its shape without the batch axis.
    pub fn sample_shape(&self) -> &[usize] {
        self.shape.get(1..).unwrap_or(&[])
    }

    /// The name that the model's author gave: `x` where TensorFlow's converter made `serving_default_x:0` of it.
    pub fn short_name(&self) -> &str {
        let Some(name) = self.name.strip_prefix("serving_default_") else {
            return &self.name;
        };
        match name.rsplit_once(':') {
            Some((short, port)) if port.bytes().all(|b| b.is_ascii_digit()) => short,
            _ => name,
        }
    }

    /// Whether data means this input, number `index` of the model, by `name`: its name, its short name or `input_<index>`.
    pub fn is_called(&self, name: &str, index: usize) -> bool {
        let numbered = || name.strip_prefix("input_")?.parse().ok();
        name == self.name || name == self.short_name() || numbered() == Some(index)
    }

    /// The whole shape that this input takes for samples of the given extents, its batch as it stands: open axes have the
    /// samples' extents. Extents of 1 that the model fixes may be missing in the samples. `what` names the data in messages.
    ///
    /// # Errors
    /// Samples that the fixed axes do not take.
    pub fn shape_for(&self, what: &str, sample: &[usize]) -> Result<Vec<usize>> {
        let batch = self.shape.first().copied().unwrap_or(1);
        let open = match &self.open {
            Open::None => return Ok(self.shape.clone()),
            Open::Rank => return Ok([&[1], sample].concat()),
            Open::Axes(axes) => axes,
        };
        let own = self.sample_shape();
        let is_open = |axis: usize| open.contains(&(axis + 1));
        let ones = own.len()
            - (0..own.len())
                .filter(|&a| own[a] != 1 || is_open(a))
                .count();
        let skips = sample.len() != own.len() && sample.len() + ones == own.len();
        let mut extents_left = sample.iter();
        let mut shape = vec![batch];
        for (axis, &extent) in own.iter().enumerate() {
            let skip = skips && extent == 1 && !is_open(axis);
            match if skip { Some(&1) } else { extents_left.next() } {
                Some(&given) if (is_open(axis) && given > 0) || given == extent => {
                    shape.push(given);
                }
                _ => break,
            }
        }
        if shape.len() == self.shape.len() && extents_left.next().is_none() {
            return Ok(shape);
        }
        invalid!(
            "{what}: samples are {}, the model takes {}",
            extents(sample),
            self.sample_text()
        )
    }

    /// The shape of one sample in words, open axes as `?`: `? × ? × 3`.
    pub fn sample_text(&self) -> String {
        let open = match &self.open {
            Open::None => return extents(self.sample_shape()),
            Open::Rank => return "any shape".into(),
            Open::Axes(axes) => axes,
        };
        let own = self.sample_shape().iter().enumerate();
        let own = own.map(|(axis, d)| match open.contains(&(axis + 1)) {
            true => "?".to_owned(),
            false => d.to_string(),
        });
        own.collect::<Vec<_>>().join(" × ")
    }
}

/// The inputs of one subgraph, in order; none if there is no such subgraph.
pub fn input_specs(graph: &Graph, subgraph: usize) -> Vec<InputSpec> {
    let Some(subgraph) = graph.subgraphs.get(subgraph) else {
        return vec![];
    };
    let tensors = subgraph
        .inputs
        .iter()
        .filter_map(|&id| subgraph.tensors.get(id));
    tensors
        .map(|tensor| InputSpec {
            name: tensor.name.clone(),
            dtype: tensor.dtype,
            shape: tensor.shape.clone(),
            open: Open::of(tensor),
            quantization: tensor.dtype.integer_range().and_then(|_| {
                let q = tensor.quantization.as_ref()?;
                Some((*q.scales.first()?, *q.zero_points.first()?))
            }),
        })
        .collect()
}

/// Classes that a model tells apart: of the first output of one subgraph that looks like a classifier's answer.
pub fn classes(graph: &Graph, subgraph: usize) -> Option<usize> {
    let subgraph = graph.subgraphs.get(subgraph)?;
    let outputs = subgraph.outputs.iter();
    outputs
        .filter_map(|&id| subgraph.tensors.get(id))
        .find_map(classes_of)
}

/// Classes of an output, if it looks like a classifier's answer: reals with one axis of two or more elements a sample.
pub fn classes_of(output: &Tensor) -> Option<usize> {
    let scaled = output
        .quantization
        .as_ref()
        .is_some_and(|q| !q.scales.is_empty());
    let real = match output.dtype {
        DType::Float32 | DType::Float16 => true,
        dtype => scaled && dtype.integer_range().is_some(),
    };
    let mut axes = output.shape.iter().skip(1).filter(|&&d| d != 1);
    match (axes.next(), axes.next()) {
        (Some(&classes), None) if real && classes >= 2 => Some(classes),
        _ => None,
    }
}
