//! Folds a PAD into the convolution behind it where SAME padding does the same.

use super::net::Net;
use crate::graph::{Node, Op, Padding, Subgraph, TensorId};

/// Folds all there are.
pub(super) fn fold(subgraph: Subgraph) -> Subgraph {
    let mut net = Net::new(subgraph);
    for i in 0..net.nodes.len() {
        if let Some((pad, x)) = net.node(i).and_then(|n| foldable(&net, n)) {
            net.set_input(i, 0, x);
            net.remove_unread(pad);
            match net.nodes[i].as_mut().map(|n| &mut n.op) {
                Some(Op::Conv2d(o)) => o.padding = Padding::Same,
                Some(Op::DepthwiseConv2d(o)) => o.padding = Padding::Same,
                _ => {}
            }
        }
    }
    net.finish()
}

/// The PAD in front of `node` and what it pads, if SAME padding gives the same.
fn foldable(net: &Net, node: &Node) -> Option<(usize, TensorId)> {
    let (padding, stride, dilation) = match &node.op {
        Op::Conv2d(o) => (o.padding, o.stride, o.dilation),
        Op::DepthwiseConv2d(o) => (o.padding, o.stride, o.dilation),
        _ => return None,
    };
    if padding != Padding::Valid {
        return None;
    }
    // Others may read the PAD as well: it stays for them.
    let (place, pad) = net.producer(node.input(0)?)?;
    if !matches!(pad.op, Op::Pad) {
        return None;
    }
    let x = pad.input(0)?;
    let amounts = net.tensor(pad.input(1)?).i32s()?;
    let [0, 0, h0, h1, w0, w1, 0, 0] = amounts[..] else {
        return None;
    };
    let kernel = &net.tensor(node.input(1)?).shape;
    for (axis, before, after) in [(1, h0, h1), (2, w0, w1)] {
        let extent = i64::try_from(*net.tensor(x).shape.get(axis)?).ok()?;
        let size = i64::try_from(*kernel.get(axis)?).ok()?;
        let (stride, dilation) = (i64::from(stride[axis - 1]), i64::from(dilation[axis - 1]));
        let span = size.checked_sub(1)?.checked_mul(dilation)?.checked_add(1)?;
        let steps = (extent + stride - 1) / stride;
        let total = ((steps - 1) * stride + span - extent).max(0);
        if net.unknown(x, axis)
            || (total / 2, total - total / 2) != (i64::from(before), i64::from(after))
        {
            return None;
        }
    }
    Some((place, x))
}
