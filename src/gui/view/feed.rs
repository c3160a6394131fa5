//! How an application uses a file: scale and zero point of integer inputs and outputs, and the line of code for each.

use super::figures;
use super::format;
use crate::data::Preprocess;
use crate::graph::{DType, Graph, Tensor};
use crate::tflite;
use crate::workbench::not_accelerated;

/// One input or output of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Port {
    /// `Input image` or `Output scores`.
    pub title: String,
    /// `int8, 1 × 28 × 28`.
    pub kind: String,
    /// `Scale 0.00392, zero point −128`; empty for reals.
    pub quantization: String,
    /// A line of Python that makes or reads it.
    pub code: String,
    /// What that means for grey levels, where it is simple.
    pub note: Option<String>,
}

/// What an application must know of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Usage {
    /// Inputs, then outputs, at most 16.
    pub ports: Vec<Port>,
    /// `TensorFlow Lite 2.3.0 or newer`.
    pub runtime: String,
    /// What LiteRT will not accelerate, one sentence each.
    pub slow: Vec<String>,
}

/// How to use a file; `preprocess` is how images become reals, where that is known.
pub fn usage(graph: &Graph, preprocess: Option<&Preprocess>) -> Usage {
    let main = graph.main();
    let tensors = |ids: &[usize]| -> Vec<&Tensor> {
        ids.iter().filter_map(|&id| main.tensors.get(id)).collect()
    };
    let inputs = tensors(&main.inputs);
    let outputs = tensors(&main.outputs);
    let input = |t: &&Tensor| port("Input", t, true, preprocess);
    let output = |t: &&Tensor| port("Output", t, false, None);
    let ports = inputs.iter().map(input).chain(outputs.iter().map(output));
    Usage {
        ports: ports.take(16).collect(),
        runtime: match tflite::min_runtime_version(graph).as_str() {
            "" => String::new(),
            version => format!("Needs TensorFlow Lite {version} or newer"),
        },
        slow: not_accelerated(graph),
    }
}

/// Whether any input or output holds quantized integers.
pub fn has_integers(graph: &Graph) -> bool {
    let main = graph.main();
    let ids = main.inputs.iter().chain(&main.outputs);
    let mut tensors = ids.filter_map(|&id| main.tensors.get(id));
    tensors.any(|t| line_of(t).is_some())
}

/// Scale and zero point of a quantized integer tensor.
fn line_of(t: &Tensor) -> Option<(f32, i64)> {
    t.dtype.integer_range()?;
    let q = t.quantization.as_ref()?;
    Some((*q.scales.first()?, *q.zero_points.first()?))
}

fn port(what: &str, t: &Tensor, input: bool, preprocess: Option<&Preprocess>) -> Port {
    let shape = figures::shape(&t.shape);
    let kind = format!("{}, {shape}", t.dtype.name());
    let numpy = t.dtype.name();
    let (quantization, code, note) = match (line_of(t), t.dtype.integer_range()) {
        (Some((scale, zero)), Some((low, high))) => {
            let words = format!(
                "Scale {}, zero point {}",
                format::significant(scale.into()),
                figures::integer(zero)
            );
            // `+ 128`, `- 3`, or nothing.
            let plus = |n: i64| match n {
                0 => String::new(),
                1.. => format!(" + {n}"),
                _ => format!(" - {}", n.unsigned_abs()),
            };
            let code = match (input, zero) {
                (true, _) => format!(
                    "q = np.clip(np.round(x / {scale:e}){}, {low}, {high}).astype(np.{numpy})",
                    plus(zero)
                ),
                (false, 0) => format!("y = q.astype(np.float32) * {scale:e}"),
                (false, _) => format!(
                    "y = (q.astype(np.float32){}) * {scale:e}",
                    plus(zero.saturating_neg())
                ),
            };
            let note = preprocess
                .filter(|_| input)
                .and_then(|p| grey_note(p, t, scale, zero));
            (words, code, note)
        }
        _ => {
            let code = match input {
                true => format!("x = x.astype(np.{numpy})"),
                false => "y = interpreter.get_tensor(output['index'])".to_owned(),
            };
            (String::new(), code, None)
        }
    };
    Port {
        title: format!("{what} {}", t.name),
        kind,
        quantization,
        code,
        note,
    }
}

/// Where preprocessing and quantization together only shift grey levels 0..255.
fn grey_note(preprocess: &Preprocess, t: &Tensor, scale: f32, zero: i64) -> Option<String> {
    let channels = match t.shape.last() {
        Some(3) => 3,
        _ => 1,
    };
    let lines = preprocess.lines(channels).ok()?;
    let mut shift = None;
    for (mean, deviation) in lines {
        let step = 1.0 / (deviation * f64::from(scale));
        // Off by less than half a step over all grey levels.
        if (step - 1.0).abs() * 255.0 > 0.5 {
            return None;
        }
        let offset = (zero as f64 - mean * step).round() as i64;
        if shift.is_some_and(|s| s != offset) {
            return None;
        }
        shift = Some(offset);
    }
    Some(match (shift?, t.dtype) {
        (0, DType::UInt8) => "Grey levels 0 to 255 go in as they are".to_owned(),
        (0, _) => "Grey levels go in as they are".to_owned(),
        (n, _) if n < 0 => format!("That is the grey level minus {}", -n),
        (n, _) => format!("That is the grey level plus {n}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::Quantization;

    fn tensor(dtype: DType, scale: f32, zero: i64) -> Tensor {
        let mut t = Tensor::new("image", dtype, vec![1, 28, 28, 1]);
        t.quantization = Some(Quantization::per_tensor(scale, zero));
        t
    }

    #[test]
    fn integer_inputs_come_with_their_code() {
        let unit = Preprocess::default();
        let int8 = port(
            "Input",
            &tensor(DType::Int8, 1.0 / 255.0, -128),
            true,
            Some(&unit),
        );
        assert_eq!(int8.quantization, "Scale 0.00392, zero point −128");
        assert_eq!(
            int8.code,
            "q = np.clip(np.round(x / 3.921569e-3) - 128, -128, 127).astype(np.int8)"
        );
        assert_eq!(
            int8.note.as_deref(),
            Some("That is the grey level minus 128")
        );
        let uint8 = port(
            "Input",
            &tensor(DType::UInt8, 1.0 / 255.0, 0),
            true,
            Some(&unit),
        );
        assert_eq!(
            uint8.note.as_deref(),
            Some("Grey levels 0 to 255 go in as they are")
        );
        let signed = Preprocess::preset("signed");
        let other = port(
            "Input",
            &tensor(DType::UInt8, 1.0 / 255.0, 0),
            true,
            signed.as_ref(),
        );
        assert_eq!(other.note, None, "−1 to 1 has twice the steps");
    }

    #[test]
    fn outputs_are_read_back_to_reals() {
        let out = port("Output", &tensor(DType::UInt8, 0.5, 3), false, None);
        assert_eq!(out.code, "y = (q.astype(np.float32) - 3) * 5e-1");
        let real = Tensor::new("x", DType::Float32, vec![1, 4]);
        assert_eq!(port("Input", &real, true, None).quantization, "");
    }
}
