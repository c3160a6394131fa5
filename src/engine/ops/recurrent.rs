//! Builders of RNN and LSTM in all their forms, float and with int8 weights.

use crate::engine::buffer::{typed, typed_mut};
use crate::engine::node::{Built, Inputs, NodeCx, Operand};
use crate::error::Result;
use crate::graph::{
    Activation, BidirectionalSequenceLstm, BidirectionalSequenceRnn, DType, Lstm, Rnn, SequenceRnn,
    UnidirectionalSequenceLstm,
};
use crate::kernels::reference::recurrent::{
    self, CellWork, Gate, Into, Sequence, Weights, basic_lstm,
};
use crate::{malformed, unsupported};

/// A weight matrix or vector of a node: which input it is, and its scale if it is int8.
#[derive(Debug, Clone, Copy)]
pub(super) struct Source {
    input: usize,
    scale: Option<f32>,
}

impl Source {
    pub fn get<'a>(&self, io: &Inputs<'a>) -> Weights<'a> {
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
pub(super) fn weights(cx: &NodeCx<'_>, i: usize, shape: &[usize]) -> Result<Source> {
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
pub(super) fn vector(cx: &NodeCx<'_>, i: usize, n: usize) -> Result<usize> {
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
pub(super) fn function(activation: Activation) -> Result<fn(f32) -> f32> {
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

/// Rows and elements of float input `i`, [batch, n], [batch, time, n] or [time, batch, n].
fn sequence(cx: &NodeCx<'_>, i: usize, time_major: Option<bool>) -> Result<(Sequence, usize)> {
    let input = cx.input(i)?;
    input.expect(DType::Float32)?;
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

/// State tensors: the inputs and how many elements they hold.
type States = Vec<(usize, usize)>;

// ---- RNN ----------------------------------------------------------------------------------------------------------------

/// Where the parts of an RNN cell are.
struct RnnSource {
    input: Source,
    aux: Option<Source>,
    recurrent: Source,
    bias: usize,
    units: usize,
    activation: fn(f32) -> f32,
    asymmetric: bool,
}

impl RnnSource {
    /// Weights, recurrent weights and bias from input `first` on.
    fn new(
        cx: &NodeCx<'_>,
        first: usize,
        n: usize,
        aux: Option<(usize, usize)>,
        activation: Activation,
        asymmetric: bool,
    ) -> Result<Self> {
        let Some(&units) = cx.input(first)?.shape.first() else {
            return malformed!("{} is a scalar", cx.input(first)?);
        };
        Ok(Self {
            input: weights(cx, first, &[units, n])?,
            aux: aux.map(|(i, n)| weights(cx, i, &[units, n])).transpose()?,
            recurrent: weights(cx, first + 1, &[units, units])?,
            bias: vector(cx, first + 2, units)?,
            units,
            activation: function(activation)?,
            asymmetric,
        })
    }

    fn get<'a>(&self, io: &Inputs<'a>) -> recurrent::Rnn<'a> {
        recurrent::Rnn {
            input: self.input.get(io),
            aux: self.aux.map(|s| s.get(io)),
            recurrent: self.recurrent.get(io),
            bias: io.get(self.bias),
            activation: self.activation,
            asymmetric: self.asymmetric,
        }
    }
}

pub(super) fn rnn(cx: &NodeCx<'_>, o: &Rnn) -> Result<Built> {
    one_rnn(cx, None, o.activation, o.asymmetric_quantize_inputs)
}

pub(super) fn sequence_rnn(cx: &NodeCx<'_>, o: &SequenceRnn) -> Result<Built> {
    one_rnn(
        cx,
        Some(o.time_major),
        o.activation,
        o.asymmetric_quantize_inputs,
    )
}

fn one_rnn(
    cx: &NodeCx<'_>,
    time_major: Option<bool>,
    activation: Activation,
    asymmetric: bool,
) -> Result<Built> {
    cx.expect_output(DType::Float32)?;
    let (sequence, n) = sequence(cx, 0, time_major)?;
    let cell = RnnSource::new(cx, 1, n, None, activation, asymmetric)?;
    let states = vec![(4, sequence.batch * cell.units)];
    let into = Into {
        stride: cell.units,
        offset: 0,
    };
    let mut work = CellWork::default();
    let built = Built::several(vec![rows_of(cx, cell.units)?], move |io, outs, _| {
        let [out, state] = outs else {
            return malformed!("its state is missing");
        };
        let (state, out) = (typed_mut(state), typed_mut(out));
        let x = (io.get(0), &[][..]);
        cell.get(io)
            .run(&sequence, x, (n, 0), state, into, out, &mut work);
        Ok(())
    })?;
    Ok(built.with_states(states))
}

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
        let (forward, n) = sequence(cx, 0, Some(time_major))?;
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
            let (other, n_aux) = sequence(cx, aux, Some(time_major))?;
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

pub(super) fn bidirectional_rnn(cx: &NodeCx<'_>, o: &BidirectionalSequenceRnn) -> Result<Built> {
    cx.expect_outputs(DType::Float32)?;
    let d = Directions::new(cx, o.time_major, 9, 10)?;
    let cell = |first: usize, n: usize, aux_weights: usize| {
        let aux = d.aux.map(|(_, n)| (aux_weights, n));
        RnnSource::new(
            cx,
            first,
            n,
            aux,
            o.activation,
            o.asymmetric_quantize_inputs,
        )
    };
    let (forward, backward) = (cell(1, d.n, 10)?, cell(5, d.n_second, 11)?);
    let batch = d.forward.batch;
    let states = vec![(4, batch * forward.units), (8, batch * backward.units)];
    let units = [forward.units, backward.units];
    let (shapes, into) = Directions::outputs(cx, o.merge_outputs, units)?;
    let n_aux = d.aux.map_or(0, |(_, n)| n);
    let mut work = CellWork::default();
    let built = Built::several(shapes, move |io, outs, _| {
        let Some((outs, [first, second])) = outs.split_last_chunk_mut::<2>() else {
            return malformed!("its state is missing");
        };
        let Some((out, more)) = outs.split_first_mut() else {
            return malformed!("it has no output");
        };
        let aux = d.aux(io);
        let x = (io.get(0), aux);
        let (state, target) = (typed_mut(first), typed_mut(out));
        forward.get(io).run(
            &d.forward,
            x,
            (d.n, n_aux),
            state,
            into[0],
            target,
            &mut work,
        );
        let x = (io.get(d.second), aux);
        let target = typed_mut(more.first_mut().unwrap_or(out));
        let state = typed_mut(second);
        backward.get(io).run(
            &d.backward,
            x,
            (d.n_second, n_aux),
            state,
            into[1],
            target,
            &mut work,
        );
        Ok(())
    })?;
    Ok(built.with_states(states))
}

// ---- LSTM ---------------------------------------------------------------------------------------------------------------

/// Where the inputs of an LSTM begin.
#[derive(Clone, Copy)]
struct LstmLayout {
    /// Input weights (4), recurrent weights (4), peepholes (3), biases (4), projection and its bias from here on.
    first: usize,
    /// Auxiliary weights (4) and elements of an auxiliary row.
    aux: Option<(usize, usize)>,
    /// Layer normalization (4).
    norm: Option<usize>,
}

struct LstmOptions {
    activation: Activation,
    cell_clip: f32,
    projection_clip: f32,
    asymmetric: bool,
}

struct GateSource {
    input: Source,
    aux: Option<Source>,
    recurrent: Source,
    diagonal: bool,
    peephole: Option<Source>,
    norm: Option<usize>,
    bias: usize,
}

impl GateSource {
    fn get<'a>(&self, io: &Inputs<'a>) -> Gate<'a> {
        Gate {
            input: self.input.get(io),
            aux: self.aux.map(|s| s.get(io)),
            recurrent: self.recurrent.get(io),
            diagonal: self.diagonal,
            peephole: self.peephole.map(|s| s.get(io)),
            norm: self.norm.map(|i| io.get(i)),
            bias: io.get(self.bias),
        }
    }
}

/// Where the parts of an LSTM are.
struct LstmSource {
    input: Option<GateSource>,
    forget: GateSource,
    update: GateSource,
    output: GateSource,
    projection: Option<Source>,
    projection_bias: Option<usize>,
    activation: fn(f32) -> f32,
    options: LstmOptions,
    cells: usize,
    outputs: usize,
}

impl LstmSource {
    fn new(cx: &NodeCx<'_>, at: LstmLayout, n: usize, options: LstmOptions) -> Result<Self> {
        let (w, r, p, b) = (at.first, at.first + 4, at.first + 8, at.first + 11);
        let (to_output, recurrent) = (cx.input(w + 3)?, cx.input(r + 3)?);
        let (Some(&cells), Some(&outputs)) = (to_output.shape.first(), recurrent.shape.last())
        else {
            return malformed!("{to_output} or {recurrent} is a scalar");
        };
        // Gates in the order of the inputs: input, forget, update, output; the update has no peephole.
        let gate = |k: usize| {
            let diagonal = cx.input(r + k)?.shape.len() == 1;
            let recurrent = match diagonal {
                true => vec![cells],
                false => vec![cells, outputs],
            };
            let peephole = match k {
                0 => Some(p),
                1 => Some(p + 1),
                3 => Some(p + 2),
                _ => None,
            };
            let peephole = match peephole {
                Some(i) => optional_weights(cx, i, &[cells])?,
                None => None,
            };
            let norm = match at.norm {
                Some(i) => optional_vector(cx, i + k, cells)?,
                None => None,
            };
            Ok(GateSource {
                input: weights(cx, w + k, &[cells, n])?,
                aux: at
                    .aux
                    .map(|(i, n)| weights(cx, i + k, &[cells, n]))
                    .transpose()?,
                recurrent: weights(cx, r + k, &recurrent)?,
                diagonal,
                peephole,
                norm,
                bias: vector(cx, b + k, cells)?,
            })
        };
        let input = match cx.optional(w)? {
            Some(_) => Some(gate(0)?),
            None => None,
        };
        let projection = optional_weights(cx, b + 4, &[outputs, cells])?;
        if projection.is_none() && outputs != cells {
            return malformed!("it has {cells} cells and {outputs} outputs, but no projection");
        }
        Ok(Self {
            input,
            forget: gate(1)?,
            update: gate(2)?,
            output: gate(3)?,
            projection,
            projection_bias: optional_vector(cx, b + 5, outputs)?,
            activation: function(options.activation)?,
            options,
            cells,
            outputs,
        })
    }

    fn get<'a>(&self, io: &Inputs<'a>) -> recurrent::Lstm<'a> {
        recurrent::Lstm {
            input: self.input.as_ref().map(|g| g.get(io)),
            forget: self.forget.get(io),
            update: self.update.get(io),
            output: self.output.get(io),
            projection: self.projection.map(|s| s.get(io)),
            projection_bias: self.projection_bias.map(|i| io.get(i)),
            activation: self.activation,
            cell_clip: self.options.cell_clip,
            projection_clip: self.options.projection_clip,
            asymmetric: self.options.asymmetric,
        }
    }

    fn states(&self, first: usize, batch: usize) -> States {
        vec![
            (first, batch * self.outputs),
            (first + 1, batch * self.cells),
        ]
    }
}

pub(super) fn sequence_lstm(cx: &NodeCx<'_>, o: &UnidirectionalSequenceLstm) -> Result<Built> {
    let options = LstmOptions {
        activation: o.activation,
        cell_clip: o.cell_clip,
        projection_clip: o.projection_clip,
        asymmetric: o.asymmetric_quantize_inputs,
    };
    one_lstm(cx, Some(o.time_major), options)
}

pub(super) fn lstm(cx: &NodeCx<'_>, o: &Lstm) -> Result<Built> {
    if o.basic {
        return basic(cx, o);
    }
    let options = LstmOptions {
        activation: o.activation,
        cell_clip: o.cell_clip,
        projection_clip: o.projection_clip,
        asymmetric: o.asymmetric_quantize_inputs,
    };
    one_lstm(cx, None, options)
}

fn one_lstm(cx: &NodeCx<'_>, time_major: Option<bool>, options: LstmOptions) -> Result<Built> {
    if cx.input(0)?.dtype() != DType::Float32 {
        return cx.no_kernel(format_args!("{} input", cx.input(0)?.dtype()));
    }
    cx.expect_output(DType::Float32)?;
    let (sequence, n) = sequence(cx, 0, time_major)?;
    let layout = LstmLayout {
        first: 1,
        aux: None,
        norm: Some(20),
    };
    let cell = LstmSource::new(cx, layout, n, options)?;
    let states = cell.states(18, sequence.batch);
    let into = Into {
        stride: cell.outputs,
        offset: 0,
    };
    let mut work = CellWork::default();
    let built = Built::several(vec![rows_of(cx, cell.outputs)?], move |io, outs, _| {
        let [out, output, state] = outs else {
            return malformed!("its state is missing");
        };
        let (output, state, out) = (typed_mut(output), typed_mut(state), typed_mut(out));
        let x = (io.get(0), &[][..]);
        cell.get(io)
            .run(&sequence, x, (n, 0), output, state, into, out, &mut work);
        Ok(())
    })?;
    Ok(built.with_states(states))
}

pub(super) fn bidirectional_lstm(cx: &NodeCx<'_>, o: &BidirectionalSequenceLstm) -> Result<Built> {
    cx.expect_outputs(DType::Float32)?;
    let d = Directions::new(cx, o.time_major, 39, 41)?;
    let cell = |first: usize, n: usize, aux_weights: usize| {
        let layout = LstmLayout {
            first,
            aux: d.aux.map(|(_, n)| (aux_weights, n)),
            norm: None,
        };
        let options = LstmOptions {
            activation: o.activation,
            cell_clip: o.cell_clip,
            projection_clip: o.projection_clip,
            asymmetric: o.asymmetric_quantize_inputs,
        };
        LstmSource::new(cx, layout, n, options)
    };
    let (forward, backward) = (cell(1, d.n, 40)?, cell(18, d.n_second, 44)?);
    let batch = d.forward.batch;
    let states = [forward.states(35, batch), backward.states(37, batch)].concat();
    let outputs = [forward.outputs, backward.outputs];
    let (shapes, into) = Directions::outputs(cx, o.merge_outputs, outputs)?;
    let n_aux = d.aux.map_or(0, |(_, n)| n);
    let mut work = CellWork::default();
    let built = Built::several(shapes, move |io, outs, _| {
        let Some((outs, [first, c1, second, c2])) = outs.split_last_chunk_mut::<4>() else {
            return malformed!("its state is missing");
        };
        let Some((out, more)) = outs.split_first_mut() else {
            return malformed!("it has no output");
        };
        let aux = d.aux(io);
        let (x, widths) = ((io.get(0), aux), (d.n, n_aux));
        let (output, state, target) = (typed_mut(first), typed_mut(c1), typed_mut(out));
        forward.get(io).run(
            &d.forward, x, widths, output, state, into[0], target, &mut work,
        );
        let (x, widths) = ((io.get(d.second), aux), (d.n_second, n_aux));
        let target = typed_mut(more.first_mut().unwrap_or(out));
        let (output, state) = (typed_mut(second), typed_mut(c2));
        backward.get(io).run(
            &d.backward,
            x,
            widths,
            output,
            state,
            into[1],
            target,
            &mut work,
        );
        Ok(())
    })?;
    Ok(built.with_states(states))
}

/// The old LSTM: inputs are x, activation, weights, bias, state; outputs activation, state and two working tensors.
fn basic(cx: &NodeCx<'_>, o: &Lstm) -> Result<Built> {
    if !matches!(o.activation, Activation::Tanh) || o.cell_clip > 0.0 || o.projection_clip > 0.0 {
        return unsupported!("the basic kernel with other options than tanh cannot run");
    }
    cx.expect_outputs(DType::Float32)?;
    let (sequence, n) = sequence(cx, 0, None)?;
    let batch = sequence.batch;
    let bias = cx.input(3)?;
    let cells = bias.elements() / 4;
    let floats = [(2, vec![4 * cells, n + cells]), (3, vec![4 * cells])];
    for (i, shape) in floats {
        cx.input(i)?.expect(DType::Float32)?;
        expect_shape(cx.input(i)?, &shape)?;
    }
    let is_state = |i: usize| {
        cx.node
            .input(i)
            .and_then(|id| cx.tensors.get(id))
            .is_some_and(|t| t.is_variable)
    };
    let kept = is_state(1) && is_state(4);
    let states: States = match kept {
        true => vec![(1, batch * cells), (4, batch * cells)],
        false => {
            for i in [1, 4] {
                cx.input(i)?.expect(DType::Float32)?;
                expect_shape(cx.input(i)?, &[batch, cells])?;
            }
            vec![]
        }
    };
    let row = |n: usize| vec![batch, n];
    let mut shapes = vec![row(cells), row(cells), row(n + cells), row(4 * cells)];
    shapes.truncate(cx.node.outputs.len());
    if shapes.len() != 4 {
        return malformed!("it has {} outputs, not 4", shapes.len());
    }
    let built = Built::several(shapes, move |io, outs, _| {
        let (outs, states) = outs.split_at_mut(4);
        let [activation, state, joined, gates] = outs else {
            return malformed!("it has too few outputs");
        };
        match states {
            [a, s] => {
                activation.copy_from_slice(a);
                state.copy_from_slice(s);
            }
            _ => {
                activation.copy_from_slice(io.bytes(1));
                state.copy_from_slice(io.bytes(4));
            }
        }
        let x: &[f32] = io.get(0);
        for b in 0..batch {
            let part = |n: usize| b * n..(b + 1) * n;
            basic_lstm(
                &x[part(n)],
                io.get(2),
                io.get(3),
                &mut typed_mut(activation)[part(cells)],
                &mut typed_mut(state)[part(cells)],
                &mut typed_mut(joined)[part(n + cells)],
                &mut typed_mut(gates)[part(4 * cells)],
            );
        }
        if let [a, s] = states {
            a.copy_from_slice(activation);
            s.copy_from_slice(state);
        }
        Ok(())
    })?;
    Ok(built.with_states(states))
}

// ---- SVDF ---------------------------------------------------------------------------------------------------------------

pub(super) fn svdf(cx: &NodeCx<'_>, o: &crate::graph::Svdf) -> Result<Built> {
    let (input, feature, time) = (cx.input(0)?, cx.input(1)?, cx.input(2)?);
    let (&[batch, inputs], &[filters, n], &[same, memory]) =
        (input.shape, feature.shape, time.shape)
    else {
        return malformed!("{input}, {feature} and {time} must have 2 axes each");
    };
    let rank = usize::try_from(o.rank).unwrap_or(0);
    if n != inputs || same != filters || memory == 0 || rank == 0 || !filters.is_multiple_of(rank) {
        return malformed!(
            "{feature} of shape {:?} and {time} of shape {:?} do not fit {inputs} inputs and rank {}",
            feature.shape,
            time.shape,
            o.rank
        );
    }
    let shape = recurrent::SvdfShape {
        batch,
        inputs,
        units: filters / rank,
        rank,
        memory,
    };
    let states = vec![(4, batch * filters * memory)];
    let out_shape = vec![vec![batch, shape.units]];
    if input.dtype() == DType::Int8 {
        return integer_svdf(cx, o, shape, out_shape, states);
    }
    input.expect(DType::Float32)?;
    cx.expect_output(DType::Float32)?;
    let feature = weights(cx, 1, &[filters, inputs])?;
    let time = weights(cx, 2, &[filters, memory])?;
    let bias = optional_vector(cx, 3, shape.units)?;
    let (activation, asymmetric) = (function(o.activation)?, o.asymmetric_quantize_inputs);
    let mut work = CellWork::default();
    let built = Built::several(out_shape, move |io, outs, _| {
        let [out, state] = outs else {
            return malformed!("its state is missing");
        };
        shape.float(
            io.get(0),
            feature.get(io),
            time.get(io),
            bias.map(|i| io.get(i)),
            asymmetric,
            activation,
            typed_mut(state),
            typed_mut(out),
            &mut work,
        );
        Ok(())
    })?;
    Ok(built.with_states(states))
}

fn integer_svdf(
    cx: &NodeCx<'_>,
    o: &crate::graph::Svdf,
    shape: recurrent::SvdfShape,
    out_shape: Vec<Vec<usize>>,
    states: States,
) -> Result<Built> {
    // The kernel ignores a fused activation; the output saturates at its range.
    if !matches!(o.activation, Activation::None | Activation::Relu) {
        return cx.no_kernel(format_args!("int8 with the activation {:?}", o.activation));
    }
    let (feature, time) = (cx.input(1)?, cx.input(2)?);
    feature.expect(DType::Int8)?;
    time.expect(DType::Int16)?;
    cx.expect_output(DType::Int8)?;
    let (input_scale, input_zero_point) = cx.input(0)?.quantization()?;
    let (output_scale, output_zero_point) = cx.output_quantization()?;
    let state = cx
        .node
        .input(4)
        .and_then(|id| Some((id, cx.tensors.get(id)?)));
    let Some((id, tensor)) = state else {
        return malformed!("its state, input 4, is missing");
    };
    if tensor.dtype != DType::Int16 {
        return cx.no_kernel(format_args!("int8 with {} state", tensor.dtype));
    }
    let (state_scale, _) = crate::engine::node::per_tensor(id, tensor)?;
    let scale_of = |w: Operand<'_>| Ok(f64::from(w.weight_scales(1, 0)?[0]));
    let to_state = f64::from(input_scale) * scale_of(feature)? / f64::from(state_scale);
    let to_output = f64::from(state_scale) * scale_of(time)? / f64::from(output_scale);
    let by = (
        crate::engine::node::multiplier(to_state)?,
        crate::engine::node::multiplier(to_output)?,
    );
    let has_bias = match cx.optional(3)? {
        Some(bias) => {
            bias.expect(DType::Int32)?;
            expect_shape(bias, &[shape.units])?;
            true
        }
        None => false,
    };
    let built = Built::several(out_shape, move |io, outs, _| {
        let [out, state] = outs else {
            return malformed!("its state is missing");
        };
        shape.integer(
            io.get(0),
            io.get(1),
            io.get(2),
            has_bias.then(|| typed(io.bytes(3))),
            (input_zero_point, output_zero_point),
            by,
            typed_mut(state),
            typed_mut(out),
        );
        Ok(())
    })?;
    Ok(built.with_states(states))
}
