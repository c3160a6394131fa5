//! One node as the builders of kernels see it: its tensors with their resolved shapes, and the checks they share.

use std::cell::{Cell, RefCell};
use std::sync::Arc;

use bytemuck::Pod;

use super::buffer::{Buffer, typed};
pub(super) use super::built::{Built, Inputs};
use super::shared::{Shared, byte_size};
use crate::error::Result;
use crate::graph::{Activation, DType, Node, Tensor, TensorId};
use crate::kernels::fixed_point::Multiplier;
use crate::kernels::quantize::quantize_value;
use crate::kernels::{Isa, Scratch};
use crate::{malformed, unsupported};

/// One tensor with what is known of it.
#[derive(Clone, Copy)]
pub(super) struct Operand<'a> {
    pub id: TensorId,
    pub tensor: &'a Tensor,
    pub shape: &'a [usize],
    pub known: Option<&'a Arc<Buffer>>,
    pub wanted: &'a Cell<Option<TensorId>>,
}

/// A node that is being prepared.
pub(super) struct NodeCx<'a> {
    pub node: &'a Node,
    pub tensors: &'a [Tensor],
    pub shapes: &'a [Option<Vec<usize>>],
    pub constants: &'a [Option<Arc<Buffer>>],
    /// The instruction set of packed kernels; `None` where only the reference may run.
    pub isa: Option<Isa>,
    /// Whether float sums are taken in the order of the reference, to the bit.
    pub in_order: bool,
    /// Threads that kernels may use.
    pub threads: usize,
    /// Where packed kernels reserve what they need to run.
    pub scratch: &'a RefCell<Scratch>,
    /// Set by [`Operand::known`] to a tensor whose value is computed while running: the node is then built when it is there.
    pub wanted: &'a Cell<Option<TensorId>>,
    pub shared: &'a Arc<Shared>,
    /// The subgraphs being prepared, outermost first; the last is the node's own.
    pub path: &'a [usize],
}

/// `tensor 5 "name"`.
pub(super) fn label(id: TensorId, tensor: &Tensor) -> String {
    format!("tensor {id} \"{}\"", tensor.name)
}

impl std::fmt::Display for Operand<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&label(self.id, self.tensor))
    }
}

impl<'a> NodeCx<'a> {
    /// Input `i`, which must be there.
    pub fn input(&self, i: usize) -> Result<Operand<'a>> {
        match self.optional(i)? {
            Some(operand) => Ok(operand),
            None => malformed!("input {i} is missing"),
        }
    }

    /// Input `i`, if it is there.
    pub fn optional(&self, i: usize) -> Result<Option<Operand<'a>>> {
        let Some(id) = self.node.input(i) else {
            return Ok(None);
        };
        let Some(tensor) = self.tensors.get(id) else {
            return malformed!("input {i} is tensor {id}, which does not exist");
        };
        let Some(Some(shape)) = self.shapes.get(id) else {
            return malformed!("{} is read before it is computed", label(id, tensor));
        };
        Ok(Some(Operand {
            id,
            tensor,
            shape,
            known: self.constants.get(id).and_then(Option::as_ref),
            wanted: self.wanted,
        }))
    }

    /// The only output.
    pub fn output(&self) -> Result<(TensorId, &'a Tensor)> {
        match self.node.outputs.len() {
            1 => self.output_at(0),
            n => malformed!("it has {n} outputs, not 1"),
        }
    }

    /// Output `i`, which must be there.
    pub fn output_at(&self, i: usize) -> Result<(TensorId, &'a Tensor)> {
        let Some(&id) = self.node.outputs.get(i) else {
            return malformed!("output {i} is missing");
        };
        match self.tensors.get(id) {
            Some(tensor) => Ok((id, tensor)),
            None => malformed!("its output is tensor {id}, which does not exist"),
        }
    }

    /// Fails unless all outputs have this type.
    pub fn expect_outputs(&self, dtype: DType) -> Result<()> {
        for i in 0..self.node.outputs.len() {
            let (id, tensor) = self.output_at(i)?;
            if tensor.dtype != dtype {
                return malformed!("{} is {}, not {dtype}", label(id, tensor), tensor.dtype);
            }
        }
        Ok(())
    }

    /// Fails unless the output has this type.
    pub fn expect_output(&self, dtype: DType) -> Result<()> {
        self.output()?;
        self.expect_outputs(dtype)
    }

    /// Bytes of output `i` with this shape; an error if they are more than a run may use.
    pub fn output_bytes(&self, i: usize, shape: &[usize]) -> Result<usize> {
        let (id, tensor) = self.output_at(i)?;
        byte_size(id, tensor, shape)
    }

    /// Scale and zero point of the output.
    pub fn output_quantization(&self) -> Result<(f32, i32)> {
        let (id, tensor) = self.output()?;
        per_tensor(id, tensor)
    }

    /// Smallest and largest step of the output under a fused activation. Source: LiteRT
    /// `CalculateActivationRangeQuantized`.
    pub fn output_clamp(&self, activation: Activation) -> Result<(i32, i32)> {
        let (_, tensor) = self.output()?;
        let (scale, zero_point) = self.output_quantization()?;
        let (low, high) = clamp_f32(activation)?;
        let (qmin, qmax) = step_range(tensor.dtype)?;
        let step = |real: f32| quantize_value(real, scale, zero_point, qmin, qmax);
        Ok((
            if low > f32::MIN { step(low) } else { qmin },
            if high < f32::MAX { step(high) } else { qmax },
        ))
    }

    /// The error of a combination of types that has no kernel.
    pub fn no_kernel<T>(&self, what: impl std::fmt::Display) -> Result<T> {
        unsupported!("{what} cannot run yet")
    }
}

/// Smallest and largest step of a quantized type.
pub(super) fn step_range(dtype: DType) -> Result<(i32, i32)> {
    match dtype.integer_range() {
        Some((low, high)) if high <= i64::from(i32::MAX) => Ok((low as i32, high as i32)),
        _ => unsupported!("quantized {dtype} cannot run yet"),
    }
}

impl<'a> Operand<'a> {
    /// Its only scale and zero point.
    pub fn quantization(&self) -> Result<(f32, i32)> {
        per_tensor(self.id, self.tensor)
    }

    /// Its type.
    pub fn dtype(&self) -> DType {
        self.tensor.dtype
    }

    /// Number of elements.
    pub fn elements(&self) -> usize {
        self.shape.iter().product()
    }

    /// Its elements if they are known.
    pub fn constant<T: Pod>(&self) -> Option<&'a [T]> {
        self.known.map(|buffer| typed(buffer.bytes()))
    }

    /// Its elements where a builder cannot do without them. If they are computed while running this fails, and the engine
    /// calls the builder again once they are there (and again whenever they change).
    pub fn known<T: Pod>(&self, what: &str) -> Result<&'a [T]> {
        match self.constant() {
            Some(elements) => Ok(elements),
            None => {
                self.wanted.set(Some(self.id));
                unsupported!("{self} ({what}) is not known before running")
            }
        }
    }

    /// Bytes of one element.
    pub fn element_size(&self) -> Result<usize> {
        byte_size(self.id, self.tensor, &[])
    }

    /// Its constant elements of type int32 or int64.
    pub fn known_integers(&self, what: &str) -> Result<Vec<i64>> {
        match self.dtype() {
            DType::Int32 => Ok(self.known::<i32>(what)?.iter().map(|&v| v.into()).collect()),
            DType::Int64 => Ok(self.known::<i64>(what)?.to_vec()),
            other => malformed!("{self} ({what}) is {other}, not int32 or int64"),
        }
    }

    /// Fails unless it has `rank` axes.
    pub fn expect_rank(&self, rank: usize) -> Result<()> {
        if self.shape.len() == rank {
            return Ok(());
        }
        malformed!("{self} has shape {:?}, not {rank} axes", self.shape)
    }

    /// Fails unless it has this type.
    pub fn expect(&self, dtype: DType) -> Result<()> {
        if self.dtype() == dtype {
            return Ok(());
        }
        malformed!("{self} is {}, not {dtype}", self.dtype())
    }

    /// Scales of weights with `channels` channels along `axis`: one for all, or one a channel. Zero points must be 0
    /// unless `zero_point` is given to receive the only one.
    pub fn weight_scales(&self, channels: usize, axis: usize) -> Result<Vec<f32>> {
        let Some(q) = &self.tensor.quantization else {
            return malformed!("{self} has no scale");
        };
        if q.scales.iter().any(|s| !s.is_finite() || *s < 0.0) {
            return malformed!("{self} has a scale that is negative or not a number");
        }
        if q.zero_points.iter().any(|&z| z != 0) && q.scales.len() > 1 {
            return malformed!("{self} has a zero point other than 0 in a channel");
        }
        match q.scales.len() {
            1 => Ok(vec![q.scales[0]; channels]),
            n if n == channels && (q.axis == axis || channels == 1) => Ok(q.scales.clone()),
            n if n == channels => {
                malformed!("{self} has channels along axis {}, not {axis}", q.axis)
            }
            n => malformed!("{self} has {n} scales for {channels} channels"),
        }
    }

    /// Whether all channels share one scale.
    pub fn is_per_tensor(&self) -> bool {
        let scales = self.tensor.quantization.as_ref().map(|q| &q.scales[..]);
        scales.is_none_or(|s| s.len() <= 1)
    }

    /// The only zero point of weights, 0 if none is stated.
    pub fn weight_zero_point(&self) -> Result<i32> {
        let q = self.tensor.quantization.as_ref();
        let zero_point = q.and_then(|q| q.zero_points.first()).copied().unwrap_or(0);
        match self.dtype().integer_range() {
            Some((low, high)) if (low..=high).contains(&zero_point) => Ok(zero_point as i32),
            _ => malformed!("{self} has the zero point {zero_point}, which is out of range"),
        }
    }
}

/// The only scale and zero point of a tensor.
pub(super) fn per_tensor(id: TensorId, tensor: &Tensor) -> Result<(f32, i32)> {
    let name = label(id, tensor);
    let Some(q) = tensor
        .quantization
        .as_ref()
        .filter(|q| !q.scales.is_empty())
    else {
        return malformed!("{name} is {} but has no scale", tensor.dtype);
    };
    let &[scale] = &q.scales[..] else {
        return malformed!("{name} has {} scales, not 1", q.scales.len());
    };
    let zero_point = q.zero_points.first().copied().unwrap_or(0);
    if !scale.is_finite() || scale <= 0.0 {
        return malformed!("{name} has the scale {scale}, which is not a positive number");
    }
    match tensor.dtype.integer_range() {
        Some((low, high)) if (low..=high).contains(&zero_point) => {
            Ok((scale, i32::try_from(zero_point).unwrap_or(i32::MAX)))
        }
        _ => malformed!(
            "{name} has the zero point {zero_point}, which {} cannot hold",
            tensor.dtype
        ),
    }
}

/// Smallest and largest float under a fused activation.
pub(super) fn clamp_f32(activation: Activation) -> Result<(f32, f32)> {
    match activation {
        Activation::None => Ok((f32::MIN, f32::MAX)),
        Activation::Relu => Ok((0.0, f32::MAX)),
        Activation::ReluN1To1 => Ok((-1.0, 1.0)),
        Activation::Relu6 => Ok((0.0, 6.0)),
        Activation::Tanh | Activation::SignBit => {
            unsupported!("the fused activation {activation:?} cannot run yet")
        }
    }
}

/// A requantization factor that int32 accumulators can take.
pub(super) fn multiplier(real: f64) -> Result<Multiplier> {
    let m = Multiplier::from_real(real);
    if real.is_finite() && m.fits_i32() {
        return Ok(m);
    }
    malformed!("the ratio of its scales, {real}, is too large for fixed-point arithmetic")
}

/// A requantization factor that int64 accumulators can take.
pub(super) fn multiplier_i64(real: f64) -> Result<Multiplier> {
    let m = Multiplier::from_real(real);
    if real.is_finite() && m.fits_i64() {
        return Ok(m);
    }
    malformed!("the ratio of its scales, {real}, is too large for fixed-point arithmetic")
}
