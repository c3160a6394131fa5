//! What of a written file XNNPACK, the delegate that LiteRT computes with on CPUs, will not take.

use crate::graph::{DType, Graph, Node, Op, Quantization, Subgraph, TensorId};

/// Operators that a sentence names before it counts the rest.
const NAMED: usize = 3;

/// Which operators a reason is about, and the reason.
type Reason<'a> = (&'a dyn Fn(&Node) -> bool, &'a str);

/// One sentence for each reason why operators run on LiteRT's slower built-in kernels; empty where nothing is known to. The limits
/// are those of LiteRT's `xnnpack_delegate.cc`: int16 activations, ratios of scales, zero points of channels.
pub fn not_accelerated(graph: &Graph) -> Vec<String> {
    let main = graph.main();
    let int16 = |node: &Node| {
        let mut ids = node.inputs.iter().flatten().chain(&node.outputs);
        ids.any(|&id| {
            let tensor = main.tensors.get(id);
            tensor.is_some_and(|t| t.dtype == DType::Int16 && t.quantization.is_some())
        })
    };
    let custom = |node: &Node| matches!(node.op, Op::Custom(_));
    let scales = |node: &Node| !int16(node) && beyond(main, node);
    let zero_points = |node: &Node| {
        let quantizations = node.inputs.iter().flatten();
        let mut quantizations = quantizations.filter_map(|&id| quantization(main, id));
        quantizations.any(|q| q.scales.len() > 1 && q.zero_points.iter().any(|&z| z != 0))
    };
    let reasons: [Reason<'_>; 4] = [
        (&int16, "XNNPACK takes no int16"),
        (
            &scales,
            "the ratio of its scales is beyond what XNNPACK takes",
        ),
        (
            &zero_points,
            "XNNPACK takes no zero points other than 0 per channel",
        ),
        (&custom, "custom operators are the application's own"),
    ];
    let nodes = &main.nodes;
    let sentences = reasons.into_iter().filter_map(|(applies, why)| {
        let met = nodes.iter().enumerate().filter(|(_, n)| applies(n));
        let met: Vec<String> = met.map(|(i, n)| format!("{} {i}", n.op.name())).collect();
        let all = met.len() == nodes.len() && met.len() > NAMED;
        let shown = met.iter().take(NAMED).cloned().collect::<Vec<_>>();
        let who = match met.len() {
            0 => return None,
            n if all => format!("None of its {n} operators"),
            n if n > NAMED => format!("{} and {} more", shown.join(", "), n - NAMED),
            _ => shown.join(", "),
        };
        Some(match all {
            true => format!("{who} is accelerated on CPUs: {why}"),
            false => format!("Not accelerated on CPUs: {who}, {why}"),
        })
    });
    sentences.collect()
}

fn quantization(main: &Subgraph, id: TensorId) -> Option<&Quantization> {
    main.tensors.get(id)?.quantization.as_ref()
}

/// Whether the scales of an elementwise operator lie too far apart for XNNPACK.
fn beyond(main: &Subgraph, node: &Node) -> bool {
    let scale = |id: Option<TensorId>| {
        let scale = quantization(main, id?)?.scales.first().copied()?;
        Some(f64::from(scale)).filter(|s| s.is_finite() && *s > 0.0)
    };
    let input = |at: usize| scale(node.inputs.get(at).copied().flatten());
    let Some(output) = scale(node.outputs.first().copied()) else {
        return false;
    };
    // Lower limit inclusive, upper exclusive or inclusive as the delegate has it.
    match &node.op {
        Op::Add { .. } | Op::Sub { .. } => [input(0), input(1)]
            .into_iter()
            .flatten()
            .any(|s| !(1.0 / 1024.0..256.0).contains(&(s / output))),
        Op::Mul { .. } => match (input(0), input(1)) {
            (Some(a), Some(b)) => !(1.0 / 65536.0..256.0).contains(&(a * b / output)),
            _ => false,
        },
        Op::LeakyRelu { .. } | Op::Quantize => {
            input(0).is_some_and(|s| !(1.0 / 256.0..=128.0).contains(&(s / output)))
        }
        // The delegate has no such limit for the others.
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::{Activation, Tensor};

    /// An ADD of two int8 tensors with these scales.
    fn add(dtype: DType, scales: [f32; 3]) -> Graph {
        let tensors = scales.map(|scale| {
            let mut t = Tensor::new("t", dtype, vec![1, 4]);
            t.quantization = Some(Quantization::per_tensor(scale, 0));
            t
        });
        let op = Op::Add {
            activation: Activation::None,
            pot_scale_int16: false,
        };
        Graph {
            subgraphs: vec![Subgraph {
                tensors: tensors.into(),
                inputs: vec![0, 1],
                outputs: vec![2],
                nodes: vec![Node::new(op, vec![Some(0), Some(1)], vec![2])],
                ..Subgraph::default()
            }],
            ..Graph::default()
        }
    }

    #[test]
    fn ratios_of_scales_and_int16_are_named() {
        let none: Vec<String> = vec![];
        assert_eq!(not_accelerated(&add(DType::Int8, [0.1, 0.2, 0.1])), none);
        for scales in [[25.6, 0.1, 0.1], [0.1, 0.1, 103.0]] {
            let told = not_accelerated(&add(DType::Int8, scales));
            assert_eq!(
                told,
                [
                    "Not accelerated on CPUs: ADD 0, the ratio of its scales is beyond what XNNPACK takes"
                ]
            );
        }
        // At the limit itself: 1/1024 is inside, 256 is not.
        assert_eq!(not_accelerated(&add(DType::Int8, [1.0, 1.0, 1024.0])), none);
        let told = not_accelerated(&add(DType::Int16, [0.1, 0.1, 1e4]));
        assert_eq!(
            told,
            ["Not accelerated on CPUs: ADD 0, XNNPACK takes no int16"]
        );
    }
}
