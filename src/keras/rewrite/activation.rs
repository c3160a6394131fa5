//! Fuses RELU and its kin into the operator in front.

use super::net::Net;
use crate::graph::{Activation, Op, Subgraph, Unary};

/// Fuses every activation whose operand nothing else reads.
pub(super) fn fuse(subgraph: Subgraph) -> Subgraph {
    let mut net = Net::new(subgraph);
    for i in 0..net.nodes.len() {
        let Some(node) = net.node(i) else { continue };
        let activation = match node.op {
            Op::Relu => Activation::Relu,
            Op::Relu6 => Activation::Relu6,
            Op::Unary(Unary::ReluN1To1) => Activation::ReluN1To1,
            _ => continue,
        };
        let Some((earlier, _)) = node.input(0).and_then(|x| net.sole_producer(x)) else {
            continue;
        };
        let Some(fused) = net.nodes[earlier].as_mut().and_then(|n| fused(&mut n.op)) else {
            continue;
        };
        if *fused == Activation::None {
            *fused = activation;
            net.absorb(earlier, i);
        }
    }
    net.finish()
}

/// Where an operator keeps its fused activation, if TensorFlow's converter would use it.
pub(super) fn fused(op: &mut Op) -> Option<&mut Activation> {
    match op {
        Op::Conv2d(o) => Some(&mut o.activation),
        Op::DepthwiseConv2d(o) => Some(&mut o.activation),
        Op::FullyConnected(o) => Some(&mut o.activation),
        Op::TransposeConv(o) => Some(&mut o.activation),
        Op::Add { activation, .. } | Op::Sub { activation, .. } => Some(activation),
        Op::Mul { activation } | Op::Div { activation } => Some(activation),
        _ => None,
    }
}
