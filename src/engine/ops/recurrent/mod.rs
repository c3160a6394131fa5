//! Builders of RNN, LSTM and SVDF in all their forms: what they share.

mod integer;
mod lstm;
mod rnn;
mod svdf;

use crate::engine::Part;
use crate::engine::built::Work;
use crate::engine::node::{Inputs, NodeCx, Operand};
use crate::error::Result;
use crate::graph::{Activation, DType};
use crate::kernels::reference::recurrent::{CellWork, Extremes, Into, Seen, Sequence, Weights};
use crate::{malformed, unsupported};

pub(super) use lstm::{
    bidirectional as bidirectional_lstm, full_or_basic as lstm, of_sequence as sequence_lstm,
};
pub(super) use rnn::{bidirectional as bidirectional_rnn, one as rnn, sequence as sequence_rnn};
pub(super) use svdf::svdf;

#[derive(Debug, Clone, Copy)]
struct Source {
    input: usize,
    scale: Option<f32>,
}

impl Source {
    fn get<'a>(&self, io: &Inputs<'a>) -> Weights<'a> {
        match self.scale {
            None => Weights::Float(io.get(self.input)),
            Some(scale) => Weights::Hybrid {
                data: io.get(self.input),
                scale,
            },
        }
    }
}

/// Input `i` as weights of this shape.
fn weights(cx: &NodeCx<'_>, i: usize, shape: &[usize]) -> Result<Source> {
    let operand = cx.input(i)?;
    expect_shape(operand, shape)?;
    let scale = match operand.dtype() {
        DType::Float32 => None,
        DType::Int8 if operand.is_per_tensor() => {
            if operand.weight_zero_point()? != 0 {
                return malformed!("{operand} has a zero point other than 0");
            }
            Some(operand.weight_scales(1, 0)?[0])
        }
        DType::Int8 => return unsupported!("{operand} has several scales, which cannot run yet"),
        other => return cx.no_kernel(format_args!("{other} weights ({operand})")),
    };
    Ok(Source { input: i, scale })
}

fn optional_weights(cx: &NodeCx<'_>, i: usize, shape: &[usize]) -> Result<Option<Source>> {
    match cx.optional(i)? {
        Some(_) => weights(cx, i, shape).map(Some),
        None => Ok(None),
    }
}

fn expect_shape(operand: Operand<'_>, shape: &[usize]) -> Result<()> {
    if operand.shape == shape {
        return Ok(());
    }
    malformed!("{operand} has shape {:?}, not {shape:?}", operand.shape)
}

/// Input `i` as float vector of `n` elements; returns `i`.
fn vector(cx: &NodeCx<'_>, i: usize, n: usize) -> Result<usize> {
    let operand = cx.input(i)?;
    operand.expect(DType::Float32)?;
    expect_shape(operand, &[n])?;
    Ok(i)
}

fn optional_vector(cx: &NodeCx<'_>, i: usize, n: usize) -> Result<Option<usize>> {
    match cx.optional(i)? {
        Some(_) => vector(cx, i, n).map(Some),
        None => Ok(None),
    }
}

/// The function of a fused activation.
fn function(activation: Activation) -> Result<fn(f32) -> f32> {
    Ok(match activation {
        Activation::None => |x| x,
        Activation::Relu => |x| x.max(0.0),
        Activation::ReluN1To1 => |x| x.clamp(-1.0, 1.0),
        Activation::Relu6 => |x| x.clamp(0.0, 6.0),
        Activation::Tanh => f32::tanh,
        Activation::SignBit => {
            return unsupported!("the fused activation {activation:?} cannot run yet");
        }
    })
}

/// Rows and elements of float input `i`.
fn float_sequence(
    cx: &NodeCx<'_>,
    i: usize,
    time_major: Option<bool>,
) -> Result<(Sequence, usize)> {
    cx.input(i)?.expect(DType::Float32)?;
    sequence(cx, i, time_major)
}

/// Rows and elements of input `i`, [batch, n], [batch, time, n] or [time, batch, n].
fn sequence(cx: &NodeCx<'_>, i: usize, time_major: Option<bool>) -> Result<(Sequence, usize)> {
    let input = cx.input(i)?;
    let (batch, time, n) = match (time_major, input.shape) {
        (None, &[batch, n]) => (batch, 1, n),
        (Some(false), &[batch, time, n]) => (batch, time, n),
        (Some(true), &[time, batch, n]) => (batch, time, n),
        (None, shape) => return malformed!("{input} has shape {shape:?}, not 2 axes"),
        (_, shape) => return malformed!("{input} has shape {shape:?}, not 3 axes"),
    };
    let sequence = Sequence {
        batch,
        time,
        time_major: time_major == Some(true),
        backward: false,
    };
    Ok((sequence, n))
}

/// The shape of input 0 with rows of `n` elements.
fn rows_of(cx: &NodeCx<'_>, n: usize) -> Result<Vec<usize>> {
    let mut shape = cx.input(0)?.shape.to_vec();
    if let Some(last) = shape.last_mut() {
        *last = n;
    }
    Ok(shape)
}

/// Readies `cell` to see what it computes on the way, if somebody wants to know.
fn watch(cell: &mut CellWork, work: &Work<'_>) {
    cell.seen = work.parts.is_some().then(Seen::default);
}

/// Passes on what `cell` saw of these parts.
fn report<const N: usize>(
    cell: &CellWork,
    work: &mut Work<'_>,
    parts: impl Fn(&Seen) -> [(Part, Extremes); N],
) {
    if let (Some(all), Some(seen)) = (&mut work.parts, &cell.seen) {
        let parts = parts(seen).into_iter().filter(|(_, e)| e.min <= e.max);
        all.extend(parts.map(|(part, e)| (part, e.min, e.max)));
    }
}

/// State tensors: the inputs and how many elements they hold.
type States = Vec<(usize, usize)>;

/// Where the two directions of a bidirectional node read: the auxiliary input feeds both if it has weights, else the backward one alone.
struct Directions {
    forward: Sequence,
    backward: Sequence,
    n: usize,
    /// Which input the backward direction reads.
    second: usize,
    n_second: usize,
    /// Input and elements of a row.
    aux: Option<(usize, usize)>,
}

impl Directions {
    fn new(cx: &NodeCx<'_>, time_major: bool, aux: usize, aux_weights: usize) -> Result<Self> {
        let (forward, n) = float_sequence(cx, 0, Some(time_major))?;
        let mut directions = Self {
            forward,
            backward: Sequence {
                backward: true,
                ..forward
            },
            n,
            second: 0,
            n_second: n,
            aux: None,
        };
        if cx.optional(aux)?.is_some() {
            let (other, n_aux) = float_sequence(cx, aux, Some(time_major))?;
            if (other.batch, other.time) != (forward.batch, forward.time) {
                return malformed!("its two inputs have a different batch or time");
            }
            if cx.optional(aux_weights)?.is_some() {
                directions.aux = Some((aux, n_aux));
            } else {
                (directions.second, directions.n_second) = (aux, n_aux);
            }
        }
        Ok(directions)
    }

    fn aux<'a>(&self, io: &Inputs<'a>) -> &'a [f32] {
        self.aux.map_or(&[], |(i, _)| io.get(i))
    }

    /// Shapes of the outputs, and where each direction writes.
    fn outputs(
        cx: &NodeCx<'_>,
        merge: bool,
        [forward, backward]: [usize; 2],
    ) -> Result<(Vec<Vec<usize>>, [Into; 2])> {
        let into = |stride, offset| Into { stride, offset };
        Ok(match merge {
            true => (
                vec![rows_of(cx, forward + backward)?],
                [
                    into(forward + backward, 0),
                    into(forward + backward, forward),
                ],
            ),
            false => (
                vec![rows_of(cx, forward)?, rows_of(cx, backward)?],
                [into(forward, 0), into(backward, 0)],
            ),
        })
    }
}
