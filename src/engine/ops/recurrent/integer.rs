//! Builder of LSTM in integers: int8 input, weights and output, int16 cell state; and what the old one on uint8 needs.

use super::{expect_shape, rows_of, sequence};
use crate::engine::buffer::typed_mut;
use crate::engine::node::{Built, Inputs, NodeCx, label, multiplier, per_tensor};
use crate::error::Result;
use crate::graph::{DType, Tensor, TensorId};
use crate::kernels::fixed_point::Multiplier;
use crate::kernels::reference::activation::checked_log2;
use crate::kernels::reference::lstm_integer::{Gate, Lstm, Norm, Product, Work};
use crate::malformed;

/// Scale of what enters a gate's activation function: Q3.12.
const GATE_SCALE: f32 = 1.0 / 4096.0;
/// Where weights (4 to gates, 4 recurrent, 3 peepholes), biases (4), projection and its bias, state and layer normalization
/// (4) begin among the inputs.
const WEIGHTS: usize = 1;
const RECURRENT: usize = 5;
const PEEPHOLES: usize = 9;
const BIASES: usize = 12;
const PROJECTION: usize = 16;
const STATE: usize = 18;
const NORMS: usize = 20;

/// Weights of a product, which input they are, and what belongs to them.
struct ProductSource {
    input: usize,
    bias: Vec<i32>,
    by: Multiplier,
}

impl ProductSource {
    /// Input `i` as int8 weights of this shape; `factor` is the scale and zero point of what they are multiplied with, and
    /// `to` the scale of the result.
    fn new(
        cx: &NodeCx<'_>,
        i: usize,
        shape: [usize; 2],
        bias: Option<usize>,
        (scale, zero_point): (f32, i32),
        to: f32,
    ) -> Result<Self> {
        let operand = cx.input(i)?;
        operand.expect(DType::Int8)?;
        expect_shape(operand, &shape)?;
        if operand.weight_zero_point()? != 0 {
            return malformed!("{operand} has a zero point other than 0");
        }
        let (own, _) = operand.quantization()?;
        let mut bias = match bias {
            Some(i) => known::<i32>(cx, i, shape[0], DType::Int32)?.to_vec(),
            None => vec![0; shape[0]],
        };
        let weights = operand.known::<i8>("weights of an integer LSTM")?;
        for (b, row) in bias.iter_mut().zip(weights.chunks_exact(shape[1].max(1))) {
            let sum = row.iter().fold(0i32, |s, &w| s.wrapping_add(w.into()));
            *b = b.wrapping_sub(sum.wrapping_mul(zero_point));
        }
        Ok(Self {
            input: i,
            bias,
            by: multiplier((own * scale / to).into())?,
        })
    }

    fn get<'a>(&'a self, io: &Inputs<'a>) -> Product<'a> {
        Product {
            weights: io.get(self.input),
            bias: &self.bias,
            by: self.by,
        }
    }
}

/// The elements of input `i`, a vector of `n` of this type that is known before running.
fn known<'a, T: bytemuck::Pod>(
    cx: &NodeCx<'a>,
    i: usize,
    n: usize,
    dtype: DType,
) -> Result<&'a [T]> {
    let operand = cx.input(i)?;
    operand.expect(dtype)?;
    expect_shape(operand, &[n])?;
    operand.known("a vector of an integer LSTM")
}

struct NormSource {
    weights: usize,
    bias: usize,
    by: Multiplier,
    variance_guard: i32,
}

struct GateSource {
    input: ProductSource,
    recurrent: ProductSource,
    peephole: Option<(usize, Multiplier)>,
    norm: Option<NormSource>,
}

impl GateSource {
    fn get<'a>(&'a self, io: &Inputs<'a>) -> Gate<'a> {
        Gate {
            input: self.input.get(io),
            recurrent: self.recurrent.get(io),
            peephole: self.peephole.map(|(i, by)| (io.get(i), by)),
            norm: self.norm.as_ref().map(|n| Norm {
                weights: io.get(n.weights),
                bias: io.get(n.bias),
                by: n.by,
                variance_guard: n.variance_guard,
            }),
        }
    }
}

/// What all gates share.
struct Extents {
    inputs: usize,
    cells: usize,
    outputs: usize,
    x: (f32, i32),
    h: (f32, i32),
    cell_scale: f32,
    normalizes: bool,
}

impl Extents {
    /// Gate `k` in the order of the inputs: input, forget, update, output.
    fn gate(&self, cx: &NodeCx<'_>, k: usize) -> Result<GateSource> {
        let to = match self.normalizes {
            true => intermediate(cx, k)?.0,
            false => GATE_SCALE,
        };
        let bias = (!self.normalizes).then_some(BIASES + k);
        let peephole = match k {
            0 => Some(PEEPHOLES),
            1 => Some(PEEPHOLES + 1),
            3 => Some(PEEPHOLES + 2),
            _ => None,
        };
        let peephole = match peephole {
            Some(i) => match cx.optional(i)? {
                Some(operand) => {
                    known::<i16>(cx, i, self.cells, DType::Int16)?;
                    let (own, _) = operand.quantization()?;
                    let by = f64::from(self.cell_scale) * f64::from(own) / f64::from(to);
                    Some((i, multiplier((by as f32).into())?))
                }
                None => None,
            },
            None => None,
        };
        let norm = match self.normalizes {
            true => {
                let (weights, bias) = (NORMS + k, BIASES + k);
                known::<i16>(cx, weights, self.cells, DType::Int16)?;
                known::<i32>(cx, bias, self.cells, DType::Int32)?;
                let (scale, _) = cx.input(weights)?.quantization()?;
                let by = multiplier(scale.into())?;
                if by.shift > 18 {
                    return malformed!("{} has the scale {scale}", cx.input(weights)?);
                }
                Some(NormSource {
                    weights,
                    bias,
                    by,
                    variance_guard: ((10000.0 * scale) as i32).max(1),
                })
            }
            false => None,
        };
        let shape = [self.cells, self.inputs];
        let input = ProductSource::new(cx, WEIGHTS + k, shape, bias, self.x, to)?;
        let shape = [self.cells, self.outputs];
        let recurrent = ProductSource::new(cx, RECURRENT + k, shape, None, self.h, to)?;
        Ok(GateSource {
            input,
            recurrent,
            peephole,
            norm,
        })
    }
}

/// Scale and zero point of intermediate tensor `k`.
fn intermediate(cx: &NodeCx<'_>, k: usize) -> Result<(f32, i32)> {
    let id = cx.node.intermediates.get(k).copied();
    match id.and_then(|id| Some((id, cx.tensors.get(id)?))) {
        Some((id, tensor)) => per_tensor(id, tensor),
        None => malformed!("its intermediate tensor {k} is missing"),
    }
}

/// Input `i`, a state tensor of this type.
fn state<'a>(cx: &NodeCx<'a>, i: usize, dtype: DType) -> Result<(TensorId, &'a Tensor)> {
    match cx
        .node
        .input(i)
        .and_then(|id| Some((id, cx.tensors.get(id)?)))
    {
        Some((id, tensor)) if tensor.dtype == dtype => Ok((id, tensor)),
        Some((id, tensor)) => {
            malformed!("{} is {}, not {dtype}", label(id, tensor), tensor.dtype)
        }
        None => malformed!("its state, input {i}, is missing"),
    }
}

/// LSTM or UNIDIRECTIONAL_SEQUENCE_LSTM on int8.
pub(super) fn lstm(
    cx: &NodeCx<'_>,
    time_major: Option<bool>,
    cell_clip: f32,
    projection_clip: f32,
) -> Result<Built> {
    cx.expect_output(DType::Int8)?;
    match cx.node.intermediates.len() {
        5 => {}
        12 => return cx.no_kernel("int8 with 12 intermediate tensors"),
        n => return malformed!("it has {n} intermediate tensors, not 5"),
    }
    let (sequence, inputs) = sequence(cx, 0, time_major)?;
    let (to_output, recurrent) = (cx.input(WEIGHTS + 3)?, cx.input(RECURRENT + 3)?);
    let (&[cells, _], &[_, outputs]) = (to_output.shape, recurrent.shape) else {
        return cx.no_kernel("int8 with diagonal recurrent weights");
    };
    if cells == 0 || outputs == 0 {
        return malformed!("it has no cells");
    }
    let (id, tensor) = state(cx, STATE, DType::Int8)?;
    let h = per_tensor(id, tensor)?;
    let (id, tensor) = state(cx, STATE + 1, DType::Int16)?;
    let (cell_scale, _) = per_tensor(id, tensor)?;
    let Some(log2) = checked_log2(cell_scale).filter(|s| (-15..=-9).contains(s)) else {
        return cx.no_kernel(format_args!(
            "a cell state of scale {cell_scale}, which is no power of two from 2^-15 to 2^-9,"
        ));
    };
    let extents = Extents {
        inputs,
        cells,
        outputs,
        x: cx.input(0)?.quantization()?,
        h,
        cell_scale,
        normalizes: cx.optional(NORMS + 1)?.is_some(),
    };
    let (hidden_scale, hidden_zero_point) = intermediate(cx, 4)?;
    let has_peephole = cx.optional(PEEPHOLES + 2)?.is_some();
    if has_peephole && outputs > cells {
        return cx.no_kernel("int8 with peepholes and more outputs than cells");
    }
    let projection = match cx.optional(PROJECTION)? {
        Some(_) => {
            let bias = cx.optional(PROJECTION + 1)?.map(|_| PROJECTION + 1);
            // LiteRT adds the zero point's part, because it quantizes the hidden state with the negative of it.
            let factor = (hidden_scale, -hidden_zero_point);
            let shape = [outputs, cells];
            Some(ProductSource::new(
                cx, PROJECTION, shape, bias, factor, h.0,
            )?)
        }
        None if outputs != cells => {
            return malformed!("it has {cells} cells and {outputs} outputs, but no projection");
        }
        None => None,
    };
    let input = match cx.optional(WEIGHTS)? {
        Some(_) => Some(extents.gate(cx, 0)?),
        None => {
            // LiteRT computes nothing without it.
            if extents.normalizes {
                intermediate(cx, 0)?;
            }
            None
        }
    };
    let (forget, update) = (extents.gate(cx, 1)?, extents.gate(cx, 2)?);
    let output = extents.gate(cx, 3)?;
    // 2^−15 / scale · 2^−15 in float64, then stored as float32.
    let hidden = 2f64.powi(-15) / f64::from(hidden_scale) * 2f64.powi(-15);
    let hidden = multiplier((hidden as f32).into())?;
    let (output_scale, _) = cx.output_quantization()?;
    // These casts drop the fraction and saturate.
    let cell_clip = (cell_clip / cell_scale) as i16;
    let projection_clip = (projection_clip / output_scale) as i8;
    let states = vec![
        (STATE, sequence.batch * outputs),
        (STATE + 1, sequence.batch * cells),
    ];
    let together = time_major != Some(false);
    let mut work = Work::default();
    let built = Built::several(vec![rows_of(cx, outputs)?], move |io, outs, _| {
        let [out, output_state, cell] = outs else {
            return malformed!("its state is missing");
        };
        let lstm = Lstm {
            input: input.as_ref().map(|g| g.get(io)),
            forget: forget.get(io),
            update: update.get(io),
            output: output.get(io),
            cell_scale: log2,
            hidden,
            hidden_zero_point,
            projection: projection.as_ref().map(|p| p.get(io)),
            output_zero_point: h.1,
            cell_clip,
            projection_clip,
        };
        let (output_state, cell) = (typed_mut(output_state), typed_mut(cell));
        let x = (io.get(0), inputs);
        lstm.run(
            &sequence,
            together,
            x,
            output_state,
            cell,
            typed_mut(out),
            &mut work,
        );
        Ok(())
    })?;
    Ok(built.with_states(states))
}

/// Zero point of the weights of the old LSTM on uint8, and what scales its products to Q3.12.
pub(super) fn basic(cx: &NodeCx<'_>) -> Result<(i32, Multiplier)> {
    let (id, tensor) = cx.output_at(1)?;
    let (scale, _) = per_tensor(id, tensor)?;
    if checked_log2(scale) != Some(-11) {
        return cx.no_kernel(format_args!(
            "uint8 with a state of scale {scale}, not 2^-11,"
        ));
    }
    let (bias_scale, _) = cx.input(3)?.quantization()?;
    let by = multiplier(f64::from(4096.0 * bias_scale))?;
    Ok((cx.input(2)?.weight_zero_point()?, by))
}
