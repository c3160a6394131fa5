//! Builders of SVDF, float and with int8 weights, and in integers.

use super::{States, expect_shape, function, optional_vector, report, watch, weights};
use crate::engine::Part;
use crate::engine::buffer::{typed, typed_mut};
use crate::engine::node::{Built, NodeCx, Operand};
use crate::error::Result;
use crate::graph::{Activation, DType, Svdf};
use crate::kernels::reference::recurrent::{CellWork, SvdfShape};
use crate::malformed;

pub(in crate::engine::ops) fn svdf(cx: &NodeCx<'_>, o: &Svdf) -> Result<Built> {
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
    let shape = SvdfShape {
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
    let built = Built::several(out_shape, move |io, outs, mut on| {
        let [out, state] = outs else {
            return malformed!("its state is missing");
        };
        watch(&mut work, &on);
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
        report(&work, &mut on, |seen| [(Part::State(4), seen.cell)]);
        Ok(())
    })?;
    Ok(built.with_states(states))
}

fn integer_svdf(
    cx: &NodeCx<'_>,
    o: &Svdf,
    shape: SvdfShape,
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
