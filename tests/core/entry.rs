//! Files with several subgraphs and open shapes: what a user picks runs, whatever calls it follows.

use std::sync::Arc;

use zeropoint::engine::{Options, prepare};
use zeropoint::error::Error;
use zeropoint::graph::{DType, Data, Graph, Node, Op, Signature, Subgraph, Tensor, Value};

fn subgraph(op: Op, signature: Option<Vec<i32>>) -> Subgraph {
    let mut x = Tensor::new("x", DType::Float32, vec![1, 2]);
    x.shape_signature = signature;
    Subgraph {
        tensors: vec![x, Tensor::new("y", DType::Float32, vec![1, 2])],
        inputs: vec![0],
        outputs: vec![1],
        nodes: vec![Node::new(op, vec![Some(0)], vec![1])],
        debug_metadata: -1,
        ..Subgraph::default()
    }
}

fn signature(key: &str, subgraph: usize) -> Signature {
    Signature {
        key: key.into(),
        subgraph,
        inputs: vec![("images".into(), 0)],
        outputs: vec![("scores".into(), 1)],
    }
}

/// Subgraph 0 is RELU, 1 is RELU6, 2 calls 0 or 1.
fn three(signatures: Vec<Signature>) -> Graph {
    let mut chooses = subgraph(Op::Relu, None);
    chooses
        .tensors
        .push(Tensor::constant("c", DType::Bool, vec![1], vec![0]));
    let branch = Op::If {
        then: 0,
        otherwise: 1,
    };
    chooses.nodes = vec![Node::new(branch, vec![Some(2), Some(0)], vec![1])];
    let graph = Graph {
        subgraphs: vec![
            subgraph(Op::Relu, None),
            subgraph(Op::Relu6, Some(vec![-1, -1])),
            chooses,
        ],
        signatures,
        ..Graph::default()
    };
    graph.validate().unwrap();
    graph
}

fn run(graph: Graph, x: &[f32]) -> Vec<f32> {
    graph.validate().unwrap();
    let x = Value::new(vec![1, x.len()], Data::F32(x.to_vec())).unwrap();
    let mut prepared = prepare(
        Arc::new(graph),
        Some(std::slice::from_ref(&x.shape)),
        &Options::default(),
    )
    .unwrap();
    prepared.run(&[x], None).unwrap()[0]
        .as_f32()
        .unwrap()
        .to_vec()
}

#[test]
fn any_subgraph_can_be_the_main_one() {
    let x = [-1.0, 9.0];
    for (main, want) in [(0, [0.0, 9.0]), (1, [0.0, 6.0]), (2, [0.0, 6.0])] {
        let graph = three(vec![signature("a", 0), signature("b", 2)]);
        let moved = graph.clone().with_main(main).unwrap();
        assert_eq!(run(moved.clone(), &x), want, "subgraph {main}");
        for key in ["a", "b"] {
            let (before, after) = (
                graph.signature_entry(key).unwrap(),
                moved.signature_entry(key).unwrap(),
            );
            assert_eq!(
                run(graph.clone().with_main(before).unwrap(), &x),
                run(moved.clone().with_main(after).unwrap(), &x)
            );
        }
        assert_eq!(moved.with_main(main).unwrap(), graph, "back again");
    }
    let error = three(vec![]).with_main(3).expect_err("there are three");
    assert_eq!(
        error,
        Error::Invalid(
            "The model has 3 subgraphs, numbered from 0, so there is no subgraph 3".into()
        )
    );
}

#[test]
fn the_default_is_serving_default_or_the_only_signature_or_the_first_subgraph() {
    assert_eq!(three(vec![]).default_entry(), 0);
    assert_eq!(three(vec![signature("only", 2)]).default_entry(), 2);
    assert_eq!(
        three(vec![signature("a", 1), signature("b", 2)]).default_entry(),
        0
    );
    let named = vec![signature("a", 1), signature("serving_default", 2)];
    assert_eq!(three(named.clone()).default_entry(), 2);
    let error = three(named).signature_entry("c").expect_err("no such one");
    assert_eq!(
        error,
        Error::Invalid("The model has no signature \"c\"; it has a, serving_default".into())
    );
    let error = three(vec![]).signature_entry("c").expect_err("none at all");
    assert!(error.to_string().contains("has no signatures"), "{error}");
}

#[test]
fn shapes_are_given_by_tensor_or_argument_name() {
    let graph = three(vec![signature("a", 1)]).with_main(1).unwrap();
    assert_eq!(graph.open_inputs(), [("x", "[?, ?]".to_owned())]);
    assert_eq!(three(vec![]).open_inputs(), []);
    for name in ["x", "images"] {
        let shaped = graph
            .clone()
            .with_input_shapes(&[(name.into(), vec![2, 5])])
            .unwrap();
        shaped.validate().unwrap();
        assert_eq!(shaped.main().tensors[0].shape, [2, 5]);
        let prepared = prepare(Arc::new(shaped), None, &Options::default()).unwrap();
        assert_eq!(prepared.output_shapes(), [[2, 5]]);
    }
    for (name, shape, words) in [
        ("z", vec![1, 2], "no input \"z\"; it has x"),
        ("x", vec![1, 2, 3], "has 2 axes"),
        ("x", vec![1, 0], "every extent must be from 1"),
        ("x", vec![1, usize::MAX], "every extent must be from 1"),
    ] {
        let error = graph
            .clone()
            .with_input_shapes(&[(name.into(), shape)])
            .expect_err("refused");
        assert!(
            matches!(error, Error::Invalid(_)) && error.to_string().contains(words),
            "{error}"
        );
    }
}
