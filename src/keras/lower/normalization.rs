//! Normalization with constants: what is known before the data comes is a product and a sum.

use serde_json::Value;

use super::super::config::{Config, items, short, unwrap_array};
use super::super::weights::Weights;
use super::builder::Builder;
use super::conv::{elements, take};
use super::merge;
use crate::error::Result;
use crate::graph::TensorId;
use crate::{malformed, unsupported};

/// The axis a setting names, counted from the front.
pub(super) fn axis(axis: i64, rank: usize) -> Result<usize> {
    let from_front = if axis < 0 { axis + rank as i64 } else { axis };
    match usize::try_from(from_front) {
        Ok(a) if a < rank => Ok(a),
        _ => malformed!("its axis {axis} does not exist in {rank} axes"),
    }
}

/// BatchNormalization: γ (x − mean) / √(variance + ε) + β along one axis, as x · scale + shift.
pub(super) fn batch(
    b: &mut Builder,
    c: &Config,
    weights: &Weights<'_>,
    x: TensorId,
) -> Result<TensorId> {
    let rank = b.shape(x).len();
    let axes = c.integers("axis")?.unwrap_or_else(|| vec![-1]);
    let [axis_of] = axes[..] else {
        return unsupported!("it normalizes along several axes");
    };
    let along = axis(axis_of, rank)?;
    let Some(channels) = b.shape(x)[along] else {
        return malformed!("it takes a known extent on axis {along}");
    };
    let epsilon = c.number("epsilon", 1e-3)?;
    let mut arrays = weights.arrays(&[])?.into_iter();
    let channel = [channels];
    let gamma = match c.flag("scale", true) {
        true => take(&mut arrays, "gamma", &channel)?,
        false => vec![1.0; channels],
    };
    let beta = match c.flag("center", true) {
        true => take(&mut arrays, "beta", &channel)?,
        false => vec![0.0; channels],
    };
    let mean = take(&mut arrays, "moving_mean", &channel)?;
    let variance = take(&mut arrays, "moving_variance", &channel)?;
    let scale: Vec<f64> = (gamma.iter().zip(&variance))
        .map(|(&g, &v)| f64::from(g) / (f64::from(v) + epsilon).sqrt())
        .collect();
    let shift: Vec<f64> = (beta.iter().zip(&mean).zip(&scale))
        .map(|((&b, &m), s)| f64::from(b) - f64::from(m) * s)
        .collect();
    // The last axis broadcasts by itself.
    let mut shape = vec![1; rank - along];
    shape[0] = channels;
    Ok(scale_shift(b, x, &shape, &scale, &shift))
}

/// x · scale + shift, both of `shape`, which broadcasts.
fn scale_shift(
    b: &mut Builder,
    x: TensorId,
    shape: &[usize],
    scale: &[f64],
    shift: &[f64],
) -> TensorId {
    let single = |v: &[f64]| v.iter().map(|&x| x as f32).collect::<Vec<f32>>();
    let scale = b.f32s("scale", shape, &single(scale));
    let shift = b.f32s("shift", shape, &single(shift));
    let y = merge::mul(b, x, scale);
    merge::add(b, y, shift)
}

/// Numbers in a setting: one, or a list nested in any way.
fn numbers(key: &str, value: &Value, out: &mut Vec<f64>) -> Result<()> {
    let value = unwrap_array(value);
    match (items(value), value.as_f64()) {
        (Some(list), _) => list.iter().try_for_each(|v| numbers(key, v, out)),
        (None, Some(x)) => {
            out.push(x);
            Ok(())
        }
        _ => malformed!("its {key} holds {}, not a number", short(value)),
    }
}

/// One number, or one for each index of the last axis, spread to `count`.
fn spread(key: &str, c: &Config, default: f64, count: usize) -> Result<Vec<f64>> {
    let mut out = vec![];
    match c.get(key) {
        Some(value) => numbers(key, value, &mut out)?,
        None => out.push(default),
    }
    match out.len() {
        1 => Ok(vec![out[0]; count]),
        n if n == count => Ok(out),
        n => malformed!("its {key} has {n} numbers for {count} channels"),
    }
}

/// Rescaling: x · scale + offset.
pub(super) fn rescaling(b: &mut Builder, c: &Config, x: TensorId) -> Result<TensorId> {
    let x = merge::float(b, x);
    let several = ["scale", "offset"]
        .iter()
        .any(|k| c.get(k).is_some_and(|v| unwrap_array(v).as_f64().is_none()));
    let channels = match b.shape(x).last() {
        Some(&Some(n)) if several => n,
        _ => 1,
    };
    let scale = spread("scale", c, 1.0, channels)?;
    let offset = spread("offset", c, 0.0, channels)?;
    Ok(scale_shift(b, x, &[channels], &scale, &offset))
}

/// Normalization: (x − mean) / max(√variance, ε), with the statistics of the configuration or the weights.
pub(super) fn normalization(
    b: &mut Builder,
    c: &Config,
    weights: &Weights<'_>,
    x: TensorId,
) -> Result<TensorId> {
    let x = merge::float(b, x);
    let rank = b.shape(x).len();
    let axes = match c.0.get("axis") {
        Some(Value::Null) => vec![],
        _ => c.integers("axis")?.unwrap_or_else(|| vec![-1]),
    };
    let mut kept = axes
        .into_iter()
        .map(|a| axis(a, rank))
        .collect::<Result<Vec<usize>>>()?;
    kept.sort_unstable();
    kept.dedup();
    // The statistics broadcast: their extents stand on the kept axes, 1 elsewhere.
    let mut shape = vec![1; rank];
    for &a in &kept {
        match b.shape(x)[a] {
            Some(n) => shape[a] = n,
            None => return malformed!("it takes a known extent on axis {a}"),
        }
    }
    let shape = shape.split_off(kept.first().copied().unwrap_or(rank));
    let count = elements(&shape)?;
    let (mean, variance) = if c.get("mean").is_some() {
        (
            spread("mean", c, 0.0, count)?,
            spread("variance", c, 1.0, count)?,
        )
    } else {
        let mut arrays = weights.arrays(&[])?.into_iter();
        let mut next = |what: &str| match arrays.next() {
            Some(array) if array.data.len() == count => {
                Ok(array.data.into_iter().map(f64::from).collect::<Vec<f64>>())
            }
            Some(array) => malformed!(
                "its {what} has the shape {:?}, not {count} numbers",
                array.shape
            ),
            None => malformed!(
                "it has no statistics; call its adapt() on data (or give it a mean and a variance) and save the model again"
            ),
        };
        (next("mean")?, next("variance")?)
    };
    // Keras' backend epsilon keeps a constant feature from dividing by zero.
    let deviation: Vec<f64> = variance.iter().map(|v| v.sqrt().max(1e-7)).collect();
    let (scale, shift): (Vec<f64>, Vec<f64>) = match c.flag("invert", false) {
        true => (deviation, mean),
        false => (mean.iter().zip(&deviation))
            .map(|(m, d)| (1.0 / d, -m / d))
            .unzip(),
    };
    Ok(scale_shift(b, x, &shape, &scale, &shift))
}
