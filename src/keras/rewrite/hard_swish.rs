//! Recognises x · relu6(x + 3) / 6, as Keras' MobileNetV3 of old spells it, as HARD_SWISH.

use super::net::Net;
use crate::graph::{Activation, Node, Op, Subgraph, TensorId};

/// Recognises all there are.
pub(super) fn recognise(subgraph: Subgraph) -> Subgraph {
    let mut net = Net::new(subgraph);
    for i in 0..net.nodes.len() {
        if let Some(x) = net.node(i).and_then(|n| of_product(&net, n)) {
            if let Some(node) = net.nodes[i].as_mut() {
                node.op = Op::HardSwish;
                node.inputs.truncate(1);
            }
            net.set_input(i, 0, x);
        }
    }
    net.finish()
}

/// The constant that `node` multiplies by or adds, and its other operand.
fn scalar(net: &Net, node: &Node) -> Option<(TensorId, f32)> {
    let (x, constant) = net.constant_operand(node, false)?;
    match net.constant(constant)?.1[..] {
        [value] => Some((x, value)),
        _ => None,
    }
}

fn plain_mul(net: &Net, id: TensorId) -> Option<&Node> {
    let node = net.producer(id)?.1;
    let plain = Op::Mul {
        activation: Activation::None,
    };
    (node.op == plain).then_some(node)
}

/// x, if `id` is relu6(x + 3).
fn gate(net: &Net, id: TensorId) -> Option<TensorId> {
    let clipped = net.producer(id)?.1;
    let Op::Relu6 = clipped.op else { return None };
    let shifted = net.producer(clipped.input(0)?)?.1;
    let Op::Add {
        activation: Activation::None,
        ..
    } = shifted.op
    else {
        return None;
    };
    scalar(net, shifted)
        .filter(|(_, by)| *by == 3.0)
        .map(|(x, _)| x)
}

fn is_sixth(value: f32) -> bool {
    (value - 1.0 / 6.0).abs() < 1e-6
}

/// x, if `node` is x · (relu6(x + 3) / 6) or (x · relu6(x + 3)) / 6.
fn of_product(net: &Net, node: &Node) -> Option<TensorId> {
    let Op::Mul {
        activation: Activation::None,
    } = node.op
    else {
        return None;
    };
    let gated = |a: TensorId, b: TensorId| gate(net, b).filter(|&x| x == a);
    if let Some((inner, by)) = scalar(net, node) {
        let product = plain_mul(net, inner).filter(|_| is_sixth(by))?;
        let (a, b) = (product.input(0)?, product.input(1)?);
        return gated(a, b).or_else(|| gated(b, a));
    }
    let sixth = |a: TensorId, b: TensorId| {
        let (inner, by) = scalar(net, plain_mul(net, b)?)?;
        gated(a, inner).filter(|_| is_sixth(by))
    };
    let (a, b) = (node.input(0)?, node.input(1)?);
    sixth(a, b).or_else(|| sixth(b, a))
}
