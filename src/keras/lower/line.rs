//! Layers along one axis, [batch, steps, channels]: convolutions and pooling as those over an image of height 1, padding, repeats.

use super::super::config::Config;
use super::super::weights::Weights;
use super::builder::{Builder, Dim};
use super::conv::{Geometry, channels_last, conv, depthwise_conv, padding, separable_conv};
use super::ops::{self, Part};
use super::pool;
use super::reshape::{pad, reshape};
use crate::error::Result;
use crate::graph::{Op, Padding, TensorId};
use crate::malformed;

/// The extents of [batch, steps, channels].
pub(super) fn line(b: &Builder, x: TensorId) -> Result<[Dim; 3]> {
    match *b.shape(x) {
        [n, t, c] => Ok([n, t, c]),
        ref other => malformed!(
            "it takes [batch, steps, channels], but is given {} axes",
            other.len()
        ),
    }
}

/// `layer` on x as an image of height 1.
pub(super) fn as_image(
    b: &mut Builder,
    x: TensorId,
    layer: impl FnOnce(&mut Builder, TensorId) -> Result<TensorId>,
) -> Result<TensorId> {
    let [n, t, c] = line(b, x)?;
    let x = reshape(b, x, vec![n, Some(1), t, c])?;
    let y = layer(b, x)?;
    let shape = match *b.shape(y) {
        [n, _, t, c] => vec![n, t, c],
        ref other => other.to_vec(),
    };
    reshape(b, y, shape)
}

/// Which convolution.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    Plain,
    Depthwise,
    Separable,
}

/// Conv1D, DepthwiseConv1D, SeparableConv1D; `causal` pads in front alone.
pub(super) fn conv1d(
    b: &mut Builder,
    kind: Kind,
    c: &Config,
    weights: &Weights<'_>,
    x: TensorId,
) -> Result<TensorId> {
    line(b, x)?;
    let causal = c.text("padding") == Some("causal");
    let geometry = match causal {
        true => Geometry::of_line(c, Padding::Valid)?,
        false => Geometry::of_line(c, padding(c)?)?,
    };
    let x = match causal {
        true => {
            let [kernel] = c.sizes("kernel_size", None)?;
            let [dilation] = c.sizes("dilation_rate", Some([1]))?;
            let before = (i64::from(kernel) - 1) * i64::from(dilation);
            if before > 1 << 24 {
                return malformed!("its kernel reaches over {before} steps");
            }
            pad(b, x, &[[0, 0], [before as usize, 0], [0, 0]])?
        }
        false => x,
    };
    as_image(b, x, |b, x| match kind {
        Kind::Plain => conv(b, c, weights, &geometry, x),
        Kind::Depthwise => depthwise_conv(b, c, weights, &geometry, x),
        Kind::Separable => separable_conv(b, c, weights, &geometry, x),
    })
}

/// MaxPooling1D and AveragePooling1D.
pub(super) fn pool1d(b: &mut Builder, c: &Config, x: TensorId, max: bool) -> Result<TensorId> {
    channels_last(c)?;
    let [size] = c.sizes("pool_size", Some([2]))?;
    let [stride] = c.sizes("strides", Some([size]))?;
    let padding = padding(c)?;
    as_image(b, x, |b, x| {
        let (pool, shape) = pool::options(b, x, [1, size], [1, stride], padding)?;
        let op = match max {
            true => Op::MaxPool2d(pool),
            false => Op::AveragePool2d(pool),
        };
        Ok(b.node(op, &[x], shape))
    })
}

/// Two amounts: `n` or `[before, after]`.
fn pair(key: &str, c: &Config) -> Result<[usize; 2]> {
    let amounts = c.integers(key)?;
    let wrong = || malformed!("its {key} is not one or two whole numbers from 0 up to 16777216");
    let fits = |n: i64| (0..=1 << 24).contains(&n);
    match amounts.as_deref() {
        Some(&[n]) if fits(n) => Ok([n as usize; 2]),
        Some(&[a, b]) if fits(a) && fits(b) => Ok([a as usize, b as usize]),
        None => Ok([1, 1]),
        Some(_) => wrong(),
    }
}

/// ZeroPadding1D.
pub(super) fn zero_padding(b: &mut Builder, c: &Config, x: TensorId) -> Result<TensorId> {
    channels_last(c)?;
    line(b, x)?;
    pad(b, x, &[[0, 0], pair("padding", c)?, [0, 0]])
}

/// Cropping1D.
pub(super) fn cropping(b: &mut Builder, c: &Config, x: TensorId) -> Result<TensorId> {
    channels_last(c)?;
    let [_, t, _] = line(b, x)?;
    let amounts = pair("cropping", c)?;
    let part = cropped(t, amounts)?;
    Ok(ops::slice(b, x, &[Part::ALL, part, Part::ALL]))
}

/// What is left of an axis without some of its ends.
pub(super) fn cropped(extent: Dim, [before, after]: [usize; 2]) -> Result<Part> {
    let Some(extent) = extent else {
        return malformed!("it crops an axis of unknown extent");
    };
    match extent.checked_sub(before + after) {
        Some(left) if left > 0 => Ok(Part::range(before as i32, (extent - after) as i32)),
        _ => malformed!("it crops {before} and {after} off an extent of {extent}"),
    }
}

/// UpSampling1D: each step several times in a row.
pub(super) fn up_sampling(b: &mut Builder, c: &Config, x: TensorId) -> Result<TensorId> {
    let size = c.size("size", 1)?;
    let [_, Some(t), _] = line(b, x)? else {
        return malformed!("it takes a known number of steps");
    };
    let long = t.checked_mul(size).filter(|&n| n <= 1 << 24);
    let Some(long) = long else {
        return malformed!("its size {size} makes more than 16777216 steps of {t}");
    };
    let indices: Vec<i32> = (0..long).map(|i| (i / size) as i32).collect();
    let indices = b.i32s("indices", &[long], &indices);
    Ok(ops::gather(b, x, indices, 1))
}

/// x several times along each axis.
pub(super) fn tile(b: &mut Builder, x: TensorId, counts: &[usize]) -> TensorId {
    let shape = b
        .shape(x)
        .iter()
        .zip(counts)
        .map(|(d, &n)| d.map(|d| d * n))
        .collect();
    let counts: Vec<i32> = counts.iter().map(|&n| n as i32).collect();
    let counts = b.i32s("multiples", &[counts.len()], &counts);
    b.node(Op::Tile, &[x, counts], shape)
}

/// RepeatVector: a vector as each step of a sequence.
pub(super) fn repeat_vector(b: &mut Builder, c: &Config, x: TensorId) -> Result<TensorId> {
    let count = c.size("n", 1)?;
    let &[n, channels] = b.shape(x) else {
        return malformed!(
            "it takes [batch, channels], but is given {} axes",
            b.shape(x).len()
        );
    };
    let x = reshape(b, x, vec![n, Some(1), channels])?;
    Ok(tile(b, x, &[1, count, 1]))
}

/// Permute: axes behind the batch, counted from 1.
pub(super) fn permute(b: &mut Builder, c: &Config, x: TensorId) -> Result<TensorId> {
    let dims = c.integers("dims")?.unwrap_or_default();
    let rank = b.shape(x).len();
    let mut seen: Vec<i64> = dims.clone();
    seen.sort_unstable();
    if !seen.iter().copied().eq(1..rank as i64) {
        return malformed!(
            "its dims {dims:?} are no order of the {} axes behind the batch",
            rank - 1
        );
    }
    let order: Vec<usize> = std::iter::once(0)
        .chain(dims.iter().map(|&d| d as usize))
        .collect();
    Ok(ops::transpose(b, x, &order))
}
