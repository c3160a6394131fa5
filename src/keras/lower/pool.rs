//! Pooling.

use super::super::config::Config;
use super::builder::Builder;
use super::conv::{channels_last, image, padding, window};
use crate::error::Result;
use crate::graph::{Activation, Op, Pool2d, TensorId};

fn options(b: &Builder, c: &Config, x: TensorId) -> Result<(Pool2d, Vec<Option<usize>>)> {
    channels_last(c)?;
    let ([n, h, w], channels) = image(b, x)?;
    let filter = c.sizes("pool_size", Some([2, 2]))?;
    let stride = c.sizes("strides", Some(filter))?;
    let padding = padding(c)?;
    let along = |extent, i: usize| window(extent, padding, filter[i], stride[i], 1);
    let shape = vec![n, along(h, 0)?, along(w, 1)?, Some(channels)];
    let pool = Pool2d {
        padding,
        stride,
        filter,
        activation: Activation::None,
    };
    Ok((pool, shape))
}

/// MaxPooling2D.
pub(super) fn max2d(b: &mut Builder, c: &Config, x: TensorId) -> Result<TensorId> {
    let (pool, shape) = options(b, c, x)?;
    Ok(b.node(Op::MaxPool2d(pool), &[x], shape))
}

/// AveragePooling2D; padding does not count, in Keras as in TensorFlow Lite.
pub(super) fn average2d(b: &mut Builder, c: &Config, x: TensorId) -> Result<TensorId> {
    let (pool, shape) = options(b, c, x)?;
    Ok(b.node(Op::AveragePool2d(pool), &[x], shape))
}

/// GlobalAveragePooling2D.
pub(super) fn global_average2d(b: &mut Builder, c: &Config, x: TensorId) -> Result<TensorId> {
    channels_last(c)?;
    let ([n, ..], channels) = image(b, x)?;
    let keep_dims = c.flag("keepdims", false);
    let one = Some(1);
    let shape = match keep_dims {
        true => vec![n, one, one, Some(channels)],
        false => vec![n, Some(channels)],
    };
    let axes = b.i32s("axes", &[2], &[1, 2]);
    Ok(b.node(Op::Mean { keep_dims }, &[x, axes], shape))
}
