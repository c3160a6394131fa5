//! NumPy's `.npy` format, versions 1 to 3: header and elements of a numeric array.

use bytes::Bytes;

use super::array::Array;
use super::words::count;
use crate::error::Result;
use crate::graph::DType;
use crate::{malformed, unsupported};

/// First bytes of a `.npy` file.
pub(super) const MAGIC: [u8; 6] = *b"\x93NUMPY";

/// Longest header that is looked at; NumPy itself refuses far shorter ones by default.
const MAX_HEADER: usize = 1 << 16;
/// NumPy arrays have at most 64 axes.
const MAX_RANK: usize = 64;

/// What a header declares.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Header {
    dtype: DType,
    big_endian: bool,
    fortran: bool,
    pub(super) shape: Vec<usize>,
    /// Where the elements begin.
    pub(super) body: usize,
    /// Bytes of elements.
    pub(super) size: usize,
}

/// How many of the first bytes of a file suffice for [`header`].
pub(super) const HEAD: usize = MAX_HEADER + 12;

/// Reads a whole `.npy` file. Row-major little-endian elements are not copied.
pub(super) fn read(name: &str, bytes: Bytes) -> Result<Array> {
    let header = header(name, &bytes)?;
    let held = bytes.len().saturating_sub(header.body);
    if held != header.size {
        return malformed!(
            "{name}: its header declares {} bytes of data, it holds {}",
            count(header.size),
            count(held)
        );
    }
    let mut bytes = bytes.slice(header.body..);
    let width = header.dtype.bits() / 8;
    if header.big_endian && width > 1 {
        let mut swapped = bytes.to_vec();
        swapped.chunks_exact_mut(width).for_each(<[u8]>::reverse);
        bytes = swapped.into();
    }
    if header.fortran && header.shape.iter().filter(|&&d| d > 1).count() > 1 {
        bytes = row_major(&bytes, &header.shape, width).into();
    }
    Ok(Array {
        dtype: header.dtype,
        shape: header.shape,
        bytes,
        pixels: false,
    })
}

/// The elements of a column-major array in row-major order.
fn row_major(bytes: &[u8], shape: &[usize], width: usize) -> Vec<u8> {
    let mut strides = Vec::with_capacity(shape.len());
    let mut stride = width;
    for &d in shape {
        strides.push(stride);
        stride = stride.saturating_mul(d);
    }
    let mut out = Vec::with_capacity(bytes.len());
    let mut index = vec![0usize; shape.len()];
    let mut offset = 0;
    while out.len() < bytes.len() {
        out.extend_from_slice(&bytes[offset..offset + width]);
        for axis in (0..shape.len()).rev() {
            index[axis] += 1;
            offset += strides[axis];
            if index[axis] < shape[axis] {
                break;
            }
            offset -= strides[axis] * shape[axis];
            index[axis] = 0;
        }
    }
    out
}

/// Reads the header from the first bytes of a file.
pub(super) fn header(name: &str, bytes: &[u8]) -> Result<Header> {
    if !bytes.starts_with(&MAGIC) {
        return malformed!("{name} is not a .npy file: the signature of NumPy is missing");
    }
    let (length, start) = match bytes.get(6..) {
        Some([1, _, a, b, ..]) => (usize::from(u16::from_le_bytes([*a, *b])), 10),
        Some([2 | 3, _, a, b, c, d, ..]) => (u32::from_le_bytes([*a, *b, *c, *d]) as usize, 12),
        Some([1..=3, ..]) | Some([]) | None => return malformed!("{name} ends within its header"),
        Some([version, ..]) => {
            return unsupported!("{name} is of .npy version {version}; 1 to 3 can be read");
        }
    };
    if length > MAX_HEADER {
        return unsupported!("{name} has a .npy header of {} bytes", count(length));
    }
    let Some(text) = bytes.get(start..start + length) else {
        return malformed!("{name} ends within its header");
    };
    let text = String::from_utf8_lossy(text);
    let Some(fields) = Fields::parse(&text) else {
        return malformed!("{name} has a .npy header that cannot be read");
    };
    let (Some(descr), Some(fortran), Some(shape)) = (fields.descr, fields.fortran, fields.shape)
    else {
        return malformed!("{name} has a .npy header without type, order or shape");
    };
    let (dtype, big_endian) = element_type(name, &descr)?;
    let size = shape
        .iter()
        .try_fold(dtype.bits() / 8, |n, &d| n.checked_mul(d));
    let Some(size) = size else {
        return malformed!("{name} declares an impossible shape {shape:?}");
    };
    Ok(Header {
        dtype,
        big_endian,
        fortran,
        shape,
        body: start + length,
        size,
    })
}

/// Element type of a `descr` such as `<f4`, and whether it is big-endian.
fn element_type(name: &str, descr: &Descr) -> Result<(DType, bool)> {
    let Descr::Plain(descr) = descr else {
        return unsupported!(
            "{name} holds a structured array; save each field as an array of its own"
        );
    };
    let (order, code) = match descr.split_at_checked(1) {
        Some(("<" | ">" | "=" | "|", code)) => (&descr[..1], code),
        _ => ("=", descr.as_str()),
    };
    let dtype = match code {
        "f2" => DType::Float16,
        "f4" => DType::Float32,
        "f8" => DType::Float64,
        "i1" => DType::Int8,
        "i2" => DType::Int16,
        "i4" => DType::Int32,
        "i8" => DType::Int64,
        "u1" => DType::UInt8,
        "u2" => DType::UInt16,
        "u4" => DType::UInt32,
        "u8" => DType::UInt64,
        "b1" => DType::Bool,
        _ if code.starts_with('O') => {
            return unsupported!(
                "{name} holds Python objects; save a plain numeric array (x.astype('float32'))"
            );
        }
        _ if code.starts_with(['U', 'S', 'a', 'V', 'M', 'm', 'c', 'f', 'i', 'u', 'b']) => {
            return unsupported!(
                "{name} holds elements of NumPy type '{descr}', which no model input takes"
            );
        }
        _ => return malformed!("{name} names an unknown NumPy type '{descr}'"),
    };
    Ok((dtype, order == ">"))
}

enum Descr {
    Plain(String),
    Structured,
}

/// The three entries of the header's Python dictionary.
#[derive(Default)]
struct Fields {
    descr: Option<Descr>,
    fortran: Option<bool>,
    shape: Option<Vec<usize>>,
}

impl Fields {
    /// Reads the literal `{'descr': …, 'fortran_order': …, 'shape': (…)}`; `None` if it is anything else.
    fn parse(text: &str) -> Option<Self> {
        let mut rest = text.trim().strip_prefix('{')?.trim_start();
        let mut fields = Self::default();
        while !rest.starts_with('}') {
            let (key, after) = string(rest)?;
            rest = after.trim_start().strip_prefix(':')?.trim_start();
            match key {
                "descr" if rest.starts_with('[') => {
                    fields.descr = Some(Descr::Structured);
                    // Nothing after a structured type matters: it is refused.
                    fields.fortran.get_or_insert(false);
                    fields.shape.get_or_insert_default();
                    return Some(fields);
                }
                "descr" => {
                    let (value, after) = string(rest)?;
                    fields.descr = Some(Descr::Plain(value.to_string()));
                    rest = after;
                }
                "fortran_order" => {
                    let (value, after) = if let Some(after) = rest.strip_prefix("True") {
                        (true, after)
                    } else {
                        (false, rest.strip_prefix("False")?)
                    };
                    fields.fortran = Some(value);
                    rest = after;
                }
                "shape" => {
                    let (value, after) = tuple(rest)?;
                    fields.shape = Some(value);
                    rest = after;
                }
                _ => return None,
            }
            rest = rest.trim_start();
            match rest.strip_prefix(',') {
                Some(after) => rest = after.trim_start(),
                None if rest.starts_with('}') => {}
                None => return None,
            }
        }
        Some(fields)
    }
}

/// A quoted string without escapes, and what follows it.
fn string(text: &str) -> Option<(&str, &str)> {
    let quote = text.chars().next().filter(|c| matches!(c, '\'' | '"'))?;
    text.get(1..)?.split_once(quote)
}

/// A tuple of whole numbers such as `(3, 4)` or `(3,)`, and what follows it.
fn tuple(text: &str) -> Option<(Vec<usize>, &str)> {
    let (inside, after) = text.strip_prefix('(')?.split_once(')')?;
    let mut shape = vec![];
    let mut parts = inside.split(',').map(str::trim).peekable();
    while let Some(part) = parts.next() {
        if part.is_empty() && parts.peek().is_none() {
            break;
        }
        // Python 2 wrote long integers with an L.
        let extent: u64 = part.trim_end_matches('L').parse().ok()?;
        shape.push(usize::try_from(extent).ok()?);
        if shape.len() > MAX_RANK {
            return None;
        }
    }
    Some((shape, after))
}
