//! What the graph carries without understanding it, as small FlatBuffers of their own: options of [`Op::Other`](crate::graph::Op),
//! sparsity and variant types of a tensor, custom and blockwise quantization.
//!
//! Each encoding is the table of the format that holds the thing, with all its other fields left out; empty for "nothing".

use bytes::Bytes;
use flatbuffers::{FlatBufferBuilder, Follow, Verifiable, VerifierOptions, root_with_opts};

use super::schema::*;
use crate::error::{Error, Result};
use crate::graph::{Level, Sparsity};

/// Options of an operator that is kept whole.
#[derive(Debug, Clone, PartialEq)]
pub struct Options {
    /// Options of the first union.
    pub first: BuiltinOptionsT,
    /// Options of the second union.
    pub second: BuiltinOptions2T,
    /// Bytes that a builtin operator may carry as well.
    pub custom: Option<Vec<u8>>,
}

impl Options {
    /// Of a typed operator.
    pub fn typed(first: BuiltinOptionsT) -> Self {
        Self {
            first,
            second: BuiltinOptions2T::NONE,
            custom: None,
        }
    }

    /// All that an operator of the file carries; `large_custom` are custom options that stand outside of the FlatBuffer.
    ///
    /// # Errors
    /// Unsupported if the options are of a kind that this version's schema does not have: they could not be written back.
    pub fn of(operator: &Operator, large_custom: Option<&[u8]>) -> Result<Self> {
        let first = operator.builtin_options_type();
        if first.variant_name().is_none() {
            return crate::unsupported!(
                "its options are of kind {}, which is newer than this version",
                first.0
            );
        }
        let second = operator.builtin_options_2_type();
        if second.variant_name().is_none() {
            return crate::unsupported!(
                "its options are of kind 2.{}, which is newer than this version",
                second.0
            );
        }
        let whole = operator.unpack();
        Ok(Self {
            first: whole.builtin_options,
            second: whole.builtin_options_2,
            custom: large_custom.map(<[u8]>::to_vec).or(whole.custom_options),
        })
    }

    /// Indices of the subgraphs that the operator calls.
    pub fn called_subgraphs(&self) -> Vec<i64> {
        use BuiltinOptions2T as B2;
        use BuiltinOptionsT as B1;
        let mut called: Vec<i64> = vec![];
        match &self.first {
            B1::CallOptions(o) => called.push(o.subgraph.into()),
            B1::IfOptions(o) => {
                called.extend([o.then_subgraph_index, o.else_subgraph_index].map(i64::from));
            }
            B1::CallOnceOptions(o) => called.push(o.init_subgraph_index.into()),
            B1::WhileOptions(o) => {
                called.extend([o.cond_subgraph_index, o.body_subgraph_index].map(i64::from));
            }
            _ => {}
        }
        let list =
            |v: &Option<Vec<i32>>| -> Vec<i64> { v.iter().flatten().map(|&i| i.into()).collect() };
        match &self.second {
            B2::StablehloCustomCallOptions(o) => called.extend(list(&o.called_computations)),
            B2::StablehloReduceOptions(o) => called.push(o.body_subgraph_index.into()),
            B2::StablehloScatterOptions(o) => {
                called.push(o.update_computation_subgraph_index.into());
            }
            B2::StablehloReduceWindowOptions(o) => called.push(o.body_subgraph_index.into()),
            B2::StablehloSortOptions(o) => called.push(o.comparator_subgraph_index.into()),
            B2::StablehloWhileOptions(o) => {
                called.extend([o.cond_subgraph_index, o.body_subgraph_index].map(i64::from));
            }
            B2::StableHLOCompositeOptions(o) => {
                called.push(o.decomposition_subgraph_index.into());
            }
            B2::StablehloCaseOptions(o) => called.extend(list(&o.branch_subgraph_indices)),
            _ => {}
        }
        called
    }

    /// The standalone encoding; empty if there is nothing.
    pub fn encode(&self) -> Bytes {
        if self.first == BuiltinOptionsT::NONE
            && self.second == BuiltinOptions2T::NONE
            && self.custom.is_none()
        {
            return Bytes::new();
        }
        let operator = OperatorT {
            builtin_options: self.first.clone(),
            builtin_options_2: self.second.clone(),
            custom_options: self.custom.clone(),
            ..OperatorT::default()
        };
        finish(|fbb| operator.pack(fbb))
    }

    /// Back from the standalone encoding.
    ///
    /// # Errors
    /// Invalid if these are not bytes that [`Options::encode`] made.
    pub fn decode(bytes: &[u8]) -> Result<Self> {
        if bytes.is_empty() {
            return Ok(Self::typed(BuiltinOptionsT::NONE));
        }
        Self::of(&root::<Operator>(bytes)?, None)
    }
}

/// Sparsity and variant types of a tensor in their encoding, if it has any.
///
/// # Errors
/// Unsupported if sparse indices are of a kind that this version's schema does not have.
pub fn encode_tensor_extra(tensor: &Tensor) -> Result<Option<Bytes>> {
    if tensor.sparsity().is_none() && tensor.variant_tensors().is_none_or(|v| v.is_empty()) {
        return Ok(None);
    }
    let dims = tensor.sparsity().and_then(|s| s.dim_metadata());
    for (i, dim) in dims.iter().flatten().enumerate() {
        for kind in [dim.array_segments_type(), dim.array_indices_type()] {
            if kind.variant_name().is_none() {
                return crate::unsupported!(
                    "its sparse indices of axis {i} are of kind {}, which is newer than this version",
                    kind.0
                );
            }
        }
    }
    let whole = tensor.unpack();
    let extra = TensorT {
        sparsity: whole.sparsity,
        variant_tensors: whole.variant_tensors.filter(|v| !v.is_empty()),
        ..TensorT::default()
    };
    Ok(Some(finish(|fbb| extra.pack(fbb))))
}

/// How a sparse constant becomes dense, if the tensor is one. Kinds of indices are those that [`encode_tensor_extra`] lets pass.
pub fn sparsity(tensor: &Tensor) -> Option<Sparsity> {
    let from = tensor.sparsity()?.unpack();
    let indices = |vector| match vector {
        SparseIndexVectorT::NONE => vec![],
        SparseIndexVectorT::Int32Vector(v) => v.values.unwrap_or_default(),
        SparseIndexVectorT::Uint16Vector(v) => widened(v.values),
        SparseIndexVectorT::Uint8Vector(v) => widened(v.values),
    };
    let level = |dim: DimensionMetadataT| match dim.format {
        DimensionType::SPARSE_CSR => Level::Sparse {
            segments: indices(dim.array_segments),
            indices: indices(dim.array_indices),
        },
        _ => Level::Dense {
            extent: dim.dense_size,
        },
    };
    Some(Sparsity {
        traversal_order: from.traversal_order.unwrap_or_default(),
        block_map: from.block_map.unwrap_or_default(),
        levels: from.dim_metadata.into_iter().flatten().map(level).collect(),
    })
}

fn widened<T: Into<i32>>(values: Option<Vec<T>>) -> Vec<i32> {
    values.into_iter().flatten().map(Into::into).collect()
}

/// Back from [`encode_tensor_extra`].
///
/// # Errors
/// Invalid if these are not such bytes.
pub fn decode_tensor_extra(bytes: &[u8]) -> Result<TensorT> {
    Ok(root::<Tensor>(bytes)?.unpack())
}

/// Details of a quantization in their encoding, if it has any.
///
/// # Errors
/// Unsupported if they are of a kind that this version's schema does not have.
pub fn encode_details(quantization: &QuantizationParameters) -> Result<Option<Bytes>> {
    let kind = quantization.details_type();
    if kind == QuantizationDetails::NONE {
        return Ok(None);
    }
    if kind.variant_name().is_none() {
        return crate::unsupported!(
            "its quantization details are of kind {}, which is newer than this version",
            kind.0
        );
    }
    let details = QuantizationParametersT {
        details: quantization.unpack().details,
        ..QuantizationParametersT::default()
    };
    Ok(Some(finish(|fbb| details.pack(fbb))))
}

/// Back from [`encode_details`].
///
/// # Errors
/// Invalid if these are not such bytes.
pub fn decode_details(bytes: &[u8]) -> Result<QuantizationDetailsT> {
    Ok(root::<QuantizationParameters>(bytes)?.unpack().details)
}

/// A FlatBuffer of one root table.
fn finish<'a, T>(
    pack: impl FnOnce(&mut FlatBufferBuilder<'a>) -> flatbuffers::WIPOffset<T>,
) -> Bytes {
    let mut fbb = FlatBufferBuilder::with_capacity(256);
    let root = pack(&mut fbb);
    fbb.finish_minimal(root);
    Bytes::copy_from_slice(fbb.finished_data())
}

fn root<'a, T: Follow<'a> + Verifiable + 'a>(bytes: &'a [u8]) -> Result<T::Inner>
where
    flatbuffers::ForwardsUOffset<T>: Follow<'a, Inner = T::Inner> + Verifiable,
{
    let options = VerifierOptions {
        max_apparent_size: bytes.len().saturating_mul(16).saturating_add(1 << 16),
        ..VerifierOptions::default()
    };
    root_with_opts::<T>(&options, bytes).map_err(|e| {
        let what = e.to_string();
        Error::Invalid(format!(
            "these kept bytes are not what the reader made: {}",
            what.lines().next().unwrap_or_default()
        ))
    })
}
