//! An array of a data file as it lies there (any numeric type, row-major, little-endian), and samples read out of it.

use std::ops::Range;

use bytes::Bytes;

use super::spec::InputSpec;
use super::words::{count, extents, squeezed};
use crate::error::Result;
use crate::graph::{DType, Data, Value};
use crate::{invalid, malformed, unsupported};

/// A numeric array of a file. `bytes` holds exactly the elements of `shape` (its readers see to that).
#[derive(Debug, Clone)]
pub(super) struct Array {
    pub(super) dtype: DType,
    pub(super) shape: Vec<usize>,
    pub(super) bytes: Bytes,
    /// Whether bytes are pixels, which stand for 0..1 where reals are asked for.
    pub(super) pixels: bool,
}

/// How elements become what the model input takes.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Reading {
    /// float32, from floats.
    Reals,
    /// float32 in 0..1, from bytes.
    Pixels,
    /// float32, from integers quantized as the model input is.
    Dequantized(f32, i64),
    /// The input's own integer (or boolean) type.
    Plain(DType),
}

/// One model input's samples: an array and how it is read.
#[derive(Debug, Clone)]
pub(super) struct Column {
    array: Array,
    reading: Reading,
    /// Elements of one sample.
    size: usize,
    /// Shape of one sample.
    shape: Vec<usize>,
    /// Samples.
    pub(super) samples: usize,
}

impl Array {
    /// Whether it holds float32 and all of it finite; quick, for a look at each element takes long.
    fn all_finite(&self) -> bool {
        let each = self.bytes.chunks_exact(4);
        let finite = each.map(|b| f32::from_le_bytes(fixed(b)).is_finite());
        self.dtype == DType::Float32 && finite.fold(true, |all, one| all & one)
    }

    /// Every element as f64 (integers beyond 2^53 lose digits), with its index.
    fn reals(&self) -> impl Iterator<Item = f64> + '_ {
        let width = (self.dtype.bits() / 8).max(1);
        let dtype = self.dtype;
        self.bytes
            .chunks_exact(width)
            .map(move |bytes| real(dtype, bytes))
    }

    /// Every element as i128 if the array holds integers, booleans or whole floats; `Err` with the first that is not whole.
    pub(super) fn wholes(&self) -> impl Iterator<Item = Result<i128, f64>> + '_ {
        let width = (self.dtype.bits() / 8).max(1);
        let dtype = self.dtype;
        self.bytes
            .chunks_exact(width)
            .map(move |bytes| whole(dtype, bytes))
    }
}

fn fixed<const N: usize>(bytes: &[u8]) -> [u8; N] {
    let mut out = [0; N];
    out.iter_mut().zip(bytes).for_each(|(o, b)| *o = *b);
    out
}

fn whole(dtype: DType, b: &[u8]) -> Result<i128, f64> {
    Ok(match dtype {
        DType::Int8 => i8::from_le_bytes(fixed(b)).into(),
        DType::UInt8 => u8::from_le_bytes(fixed(b)).into(),
        DType::Bool => (b.first() != Some(&0)).into(),
        DType::Int16 => i16::from_le_bytes(fixed(b)).into(),
        DType::UInt16 => u16::from_le_bytes(fixed(b)).into(),
        DType::Int32 => i32::from_le_bytes(fixed(b)).into(),
        DType::UInt32 => u32::from_le_bytes(fixed(b)).into(),
        DType::Int64 => i64::from_le_bytes(fixed(b)).into(),
        DType::UInt64 => u64::from_le_bytes(fixed(b)).into(),
        _ => {
            let x = real(dtype, b);
            if x.is_finite() && x.fract() == 0.0 && x.abs() < 1e18 {
                return Ok(x as i128);
            }
            return Err(x);
        }
    })
}

fn real(dtype: DType, b: &[u8]) -> f64 {
    match dtype {
        DType::Float16 => half::f16::from_le_bytes(fixed(b)).to_f64(),
        DType::Float32 => f32::from_le_bytes(fixed(b)).into(),
        DType::Float64 => f64::from_le_bytes(fixed(b)),
        _ => whole(dtype, b).map_or(f64::NAN, |x| x as f64),
    }
}

/// `x / 255` rounded once to float32, as NumPy's float64 division followed by a cast.
fn pixel(x: u8) -> f32 {
    (f64::from(x) / 255.0) as f32
}

impl Column {
    /// Ties an array to a model input; fails before any work if shape, type or values do not fit. `what` names the
    /// array in messages, `noun` its samples (`images`, `samples`).
    pub(super) fn new(array: Array, spec: &InputSpec, what: &str, noun: &str) -> Result<Self> {
        let shape = spec.sample_shape().to_vec();
        let size = shape.iter().try_fold(1usize, |n, &d| n.checked_mul(d));
        let Some(size) = size.filter(|&n| n > 0) else {
            return invalid!(
                "The model's input '{}' has the shape {:?}, which holds no elements",
                spec.name,
                spec.shape
            );
        };
        let wanted = squeezed(&shape);
        let samples = match array.shape.split_first() {
            Some((&samples, rest)) if squeezed(rest) == wanted => samples,
            _ if squeezed(&array.shape) == wanted => 1,
            Some((_, rest)) if !rest.is_empty() => {
                return invalid!(
                    "{what}: {noun} are {}, the model takes {}",
                    extents(rest),
                    extents(&shape)
                );
            }
            _ => {
                return invalid!(
                    "{what}: the array is {}, the model takes samples of {}",
                    extents(&array.shape),
                    extents(&shape)
                );
            }
        };
        if samples == 0 {
            return invalid!("{what} holds no {noun}");
        }
        let reading = reading(&array, spec, what)?;
        let column = Self {
            array,
            reading,
            size,
            shape,
            samples,
        };
        column.check_values(spec, what)?;
        Ok(column)
    }

    /// Looks at every element once: no NaN or infinity, and integers that fit the input's type.
    fn check_values(&self, spec: &InputSpec, what: &str) -> Result<()> {
        match self.reading {
            Reading::Pixels | Reading::Dequantized(..) => Ok(()),
            Reading::Reals if self.array.all_finite() => Ok(()),
            Reading::Reals => {
                // An overflow to infinity in float32 counts as one.
                let bad = |x: &f64| !(*x as f32).is_finite();
                let Some((i, x)) = self.array.reals().enumerate().find(|(_, x)| bad(x)) else {
                    return Ok(());
                };
                let sample = count(i / self.size);
                if x.is_nan() {
                    malformed!("{what}: sample {sample} holds NaN; remove or replace such values")
                } else if x.is_infinite() {
                    malformed!(
                        "{what}: sample {sample} holds an infinity; remove or replace such values"
                    )
                } else {
                    malformed!("{what}: sample {sample} holds {x:e}, too large for float32")
                }
            }
            Reading::Plain(dtype) => {
                let (low, high) = match dtype {
                    DType::Bool => (0, 1),
                    DType::Int64 => (i64::MIN.into(), i64::MAX.into()),
                    DType::UInt64 => (0, u64::MAX.into()),
                    _ => dtype
                        .integer_range()
                        .map_or((0, 0), |(a, b)| (a.into(), b.into())),
                };
                let input = &spec.name;
                for (i, x) in self.array.wholes().enumerate() {
                    let sample = count(i / self.size);
                    match x {
                        Ok(x) if (low..=high).contains(&x) => {}
                        Ok(x) => {
                            return invalid!(
                                "{what}: sample {sample} holds {x}, outside {dtype}, which the model's input '{input}' takes"
                            );
                        }
                        Err(x) => {
                            return invalid!(
                                "{what}: sample {sample} holds {x}, not a whole number; the model's input '{input}' takes {dtype}"
                            );
                        }
                    }
                }
                Ok(())
            }
        }
    }

    /// The samples of `range` along axis 0. `range` must lie within the samples.
    pub(super) fn batch(&self, range: Range<usize>) -> Result<Value> {
        let width = self.array.dtype.bits() / 8;
        let per = self.size * width;
        // Both products stay below the length of `bytes`, which exists.
        let bytes = self
            .array
            .bytes
            .get(range.start.saturating_mul(per)..range.end.saturating_mul(per));
        let Some(bytes) = bytes else {
            return invalid!("Samples {range:?} are not in the data");
        };
        let mut shape = vec![range.len()];
        shape.extend_from_slice(&self.shape);
        let dtype = self.array.dtype;
        let elements = bytes.chunks_exact(width.max(1));
        let data = match self.reading {
            Reading::Pixels => {
                let table: [f32; 256] = std::array::from_fn(|i| pixel(i as u8));
                Data::F32(bytes.iter().map(|&b| table[usize::from(b)]).collect())
            }
            Reading::Reals if dtype == DType::Float32 => {
                Data::F32(bytemuck::pod_collect_to_vec(bytes))
            }
            Reading::Reals => Data::F32(elements.map(|b| real(dtype, b) as f32).collect()),
            Reading::Dequantized(scale, zero_point) => Data::F32(
                elements
                    .map(|b| (real(dtype, b) as i64 - zero_point) as f32 * scale)
                    .collect(),
            ),
            Reading::Plain(target) => {
                let wholes = elements.map(|b| whole(dtype, b).unwrap_or(0));
                match target {
                    DType::Int8 => Data::I8(wholes.map(|x| x as i8).collect()),
                    DType::Int16 => Data::I16(wholes.map(|x| x as i16).collect()),
                    DType::Int32 => Data::I32(wholes.map(|x| x as i32).collect()),
                    DType::Int64 => Data::I64(wholes.map(|x| x as i64).collect()),
                    DType::UInt8 => Data::U8(wholes.map(|x| x as u8).collect()),
                    DType::UInt16 => Data::U16(wholes.map(|x| x as u16).collect()),
                    DType::UInt32 => Data::U32(wholes.map(|x| x as u32).collect()),
                    DType::UInt64 => Data::U64(wholes.map(|x| x as u64).collect()),
                    DType::Bool => Data::Bool(wholes.map(|x| x != 0).collect()),
                    other => return unsupported!("Inputs of {other} cannot be fed from data"),
                }
            }
        };
        Value::new(shape, data)
    }
}

/// How the array's elements become the input's: floats for reals; integers only where they are the model's own quantized
/// type or pixels, since integers meant as reals of another scale would give wrong figures silently.
fn reading(array: &Array, spec: &InputSpec, what: &str) -> Result<Reading> {
    let floats = matches!(
        array.dtype,
        DType::Float16 | DType::Float32 | DType::Float64
    );
    let input = &spec.name;
    if spec.is_real() {
        if array.pixels {
            return Ok(Reading::Pixels);
        }
        if floats {
            return Ok(Reading::Reals);
        }
        if let Some((scale, zero_point)) = spec.quantization
            && spec.dtype == array.dtype
        {
            return Ok(Reading::Dequantized(scale, zero_point));
        }
        return invalid!(
            "{what} holds {}, the model's input '{input}' takes float32; convert the array (pixels: x.astype('float32') / 255)",
            array.dtype
        );
    }
    match spec.dtype {
        DType::Int8
        | DType::Int16
        | DType::Int32
        | DType::Int64
        | DType::UInt8
        | DType::UInt16
        | DType::UInt32
        | DType::UInt64
        | DType::Bool => Ok(Reading::Plain(spec.dtype)),
        other => unsupported!("The model's input '{input}' takes {other}, which no data set gives"),
    }
}
