//! Pooling.

use super::super::config::Config;
use super::builder::{Builder, Dim};
use super::conv::{channels_last, image, padding, window};
use super::ops;
use crate::error::Result;
use crate::graph::{Activation, Op, Padding, Pool2d, Reduction, TensorId};
use crate::malformed;

/// Pooling over an image, and the shape it gives.
pub(super) fn options(
    b: &Builder,
    x: TensorId,
    filter: [i32; 2],
    stride: [i32; 2],
    padding: Padding,
) -> Result<(Pool2d, Vec<Dim>)> {
    let ([n, h, w], channels) = image(b, x)?;
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

fn of_config(b: &Builder, c: &Config, x: TensorId) -> Result<(Pool2d, Vec<Dim>)> {
    channels_last(c)?;
    let filter = c.sizes("pool_size", Some([2, 2]))?;
    options(b, x, filter, c.sizes("strides", Some(filter))?, padding(c)?)
}

/// MaxPooling2D.
pub(super) fn max2d(b: &mut Builder, c: &Config, x: TensorId) -> Result<TensorId> {
    let (pool, shape) = of_config(b, c, x)?;
    Ok(b.node(Op::MaxPool2d(pool), &[x], shape))
}

/// AveragePooling2D; padding does not count, in Keras as in TensorFlow Lite.
pub(super) fn average2d(b: &mut Builder, c: &Config, x: TensorId) -> Result<TensorId> {
    let (pool, shape) = of_config(b, c, x)?;
    Ok(b.node(Op::AveragePool2d(pool), &[x], shape))
}

/// Global pooling over the axes between batch and channels, `spatial` of them.
pub(super) fn global(
    b: &mut Builder,
    c: &Config,
    x: TensorId,
    spatial: usize,
    max: bool,
) -> Result<TensorId> {
    channels_last(c)?;
    if b.shape(x).len() != spatial + 2 {
        let (want, have) = (spatial + 2, b.shape(x).len());
        return malformed!("it takes {want} axes, but is given {have}");
    }
    let axes: Vec<usize> = (1..=spatial).collect();
    let keep = c.flag("keepdims", false);
    Ok(match max {
        true => ops::reduce(b, Reduction::Max, x, &axes, keep),
        false => ops::mean(b, x, &axes, keep),
    })
}
