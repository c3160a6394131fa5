//! Normalization by statistics of the data itself: layer, group, root-mean-square and unit normalization.

use super::super::config::Config;
use super::super::weights::Weights;
use super::builder::{Builder, Dim};
use super::conv::take;
use super::functions::plus;
use super::merge::{add, mul, sub};
use super::normalization::axis;
use super::ops::{binary, mean, reduce, unary};
use super::reshape::reshape;
use crate::error::Result;
use crate::graph::{Activation, Binary, Op, Reduction, TensorId, Unary};
use crate::{malformed, unsupported};

/// The axes a setting names; −1 if it names none.
fn axes(c: &Config, rank: usize) -> Result<Vec<usize>> {
    let axes = c.integers("axis")?.unwrap_or_else(|| vec![-1]);
    let mut axes = axes
        .iter()
        .map(|&a| axis(a, rank))
        .collect::<Result<Vec<_>>>()?;
    axes.sort_unstable();
    axes.dedup();
    match axes.first() {
        None | Some(0) => malformed!("it normalizes along no axis, or along the batch"),
        Some(_) => Ok(axes),
    }
}

/// Extents that weights along `axes` have.
fn extents(shape: &[Dim], axes: &[usize]) -> Result<Vec<usize>> {
    axes.iter()
        .map(|&a| match shape[a] {
            Some(n) => Ok(n),
            None => malformed!("it takes a known extent on axis {a}"),
        })
        .collect()
}

/// Weights along `axes` with extents of 1 between them, so that they fit a tensor of this rank.
fn spread_shape(axes: &[usize], extents: &[usize], rank: usize) -> Vec<usize> {
    let first = axes.first().copied().unwrap_or(0);
    let mut shape = vec![1; rank - first];
    for (&a, &n) in axes.iter().zip(extents) {
        shape[a - first] = n;
    }
    shape
}

/// x scaled by γ and shifted by β, as far as the layer has them.
fn scale_center(
    b: &mut Builder,
    c: &Config,
    weights: &Weights<'_>,
    x: TensorId,
    stored: &[usize],
    shape: &[usize],
) -> Result<TensorId> {
    let mut arrays = weights.arrays(&[])?.into_iter();
    let mut y = x;
    if c.flag("scale", true) {
        let gamma = take(&mut arrays, "gamma", stored)?;
        let gamma = b.f32s("gamma", shape, &gamma);
        y = mul(b, y, gamma);
    }
    if c.flag("center", true) {
        let beta = take(&mut arrays, "beta", stored)?;
        let beta = b.f32s("beta", shape, &beta);
        y = add(b, y, beta);
    }
    Ok(y)
}

/// (x − mean) / √(variance + ε) over some axes.
fn standardize(b: &mut Builder, x: TensorId, axes: &[usize], epsilon: f64) -> Result<TensorId> {
    let centre = mean(b, x, axes, true);
    let off = sub(b, x, centre);
    let squares = binary(b, Binary::SquaredDifference, x, centre)?;
    let variance = mean(b, squares, axes, true);
    let variance = plus(b, variance, epsilon);
    let by = unary(b, Unary::Rsqrt, variance);
    Ok(mul(b, off, by))
}

/// LayerNormalization.
pub(super) fn layer(
    b: &mut Builder,
    c: &Config,
    weights: &Weights<'_>,
    x: TensorId,
) -> Result<TensorId> {
    if c.flag("rms_scaling", false) {
        return unsupported!("its rms_scaling is not known here; use RMSNormalization");
    }
    let shape = b.shape(x).to_vec();
    let axes = axes(c, shape.len())?;
    let stored = extents(&shape, &axes)?;
    let y = standardize(b, x, &axes, c.number("epsilon", 1e-3)?)?;
    scale_center(
        b,
        c,
        weights,
        y,
        &stored,
        &spread_shape(&axes, &stored, shape.len()),
    )
}

/// RMSNormalization: x / √(mean of x² + ε) · scale.
pub(super) fn rms(
    b: &mut Builder,
    c: &Config,
    weights: &Weights<'_>,
    x: TensorId,
) -> Result<TensorId> {
    let shape = b.shape(x).to_vec();
    let axes = axes(c, shape.len())?;
    let stored = extents(&shape, &axes)?;
    let y = unary(b, Unary::Square, x);
    let y = mean(b, y, &axes, true);
    let y = plus(b, y, c.number("epsilon", 1e-6)?);
    let y = unary(b, Unary::Rsqrt, y);
    let y = mul(b, x, y);
    let mut arrays = weights.arrays(&[])?.into_iter();
    let scale = take(&mut arrays, "scale", &stored)?;
    let scale = b.f32s("scale", &spread_shape(&axes, &stored, shape.len()), &scale);
    Ok(mul(b, y, scale))
}

/// GroupNormalization: the channels in groups, each normalized with all other axes.
pub(super) fn group(
    b: &mut Builder,
    c: &Config,
    weights: &Weights<'_>,
    x: TensorId,
) -> Result<TensorId> {
    let shape = b.shape(x).to_vec();
    let rank = shape.len();
    let along = axis(c.integer("axis")?.unwrap_or(-1), rank)?;
    let Some(channels) = shape[along] else {
        return malformed!("it takes a known extent on axis {along}");
    };
    let groups = match c.integer("groups")?.unwrap_or(32) {
        -1 => channels,
        n if n > 0 => n as usize,
        n => return malformed!("its groups are {n}"),
    };
    if along == 0 || channels % groups != 0 {
        return malformed!(
            "its {groups} groups do not divide the {channels} channels of axis {along}"
        );
    }
    let epsilon = c.number("epsilon", 1e-3)?;
    let y = if groups == channels && rank > 2 {
        // Each channel is a group: nothing needs to be taken apart.
        let others: Vec<usize> = (1..rank).filter(|&i| i != along).collect();
        standardize(b, x, &others, epsilon)?
    } else if groups == 1 {
        standardize(b, x, &(1..rank).collect::<Vec<_>>(), epsilon)?
    } else {
        let mut apart = shape.clone();
        apart[along] = Some(channels / groups);
        apart.insert(along, Some(groups));
        let y = reshape(b, x, apart)?;
        let within: Vec<usize> = (1..=rank).filter(|&i| i != along).collect();
        let y = standardize(b, y, &within, epsilon)?;
        reshape(b, y, shape)?
    };
    let stored = [channels];
    scale_center(
        b,
        c,
        weights,
        y,
        &stored,
        &spread_shape(&[along], &stored, rank),
    )
}

/// UnitNormalization: x / max(√Σx², 1e-6) over some axes.
pub(super) fn unit(b: &mut Builder, c: &Config, x: TensorId) -> Result<TensorId> {
    let rank = b.shape(x).len();
    let axes = axes(c, rank)?;
    unit_over(b, x, &axes)
}

/// x / max(√Σx², 1e-6) over these axes; over the last one that is L2_NORMALIZATION, which has the same bound.
pub(super) fn unit_over(b: &mut Builder, x: TensorId, axes: &[usize]) -> Result<TensorId> {
    let shape = b.shape(x).to_vec();
    if axes == [shape.len() - 1] && shape.len() <= 4 {
        let op = Op::L2Normalization {
            activation: Activation::None,
        };
        return Ok(b.node(op, &[x], shape));
    }
    let y = unary(b, Unary::Square, x);
    let y = reduce(b, Reduction::Sum, y, axes, true);
    let y = unary(b, Unary::Rsqrt, y);
    let most = b.scalar("upper", 1e6);
    let y = binary(b, Binary::Minimum, y, most)?;
    Ok(mul(b, x, y))
}
