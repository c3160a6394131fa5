//! The integer LSTM cell: int8 input, weights and output, int16 gates and cell state.
//!
//! And the old one of five inputs, on uint8.
//!
//! Sources: LiteRT `lstm_eval.cc` (`LstmStepInteger8x8_16`), `internal/reference/portable_tensor_utils.cc`;
//! `internal/reference/reference_ops.h` (`LstmCell`).

use super::recurrent::Sequence;
use crate::kernels::fixed_point::{
    Multiplier, doubling_high_mul_i16, inverse_sqrt, rounding_divide_by_pot,
};
use crate::kernels::fixed_point_i16::{logistic, tanh};

/// Integer bits of what enters the activation functions of gates.
const GATE_INTEGER_BITS: i32 = 3;

/// int8 weights [rows, columns] with the rest of their product.
#[derive(Debug, Clone, Copy)]
pub struct Product<'a> {
    /// The steps.
    pub weights: &'a [i8],
    /// Added to each row: bias − zero point of the other factor × sum of the row.
    pub bias: &'a [i32],
    /// Product to result.
    pub by: Multiplier,
}

impl Product<'_> {
    /// Each row's product with `x`, in steps of the result.
    fn rows(&self, x: &[i8]) -> impl Iterator<Item = i32> {
        let rows = self.bias.iter().zip(0..);
        rows.map(move |(&bias, r): (&i32, usize)| {
            let row = &self.weights[r * x.len()..(r + 1) * x.len()];
            let sum = row.iter().zip(x).fold(bias, |sum, (&w, &x)| {
                sum.wrapping_add(i32::from(w) * i32::from(x))
            });
            self.by.apply(sum)
        })
    }
}

/// Layer normalization of a gate.
#[derive(Debug, Clone, Copy)]
pub struct Norm<'a> {
    /// [cells].
    pub weights: &'a [i16],
    /// [cells].
    pub bias: &'a [i32],
    /// Scale of the weights.
    pub by: Multiplier,
    /// Stands for a variance below one step.
    pub variance_guard: i32,
}

impl Norm<'_> {
    /// Source: `PortableApplyLayerNorm`.
    fn apply(&self, gate: &mut [i16]) {
        let n = gate.len() as i64;
        let (mut sum, mut squares) = (0i64, 0i64);
        for &v in &*gate {
            sum += i64::from(v);
            squares += i64::from(v) * i64::from(v);
        }
        let mean = (sum * 1024 / n) as i32;
        let variance = squares * ((1 << 20) / n) - i64::from(mean) * i64::from(mean);
        let mut variance = (variance / (1 << 20)) as i32;
        if variance < 1 {
            variance = self.variance_guard;
        }
        let inverse = inverse_sqrt(variance);
        let by = Multiplier {
            shift: self.by.shift + 12,
            ..self.by
        };
        for ((v, &w), &b) in gate.iter_mut().zip(self.weights).zip(self.bias) {
            let shifted = (1024 * i32::from(*v)).wrapping_sub(mean);
            let weighted = inverse
                .apply(shifted)
                .wrapping_mul(w.into())
                .wrapping_add(b);
            let weighted = i64::from(weighted);
            let half = if weighted > 0 { 512 } else { -512 };
            *v = saturate(by.apply(((weighted + half) / 1024) as i32));
        }
    }
}

/// A gate: activation(input·x + recurrent·h + peephole∘c), or that of its layer normalization.
#[derive(Debug, Clone, Copy)]
pub struct Gate<'a> {
    /// With x.
    pub input: Product<'a>,
    /// With the output of the step before.
    pub recurrent: Product<'a>,
    /// [cells], and product to gate.
    pub peephole: Option<(&'a [i16], Multiplier)>,
    /// After all products.
    pub norm: Option<Norm<'a>>,
}

/// An LSTM in integers. Without `input` gate it is 1 − forget gate; update and cell go through tanh.
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
    /// The scale of the cell state is 2 to this, −15 to −9.
    pub cell_scale: i32,
    /// Output gate × tanh of the cell, both Q0.15, to hidden state.
    pub hidden: Multiplier,
    /// Zero point of the hidden state; that of what is projected is its negative.
    pub hidden_zero_point: i32,
    /// With the hidden state; [outputs, cells].
    pub projection: Option<Product<'a>>,
    /// Zero point of the output.
    pub output_zero_point: i32,
    /// Bound of the cell's steps; 0 for none.
    pub cell_clip: i16,
    /// Bound of the projection's steps; 0 for none.
    pub projection_clip: i8,
}

/// Working memory.
#[derive(Debug, Clone, Default)]
pub struct Work {
    gates: [Vec<i16>; 4],
    hidden: Vec<i8>,
}

fn saturate(x: i32) -> i16 {
    x.clamp(i16::MIN.into(), i16::MAX.into()) as i16
}

fn saturate_i8(x: i32) -> i8 {
    x.clamp(i8::MIN.into(), i8::MAX.into()) as i8
}

/// Where one row stands among those that LiteRT computes together.
#[derive(Debug, Clone, Copy)]
struct Row {
    index: usize,
    of: usize,
    outputs: usize,
}

impl Row {
    /// The peephole of cell `c`. LiteRT lays `outputs` peepholes for each row over all cells of all rows one after the other,
    /// so that with fewer outputs than cells those at the end have none.
    fn peephole(self, weights: &[i16], cells: usize, c: usize) -> i16 {
        let flat = self.index * cells + c;
        match flat < self.of * self.outputs {
            true => weights[flat % self.outputs],
            false => 0,
        }
    }
}

impl Gate<'_> {
    fn compute(
        &self,
        (x, h, cell): (&[i8], &[i8], &[i16]),
        row: Row,
        activation: fn(i16, i32) -> i16,
        out: &mut Vec<i16>,
    ) {
        out.clear();
        out.extend(self.input.rows(x).map(saturate));
        for (o, product) in out.iter_mut().zip(self.recurrent.rows(h)) {
            *o = saturate(product.wrapping_add((*o).into()));
        }
        if let Some((weights, by)) = self.peephole {
            for (c, (o, &state)) in out.iter_mut().zip(cell).enumerate() {
                let w = row.peephole(weights, cell.len(), c);
                let product = by.apply(i32::from(w) * i32::from(state));
                *o = saturate(product.wrapping_add((*o).into()));
            }
        }
        if let Some(norm) = &self.norm {
            norm.apply(out);
        }
        for o in out {
            *o = activation(*o, GATE_INTEGER_BITS);
        }
    }
}

impl Lstm<'_> {
    /// One step of one row: `output` and `cell` are its state, changed in place.
    fn step(&self, x: &[i8], output: &mut [i8], cell: &mut [i16], row: Row, w: &mut Work) {
        let [enter, forget, update, leave] = &mut w.gates;
        if let Some(gate) = &self.input {
            gate.compute((x, output, cell), row, logistic, enter);
        }
        self.forget
            .compute((x, output, cell), row, logistic, forget);
        self.update.compute((x, output, cell), row, tanh, update);
        if self.input.is_none() {
            enter.clear();
            enter.extend(forget.iter().map(|f| i16::MAX.wrapping_sub(*f)));
        }
        let times =
            |a: i16, b: i16, shift| rounding_divide_by_pot(i32::from(a) * i32::from(b), shift);
        for (i, c) in cell.iter_mut().enumerate() {
            let kept = times(forget[i], *c, 15) as i16;
            let new = times(enter[i], update[i], 30 + self.cell_scale) as i16;
            *c = kept.saturating_add(new);
            if self.cell_clip > 0 {
                *c = (*c).clamp(-self.cell_clip, self.cell_clip);
            }
        }
        self.output.compute((x, output, cell), row, logistic, leave);
        let zero_point = match self.projection {
            Some(_) => -self.hidden_zero_point,
            None => self.hidden_zero_point,
        };
        let hidden = leave.iter().zip(&*cell).map(|(&l, &c)| {
            let c = tanh(c, 15 + self.cell_scale);
            let product = self.hidden.apply(i32::from(l) * i32::from(c));
            saturate_i8(product.wrapping_add(zero_point))
        });
        let Some(projection) = &self.projection else {
            for (o, h) in output.iter_mut().zip(hidden) {
                *o = h;
            }
            return;
        };
        w.hidden.clear();
        w.hidden.extend(hidden);
        for (o, product) in output.iter_mut().zip(projection.rows(&w.hidden)) {
            *o = saturate_i8(product.wrapping_add(self.output_zero_point));
            if self.projection_clip > 0 {
                *o = (*o).clamp(-self.projection_clip, self.projection_clip);
            }
        }
    }

    /// Runs over whole sequences. `x` has rows of `n` elements, `out` those of `output`, which with `cell` is the state of each
    /// sequence. `together` says that LiteRT computes the rows of all sequences at once.
    #[allow(clippy::too_many_arguments)]
    pub fn run(
        &self,
        sequence: &Sequence,
        together: bool,
        (x, n): (&[i8], usize),
        output: &mut [i8],
        cell: &mut [i16],
        out: &mut [i8],
        work: &mut Work,
    ) {
        let batch = sequence.batch.max(1);
        let (outputs, cells) = (output.len() / batch, cell.len() / batch);
        sequence.each(|b, i| {
            let output = &mut output[b * outputs..(b + 1) * outputs];
            let cell = &mut cell[b * cells..(b + 1) * cells];
            let (index, of) = if together { (b, batch) } else { (0, 1) };
            let row = Row { index, of, outputs };
            self.step(&x[i * n..(i + 1) * n], output, cell, row, work);
            out[i * outputs..(i + 1) * outputs].copy_from_slice(output);
        });
    }
}

/// `x` times the factor, rounded once, half up: what matrix products of ruy do, on which LiteRT builds this kernel alone.
fn rounded_once(by: Multiplier, x: i32) -> i32 {
    let shift = 31 - by.shift;
    let product = i64::from(x) * i64::from(by.mantissa);
    ((product + (1i64 << (shift - 1))) >> shift) as i32
}

/// The old LSTM of five inputs on uint8, one step: `weights` [4·cells, inputs + cells] and their zero point give input gate,
/// update, forget gate and output gate, `by` scales their products to Q3.12. Activations are in steps of 1/128 from 128 on,
/// the state in Q4.11; those of the step before are replaced.
pub fn basic_lstm_u8(
    x: &[u8],
    (weights, zero_point): (&[u8], i32),
    bias: &[i32],
    by: Multiplier,
    (activation, state, joined, gates): (&mut [u8], &mut [i16], &mut [u8], &mut [i16]),
) {
    const STATE_INTEGER_BITS: i32 = 4;
    let n = state.len();
    joined[..x.len()].copy_from_slice(x);
    joined[x.len()..].copy_from_slice(activation);
    let rows = weights.chunks_exact(joined.len().max(1));
    for (g, (row, &bias)) in gates.iter_mut().zip(rows.zip(bias)) {
        let sum = row.iter().zip(&*joined).fold(bias, |sum, (&w, &x)| {
            sum.wrapping_add((i32::from(w) - zero_point) * (i32::from(x) - 128))
        });
        *g = saturate(rounded_once(by, sum));
    }
    for c in 0..n {
        let gate = |k: usize| logistic(gates[k * n + c], GATE_INTEGER_BITS);
        let update = tanh(gates[n + c], GATE_INTEGER_BITS);
        let new = doubling_high_mul_i16(gate(0), update);
        let new = rounding_divide_by_pot(new.into(), STATE_INTEGER_BITS) as i16;
        let kept = doubling_high_mul_i16(gate(2), state[c]);
        state[c] = new.saturating_add(kept);
        let out = doubling_high_mul_i16(gate(3), tanh(state[c], STATE_INTEGER_BITS));
        let out = rounding_divide_by_pot(out.into(), 8).clamp(-128, 127);
        activation[c] = (128 + out) as u8;
    }
}
