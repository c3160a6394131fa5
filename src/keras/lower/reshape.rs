//! Layers that move or pad data: Flatten, Reshape, zero padding.

use serde_json::Value;

use super::super::config::{Config, items, short};
use super::builder::{Builder, Dim};
use super::conv::{channels_last, image};
use crate::error::{Error, Result};
use crate::graph::{Op, TensorId};
use crate::{malformed, unsupported};

/// The same elements in `shape`, which has at most one unknown extent; the target is constant.
///
/// # Errors
/// Unsupported if more than one extent is unknown.
pub(super) fn reshape(b: &mut Builder, x: TensorId, shape: Vec<Dim>) -> Result<TensorId> {
    if shape.iter().filter(|d| d.is_none()).count() > 1 {
        return unsupported!(
            "it reshapes a tensor with several unknown extents; save the model with a fixed input shape"
        );
    }
    if b.shape(x) == shape {
        return Ok(x);
    }
    let extents = shape.iter().map(|d| match d {
        None => Ok(-1),
        Some(n) => i32::try_from(*n)
            .map_err(|_| Error::Malformed(format!("its extent {n} does not fit 32 bits"))),
    });
    let extents = extents.collect::<Result<Vec<i32>>>()?;
    let target = b.i32s("shape", &[extents.len()], &extents);
    let op = Op::Reshape {
        new_shape: Some(extents),
    };
    Ok(b.node(op, &[x, target], shape))
}

/// x in a shape that puts extents of 1 between or before its own, for an operand of an element-wise operator: where that is all
/// in front, broadcasting does it.
pub(super) fn fitting(b: &mut Builder, x: TensorId, shape: Vec<Dim>) -> Result<TensorId> {
    let inner = |s: &[Dim]| s.iter().position(|&d| d != Some(1)).unwrap_or(s.len());
    let have = b.shape(x);
    if have[inner(have)..] == shape[inner(&shape)..] {
        return Ok(x);
    }
    reshape(b, x, shape)
}

/// The product of extents, unknown if one is.
pub(super) fn product(shape: &[Dim]) -> Result<Dim> {
    let mut all = 1usize;
    for d in shape {
        let Some(d) = d else { return Ok(None) };
        all = match all.checked_mul(*d) {
            Some(n) if i32::try_from(n).is_ok() => n,
            _ => return malformed!("its input {shape:?} has more elements than 32 bits count"),
        };
    }
    Ok(Some(all))
}

/// Flatten: everything behind the batch in one axis.
pub(super) fn flatten(b: &mut Builder, c: &Config, x: TensorId) -> Result<TensorId> {
    let shape = b.shape(x);
    if shape.len() > 2 {
        channels_last(c)?;
    }
    let Some((&batch, rest)) = shape.split_first() else {
        return malformed!("it takes at least one axis");
    };
    let flat = product(rest)?;
    reshape(b, x, vec![batch, flat])
}

/// Reshape: the batch stays.
pub(super) fn reshape_layer(b: &mut Builder, c: &Config, x: TensorId) -> Result<TensorId> {
    let Some(target) = c.integers("target_shape")? else {
        return malformed!("its target_shape is missing");
    };
    let Some((&batch, rest)) = b.shape(x).split_first() else {
        return malformed!("it takes at least one axis");
    };
    let have = product(rest)?;
    let known = target.iter().filter(|&&d| d != -1);
    let known: Vec<Dim> = known.map(|&d| usize::try_from(d).ok()).collect();
    if known.contains(&None) || target.len() > known.len() + 1 {
        return malformed!("its target_shape is {target:?}");
    }
    let known = product(&known)?.unwrap_or(0);
    let free = match have {
        Some(have) if known > 0 && have % known == 0 => Some(have / known),
        Some(have) => {
            return malformed!("its target_shape {target:?} does not fit {have} elements");
        }
        None => None,
    };
    if target.len() == 1 + target.iter().filter(|&&d| d != -1).count()
        || free == Some(1)
        || free.is_none()
    {
        let mut shape = vec![batch];
        shape.extend(target.iter().map(|&d| match d {
            -1 => free,
            d => Some(d as usize),
        }));
        return reshape(b, x, shape);
    }
    malformed!("its target_shape {target:?} does not fit its input")
}

/// PAD with zeros before and after each axis.
pub(super) fn pad(b: &mut Builder, x: TensorId, amounts: &[[usize; 2]]) -> Result<TensorId> {
    let mut shape = vec![];
    let mut flat = vec![];
    for (&d, &[before, after]) in b.shape(x).iter().zip(amounts) {
        shape.push(d.map(|d| d + before + after));
        flat.extend([before as i32, after as i32]);
    }
    if amounts.iter().flatten().all(|&n| n == 0) {
        return Ok(x);
    }
    let paddings = b.i32s("paddings", &[amounts.len(), 2], &flat);
    Ok(b.node(Op::Pad, &[x, paddings], shape))
}

/// `n`, `[h, w]` or `[[top, bottom], [left, right]]`.
pub(super) fn borders(key: &str, c: &Config) -> Result<[[usize; 2]; 2]> {
    let Some(value) = c.get(key) else {
        return malformed!("its {key} is missing");
    };
    let number = |v: &Value| match v.as_u64() {
        Some(n) if n <= 1 << 24 => Ok(n as usize),
        _ => malformed!("its {key} holds {}", short(v)),
    };
    let pair = |v: &Value| match items(v) {
        Some([a, b]) => Ok([number(a)?, number(b)?]),
        Some(_) => malformed!("its {key} is {}", short(value)),
        None => number(v).map(|n| [n, n]),
    };
    match items(value) {
        Some([h, w]) => Ok([pair(h)?, pair(w)?]),
        Some(_) => malformed!("its {key} is {}", short(value)),
        None => number(value).map(|n| [[n, n]; 2]),
    }
}

/// ZeroPadding2D.
pub(super) fn zero_padding2d(b: &mut Builder, c: &Config, x: TensorId) -> Result<TensorId> {
    channels_last(c)?;
    image(b, x)?;
    let [h, w] = borders("padding", c)?;
    pad(b, x, &[[0, 0], h, w, [0, 0]])
}
