//! Aligned bytes that typed slices can be borrowed from, and the engine's view of element types.

use bytemuck::{Pod, cast_slice, cast_slice_mut};
use bytes::Bytes;

use super::{Slice, View};
use crate::error::Result;
use crate::graph::{DType, Data, Value};

/// Bytes that begin a cache line, so that vectors of any type are read and written within one.
#[derive(Debug, Default)]
pub(super) struct Buffer {
    /// More than asked for, by what may lie in front of the first line.
    words: Vec<u64>,
    bytes: usize,
    /// Somebody else's bytes in place of its own; their elements are aligned.
    lent: Bytes,
}

/// From this size on constants are read where they lie.
const WORTH_LENDING: usize = 4096;

impl Clone for Buffer {
    /// The same bytes; they may lie elsewhere within the words.
    fn clone(&self) -> Self {
        if !self.lent.is_empty() {
            return Self::lent(&self.lent);
        }
        let words = vec![0; self.words.len()];
        let mut copy = Self {
            words,
            bytes: self.bytes,
            lent: Bytes::new(),
        };
        copy.bytes_mut().copy_from_slice(self.bytes());
        copy
    }
}

/// Words of a cache line.
const LINE: usize = 8;

impl Buffer {
    /// `bytes` zeros; fails if the machine has no room for them.
    pub fn zeros(bytes: usize) -> Result<Self> {
        let count = words_of(bytes);
        let mut probe = Vec::<u64>::new();
        if std::hint::black_box(&mut probe)
            .try_reserve_exact(count)
            .is_err()
        {
            return crate::invalid!("There is no memory for a tensor of {bytes} bytes");
        }
        drop(probe);
        // Zeroed in one piece, memory costs nothing until it is touched.
        let words = vec![0; count];
        Ok(Self {
            words,
            bytes,
            lent: Bytes::new(),
        })
    }

    fn lent(data: &Bytes) -> Self {
        Self {
            words: vec![],
            bytes: data.len(),
            lent: data.clone(),
        }
    }

    /// `data`, elements of `each` bytes, shared where it is large and they are aligned, else copied.
    pub fn constant(data: &Bytes, each: usize) -> Result<Self> {
        let aligned = data.as_ptr().addr().is_multiple_of(each.max(1));
        match aligned && data.len() >= WORTH_LENDING {
            true => Ok(Self::lent(data)),
            false => Self::copy_of(data),
        }
    }

    /// A copy of `data`.
    pub fn copy_of(data: &[u8]) -> Result<Self> {
        let mut buffer = Self::zeros(data.len())?;
        buffer.bytes_mut().copy_from_slice(data);
        Ok(buffer)
    }

    /// Becomes a copy of `data`, in the memory it has if that suffices.
    pub fn become_copy_of(&mut self, data: &[u8]) -> Result<()> {
        let count = words_of(data.len());
        self.lent = Bytes::new();
        if count > self.words.capacity() {
            *self = Self::zeros(data.len())?;
        }
        self.words.resize(count, 0);
        self.bytes = data.len();
        self.bytes_mut().copy_from_slice(data);
        Ok(())
    }

    pub fn bytes(&self) -> &[u8] {
        if !self.lent.is_empty() {
            return &self.lent;
        }
        let first = self.first();
        &cast_slice(&self.words[first..])[..self.bytes]
    }

    /// To write; what was lent is copied first.
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        if !self.lent.is_empty() {
            let lent = std::mem::take(&mut self.lent);
            self.words = vec![0; words_of(lent.len())];
            self.bytes_mut().copy_from_slice(&lent);
        }
        let first = self.first();
        &mut cast_slice_mut(&mut self.words[first..])[..self.bytes]
    }

    /// The word that begins a cache line.
    fn first(&self) -> usize {
        let spare = self.words.len() - self.bytes.div_ceil(8);
        self.words.as_ptr().align_offset(8 * LINE).min(spare)
    }
}

/// Words that hold `bytes` wherever the first cache line begins.
fn words_of(bytes: usize) -> usize {
    match bytes {
        0 => 0,
        _ => bytes.div_ceil(8).saturating_add(LINE - 1),
    }
}

/// Bytes that hold whole, aligned elements as elements.
pub(super) fn typed<T: Pod>(bytes: &[u8]) -> &[T] {
    cast_slice(bytes)
}

/// The same, to write.
pub(super) fn typed_mut<T: Pod>(bytes: &mut [u8]) -> &mut [T] {
    cast_slice_mut(bytes)
}

/// The elements of a fed array as bytes.
pub(super) fn bytes_of(data: &Data) -> &[u8] {
    match data {
        Data::F32(x) => cast_slice(x),
        Data::F16(x) => cast_slice(x),
        Data::F64(x) => cast_slice(x),
        Data::I8(x) => cast_slice(x),
        Data::I16(x) => cast_slice(x),
        Data::I32(x) => cast_slice(x),
        Data::I64(x) => cast_slice(x),
        Data::U8(x) => x,
        Data::U16(x) => cast_slice(x),
        Data::U32(x) => cast_slice(x),
        Data::U64(x) => cast_slice(x),
        Data::Bool(x) => cast_slice(x),
    }
}

/// Whether arrays of this type can be fed and returned.
pub(super) fn has_values(dtype: DType) -> bool {
    match dtype {
        DType::Float32
        | DType::Float16
        | DType::Float64
        | DType::Int8
        | DType::Int16
        | DType::Int32
        | DType::Int64
        | DType::UInt8
        | DType::UInt16
        | DType::UInt32
        | DType::UInt64
        | DType::Bool => true,
        DType::BFloat16
        | DType::Int2
        | DType::Int4
        | DType::UInt4
        | DType::Complex64
        | DType::Complex128
        | DType::String
        | DType::Resource
        | DType::Float8E4M3Fn
        | DType::Float8E5M2
        | DType::Variant => false,
    }
}

/// A copy of aligned bytes as an array; `None` for types without one.
pub(super) fn to_value(dtype: DType, shape: &[usize], bytes: &[u8]) -> Option<Value> {
    let data = match dtype {
        DType::Float32 => Data::F32(typed(bytes).to_vec()),
        DType::Float16 => Data::F16(typed(bytes).to_vec()),
        DType::Float64 => Data::F64(typed(bytes).to_vec()),
        DType::Int8 => Data::I8(typed(bytes).to_vec()),
        DType::Int16 => Data::I16(typed(bytes).to_vec()),
        DType::Int32 => Data::I32(typed(bytes).to_vec()),
        DType::Int64 => Data::I64(typed(bytes).to_vec()),
        DType::UInt8 => Data::U8(bytes.to_vec()),
        DType::UInt16 => Data::U16(typed(bytes).to_vec()),
        DType::UInt32 => Data::U32(typed(bytes).to_vec()),
        DType::UInt64 => Data::U64(typed(bytes).to_vec()),
        DType::Bool => Data::Bool(bytes.iter().map(|&b| b != 0).collect()),
        _ => return None,
    };
    Some(Value {
        shape: shape.to_vec(),
        data,
    })
}

/// Aligned bytes as an observer sees them; `None` for types that observers do not see.
pub(super) fn to_view<'a>(dtype: DType, shape: &'a [usize], bytes: &'a [u8]) -> Option<View<'a>> {
    let data = match dtype {
        DType::Float32 => Slice::F32(typed(bytes)),
        DType::Float16 => Slice::F16(typed(bytes)),
        DType::Float64 => Slice::F64(typed(bytes)),
        DType::Int8 => Slice::I8(typed(bytes)),
        DType::Int16 => Slice::I16(typed(bytes)),
        DType::Int32 => Slice::I32(typed(bytes)),
        DType::Int64 => Slice::I64(typed(bytes)),
        DType::UInt8 => Slice::U8(bytes),
        DType::UInt16 => Slice::U16(typed(bytes)),
        DType::UInt32 => Slice::U32(typed(bytes)),
        DType::UInt64 => Slice::U64(typed(bytes)),
        DType::Bool => Slice::Bool(bytemuck::checked::try_cast_slice(bytes).ok()?),
        _ => return None,
    };
    Some(View { shape, data })
}
