//! Folds products with and sums of constants (what batch normalization becomes) into each other and into the convolution or
//! dense layer in front or behind.

use super::activation::fused;
use super::net::Net;
use crate::graph::{Activation, Node, Op, Padding, Subgraph, TensorId};

/// Folds all there are.
pub(super) fn fold(subgraph: Subgraph) -> Subgraph {
    let mut net = Net::new(subgraph);
    // Forwards: a convolution absorbs what follows it, and constants meet.
    for i in 0..net.nodes.len() {
        if identity(&mut net, i) {
            continue;
        }
        let _ = into_previous(&mut net, i).or_else(|| meet(&mut net, i));
    }
    // Backwards: a convolution absorbs what is in front of it.
    for i in 0..net.nodes.len() {
        while into_next(&mut net, i).is_some() {}
    }
    net.finish()
}

/// What a node does with a constant.
#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Mul,
    Add,
}

/// A product or sum of a computed tensor and a constant, without broadcasting the computed one.
struct Step {
    kind: Kind,
    /// What is fused into it.
    activation: Activation,
    x: TensorId,
    constant: TensorId,
    /// Shape of the constant, and its elements; negated for a difference.
    shape: Vec<usize>,
    data: Vec<f32>,
}

fn step(net: &Net, node: &Node) -> Option<Step> {
    let (kind, sign, activation) = match node.op {
        Op::Mul { activation } => (Kind::Mul, 1.0, activation),
        Op::Add { activation, .. } => (Kind::Add, 1.0, activation),
        Op::Sub { activation, .. } => (Kind::Add, -1.0, activation),
        Op::Div { activation } => (Kind::Mul, 0.0, activation),
        _ => return None,
    };
    let ordered = matches!(node.op, Op::Sub { .. } | Op::Div { .. });
    let (x, constant) = net.constant_operand(node, ordered)?;
    let (shape, data) = net.constant(constant)?;
    let data: Vec<f32> = match (kind, sign) {
        (Kind::Mul, 0.0) => data.iter().map(|d| (1.0 / f64::from(*d)) as f32).collect(),
        _ => data.iter().map(|d| d * sign as f32).collect(),
    };
    let (&[out], shape) = (node.outputs.as_slice(), shape.to_vec()) else {
        return None;
    };
    (net.same_shape(x, out) && data.iter().all(|d| d.is_finite())).then_some(Step {
        kind,
        activation,
        x,
        constant,
        shape,
        data,
    })
}

/// The same, if no activation is fused into it.
fn plain_step(net: &Net, node: &Node) -> Option<Step> {
    step(net, node).filter(|s| s.activation == Activation::None)
}

impl Step {
    /// One factor or summand for each of `count` channels on the last axis, if it differs on no other axis.
    fn per_channel(&self, count: usize) -> Option<Vec<f32>> {
        match self.shape.split_last() {
            _ if self.data.len() == 1 => Some(vec![self.data[0]; count]),
            Some((&last, rest)) if last == count && rest.iter().all(|&d| d == 1) => {
                Some(self.data.clone())
            }
            _ => None,
        }
    }

    /// One scalar for all.
    fn scalar(&self) -> Option<f32> {
        let first = *self.data.first()?;
        self.data.iter().all(|&d| d == first).then_some(first)
    }
}

/// Removes x · 1 and x + 0.
fn identity(net: &mut Net, i: usize) -> bool {
    let Some(step) = net.node(i).and_then(|n| plain_step(net, n)) else {
        return false;
    };
    let neutral = match step.kind {
        Kind::Mul => 1.0,
        Kind::Add => 0.0,
    };
    step.scalar() == Some(neutral) && net.bypass(i, step.x)
}

/// What a convolution or dense layer computes with: places of its kernel and bias, and how the kernel lies.
struct Weighted {
    kernel: TensorId,
    bias: Option<TensorId>,
    /// The node's input that is the bias.
    bias_slot: usize,
    shape: Vec<usize>,
    data: Vec<f32>,
    /// The kernel's axis of output channels.
    outputs_last: bool,
    outputs: usize,
}

fn weighted(net: &Net, node: &Node) -> Option<Weighted> {
    let outputs_last = match &node.op {
        Op::Conv2d(_) | Op::FullyConnected(_) => false,
        Op::DepthwiseConv2d(_) => true,
        Op::TransposeConv(_) => false,
        _ => return None,
    };
    let bias_slot = match node.op {
        Op::TransposeConv(_) => 3,
        _ => 2,
    };
    let kernel = node.input(1)?;
    let (shape, data) = net.constant(kernel)?;
    let outputs = *(if outputs_last {
        shape.last()
    } else {
        shape.first()
    })?;
    let bias = node.input(bias_slot);
    if let Some(bias) = bias {
        // A bias that is not constant cannot take part.
        net.constant(bias)?;
    }
    Some(Weighted {
        kernel,
        bias,
        bias_slot,
        shape: shape.to_vec(),
        data,
        outputs_last,
        outputs,
    })
}

impl Weighted {
    fn bias_data(&self, net: &Net) -> Vec<f32> {
        let bias = self.bias.and_then(|id| net.constant(id));
        bias.map_or_else(|| vec![0.0; self.outputs], |(_, data)| data)
    }

    fn store(self, net: &mut Net, i: usize, bias: Option<Vec<f32>>) {
        let kernel = net.add_constant(self.kernel, self.shape, &self.data);
        net.set_input(i, 1, kernel);
        if let Some(bias) = bias {
            let like = self.bias.unwrap_or(self.kernel);
            let id = net.add_constant(like, vec![self.outputs], &bias);
            net.set_input(i, self.bias_slot, id);
        }
    }
}

fn product(a: f32, b: f32) -> f32 {
    (f64::from(a) * f64::from(b)) as f32
}

/// Folds node `i` into the convolution or dense layer that computes its operand for it alone.
fn into_previous(net: &mut Net, i: usize) -> Option<()> {
    let step = step(net, net.node(i)?)?;
    let (earlier, node) = net.sole_producer(step.x)?;
    if *fused(&mut node.op.clone())? != Activation::None {
        return None;
    }
    let mut w = weighted(net, node)?;
    let by = step.per_channel(w.outputs)?;
    let mut bias = w.bias_data(net);
    match step.kind {
        Kind::Add => bias.iter_mut().zip(&by).for_each(|(b, s)| *b += s),
        Kind::Mul => {
            bias.iter_mut()
                .zip(&by)
                .for_each(|(b, &s)| *b = product(*b, s));
            let rest = w.data.len() / w.outputs.max(1);
            let last = w.outputs_last;
            for (j, k) in w.data.iter_mut().enumerate() {
                let o = if last { j % by.len() } else { j / rest.max(1) };
                *k = product(*k, by[o]);
            }
        }
    }
    w.store(net, earlier, Some(bias));
    if let Some(place) = net.nodes[earlier].as_mut().and_then(|n| fused(&mut n.op)) {
        *place = step.activation;
    }
    net.absorb(earlier, i);
    Some(())
}

/// Two constants that meet become one: (x · a) · b, (x + a) + b, and (x · a + b) · c as x · ac + bc.
fn meet(net: &mut Net, i: usize) -> Option<()> {
    let outer = plain_step(net, net.node(i)?)?;
    let (earlier, node) = net.sole_producer(outer.x)?;
    let inner = plain_step(net, node)?;
    let both = |a: &Step, b: &Step, f: &dyn Fn(f32, f32) -> f32| combine(a, b, f);
    match (inner.kind, outer.kind) {
        (Kind::Mul, Kind::Mul) => {
            let (shape, data) = both(&inner, &outer, &product)?;
            replace(net, earlier, &inner, shape, &data);
            net.absorb(earlier, i);
        }
        (Kind::Add, Kind::Add) => {
            let (shape, data) = both(&inner, &outer, &|a, b| a + b)?;
            replace(net, earlier, &inner, shape, &data);
            net.absorb(earlier, i);
        }
        (Kind::Add, Kind::Mul) => {
            let (first, node) = net.sole_producer(inner.x)?;
            let scale = plain_step(net, node).filter(|s| s.kind == Kind::Mul)?;
            let (shape, data) = both(&scale, &outer, &product)?;
            let (shift_shape, shift) = both(&inner, &outer, &product)?;
            replace(net, first, &scale, shape, &data);
            replace(net, earlier, &inner, shift_shape, &shift);
            net.absorb(earlier, i);
        }
        (Kind::Mul, Kind::Add) => return None,
    }
    Some(())
}

/// Element-wise result of two constants, if one of them is a scalar or both have one shape.
fn combine(a: &Step, b: &Step, f: &dyn Fn(f32, f32) -> f32) -> Option<(Vec<usize>, Vec<f32>)> {
    if a.shape == b.shape {
        let data = a.data.iter().zip(&b.data).map(|(&a, &b)| f(a, b)).collect();
        return Some((a.shape.clone(), data));
    }
    match (a.data.as_slice(), b.data.as_slice()) {
        ([a], many) if a.is_finite() => {
            Some((b.shape.clone(), many.iter().map(|&b| f(*a, b)).collect()))
        }
        (many, [b]) => Some((a.shape.clone(), many.iter().map(|&a| f(a, *b)).collect())),
        _ => None,
    }
}

/// Gives node `i` another constant; a difference becomes a sum.
fn replace(net: &mut Net, i: usize, step: &Step, shape: Vec<usize>, data: &[f32]) {
    let constant = net.add_constant(step.constant, shape, data);
    if let Some(node) = net.nodes[i].as_mut() {
        node.op = match step.kind {
            Kind::Mul => Op::Mul {
                activation: Activation::None,
            },
            Kind::Add => Op::Add {
                activation: Activation::None,
                pot_scale_int16: false,
            },
        };
    }
    net.set_input(i, 0, step.x);
    net.set_input(i, 1, constant);
}

/// Whether the window of a convolution never leaves its input.
fn stays_inside(op: &Op, kernel: &[usize]) -> bool {
    let (padding, size) = match op {
        Op::Conv2d(o) => (o.padding, kernel.get(1..3)),
        Op::DepthwiseConv2d(o) => (o.padding, kernel.get(1..3)),
        Op::FullyConnected(_) => return true,
        _ => return false,
    };
    padding == Padding::Valid || size == Some(&[1, 1])
}

/// Folds what computes the operand of node `i`, a convolution or dense layer, into its kernel; a product also through a PAD.
fn into_next(net: &mut Net, i: usize) -> Option<()> {
    let node = net.node(i)?;
    let mut w = weighted(net, node)?;
    let (earlier, before) = net.sole_producer(node.input(0)?)?;
    let pad = matches!(before.op, Op::Pad);
    let (at, reader) = match pad {
        true => (net.sole_producer(before.input(0)?)?.0, earlier),
        false => (earlier, i),
    };
    let step = plain_step(net, net.node(at)?)?;
    if step.kind == Kind::Add && (pad || !stays_inside(&node.op, &w.shape)) {
        return None;
    }
    let channels = *net.tensor(step.x).shape.last()?;
    let by = step.per_channel(channels)?;
    let multiplier = w.outputs.checked_div(channels)?;
    let inputs = match w.outputs_last {
        true => 1,
        false => *w.shape.last()?,
    };
    // Which input channel an element of the kernel meets, and which output channel it adds to.
    let grouped = !w.outputs_last && inputs != channels;
    if grouped && step.scalar().is_none() {
        return None;
    }
    let rest = w.data.len() / w.outputs.max(1);
    let meets = |j: usize| match w.outputs_last {
        true => ((j % w.outputs) / multiplier.max(1), j % w.outputs),
        false => (j % inputs.max(1), j / rest.max(1)),
    };
    match step.kind {
        Kind::Mul => {
            let scaled: Vec<f32> = (w.data.iter().enumerate())
                .map(|(j, &k)| product(k, by[meets(j).0]))
                .collect();
            w.data = scaled;
            w.store(net, i, None);
        }
        Kind::Add => {
            let mut sums: Vec<f64> = w.bias_data(net).into_iter().map(f64::from).collect();
            for (j, &k) in w.data.iter().enumerate() {
                let (input, output) = meets(j);
                sums[output] += f64::from(k) * f64::from(by[input]);
            }
            let bias = sums.into_iter().map(|b| b as f32).collect();
            w.store(net, i, Some(bias));
        }
    }
    net.set_input(reader, 0, step.x);
    net.remove(at);
    Some(())
}
