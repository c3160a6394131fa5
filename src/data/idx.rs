//! IDX files (the format of the MNIST data), gzipped or not: images and labels as unsigned bytes.

use std::io::Read;

use bytes::Bytes;

use super::MAX_UNPACKED;
use super::array::Array;
use super::words::count;
use crate::error::Result;
use crate::graph::DType;
use crate::{malformed, unsupported};

/// First bytes of a gzip stream.
pub(super) const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];

/// Whether these bytes begin as an IDX file: two zeros, a known element code, a rank from 1 to 4.
pub(super) fn is_idx(bytes: &[u8]) -> bool {
    matches!(
        bytes,
        [0, 0, 0x08 | 0x09 | 0x0b | 0x0c | 0x0d | 0x0e, 1..=4, ..]
    )
}

/// Reads an IDX file, unpacking it first if it is gzipped; of a gzipped one no more than its header declares.
pub(super) fn read(name: &str, bytes: Bytes) -> Result<Array> {
    if !bytes.starts_with(&GZIP_MAGIC) {
        let (shape, body, size) = header(name, &bytes)?;
        let held = bytes.len().saturating_sub(body);
        check_size(name, size, held)?;
        return Ok(array(shape, bytes.slice(body..)));
    }
    let mut stream = flate2::read::MultiGzDecoder::new(&bytes[..]);
    let mut head = Vec::new();
    unpack(name, &mut stream, 20, &mut head)?;
    if !is_idx(&head) {
        return malformed!("{name} is gzipped, but what it holds is not an IDX file");
    }
    let (shape, body, size) = header(name, &head)?;
    if size > MAX_UNPACKED {
        return unsupported!(
            "{name} declares {} bytes of data; compressed files may hold {} at most",
            count(size),
            count(MAX_UNPACKED)
        );
    }
    let mut data = head.split_off(body.min(head.len()));
    let missing = (size + 1).saturating_sub(data.len());
    unpack(name, &mut stream, missing, &mut data)?;
    check_size(name, size, data.len())?;
    Ok(array(shape, data.into()))
}

fn array(shape: Vec<usize>, bytes: Bytes) -> Array {
    Array {
        dtype: DType::UInt8,
        shape,
        bytes,
        pixels: true,
    }
}

/// Appends up to `limit` more unpacked bytes; memory grows with what really comes.
fn unpack(name: &str, stream: &mut impl Read, limit: usize, out: &mut Vec<u8>) -> Result<()> {
    match stream.take(limit as u64).read_to_end(out) {
        Ok(_) => Ok(()),
        Err(_) => malformed!("{name} is a damaged or truncated gzip file"),
    }
}

/// Shape, where the elements begin, and how many bytes of them the header declares.
fn header(name: &str, bytes: &[u8]) -> Result<(Vec<usize>, usize, usize)> {
    let (Some(&code), Some(&rank)) = (bytes.get(2), bytes.get(3)) else {
        return malformed!("{name} is too short for an IDX file");
    };
    if code != 0x08 {
        return unsupported!(
            "{name} is an IDX file of element type 0x{code:02x}; only unsigned bytes (0x08) can be read"
        );
    }
    let body = 4 + 4 * usize::from(rank);
    let Some(extents) = bytes.get(4..body) else {
        return malformed!("{name} ends within its IDX header");
    };
    let shape: Vec<usize> = extents
        .chunks_exact(4)
        .map(|b| b.iter().fold(0usize, |n, &b| (n << 8) | usize::from(b)))
        .collect();
    let size = shape.iter().try_fold(1usize, |n, &d| n.checked_mul(d));
    let Some(size) = size else {
        return malformed!("{name} declares impossible extents {shape:?}");
    };
    Ok((shape, body, size))
}

fn check_size(name: &str, declared: usize, held: usize) -> Result<()> {
    let declares = count(declared);
    if held < declared {
        return malformed!(
            "{name} is truncated: its header declares {declares} bytes of data, it holds {}",
            count(held)
        );
    }
    if held > declared {
        return malformed!("{name} holds more than the {declares} bytes its header declares");
    }
    Ok(())
}
