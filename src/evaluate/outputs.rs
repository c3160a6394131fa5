//! Outputs of a model as reals, sample by sample.

use crate::error::Result;
use crate::graph::{DType, Data, Graph, Tensor, Value};
use crate::{invalid, malformed, unsupported};

/// One output of a model and how its values are read.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Output {
    pub(super) name: String,
    /// Scale and zero point where it is quantized.
    quantization: Option<(f32, i64)>,
    /// Whether its values stand for reals; SQNR counts only such outputs.
    pub(super) real: bool,
    /// Classes, if it looks like a classifier's answer: one axis of two or more elements a sample.
    pub(super) classes: Option<usize>,
}

/// The outputs of the main subgraph.
pub(super) fn outputs(graph: &Graph) -> Result<Vec<Output>> {
    let main = graph.main();
    if main.outputs.is_empty() {
        return invalid!("The model has no outputs to evaluate");
    }
    let mut all = vec![];
    for &id in &main.outputs {
        let Some(tensor) = main.tensors.get(id) else {
            return malformed!("Output tensor {id} does not exist");
        };
        all.push(output(tensor));
    }
    Ok(all)
}

fn output(tensor: &Tensor) -> Output {
    let scales = tensor.quantization.as_ref();
    let quantization = tensor.dtype.integer_range().and_then(|_| {
        let q = scales?;
        Some((*q.scales.first()?, *q.zero_points.first()?))
    });
    let real = matches!(tensor.dtype, DType::Float32 | DType::Float16) || quantization.is_some();
    let axes: Vec<usize> = tensor
        .shape
        .iter()
        .skip(1)
        .copied()
        .filter(|&d| d != 1)
        .collect();
    Output {
        name: tensor.name.clone(),
        quantization,
        real,
        classes: match axes.as_slice() {
            [classes] if real && *classes >= 2 => Some(*classes),
            _ => None,
        },
    }
}

/// The values of one output for the first `samples` samples as float32, samples in order; integers dequantized by
/// (q − zero point) · scale. `samples` must be at least 1.
pub(super) fn reals(output: &Output, value: &Value, samples: usize) -> Result<Vec<f32>> {
    let (scale, zero_point) = output.quantization.unwrap_or((1.0, 0));
    let real = |q: i64| (q - zero_point) as f32 * scale;
    let mut values: Vec<f32> = match &value.data {
        Data::F32(x) => x.clone(),
        Data::F16(x) => x.iter().map(|x| x.to_f32()).collect(),
        Data::I8(x) => x.iter().map(|&q| real(q.into())).collect(),
        Data::U8(x) => x.iter().map(|&q| real(q.into())).collect(),
        Data::I16(x) => x.iter().map(|&q| real(q.into())).collect(),
        Data::I32(x) => x.iter().map(|&q| real(q.into())).collect(),
        Data::I64(x) => x.iter().map(|&q| q as f32).collect(),
        Data::F64(_) | Data::U16(_) | Data::U32(_) | Data::U64(_) | Data::Bool(_) => {
            return unsupported!(
                "Output '{}' is {}, which cannot be evaluated",
                output.name,
                value.dtype()
            );
        }
    };
    // A graph whose batch is fixed may give more rows than there are samples.
    let rows = value.shape.first().copied().unwrap_or(1);
    if rows > samples && rows > 0 && values.len().is_multiple_of(rows) {
        values.truncate(values.len() / rows * samples);
    }
    if values.is_empty() || !values.len().is_multiple_of(samples) {
        return unsupported!(
            "Output '{}' has the shape {:?} for {samples} samples: its first axis is not the samples",
            output.name,
            value.shape
        );
    }
    Ok(values)
}

/// Sums behind a signal to quantization noise ratio.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Noise {
    signal: f64,
    noise: f64,
}

impl Noise {
    /// Adds one value and what became of it.
    pub(super) fn add(&mut self, x: f64, copy: f64) {
        self.signal += x * x;
        self.noise += (x - copy) * (x - copy);
    }

    /// Adds what another has summed.
    pub(super) fn join(&mut self, other: Noise) {
        self.signal += other.signal;
        self.noise += other.noise;
    }

    /// 10 · log10(Σx² / Σ(x − x')²), dB; infinite without noise, `None` for noise without signal, where no ratio says anything.
    pub(super) fn db(self) -> Option<f64> {
        if self.noise == 0.0 {
            Some(f64::INFINITY)
        } else if self.signal == 0.0 {
            None
        } else {
            Some(10.0 * (self.signal / self.noise).log10())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sqnr_by_hand() {
        let mut noise = Noise::default();
        noise.add(3.0, 3.0);
        assert_eq!(noise.db(), Some(f64::INFINITY));
        noise.add(1.0, 0.9);
        noise.add(0.0, 0.0);
        let db = noise.db().unwrap();
        assert!((db - 30.0).abs() < 1e-9, "{db}");
        let mut silent = Noise::default();
        silent.add(0.0, 0.1);
        assert_eq!(silent.db(), None);
    }

    #[test]
    fn integers_become_reals_and_surplus_rows_go() {
        let mut tensor = Tensor::new("y", DType::Int8, vec![1, 2]);
        tensor.quantization = Some(crate::graph::Quantization::per_tensor(0.5, -1));
        let output = output(&tensor);
        assert_eq!(output.classes, Some(2));
        let value = Value::new(vec![2, 2], Data::I8(vec![-1, 0, 1, 127])).unwrap();
        assert_eq!(reals(&output, &value, 2).unwrap(), [0.0, 0.5, 1.0, 64.0]);
        assert_eq!(reals(&output, &value, 1).unwrap(), [0.0, 0.5]);
        let odd = Value::new(vec![3, 1], Data::I8(vec![0; 3])).unwrap();
        assert!(reals(&output, &odd, 5).is_err());
    }
}
