//! A tensor of a graph: type, shape, quantization and, for constants, data.

use std::borrow::Cow;
use std::sync::Arc;

use bytes::Bytes;

use super::{DType, Sparsity};

/// One tensor of a subgraph.
#[derive(Debug, Clone, PartialEq)]
pub struct Tensor {
    /// As in the file; need not be unique.
    pub name: String,
    /// Element type.
    pub dtype: DType,
    /// Shape the file declares; unknown axes stand as 1.
    pub shape: Vec<usize>,
    /// Shape with −1 for unknown axes, where the file has one.
    pub shape_signature: Option<Vec<i32>>,
    /// Whether the rank is known (`has_rank` of the format).
    pub has_rank: bool,
    /// State that lives between runs.
    pub is_variable: bool,
    /// How integers stand for reals, or statistics of a float tensor.
    pub quantization: Option<Quantization>,
    /// Little-endian elements of a constant, `None` for what is computed or fed. Length agrees with shape and dtype
    /// (validated); tensors with equal bytes share one buffer in the written file.
    pub data: Option<Bytes>,
    /// Sparsity and variant descriptions, kept as the format wrote them (see `tflite`); `None` for almost all tensors.
    pub extra: Option<Bytes>,
    /// For a sparse constant how its `data` becomes dense (see [`Tensor::densified`]); `extra` holds the same for the writer.
    pub sparsity: Option<Arc<Sparsity>>,
}

impl Tensor {
    /// A computed or fed tensor without quantization.
    pub fn new(name: impl Into<String>, dtype: DType, shape: Vec<usize>) -> Self {
        Self {
            name: name.into(),
            dtype,
            shape,
            shape_signature: None,
            has_rank: true,
            is_variable: false,
            quantization: None,
            data: None,
            extra: None,
            sparsity: None,
        }
    }

    /// A constant of these bytes (little-endian elements).
    pub fn constant(
        name: impl Into<String>,
        dtype: DType,
        shape: Vec<usize>,
        data: impl Into<Bytes>,
    ) -> Self {
        Self {
            data: Some(data.into()),
            ..Self::new(name, dtype, shape)
        }
    }

    /// Number of elements; `None` if it overflows.
    pub fn elements(&self) -> Option<usize> {
        self.shape.iter().try_fold(1usize, |n, &d| n.checked_mul(d))
    }

    /// Whether it has data of its own.
    pub fn is_constant(&self) -> bool {
        self.data.is_some()
    }

    /// Elements of a float32 constant (copied where the file's bytes are not aligned); `None` for anything else.
    pub fn f32s(&self) -> Option<Cow<'_, [f32]>> {
        let data = self
            .data
            .as_ref()
            .filter(|_| self.dtype == DType::Float32)?;
        Some(match bytemuck::try_cast_slice(data) {
            Ok(values) => Cow::Borrowed(values),
            Err(_) => Cow::Owned(bytemuck::pod_collect_to_vec(data)),
        })
    }

    /// Elements of an int32 constant; `None` for anything else.
    pub fn i32s(&self) -> Option<Vec<i32>> {
        let data = self.data.as_ref().filter(|_| self.dtype == DType::Int32)?;
        Some(bytemuck::pod_collect_to_vec(data))
    }
}

/// Affine quantization, real = scale · (q − zero point), per tensor (one scale) or per channel along `axis`. A float tensor may
/// carry only `min` and `max`.
#[derive(Debug, Clone, PartialEq, Default, serde::Serialize, serde::Deserialize)]
pub struct Quantization {
    /// One scale per tensor or channel; empty if there are only statistics.
    pub scales: Vec<f32>,
    /// As many as scales.
    pub zero_points: Vec<i64>,
    /// The axis of the channels when there is more than one scale (`quantized_dimension`).
    pub axis: usize,
    /// Statistics that the file carries; not needed to run it.
    pub min: Vec<f32>,
    /// Statistics that the file carries; not needed to run it.
    pub max: Vec<f32>,
    /// Custom or blockwise details, kept as the format wrote them (see `tflite`).
    pub details: Option<Bytes>,
}

impl Quantization {
    /// One scale and zero point for the whole tensor.
    pub fn per_tensor(scale: f32, zero_point: i64) -> Self {
        Self {
            scales: vec![scale],
            zero_points: vec![zero_point],
            ..Self::default()
        }
    }

    /// Symmetric: one scale a channel along `axis`, all zero points 0.
    pub fn per_channel(scales: Vec<f32>, axis: usize) -> Self {
        Self {
            zero_points: vec![0; scales.len()],
            scales,
            axis,
            ..Self::default()
        }
    }
}
