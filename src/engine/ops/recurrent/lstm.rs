//! Builders of LSTM in floats and with int8 weights, in one direction and in both.

use bytemuck::Pod;

use super::{
    Directions, Source, States, expect_shape, float_sequence, function, integer, optional_vector,
    optional_weights, report, rows_of, sequence, vector, watch, weights,
};
use crate::engine::Part;
use crate::engine::buffer::typed_mut;
use crate::engine::node::{Built, Inputs, NodeCx, label};
use crate::error::Result;
use crate::graph::{
    Activation, BidirectionalSequenceLstm, DType, Lstm, UnidirectionalSequenceLstm,
};
use crate::kernels::reference::lstm_integer::basic_lstm_u8;
use crate::kernels::reference::recurrent::{self, CellWork, Gate, Into, basic_lstm};
use crate::{malformed, unsupported};

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

pub(in crate::engine::ops) fn of_sequence(
    cx: &NodeCx<'_>,
    o: &UnidirectionalSequenceLstm,
) -> Result<Built> {
    let options = LstmOptions {
        activation: o.activation,
        cell_clip: o.cell_clip,
        projection_clip: o.projection_clip,
        asymmetric: o.asymmetric_quantize_inputs,
    };
    one_lstm(cx, Some(o.time_major), options)
}

pub(in crate::engine::ops) fn full_or_basic(cx: &NodeCx<'_>, o: &Lstm) -> Result<Built> {
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
    match cx.input(0)?.dtype() {
        DType::Float32 => {}
        DType::Int8 => {
            return integer::lstm(cx, time_major, options.cell_clip, options.projection_clip);
        }
        other => return cx.no_kernel(format_args!("{other} input")),
    }
    cx.expect_output(DType::Float32)?;
    let (sequence, n) = float_sequence(cx, 0, time_major)?;
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
    let built = Built::several(vec![rows_of(cx, cell.outputs)?], move |io, outs, mut on| {
        let [out, output, state] = outs else {
            return malformed!("its state is missing");
        };
        let (output, state, out) = (typed_mut(output), typed_mut(state), typed_mut(out));
        watch(&mut work, &on);
        let x = (io.get(0), &[][..]);
        cell.get(io)
            .run(&sequence, x, (n, 0), output, state, into, out, &mut work);
        report(&work, &mut on, |seen| {
            let [enter, forget, update, leave] = seen.gates;
            [
                (Part::State(19), seen.cell),
                (Part::Intermediate(0), enter),
                (Part::Intermediate(1), forget),
                (Part::Intermediate(2), update),
                (Part::Intermediate(3), leave),
                (Part::Intermediate(4), seen.hidden),
            ]
        });
        Ok(())
    })?;
    Ok(built.with_states(states))
}

pub(in crate::engine::ops) fn bidirectional(
    cx: &NodeCx<'_>,
    o: &BidirectionalSequenceLstm,
) -> Result<Built> {
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
    match cx.input(0)?.dtype() {
        DType::UInt8 => {
            let (weights_zero_point, by) = integer::basic(cx)?;
            let dtypes = [DType::UInt8, DType::Int32, DType::Int16];
            basic_of(cx, dtypes, move |x, weights, bias, outs| {
                basic_lstm_u8(x, (weights, weights_zero_point), bias, by, outs);
            })
        }
        _ => basic_of(cx, [DType::Float32; 3], basic_lstm),
    }
}

/// Activation, state, joined inputs and gates of one row.
type BasicRow<'a, X, S> = (&'a mut [X], &'a mut [S], &'a mut [X], &'a mut [S]);

/// [`basic`] of x, bias and state in `dtypes`, one row by `step` from x, weights and bias.
fn basic_of<X: Pod, B: Pod, S: Pod>(
    cx: &NodeCx<'_>,
    [of_x, of_bias, of_state]: [DType; 3],
    step: impl Fn(&[X], &[X], &[B], BasicRow<'_, X, S>) + Send + 'static,
) -> Result<Built> {
    let (sequence, n) = sequence(cx, 0, None)?;
    let batch = sequence.batch;
    let bias = cx.input(3)?;
    let cells = bias.elements() / 4;
    let inputs = [
        (0, of_x, vec![batch, n]),
        (2, of_x, vec![4 * cells, n + cells]),
        (3, of_bias, vec![4 * cells]),
    ];
    for (i, dtype, shape) in inputs {
        cx.input(i)?.expect(dtype)?;
        expect_shape(cx.input(i)?, &shape)?;
    }
    let is_state = |i: usize, dtype: DType| {
        cx.node
            .input(i)
            .and_then(|id| cx.tensors.get(id))
            .is_some_and(|t| t.is_variable && t.dtype == dtype)
    };
    let kept = is_state(1, of_x) && is_state(4, of_state);
    let states: States = match kept {
        true => vec![(1, batch * cells), (4, batch * cells)],
        false => {
            for (i, dtype) in [(1, of_x), (4, of_state)] {
                cx.input(i)?.expect(dtype)?;
                expect_shape(cx.input(i)?, &[batch, cells])?;
            }
            vec![]
        }
    };
    let outputs = [
        (cells, of_x),
        (cells, of_state),
        (n + cells, of_x),
        (4 * cells, of_state),
    ];
    if cx.node.outputs.len() != outputs.len() {
        return malformed!("it has {} outputs, not 4", cx.node.outputs.len());
    }
    let mut shapes = vec![];
    for (i, (width, dtype)) in outputs.into_iter().enumerate() {
        let (id, tensor) = cx.output_at(i)?;
        if tensor.dtype != dtype {
            return malformed!("{} is {}, not {dtype}", label(id, tensor), tensor.dtype);
        }
        shapes.push(vec![batch, width]);
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
        let x: &[X] = io.get(0);
        for b in 0..batch {
            let part = |n: usize| b * n..(b + 1) * n;
            let row = (
                &mut typed_mut(activation)[part(cells)],
                &mut typed_mut(state)[part(cells)],
                &mut typed_mut(joined)[part(n + cells)],
                &mut typed_mut(gates)[part(4 * cells)],
            );
            step(&x[part(n)], io.get(2), io.get(3), row);
        }
        if let [a, s] = states {
            a.copy_from_slice(activation);
            s.copy_from_slice(state);
        }
        Ok(())
    })?;
    Ok(built.with_states(states))
}
