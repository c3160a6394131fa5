//! A typed array: what goes into a model, comes out of it, and lies in data sets.

use super::DType;
use crate::error::Result;

/// Elements of an array, row-major.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs)] // one variant per element type
pub enum Data {
    F32(Vec<f32>),
    F16(Vec<half::f16>),
    F64(Vec<f64>),
    I8(Vec<i8>),
    I16(Vec<i16>),
    I32(Vec<i32>),
    I64(Vec<i64>),
    U8(Vec<u8>),
    U16(Vec<u16>),
    U32(Vec<u32>),
    U64(Vec<u64>),
    Bool(Vec<bool>),
}

/// A dense row-major array.
#[derive(Debug, Clone, PartialEq)]
pub struct Value {
    /// Extent of each axis; empty for a scalar.
    pub shape: Vec<usize>,
    /// As many elements as the shape holds.
    pub data: Data,
}

impl Value {
    /// An array of `shape`; fails if the number of elements does not fit it.
    pub fn new(shape: Vec<usize>, data: Data) -> Result<Self> {
        let wanted = shape.iter().try_fold(1usize, |n, &d| n.checked_mul(d));
        if wanted != Some(data.len()) {
            return crate::invalid!("{} elements do not fill the shape {shape:?}", data.len());
        }
        Ok(Self { shape, data })
    }

    /// Element type.
    pub fn dtype(&self) -> DType {
        self.data.dtype()
    }

    /// The float32 elements, or `None` if it holds another type.
    pub fn as_f32(&self) -> Option<&[f32]> {
        if let Data::F32(x) = &self.data {
            Some(x)
        } else {
            None
        }
    }
}

impl Data {
    /// Element type.
    pub fn dtype(&self) -> DType {
        match self {
            Data::F32(_) => DType::Float32,
            Data::F16(_) => DType::Float16,
            Data::F64(_) => DType::Float64,
            Data::I8(_) => DType::Int8,
            Data::I16(_) => DType::Int16,
            Data::I32(_) => DType::Int32,
            Data::I64(_) => DType::Int64,
            Data::U8(_) => DType::UInt8,
            Data::U16(_) => DType::UInt16,
            Data::U32(_) => DType::UInt32,
            Data::U64(_) => DType::UInt64,
            Data::Bool(_) => DType::Bool,
        }
    }

    /// Elements of that type from their little-endian bytes; `None` for a type that no value holds, or bytes that are no whole
    /// elements. A boolean is any byte but 0.
    pub fn from_bytes(dtype: DType, bytes: &[u8]) -> Option<Self> {
        if dtype.bits() < 8 || !bytes.len().is_multiple_of(dtype.bits() / 8) {
            return None;
        }
        Some(match dtype {
            DType::Float32 => Data::F32(bytemuck::pod_collect_to_vec(bytes)),
            DType::Float16 => Data::F16(bytemuck::pod_collect_to_vec(bytes)),
            DType::Float64 => Data::F64(bytemuck::pod_collect_to_vec(bytes)),
            DType::Int8 => Data::I8(bytemuck::pod_collect_to_vec(bytes)),
            DType::Int16 => Data::I16(bytemuck::pod_collect_to_vec(bytes)),
            DType::Int32 => Data::I32(bytemuck::pod_collect_to_vec(bytes)),
            DType::Int64 => Data::I64(bytemuck::pod_collect_to_vec(bytes)),
            DType::UInt8 => Data::U8(bytes.to_vec()),
            DType::UInt16 => Data::U16(bytemuck::pod_collect_to_vec(bytes)),
            DType::UInt32 => Data::U32(bytemuck::pod_collect_to_vec(bytes)),
            DType::UInt64 => Data::U64(bytemuck::pod_collect_to_vec(bytes)),
            DType::Bool => Data::Bool(bytes.iter().map(|&x| x != 0).collect()),
            _ => return None,
        })
    }

    /// The elements as little-endian bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        match self {
            Data::F32(x) => bytemuck::cast_slice(x).to_vec(),
            Data::F16(x) => bytemuck::cast_slice(x).to_vec(),
            Data::F64(x) => bytemuck::cast_slice(x).to_vec(),
            Data::I8(x) => bytemuck::cast_slice(x).to_vec(),
            Data::I16(x) => bytemuck::cast_slice(x).to_vec(),
            Data::I32(x) => bytemuck::cast_slice(x).to_vec(),
            Data::I64(x) => bytemuck::cast_slice(x).to_vec(),
            Data::U8(x) => x.clone(),
            Data::U16(x) => bytemuck::cast_slice(x).to_vec(),
            Data::U32(x) => bytemuck::cast_slice(x).to_vec(),
            Data::U64(x) => bytemuck::cast_slice(x).to_vec(),
            Data::Bool(x) => x.iter().map(|&b| u8::from(b)).collect(),
        }
    }

    /// Number of elements.
    pub fn len(&self) -> usize {
        match self {
            Data::F32(x) => x.len(),
            Data::F16(x) => x.len(),
            Data::F64(x) => x.len(),
            Data::I8(x) => x.len(),
            Data::I16(x) => x.len(),
            Data::I32(x) => x.len(),
            Data::I64(x) => x.len(),
            Data::U8(x) => x.len(),
            Data::U16(x) => x.len(),
            Data::U32(x) => x.len(),
            Data::U64(x) => x.len(),
            Data::Bool(x) => x.len(),
        }
    }

    /// Whether there are no elements.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
