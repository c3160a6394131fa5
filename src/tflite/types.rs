//! The small enumerations of the format and their counterparts in the graph.

use super::schema::{ActivationFunctionType, Padding as PaddingCode, TensorType};
use crate::error::Result;
use crate::graph::{Activation, DType, Padding};

/// Element type of a code of the format.
pub fn dtype(code: TensorType) -> Result<DType> {
    Ok(match code {
        TensorType::FLOAT32 => DType::Float32,
        TensorType::FLOAT16 => DType::Float16,
        TensorType::BFLOAT16 => DType::BFloat16,
        TensorType::FLOAT8_E4M3FN => DType::Float8E4M3Fn,
        TensorType::FLOAT8_E5M2 => DType::Float8E5M2,
        TensorType::FLOAT64 => DType::Float64,
        TensorType::INT2 => DType::Int2,
        TensorType::INT4 => DType::Int4,
        TensorType::INT8 => DType::Int8,
        TensorType::INT16 => DType::Int16,
        TensorType::INT32 => DType::Int32,
        TensorType::INT64 => DType::Int64,
        TensorType::UINT4 => DType::UInt4,
        TensorType::UINT8 => DType::UInt8,
        TensorType::UINT16 => DType::UInt16,
        TensorType::UINT32 => DType::UInt32,
        TensorType::UINT64 => DType::UInt64,
        TensorType::BOOL => DType::Bool,
        TensorType::COMPLEX64 => DType::Complex64,
        TensorType::COMPLEX128 => DType::Complex128,
        TensorType::STRING => DType::String,
        TensorType::RESOURCE => DType::Resource,
        TensorType::VARIANT => DType::Variant,
        TensorType(other) => {
            return crate::unsupported!("Element type {other} is newer than this version");
        }
    })
}

/// Code of an element type.
pub fn dtype_code(dtype: DType) -> TensorType {
    match dtype {
        DType::Float32 => TensorType::FLOAT32,
        DType::Float16 => TensorType::FLOAT16,
        DType::BFloat16 => TensorType::BFLOAT16,
        DType::Float8E4M3Fn => TensorType::FLOAT8_E4M3FN,
        DType::Float8E5M2 => TensorType::FLOAT8_E5M2,
        DType::Float64 => TensorType::FLOAT64,
        DType::Int2 => TensorType::INT2,
        DType::Int4 => TensorType::INT4,
        DType::Int8 => TensorType::INT8,
        DType::Int16 => TensorType::INT16,
        DType::Int32 => TensorType::INT32,
        DType::Int64 => TensorType::INT64,
        DType::UInt4 => TensorType::UINT4,
        DType::UInt8 => TensorType::UINT8,
        DType::UInt16 => TensorType::UINT16,
        DType::UInt32 => TensorType::UINT32,
        DType::UInt64 => TensorType::UINT64,
        DType::Bool => TensorType::BOOL,
        DType::Complex64 => TensorType::COMPLEX64,
        DType::Complex128 => TensorType::COMPLEX128,
        DType::String => TensorType::STRING,
        DType::Resource => TensorType::RESOURCE,
        DType::Variant => TensorType::VARIANT,
    }
}

/// Element type of an optional type field, where the format says "not stated" by code 0 (float32).
pub fn stated_dtype(code: TensorType) -> Result<Option<DType>> {
    if code == TensorType::FLOAT32 {
        Ok(None)
    } else {
        dtype(code).map(Some)
    }
}

/// Code of an optional type field, 0 (float32) for "not stated".
pub fn stated_dtype_code(dtype: Option<DType>) -> TensorType {
    dtype.map_or(TensorType::FLOAT32, dtype_code)
}

/// Fused activation of a code.
pub fn activation(code: ActivationFunctionType) -> Result<Activation> {
    Ok(match code {
        ActivationFunctionType::NONE => Activation::None,
        ActivationFunctionType::RELU => Activation::Relu,
        ActivationFunctionType::RELU_N1_TO_1 => Activation::ReluN1To1,
        ActivationFunctionType::RELU6 => Activation::Relu6,
        ActivationFunctionType::TANH => Activation::Tanh,
        ActivationFunctionType::SIGN_BIT => Activation::SignBit,
        ActivationFunctionType(other) => {
            return crate::malformed!("fused activation {other} does not exist (0 to 5)");
        }
    })
}

/// Code of a fused activation.
pub fn activation_code(activation: Activation) -> ActivationFunctionType {
    match activation {
        Activation::None => ActivationFunctionType::NONE,
        Activation::Relu => ActivationFunctionType::RELU,
        Activation::ReluN1To1 => ActivationFunctionType::RELU_N1_TO_1,
        Activation::Relu6 => ActivationFunctionType::RELU6,
        Activation::Tanh => ActivationFunctionType::TANH,
        Activation::SignBit => ActivationFunctionType::SIGN_BIT,
    }
}

/// Padding scheme of a code.
pub fn padding(code: PaddingCode) -> Result<Padding> {
    Ok(match code {
        PaddingCode::SAME => Padding::Same,
        PaddingCode::VALID => Padding::Valid,
        PaddingCode(other) => {
            return crate::malformed!("padding {other} does not exist (0 or 1)");
        }
    })
}

/// Code of a padding scheme.
pub fn padding_code(padding: Padding) -> PaddingCode {
    match padding {
        Padding::Same => PaddingCode::SAME,
        Padding::Valid => PaddingCode::VALID,
    }
}
