//! Attention: dot-product, additive, and with several heads.

use super::super::config::Config;
use super::super::hdf5::Array;
use super::super::weights::Weights;
use super::builder::{Builder, Dim};
use super::call::{Arg, Call};
use super::conv::{elements, output_first, take};
use super::dense::affine;
use super::functions::times;
use super::merge::{add, mul};
use super::ops::{matmul, reduce, same, softmax, transpose};
use super::reshape::{fitting, product, reshape};
use crate::error::Result;
use crate::graph::{Op, Reduction, TensorId};
use crate::{malformed, unsupported};

/// What Keras adds to the scores of steps that must not be seen.
const UNSEEN: f32 = -1e9;

/// Query, value and key of an attention layer, which takes them in a list.
fn query_value_key(call: &Call) -> Result<[TensorId; 3]> {
    let list = Call {
        args: call.args.iter().take(1).cloned().collect(),
        kwargs: vec![],
    };
    match list.tensors()[..] {
        [q, v] => Ok([q, v, v]),
        [q, v, k] => Ok([q, v, k]),
        ref other => malformed!(
            "it takes query, value and key, but is given {} tensors",
            other.len()
        ),
    }
}

/// A flag of the call.
fn flag(call: &Call, name: &str) -> bool {
    let value = call.kwargs.iter().find(|(k, _)| k == name);
    matches!(value, Some((_, Arg::Value(v))) if v.as_bool() == Some(true))
}

fn refuse_masks(call: &Call) -> Result<()> {
    let given = |a: &Arg| match a {
        Arg::Tensor(_) => true,
        Arg::List(items) => items.iter().any(|i| matches!(i, Arg::Tensor(_))),
        Arg::Value(_) => false,
    };
    let masks = |(k, a): &&(String, Arg)| k.contains("mask") && given(a);
    match call.kwargs.iter().find(masks) {
        Some((name, _)) => unsupported!(
            "it is called with {name}, which is not known here; save the model without it, or add the mask to the scores by layers of its own"
        ),
        None => Ok(()),
    }
}

/// Scores without those of later steps.
fn causal(b: &mut Builder, scores: TensorId) -> Result<TensorId> {
    let &[.., Some(rows), Some(columns)] = b.shape(scores) else {
        return unsupported!(
            "its causal mask needs a known number of steps; save the model with a fixed input shape"
        );
    };
    let Some(size) = rows.checked_mul(columns).filter(|&n| n <= 1 << 26) else {
        return unsupported!("its causal mask of {rows} by {columns} steps is too large");
    };
    let mut mask = vec![0.0; size];
    for (r, row) in mask.chunks_mut(columns.max(1)).enumerate() {
        row.iter_mut().skip(r + 1).for_each(|v| *v = UNSEEN);
    }
    let mask = b.f32s("causal_mask", &[rows, columns], &mask);
    Ok(add(b, scores, mask))
}

/// q[…, i, 1, …] + k[…, 1, j, …], then tanh: [batch, query steps, key steps, features].
fn sums(b: &mut Builder, q: TensorId, k: TensorId, scale: Option<TensorId>) -> Result<TensorId> {
    let (&[n, i, f], &[m, j, g]) = (b.shape(q), b.shape(k)) else {
        return malformed!("it takes [batch, steps, features]");
    };
    let one = Some(1);
    let q = reshape(b, q, vec![n, i, one, f])?;
    let k = fitting(b, k, vec![m, one, j, g])?;
    let mut y = add(b, q, k);
    if let Some(scale) = scale {
        y = mul(b, y, scale);
    }
    Ok(same(b, Op::Tanh, y))
}

/// Attention and AdditiveAttention: softmax of scores, times value; with the scores where they are asked for.
pub(super) fn attention(
    b: &mut Builder,
    additive: bool,
    c: &Config,
    weights: &Weights<'_>,
    call: &Call,
) -> Result<Vec<TensorId>> {
    refuse_masks(call)?;
    let [q, v, k] = query_value_key(call)?;
    for id in [q, v, k] {
        if b.shape(id).len() != 3 {
            return malformed!(
                "it takes [batch, steps, features], but is given {} axes",
                b.shape(id).len()
            );
        }
    }
    let Some(&Some(features)) = b.shape(q).last() else {
        return malformed!("it takes a known number of features");
    };
    let mut arrays = weights.arrays(&[])?.into_iter();
    let mut single =
        |what: &str| -> Result<f64> { Ok(f64::from(take(&mut arrays, what, &[])?[0])) };
    let scores = if additive {
        let y = sums(b, q, k, None)?;
        let y = match c.flag("use_scale", true) {
            true => {
                let scale = take(&mut arrays, "scale", &[features])?;
                let scale = b.f32s("scale", &[features], &scale);
                mul(b, y, scale)
            }
            false => y,
        };
        reduce(b, Reduction::Sum, y, &[3], false)
    } else {
        let scale = match c.flag("use_scale", false) {
            true => Some(single("scale")?),
            false => None,
        };
        match c.text("score_mode").unwrap_or("dot") {
            "dot" => {
                let y = matmul(b, q, k, [false, true])?;
                scale.map_or(y, |s| times(b, y, s))
            }
            "concat" => {
                let weight = single("concat_score_weight")?;
                let scale = scale.map(|s| b.scalar("scale", s));
                let y = sums(b, q, k, scale)?;
                let y = reduce(b, Reduction::Sum, y, &[3], false);
                times(b, y, weight)
            }
            other => return unsupported!("its score_mode is '{}'", other.escape_debug()),
        }
    };
    // Keras before 2.10 had the causal mask among the settings.
    let scores = match flag(call, "use_causal_mask") || c.flag("causal", false) {
        true => causal(b, scores)?,
        false => scores,
    };
    let shares = softmax(b, scores);
    let y = matmul(b, shares, v, [false, false])?;
    Ok(match flag(call, "return_attention_scores") {
        true => vec![y, shares],
        false => vec![y],
    })
}

/// How many heads of which size; several query heads may share a head of key and value.
struct Heads {
    query: usize,
    shared: usize,
    key_size: usize,
    value_size: usize,
    bias: bool,
}

/// A projection into heads: kernel [inputs, heads, size], bias [heads, size], both times `factor`; gives [batch, steps, heads · size].
fn project(
    b: &mut Builder,
    arrays: &mut std::vec::IntoIter<Array>,
    x: TensorId,
    (name, heads, size): (&str, usize, usize),
    bias: bool,
    factor: f32,
) -> Result<TensorId> {
    let Some(&Some(inputs)) = b.shape(x).last() else {
        return malformed!("it takes a known number of features");
    };
    let outputs = elements(&[heads, size])?;
    let kernel = take(arrays, &format!("{name} kernel"), &[inputs, heads, size])?;
    let bias = match bias {
        true => Some(take(arrays, &format!("{name} bias"), &[heads, size])?),
        false => None,
    };
    let scaled = |v: Vec<f32>| v.iter().map(|x| x * factor).collect::<Vec<f32>>();
    let kernel = scaled(output_first(&kernel, outputs));
    let bias = bias.map(scaled);
    Ok(affine(b, x, (name, &kernel), bias.as_deref()))
}

/// [batch, steps, heads · size] → [batch, heads, steps, size]; one head needs no axis of its own.
fn apart(b: &mut Builder, x: TensorId, heads: usize, size: usize) -> Result<TensorId> {
    if heads == 1 {
        return Ok(x);
    }
    let (n, t) = (b.shape(x)[0], b.shape(x)[1]);
    let y = reshape(b, x, vec![n, t, Some(heads), Some(size)])?;
    Ok(transpose(b, y, &[0, 2, 1, 3]))
}

/// Everything between batch and features as one axis of steps.
fn steps(b: &mut Builder, x: TensorId) -> Result<TensorId> {
    let shape = b.shape(x).to_vec();
    match shape[..] {
        [_, _, _] => Ok(x),
        [n, ref middle @ .., f] if middle.len() > 1 => {
            let steps = product(middle)?;
            reshape(b, x, vec![n, steps, f])
        }
        _ => malformed!(
            "it takes [batch, steps, features], but is given {} axes",
            shape.len()
        ),
    }
}

/// MultiHeadAttention and GroupQueryAttention.
pub(super) fn multi_head(
    b: &mut Builder,
    grouped: bool,
    c: &Config,
    weights: &Weights<'_>,
    call: &Call,
) -> Result<Vec<TensorId>> {
    refuse_masks(call)?;
    if c.flag("use_gate", false) || c.get("sliding_window").is_some() {
        return unsupported!("its use_gate or sliding_window is not known here");
    }
    let heads = if grouped {
        let size = c.size("head_dim", 1)?;
        Heads {
            query: c.size("num_query_heads", 1)?,
            shared: c.size("num_key_value_heads", 1)?,
            key_size: size,
            value_size: size,
            bias: c.flag("use_bias", true),
        }
    } else {
        let (count, size) = (c.size("num_heads", 1)?, c.size("key_dim", 1)?);
        Heads {
            query: count,
            shared: count,
            key_size: size,
            value_size: c
                .integer("value_dim")?
                .map_or(Ok(size), |_| c.size("value_dim", 1))?,
            bias: c.flag("use_bias", true),
        }
    };
    if heads.query % heads.shared != 0 {
        return malformed!(
            "its {} query heads do not share {} heads of keys",
            heads.query,
            heads.shared
        );
    }
    let tensor = |position, name| match call.argument(position, name) {
        Some(Arg::Tensor(id)) => Some(*id),
        _ => None,
    };
    let Some(query) = tensor(0, "query") else {
        return malformed!("it is called without a query");
    };
    let value = tensor(1, "value").unwrap_or(query);
    let key = tensor(2, "key").unwrap_or(value);
    let rank = b.shape(query).len();
    if let Some(axes) = c.integers("attention_axes")?
        && !axes.iter().copied().eq(1..rank as i64 - 1)
    {
        return unsupported!(
            "its attention_axes are {axes:?}; all axes between batch and features are known"
        );
    }
    let outer = b.shape(query).to_vec();
    let (query, value, key) = (steps(b, query)?, steps(b, value)?, steps(b, key)?);

    let mut arrays = weights
        .arrays(&[
            "query_dense",
            "_query_dense",
            "key_dense",
            "_key_dense",
            "value_dense",
            "_value_dense",
            "output_dense",
            "_output_dense",
        ])?
        .into_iter();
    let arrays = &mut arrays;
    let factor = 1.0 / (heads.key_size as f32).sqrt();
    let q = project(
        b,
        arrays,
        query,
        ("query", heads.query, heads.key_size),
        heads.bias,
        factor,
    )?;
    let k = project(
        b,
        arrays,
        key,
        ("key", heads.shared, heads.key_size),
        heads.bias,
        1.0,
    )?;
    let v = project(
        b,
        arrays,
        value,
        ("value", heads.shared, heads.value_size),
        heads.bias,
        1.0,
    )?;
    let (n, t) = (b.shape(q)[0], b.shape(q)[1]);
    let mut q = apart(b, q, heads.query, heads.key_size)?;
    let k = apart(b, k, heads.shared, heads.key_size)?;
    let v = apart(b, v, heads.shared, heads.value_size)?;
    let group = heads.query / heads.shared;
    let asks = |name| flag(call, name);
    let (mask, wants_scores) = (asks("use_causal_mask"), asks("return_attention_scores"));
    if group > 1 {
        if mask || wants_scores {
            return unsupported!(
                "a causal mask or the scores of grouped queries are not known here"
            );
        }
        // The queries that share a key follow one another: they are more steps of one head.
        let more: Dim = t.map(|t| t * group);
        let shape = match heads.shared {
            1 => vec![n, more, Some(heads.key_size)],
            shared => vec![n, Some(shared), more, Some(heads.key_size)],
        };
        q = reshape(b, q, shape)?;
    }
    let mut scores = matmul(b, q, k, [false, true])?;
    if mask {
        scores = causal(b, scores)?;
    }
    let shares = softmax(b, scores);
    let mut y = matmul(b, shares, v, [false, false])?;
    if heads.query > 1 {
        let (count, size) = (Some(heads.query), Some(heads.value_size));
        y = reshape(b, y, vec![n, count, t, size])?;
        y = transpose(b, y, &[0, 2, 1, 3]);
    }
    let joined = elements(&[heads.query, heads.value_size])?;
    y = reshape(b, y, vec![n, t, Some(joined)])?;

    // What it projects back to: the query's features, unless it says otherwise.
    let features = match c.integers("output_shape")?.as_deref() {
        None => outer.last().copied().flatten().unwrap_or(1),
        Some(&[f]) if f > 0 => f as usize,
        Some(other) => return unsupported!("its output_shape is {other:?}; one axis is known"),
    };
    let kernel = take(
        arrays,
        "output kernel",
        &[heads.query, heads.value_size, features],
    )?;
    let bias = match heads.bias {
        true => Some(take(arrays, "output bias", &[features])?),
        false => None,
    };
    y = affine(
        b,
        y,
        ("output", &output_first(&kernel, features)),
        bias.as_deref(),
    );
    let mut shape = outer;
    if let Some(last) = shape.last_mut() {
        *last = Some(features);
    }
    y = reshape(b, y, shape)?;
    if !wants_scores {
        return Ok(vec![y]);
    }
    let shares = match heads.query {
        1 => {
            let (n, rows, columns) = (b.shape(shares)[0], b.shape(shares)[1], b.shape(shares)[2]);
            reshape(b, shares, vec![n, Some(1), rows, columns])?
        }
        _ => shares,
    };
    Ok(vec![y, shares])
}
