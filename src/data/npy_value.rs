//! Whole `.npy` files as values and back: the inputs and outputs of a single run.

use bytes::Bytes;

use super::npy;
use crate::error::Result;
use crate::graph::{DType, Data, Value};
use crate::unsupported;

/// The array of a `.npy` file in its own type and shape. `name` stands in messages.
///
/// # Errors
/// Not a `.npy` file, a damaged one, or element types that no model takes (complex numbers, objects, strings).
pub fn read_npy(name: &str, bytes: Bytes) -> Result<Value> {
    let array = npy::read(name, bytes)?;
    let b: &[u8] = &array.bytes;
    let data = match array.dtype {
        DType::Float32 => Data::F32(bytemuck::pod_collect_to_vec(b)),
        DType::Float16 => Data::F16(bytemuck::pod_collect_to_vec(b)),
        DType::Float64 => Data::F64(bytemuck::pod_collect_to_vec(b)),
        DType::Int8 => Data::I8(bytemuck::pod_collect_to_vec(b)),
        DType::Int16 => Data::I16(bytemuck::pod_collect_to_vec(b)),
        DType::Int32 => Data::I32(bytemuck::pod_collect_to_vec(b)),
        DType::Int64 => Data::I64(bytemuck::pod_collect_to_vec(b)),
        DType::UInt8 => Data::U8(b.to_vec()),
        DType::UInt16 => Data::U16(bytemuck::pod_collect_to_vec(b)),
        DType::UInt32 => Data::U32(bytemuck::pod_collect_to_vec(b)),
        DType::UInt64 => Data::U64(bytemuck::pod_collect_to_vec(b)),
        DType::Bool => Data::Bool(b.iter().map(|&x| x != 0).collect()),
        other => return unsupported!("{name}: elements of type {other} cannot be fed to a model"),
    };
    Value::new(array.shape, data).map_err(|e| e.at(name))
}

/// The bytes of a version 1.0 `.npy` file, row-major, little-endian.
pub fn write_npy(value: &Value) -> Vec<u8> {
    let (descr, body): (&str, Vec<u8>) = match &value.data {
        Data::F32(x) => ("<f4", bytemuck::cast_slice(x).to_vec()),
        Data::F16(x) => ("<f2", bytemuck::cast_slice(x).to_vec()),
        Data::F64(x) => ("<f8", bytemuck::cast_slice(x).to_vec()),
        Data::I8(x) => ("|i1", bytemuck::cast_slice(x).to_vec()),
        Data::I16(x) => ("<i2", bytemuck::cast_slice(x).to_vec()),
        Data::I32(x) => ("<i4", bytemuck::cast_slice(x).to_vec()),
        Data::I64(x) => ("<i8", bytemuck::cast_slice(x).to_vec()),
        Data::U8(x) => ("|u1", x.clone()),
        Data::U16(x) => ("<u2", bytemuck::cast_slice(x).to_vec()),
        Data::U32(x) => ("<u4", bytemuck::cast_slice(x).to_vec()),
        Data::U64(x) => ("<u8", bytemuck::cast_slice(x).to_vec()),
        Data::Bool(x) => ("|b1", x.iter().map(|&b| u8::from(b)).collect()),
    };
    let extents: Vec<String> = value.shape.iter().map(usize::to_string).collect();
    let shape = match extents.as_slice() {
        [one] => format!("({one},)"),
        _ => format!("({})", extents.join(", ")),
    };
    let mut header = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}");
    // The elements begin at a multiple of 64; the header ends with a newline.
    const PREFIX: usize = 10;
    let padding = (64 - (PREFIX + header.len() + 1) % 64) % 64;
    header.extend(std::iter::repeat_n(' ', padding));
    header.push('\n');
    let mut out = b"\x93NUMPY\x01\x00".to_vec();
    out.extend(
        u16::try_from(header.len())
            .unwrap_or(u16::MAX)
            .to_le_bytes(),
    );
    out.extend(header.as_bytes());
    out.extend(body);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_reads_back() {
        for (shape, data) in [
            (
                vec![2, 3],
                Data::F32(vec![0.5, -1.0, f32::MAX, 3.0, 4.0, 5.0]),
            ),
            (vec![4], Data::I8(vec![-128, 0, 1, 127])),
            (vec![], Data::I64(vec![i64::MIN])),
            (vec![0, 5], Data::U16(vec![])),
            (vec![1, 2, 1], Data::Bool(vec![true, false])),
            (
                vec![2],
                Data::F16(vec![half::f16::from_f32(0.25), half::f16::INFINITY]),
            ),
        ] {
            let value = Value::new(shape, data).unwrap();
            let bytes = write_npy(&value);
            assert_eq!(
                (bytes.len() - bytes_of(&value)) % 64,
                0,
                "elements are aligned"
            );
            assert_eq!(read_npy("x.npy", bytes.into()).unwrap(), value);
        }
    }

    fn bytes_of(value: &Value) -> usize {
        value.data.len() * value.dtype().bits() / 8
    }
}
