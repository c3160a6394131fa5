//! Random samples for a model without data: they say something of size and latency, nothing of accuracy.

use std::ops::Range;
use std::sync::Arc;

use super::random::word;
use super::{Dataset, InputSpec};
use crate::error::Result;
use crate::graph::{DType, Data, Value};
use crate::{invalid, unsupported};

struct Synthetic {
    specs: Vec<InputSpec>,
    samples: usize,
    seed: u64,
}

/// Uniform random reals in 0..1 (integers without scale: 0 or 1), the same for the same seed whatever the batches. Carries
/// no labels; its name says that it is synthetic.
///
/// # Errors
/// No samples, or an input whose type or shape cannot be filled.
pub fn synthetic(specs: &[InputSpec], samples: usize, seed: u64) -> Result<Arc<dyn Dataset>> {
    if samples == 0 {
        return invalid!("No samples were asked for; at least 1 is needed");
    }
    for spec in specs {
        let size = spec
            .sample_shape()
            .iter()
            .try_fold(1usize, |n, &d| n.checked_mul(d));
        if size.is_none_or(|n| n == 0 || n.checked_mul(samples).is_none()) {
            return invalid!(
                "The model's input '{}' has the shape {:?}, which cannot be filled",
                spec.name,
                spec.shape
            );
        }
        if !spec.is_real() && bits(spec.dtype, &mut std::iter::empty()).is_none() {
            return unsupported!(
                "The model's input '{}' takes {}, which no data set gives",
                spec.name,
                spec.dtype
            );
        }
    }
    Ok(Arc::new(Synthetic {
        specs: specs.to_vec(),
        samples,
        seed,
    }))
}

/// The words' top bits as an integer or boolean type; `None` for other types.
fn bits(dtype: DType, words: &mut dyn Iterator<Item = u64>) -> Option<Data> {
    let ones = words.map(|w| w >> 63);
    Some(match dtype {
        DType::Int8 => Data::I8(ones.map(|b| b as i8).collect()),
        DType::Int16 => Data::I16(ones.map(|b| b as i16).collect()),
        DType::Int32 => Data::I32(ones.map(|b| b as i32).collect()),
        DType::Int64 => Data::I64(ones.map(|b| b as i64).collect()),
        DType::UInt8 => Data::U8(ones.map(|b| b as u8).collect()),
        DType::UInt16 => Data::U16(ones.map(|b| b as u16).collect()),
        DType::UInt32 => Data::U32(ones.map(|b| b as u32).collect()),
        DType::UInt64 => Data::U64(ones.collect()),
        DType::Bool => Data::Bool(ones.map(|b| b == 1).collect()),
        _ => return None,
    })
}

impl Dataset for Synthetic {
    fn name(&self) -> &str {
        "synthetic random data"
    }

    fn len(&self) -> usize {
        self.samples
    }

    fn batch(&self, range: Range<usize>) -> Result<Vec<Value>> {
        if range.start > range.end || range.end > self.samples {
            return invalid!(
                "Samples {}..{} were asked of {} synthetic ones",
                range.start,
                range.end,
                self.samples
            );
        }
        let one = |(input, spec): (usize, &InputSpec)| {
            // No overflow: checked for all samples when the set was made.
            let size: usize = spec.sample_shape().iter().product();
            let seed = word(self.seed, input as u64);
            let mut words = (range.start * size..range.end * size).map(|i| word(seed, i as u64));
            let mut shape = vec![range.len()];
            shape.extend_from_slice(spec.sample_shape());
            let data = if spec.is_real() {
                // 24 bits: every value is exact in float32 and below 1.
                Some(Data::F32(
                    words
                        .map(|w| (w >> 40) as f32 / (1u32 << 24) as f32)
                        .collect(),
                ))
            } else {
                bits(spec.dtype, &mut words)
            };
            match data {
                Some(data) => Value::new(shape, data),
                None => unsupported!("{} cannot be drawn at random", spec.dtype),
            }
        };
        self.specs.iter().enumerate().map(one).collect()
    }

    fn labels(&self) -> Option<&[u32]> {
        None
    }
}
