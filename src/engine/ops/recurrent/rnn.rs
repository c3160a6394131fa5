//! Builders of plain recurrent cells, in one direction and in both.

use super::{Directions, Source, float_sequence, function, rows_of, vector, weights};
use crate::engine::buffer::typed_mut;
use crate::engine::node::{Built, Inputs, NodeCx};
use crate::error::Result;
use crate::graph::{Activation, BidirectionalSequenceRnn, DType, Rnn, SequenceRnn};
use crate::kernels::reference::recurrent::{self, CellWork, Into};
use crate::malformed;

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

pub(in crate::engine::ops) fn one(cx: &NodeCx<'_>, o: &Rnn) -> Result<Built> {
    one_rnn(cx, None, o.activation, o.asymmetric_quantize_inputs)
}

pub(in crate::engine::ops) fn sequence(cx: &NodeCx<'_>, o: &SequenceRnn) -> Result<Built> {
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
    let (sequence, n) = float_sequence(cx, 0, time_major)?;
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

pub(in crate::engine::ops) fn bidirectional(
    cx: &NodeCx<'_>,
    o: &BidirectionalSequenceRnn,
) -> Result<Built> {
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
