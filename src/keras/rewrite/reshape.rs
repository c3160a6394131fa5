//! Merges reshapes that follow each other or a MEAN, and transposes that undo each other.

use super::net::Net;
use crate::graph::{Op, Subgraph};

/// Merges all there are.
pub(super) fn merge(subgraph: Subgraph) -> Subgraph {
    let mut net = Net::new(subgraph);
    for i in 0..net.nodes.len() {
        while one(&mut net, i).is_some() {}
    }
    net.finish()
}

/// RESHAPE, dense layer, RESHAPE that takes only its rows apart: the dense layer keeps more axes, and the second goes.
fn rows(net: &mut Net, i: usize) -> Option<()> {
    let &[out] = net.node(i)?.outputs.as_slice() else {
        return None;
    };
    let (dense, node) = net.sole_producer(net.node(i)?.input(0)?)?;
    let Op::FullyConnected(_) = node.op else {
        return None;
    };
    let x = node.input(0)?;
    let (first, before) = net.sole_producer(x)?;
    let Op::Reshape { .. } = before.op else {
        return None;
    };
    let (units, rows) = net.tensor(out).shape.split_last()?;
    let (features, flat) = net.tensor(x).shape.split_last()?;
    let known = |id| net.tensor(id).shape_signature.is_none();
    let same = rows.iter().try_fold(1usize, |n, &d| n.checked_mul(d)) == flat.first().copied();
    let last = net.tensor(node.outputs.first().copied()?).shape.last() == Some(units);
    if flat.len() != 1 || !same || !last || !known(out) || !known(x) {
        return None;
    }
    let mut shape = rows.to_vec();
    shape.push(*features);
    let extents: Option<Vec<i32>> = shape.iter().map(|&d| i32::try_from(d).ok()).collect();
    let extents = extents?;
    let target = net.add_shape(x, &extents);
    net.set_input(first, 1, target);
    net.set_shape(x, shape);
    if let Some(node) = net.nodes[first].as_mut() {
        node.op = Op::Reshape {
            new_shape: Some(extents),
        };
    }
    if let Some(Op::FullyConnected(o)) = net.nodes[dense].as_mut().map(|n| &mut n.op) {
        o.keep_num_dims = true;
    }
    net.absorb(dense, i);
    Some(())
}

/// One merge at node `i`.
fn one(net: &mut Net, i: usize) -> Option<()> {
    let node = net.node(i)?;
    let x = node.input(0)?;
    let &[out] = node.outputs.as_slice() else {
        return None;
    };
    match node.op {
        Op::Reshape { .. } => {
            if rows(net, i).is_some() {
                return None;
            }
            if net.same_shape(x, out) && net.bypass(i, x) {
                return Some(());
            }
            let (earlier, before) = net.producer(x)?;
            match &before.op {
                Op::Reshape { .. } => {
                    let from = before.input(0)?;
                    net.set_input(i, 0, from);
                    Some(())
                }
                Op::Mean { keep_dims: false } => {
                    net.sole_producer(x)?;
                    // Keeping the reduced axes gives this very shape.
                    let from = net.tensor(before.input(0)?).shape.len() as i64;
                    let axes = net.tensor(before.input(1)?).i32s()?;
                    let axes: Vec<i64> = axes
                        .iter()
                        .map(|&a| i64::from(a) + if a < 0 { from } else { 0 })
                        .collect();
                    let mut kept = net.tensor(x).shape.iter();
                    let shape: Option<Vec<usize>> = (0..from)
                        .map(|a| {
                            if axes.contains(&a) {
                                Some(1)
                            } else {
                                kept.next().copied()
                            }
                        })
                        .collect();
                    if shape.as_ref() != Some(&net.tensor(out).shape) {
                        return None;
                    }
                    if let Some(node) = net.nodes[earlier].as_mut() {
                        node.op = Op::Mean { keep_dims: true };
                    }
                    net.absorb(earlier, i);
                    Some(())
                }
                _ => None,
            }
        }
        Op::Transpose => {
            let outer = net.tensor(node.input(1)?).i32s()?;
            if outer
                .iter()
                .enumerate()
                .all(|(a, &p)| usize::try_from(p) == Ok(a))
            {
                return net.bypass(i, x).then_some(());
            }
            let (_, before) = net.producer(x)?;
            let Op::Transpose = before.op else {
                return None;
            };
            let inner = net.tensor(before.input(1)?).i32s()?;
            let undone = inner.len() == outer.len()
                && outer.iter().enumerate().all(|(a, &p)| {
                    let through = usize::try_from(p).ok().and_then(|p| inner.get(p));
                    through.is_some_and(|&q| usize::try_from(q) == Ok(a))
                });
            let from = before.input(0)?;
            (undone && net.bypass(i, from)).then_some(())
        }
        _ => None,
    }
}
