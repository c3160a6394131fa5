//! Recurrent cells, one row at a time: RNN, LSTM and SVDF with float weights, or with int8 weights and activations quantized row by row.
//!
//! Sources: `lstm_eval.cc`, `lstm.cc`, `internal/kernel_utils.cc`, `internal/reference/svdf.h`, `internal/tensor_utils_common.h`.

use super::activation::sigmoid;
use crate::kernels::fixed_point::Multiplier;
use crate::kernels::quantize::{quantize_row_asymmetric, quantize_row_symmetric};

/// A matrix [rows, columns], or a vector.
#[derive(Debug, Clone, Copy)]
pub enum Weights<'a> {
    /// Floats.
    Float(&'a [f32]),
    /// int8 steps of one scale; what they are multiplied with is quantized to int8, too.
    Hybrid {
        /// The steps.
        data: &'a [i8],
        /// Their scale.
        scale: f32,
    },
}

/// A row that is multiplied with weights: what it is quantized to, where a weight asks for that.
#[derive(Debug, Clone, Default)]
pub struct Quantized {
    steps: Vec<i8>,
    scale: f32,
    zero_point: i32,
    /// Nothing has to be multiplied.
    is_zero: bool,
}

impl Quantized {
    /// Quantizes `x`, unless `weights` take it as it is.
    fn load(&mut self, x: &[f32], weights: Weights<'_>, asymmetric: bool) {
        self.is_zero = x.iter().all(|&v| v == 0.0);
        if let Weights::Hybrid { .. } = weights
            && !self.is_zero
        {
            self.steps.resize(x.len(), 0);
            (self.scale, self.zero_point) = match asymmetric {
                true => quantize_row_asymmetric(x, &mut self.steps),
                false => (quantize_row_symmetric(x, &mut self.steps), 0),
            };
        }
    }
}

/// Σ a·b, in sixteen sums that are added at the end.
fn dot(a: &[f32], b: &[f32]) -> f32 {
    const LANES: usize = 16;
    let ((a, rest_a), (b, rest_b)) = (a.as_chunks::<LANES>(), b.as_chunks::<LANES>());
    let mut sums = [0f32; LANES];
    for (a, b) in a.iter().zip(b) {
        for i in 0..LANES {
            sums[i] += a[i] * b[i];
        }
    }
    let rest = rest_a.iter().zip(rest_b).map(|(a, b)| a * b);
    sums.iter().sum::<f32>() + rest.sum::<f32>()
}

/// out\[r\] += row r of `weights` · `x`; `q` holds `x` quantized.
fn accumulate(weights: Weights<'_>, x: &[f32], q: &Quantized, out: &mut [f32]) {
    if q.is_zero {
        return;
    }
    match weights {
        Weights::Float(w) => {
            for (o, w) in out.iter_mut().zip(w.chunks_exact(x.len().max(1))) {
                *o += dot(w, x);
            }
        }
        Weights::Hybrid { data, scale } => {
            let scale = q.scale * scale;
            for (o, w) in out.iter_mut().zip(data.chunks_exact(x.len().max(1))) {
                let sum = w.iter().zip(&q.steps).fold(0i32, |sum, (&w, &x)| {
                    sum + i32::from(w) * (i32::from(x) - q.zero_point)
                });
                *o += sum as f32 * scale;
            }
        }
    }
}

/// out\[i\] += weight i · x\[i\].
fn accumulate_each(weights: Weights<'_>, x: &[f32], out: &mut [f32]) {
    for (i, (o, x)) in out.iter_mut().zip(x).enumerate() {
        *o += x * match weights {
            Weights::Float(w) => w[i],
            Weights::Hybrid { data, scale } => f32::from(data[i]) * scale,
        };
    }
}

/// Makes mean 0 and standard deviation 1.
fn normalize(x: &mut [f32]) {
    let n = x.len() as f32;
    let mean = x.iter().sum::<f32>() / n;
    let variance = x.iter().map(|v| (v - mean) * (v - mean)).sum::<f32>() / n;
    let inverse = 1.0 / (variance + 1e-8).sqrt();
    for v in x {
        *v = (*v - mean) * inverse;
    }
}

fn clip(x: &mut [f32], bound: f32) {
    if bound > 0.0 {
        for v in x {
            *v = v.clamp(-bound, bound);
        }
    }
}

/// Which rows of [batch, time, …] or [time, batch, …] are walked, and in which order.
#[derive(Debug, Clone, Copy)]
pub struct Sequence {
    /// Independent sequences.
    pub batch: usize,
    /// Steps of each.
    pub time: usize,
    /// Whether axis 0 is time.
    pub time_major: bool,
    /// Whether the last step comes first.
    pub backward: bool,
}

impl Sequence {
    /// Calls `step(sequence, row)` for every row.
    pub fn each(&self, mut step: impl FnMut(usize, usize)) {
        for b in 0..self.batch {
            for i in 0..self.time {
                let t = if self.backward { self.time - 1 - i } else { i };
                let row = match self.time_major {
                    true => t * self.batch + b,
                    false => b * self.time + t,
                };
                step(b, row);
            }
        }
    }
}

/// Rows of the output that a cell fills: `stride` apart, its part beginning at `offset`.
#[derive(Debug, Clone, Copy)]
pub struct Into {
    /// Elements of a row.
    pub stride: usize,
    /// First element that the cell writes.
    pub offset: usize,
}

/// Rows of `n` elements; none if `n` is 0.
fn row(x: &[f32], n: usize, i: usize) -> &[f32] {
    x.get(i * n..(i + 1) * n).unwrap_or_default()
}

/// A gate of an LSTM: activation(input·x + aux·a + recurrent·h + peephole∘c + bias), or with layer normalization
/// activation(norm ∘ normalized(…) + bias).
#[derive(Debug, Clone, Copy)]
pub struct Gate<'a> {
    /// [cells, inputs].
    pub input: Weights<'a>,
    /// [cells, auxiliary inputs].
    pub aux: Option<Weights<'a>>,
    /// [cells, outputs], or the diagonal of it.
    pub recurrent: Weights<'a>,
    /// Whether `recurrent` is a diagonal.
    pub diagonal: bool,
    /// [cells].
    pub peephole: Option<Weights<'a>>,
    /// [cells].
    pub norm: Option<&'a [f32]>,
    /// [cells].
    pub bias: &'a [f32],
}

/// An LSTM. Without `input` gate it is 1 − forget gate.
#[derive(Debug, Clone, Copy)]
pub struct Lstm<'a> {
    /// What is let into the cell.
    pub input: Option<Gate<'a>>,
    /// What stays in the cell.
    pub forget: Gate<'a>,
    /// What may enter the cell.
    pub update: Gate<'a>,
    /// What leaves the cell.
    pub output: Gate<'a>,
    /// [outputs, cells].
    pub projection: Option<Weights<'a>>,
    /// [outputs].
    pub projection_bias: Option<&'a [f32]>,
    /// Of update and cell.
    pub activation: fn(f32) -> f32,
    /// Bound of the cell; 0 for none.
    pub cell_clip: f32,
    /// Bound of the projection; 0 for none.
    pub projection_clip: f32,
    /// Whether hybrid weights get activations with a zero point.
    pub asymmetric: bool,
}

/// Smallest and largest of some values; the other way round before the first.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Extremes {
    /// Smallest.
    pub min: f32,
    /// Largest.
    pub max: f32,
}

impl Default for Extremes {
    fn default() -> Self {
        Self {
            min: f32::INFINITY,
            max: f32::NEG_INFINITY,
        }
    }
}

impl Extremes {
    fn see(&mut self, values: &[f32]) {
        for &v in values {
            self.min = self.min.min(v);
            self.max = self.max.max(v);
        }
    }
}

/// What a cell computes on the way to its output, over all steps.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Seen {
    /// Sums of the gates before layer normalization, where there is one: input, forget, update, output.
    pub gates: [Extremes; 4],
    /// Output gate × activation of the cell, before the projection.
    pub hidden: Extremes,
    /// The cell; of SVDF what its features give.
    pub cell: Extremes,
}

/// Working memory of cells.
#[derive(Debug, Clone, Default)]
pub struct CellWork {
    /// Gathers what LSTM and SVDF compute on the way, if it is there.
    pub seen: Option<Seen>,
    x: Quantized,
    aux: Quantized,
    state: Quantized,
    hidden: Quantized,
    gates: [Vec<f32>; 4],
}

impl Gate<'_> {
    fn compute(
        &self,
        (x, aux, state): (&[f32], &[f32], &[f32]),
        cell: &[f32],
        q: [&Quantized; 3],
        activation: fn(f32) -> f32,
        out: &mut Vec<f32>,
        seen: Option<&mut Extremes>,
    ) {
        out.clear();
        match self.norm {
            Some(_) => out.resize(cell.len(), 0.0),
            None => out.extend_from_slice(self.bias),
        }
        accumulate(self.input, x, q[0], out);
        if let Some(weights) = self.aux {
            accumulate(weights, aux, q[1], out);
        }
        match self.diagonal {
            true => accumulate_each(self.recurrent, state, out),
            false => accumulate(self.recurrent, state, q[2], out),
        }
        if let Some(weights) = self.peephole {
            accumulate_each(weights, cell, out);
        }
        if let Some(norm) = self.norm {
            if let Some(seen) = seen {
                seen.see(out);
            }
            normalize(out);
            for ((o, n), b) in out.iter_mut().zip(norm).zip(self.bias) {
                *o = *o * n + b;
            }
        }
        for o in out {
            *o = activation(*o);
        }
    }
}

impl Lstm<'_> {
    /// One step: `output` and `cell` are the state of one sequence, changed in place.
    fn step(&self, x: &[f32], aux: &[f32], output: &mut [f32], cell: &mut [f32], w: &mut CellWork) {
        w.x.load(x, self.forget.input, self.asymmetric);
        w.state.load(output, self.forget.recurrent, self.asymmetric);
        if let Some(weights) = self.forget.aux {
            w.aux.load(aux, weights, self.asymmetric);
        }
        let q = [&w.x, &w.aux, &w.state];
        let [enter, forget, update, leave] = &mut w.gates;
        let [seen_enter, seen_forget, seen_update, seen_leave] = match &mut w.seen {
            Some(seen) => seen.gates.each_mut().map(Some),
            None => [None, None, None, None],
        };
        let all = (x, aux, &*output);
        if let Some(gate) = &self.input {
            gate.compute(all, cell, q, sigmoid, enter, seen_enter);
        }
        self.forget
            .compute(all, cell, q, sigmoid, forget, seen_forget);
        self.update
            .compute(all, cell, q, self.activation, update, seen_update);
        if self.input.is_none() {
            enter.clear();
            enter.extend(forget.iter().map(|f| 1.0 - f));
        }
        for (i, c) in cell.iter_mut().enumerate() {
            *c = forget[i] * *c + update[i] * enter[i];
        }
        clip(cell, self.cell_clip);
        self.output
            .compute(all, cell, q, sigmoid, leave, seen_leave);
        for (l, c) in leave.iter_mut().zip(&*cell) {
            *l *= (self.activation)(*c);
        }
        if let Some(seen) = &mut w.seen {
            seen.cell.see(cell);
            seen.hidden.see(leave);
        }
        let Some(projection) = self.projection else {
            output.copy_from_slice(leave);
            return;
        };
        match self.projection_bias {
            Some(bias) => output.copy_from_slice(bias),
            None => output.fill(0.0),
        }
        w.hidden.load(leave, projection, self.asymmetric);
        accumulate(projection, leave, &w.hidden, output);
        clip(output, self.projection_clip);
    }

    /// Runs over whole sequences. `x` and `aux` have rows of `widths.0` and `widths.1` elements; `output` and `cell` hold the
    /// state of each sequence.
    #[allow(clippy::too_many_arguments)]
    pub fn run(
        &self,
        sequence: &Sequence,
        (x, aux): (&[f32], &[f32]),
        widths: (usize, usize),
        output: &mut [f32],
        cell: &mut [f32],
        into: Into,
        out: &mut [f32],
        work: &mut CellWork,
    ) {
        let (outputs, cells) = (
            output.len() / sequence.batch.max(1),
            cell.len() / sequence.batch.max(1),
        );
        sequence.each(|b, i| {
            let output = &mut output[b * outputs..(b + 1) * outputs];
            let cell = &mut cell[b * cells..(b + 1) * cells];
            self.step(
                row(x, widths.0, i),
                row(aux, widths.1, i),
                output,
                cell,
                work,
            );
            let start = i * into.stride + into.offset;
            out[start..start + outputs].copy_from_slice(output);
        });
    }
}

/// A plain recurrent cell: h = activation(input·x + aux·a + recurrent·h + bias).
#[derive(Debug, Clone, Copy)]
pub struct Rnn<'a> {
    /// [units, inputs].
    pub input: Weights<'a>,
    /// [units, auxiliary inputs].
    pub aux: Option<Weights<'a>>,
    /// [units, units].
    pub recurrent: Weights<'a>,
    /// [units].
    pub bias: &'a [f32],
    /// Of the result.
    pub activation: fn(f32) -> f32,
    /// Whether hybrid weights get activations with a zero point.
    pub asymmetric: bool,
}

impl Rnn<'_> {
    /// Runs over whole sequences; see [`Lstm::run`].
    #[allow(clippy::too_many_arguments)]
    pub fn run(
        &self,
        sequence: &Sequence,
        (x, aux): (&[f32], &[f32]),
        widths: (usize, usize),
        state: &mut [f32],
        into: Into,
        out: &mut [f32],
        w: &mut CellWork,
    ) {
        let units = self.bias.len();
        sequence.each(|b, i| {
            let state = &mut state[b * units..(b + 1) * units];
            let (x, aux) = (row(x, widths.0, i), row(aux, widths.1, i));
            let sum = &mut w.gates[0];
            sum.clear();
            sum.extend_from_slice(self.bias);
            w.x.load(x, self.input, self.asymmetric);
            accumulate(self.input, x, &w.x, sum);
            if let Some(weights) = self.aux {
                w.aux.load(aux, weights, self.asymmetric);
                accumulate(weights, aux, &w.aux, sum);
            }
            w.state.load(state, self.recurrent, self.asymmetric);
            accumulate(self.recurrent, state, &w.state, sum);
            for (s, v) in state.iter_mut().zip(sum) {
                *s = (self.activation)(*v);
            }
            let start = i * into.stride + into.offset;
            out[start..start + units].copy_from_slice(state);
        });
    }
}

/// The old LSTM of five inputs, one step: `weights` [4·cells, inputs + cells] give input gate, update, forget gate and output gate.
/// `activation` and `state` of the step before are replaced.
pub fn basic_lstm(
    x: &[f32],
    weights: &[f32],
    bias: &[f32],
    (activation, state, joined, gates): (&mut [f32], &mut [f32], &mut [f32], &mut [f32]),
) {
    let n = state.len();
    joined[..x.len()].copy_from_slice(x);
    joined[x.len()..].copy_from_slice(activation);
    for (g, (w, b)) in gates
        .iter_mut()
        .zip(weights.chunks_exact(joined.len().max(1)).zip(bias))
    {
        *g = dot(w, joined) + b;
    }
    for c in 0..n {
        let gate = |k: usize| sigmoid(gates[k * n + c]);
        state[c] = gate(0) * gates[n + c].tanh() + gate(2) * state[c];
        activation[c] = gate(3) * state[c].tanh();
    }
}

/// Extents of SVDF: `units` × `rank` filters over `inputs`, each remembering `memory` steps.
#[derive(Debug, Clone, Copy)]
pub struct SvdfShape {
    /// Rows.
    pub batch: usize,
    /// Elements of a row of the input.
    pub inputs: usize,
    /// Elements of a row of the output.
    pub units: usize,
    /// Filters of a unit.
    pub rank: usize,
    /// Steps remembered.
    pub memory: usize,
}

impl SvdfShape {
    /// Filters of all units.
    pub fn filters(&self) -> usize {
        self.units * self.rank
    }

    /// Forgets the oldest step of each filter: all moves by one, and what lands in the newest place is written anew.
    fn shift<T: Copy>(state: &mut [T]) {
        if !state.is_empty() {
            state.copy_within(1.., 0);
        }
    }

    /// One step of floats; `feature` [filters, inputs], `time` [filters, memory], `bias` [units], `state` [batch, filters, memory].
    #[allow(clippy::too_many_arguments)]
    pub fn float(
        &self,
        x: &[f32],
        feature: Weights<'_>,
        time: Weights<'_>,
        bias: Option<&[f32]>,
        asymmetric: bool,
        activation: fn(f32) -> f32,
        state: &mut [f32],
        out: &mut [f32],
        work: &mut CellWork,
    ) {
        let filters = self.filters();
        Self::shift(state);
        for b in 0..self.batch {
            let x = row(x, self.inputs, b);
            work.x.load(x, feature, asymmetric);
            let newest = &mut work.gates[0];
            newest.clear();
            newest.resize(filters, 0.0);
            accumulate(feature, x, &work.x, newest);
            if let Some(seen) = &mut work.seen {
                seen.cell.see(newest);
            }
            let state = &mut state[b * filters * self.memory..(b + 1) * filters * self.memory];
            for u in 0..self.units {
                let mut sum = 0.0;
                let own = u * self.rank..(u + 1) * self.rank;
                for (f, &newest) in own.clone().zip(&newest[own]) {
                    let steps = f * self.memory..(f + 1) * self.memory;
                    state[steps.end - 1] = newest;
                    sum += match time {
                        Weights::Float(w) => dot(&w[steps.clone()], &state[steps]),
                        Weights::Hybrid { data, scale } => data[steps.clone()]
                            .iter()
                            .zip(&state[steps])
                            .map(|(&w, s)| f32::from(w) * scale * s)
                            .sum(),
                    };
                }
                let sum = sum + bias.map_or(0.0, |b| b[u]);
                out[b * self.units + u] = activation(sum);
            }
        }
    }

    /// One step of integers: int8 input, features and output, int16 time weights and state, int32 bias.
    #[allow(clippy::too_many_arguments)]
    pub fn integer(
        &self,
        x: &[i8],
        feature: &[i8],
        time: &[i16],
        bias: Option<&[i32]>,
        (input_zero_point, output_zero_point): (i32, i32),
        (to_state, to_output): (Multiplier, Multiplier),
        state: &mut [i16],
        out: &mut [i8],
    ) {
        let filters = self.filters();
        Self::shift(state);
        for b in 0..self.batch {
            let x = &x[b * self.inputs..(b + 1) * self.inputs];
            let state = &mut state[b * filters * self.memory..(b + 1) * filters * self.memory];
            for u in 0..self.units {
                let mut sum = 0i32;
                for f in u * self.rank..(u + 1) * self.rank {
                    let w = &feature[f * self.inputs..(f + 1) * self.inputs];
                    let newest = w.iter().zip(x).fold(0i32, |sum, (&w, &x)| {
                        sum.wrapping_add(i32::from(w) * (i32::from(x) - input_zero_point))
                    });
                    let steps = f * self.memory..(f + 1) * self.memory;
                    let newest = to_state.apply(newest);
                    state[steps.end - 1] = newest.clamp(i16::MIN.into(), i16::MAX.into()) as i16;
                    let remembered = time[steps.clone()].iter().zip(&state[steps]);
                    sum = remembered.fold(sum, |sum, (&w, &s)| {
                        sum.wrapping_add(i32::from(w) * i32::from(s))
                    });
                }
                let sum = sum.wrapping_add(bias.map_or(0, |b| b[u]));
                let step = to_output.apply(sum).saturating_add(output_zero_point);
                out[b * self.units + u] = step.clamp(i8::MIN.into(), i8::MAX.into()) as i8;
            }
        }
    }
}
