//! What the inputs of a model ask of a data set.

use crate::graph::{DType, Graph, Tensor};

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
