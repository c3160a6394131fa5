//! What operators that move, look up, multiply and resize say of operands that do not fit: one sentence, never a panic or a hang.

use std::sync::Arc;

use zeropoint::engine::{KernelSet, Options, prepare};
use zeropoint::graph::{
    BatchMatMul, DType, Data, Graph, Node, Op, Padding, Resize, Subgraph, Tensor, TransposeConv,
    Value,
};

/// What preparing, or else running with this float input of `shape`, says of an operator with these int32 constants; inputs are
/// in the order of `order`, where 0 is the fed one.
fn said(op: Op, shape: &[usize], constants: &[&[i32]], order: &[usize], outputs: usize) -> String {
    let mut tensors = vec![Tensor::new("x", DType::Float32, shape.to_vec())];
    for values in constants {
        let bytes: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        tensors.push(Tensor::constant(
            "c",
            DType::Int32,
            vec![values.len()],
            bytes,
        ));
    }
    let first = tensors.len();
    for _ in 0..outputs {
        tensors.push(Tensor::new("y", DType::Float32, vec![1]));
    }
    let inputs = order.iter().map(|&i| Some(i)).collect();
    let outputs: Vec<usize> = (first..first + outputs).collect();
    let graph = Graph {
        subgraphs: vec![Subgraph {
            tensors,
            nodes: vec![Node::new(op, inputs, outputs.clone())],
            inputs: vec![0],
            outputs,
            debug_metadata: -1,
            ..Subgraph::default()
        }],
        ..Graph::default()
    };
    let options = Options {
        kernels: KernelSet::Fast,
        threads: 1,
        subgraph: 0,
    };
    let data = Data::F32(vec![1.0; shape.iter().product()]);
    let value = Value::new(shape.to_vec(), data).unwrap();
    let ran = prepare(Arc::new(graph), None, &options).and_then(|mut p| p.run(&[value], None));
    match ran {
        Ok(_) => "it ran".into(),
        Err(e) => e.to_string(),
    }
}

#[test]
fn operands_that_do_not_fit_are_refused_in_words() {
    let gather = Op::Gather {
        axis: 0,
        batch_dims: 0,
    };
    let nearest = Op::ResizeNearestNeighbor(Resize::default());
    let turned = Op::TransposeConv(TransposeConv {
        padding: Padding::Same,
        stride: [1, 1],
        activation: Default::default(),
        quantized_bias: None,
    });
    let big = i32::MAX;
    let four: &[usize] = &[4];
    let image: &[usize] = &[1, 2, 2, 1];
    for (op, shape, constants, order, outputs, wanted) in [
        (
            gather.clone(),
            four,
            &[&[4][..]][..],
            &[0, 1][..],
            1,
            "index 0 is 4",
        ),
        (gather, four, &[&[1, -1]], &[0, 1], 1, "index 1 is -1"),
        (Op::GatherNd, four, &[&[9]], &[0, 1], 1, "index 0 is 9"),
        (
            Op::Slice,
            four,
            &[&[2], &[3]],
            &[0, 1, 2],
            1,
            "takes 3 elements from 2",
        ),
        (Op::Slice, four, &[&[-1], &[1]], &[0, 1, 2], 1, "from -1 on"),
        (
            Op::Slice,
            four,
            &[&[0, 0], &[1]],
            &[0, 1, 2],
            1,
            "begin and size have 2 and 1",
        ),
        (
            Op::Split { count: 3 },
            four,
            &[&[0]],
            &[1, 0],
            3,
            "which 3 parts do not divide",
        ),
        (
            Op::Split { count: 2 },
            four,
            &[&[0]],
            &[1, 0],
            3,
            "has 3 outputs",
        ),
        (
            Op::SplitV { count: 2 },
            four,
            &[&[1, 2], &[0]],
            &[0, 1, 2],
            2,
            "does not add up to 4",
        ),
        (
            Op::SplitV { count: 2 },
            four,
            &[&[-1, -1], &[0]],
            &[0, 1, 2],
            2,
            "does not add up",
        ),
        (
            Op::Unpack { count: 2, axis: 0 },
            four,
            &[],
            &[0],
            2,
            "but there are 2 outputs",
        ),
        (
            Op::Unpack { count: 1, axis: 7 },
            four,
            &[],
            &[0],
            1,
            "axis 7 does not exist",
        ),
        (
            Op::Tile,
            four,
            &[&[-2]],
            &[0, 1],
            1,
            "negative or too large",
        ),
        (Op::Tile, four, &[&[big]], &[0, 1], 1, "GiB"),
        (
            Op::Tile,
            four,
            &[&[1, 1]],
            &[0, 1],
            1,
            "2 multiples for the 1 axes",
        ),
        (
            Op::BroadcastTo,
            four,
            &[&[3]],
            &[0, 1],
            1,
            "cannot become [3]",
        ),
        (Op::BroadcastTo, four, &[&[big, big, 4]], &[0, 1], 1, "GiB"),
        (
            Op::ExpandDims,
            four,
            &[&[3]],
            &[0, 1],
            1,
            "axis 3 does not exist",
        ),
        (
            Op::Squeeze { axes: vec![0] },
            four,
            &[],
            &[0],
            1,
            "so it cannot vanish",
        ),
        (
            Op::MirrorPad { symmetric: false },
            four,
            &[&[4, 0]],
            &[0, 1],
            1,
            "too little to mirror",
        ),
        (
            Op::MirrorPad { symmetric: true },
            four,
            &[&[big, big]],
            &[0, 1],
            1,
            "GiB",
        ),
        (
            Op::Pad,
            four,
            &[&[-1, 0]],
            &[0, 1],
            1,
            "negative or too large",
        ),
        (
            Op::ReverseV2,
            four,
            &[&[0, 0]],
            &[0, 1],
            1,
            "turns axis 0 round twice",
        ),
        (
            Op::SpaceToDepth { block: 3 },
            image,
            &[],
            &[0],
            1,
            "blocks of 3",
        ),
        (
            Op::SpaceToDepth { block: 0 },
            image,
            &[],
            &[0],
            1,
            "not positive",
        ),
        (
            Op::DepthToSpace { block: big },
            image,
            &[],
            &[0],
            1,
            "does not divide",
        ),
        (
            Op::SpaceToBatchNd,
            image,
            &[&[2, 0], &[0, 0, 0, 0]],
            &[0, 1, 2],
            1,
            "do not fit",
        ),
        (
            Op::SpaceToBatchNd,
            image,
            &[&[2, 3], &[0; 4]],
            &[0, 1, 2],
            1,
            "blocks of 3",
        ),
        (
            Op::BatchToSpaceNd,
            image,
            &[&[1, 1], &[2, 1, 0, 0]],
            &[0, 1, 2],
            1,
            "more than axis 1",
        ),
        (
            nearest.clone(),
            image,
            &[&[0, 2]],
            &[0, 1],
            1,
            "cannot become 0×2",
        ),
        (nearest, image, &[&[big, 1]], &[0, 1], 1, "GiB"),
        (
            Op::BatchMatMul(BatchMatMul::default()),
            four,
            &[],
            &[0, 0],
            1,
            "fewer than 2 axes",
        ),
        (
            turned,
            image,
            &[&[1, 9, 9, 1]],
            &[1, 0, 0],
            1,
            "input of 9×9",
        ),
        (Op::TopKV2, four, &[&[5]], &[0, 1], 2, "5 largest of 4"),
    ] {
        let name = op.name().to_owned();
        let text = said(op, shape, constants, order, outputs);
        assert!(text.contains(wanted), "{name}: {text:?} lacks {wanted:?}");
        assert!(
            text.contains("ode 0"),
            "{name}: {text:?} does not name the node"
        );
    }
}
