//! Whole `.npy` files as values and back: the inputs and outputs of a single run.

use bytes::Bytes;

use super::npy;
use crate::error::Result;
use crate::graph::{Data, Value};
use crate::unsupported;

/// The array of a `.npy` file in its own type and shape. `name` stands in messages.
///
/// # Errors
/// Not a `.npy` file, a damaged one, or element types that no model takes (complex numbers, objects, strings).
pub fn read_npy(name: &str, bytes: Bytes) -> Result<Value> {
    let array = npy::read(name, bytes)?;
    let Some(data) = Data::from_bytes(array.dtype, &array.bytes) else {
        return unsupported!(
            "{name}: elements of type {} cannot be fed to a model",
            array.dtype
        );
    };
    Value::new(array.shape, data).map_err(|e| e.at(name))
}

/// The bytes of a version 1.0 `.npy` file, row-major, little-endian.
pub fn write_npy(value: &Value) -> Vec<u8> {
    let descr = match &value.data {
        Data::F32(_) => "<f4",
        Data::F16(_) => "<f2",
        Data::F64(_) => "<f8",
        Data::I8(_) => "|i1",
        Data::I16(_) => "<i2",
        Data::I32(_) => "<i4",
        Data::I64(_) => "<i8",
        Data::U8(_) => "|u1",
        Data::U16(_) => "<u2",
        Data::U32(_) => "<u4",
        Data::U64(_) => "<u8",
        Data::Bool(_) => "|b1",
    };
    let body = value.data.to_bytes();
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
