//! Tests of preparing: nodes with several outputs.

use super::*;
use crate::engine::buffer::{typed, typed_mut};
use crate::engine::{Observer, Slice, View};
use crate::graph::{CustomOp, DType, Data, Op, Tensor, Value};

/// Halves of input 0 (and a copy of all of it as third output), as SPLIT would make them.
fn halves(n: usize) -> Result<Built> {
    Built::several(
        vec![vec![n / 2], vec![n / 2], vec![n]],
        move |io, outs, _| {
            let x: &[f32] = io.get(0);
            for (out, part) in outs.iter_mut().zip([&x[..n / 2], &x[n / 2..], x]) {
                typed_mut::<f32>(out).copy_from_slice(part);
            }
            Ok(())
        },
    )
}

/// A sum of all inputs.
fn sum(n: usize) -> Result<Built> {
    Built::kernel(vec![n], |io, out| {
        for (i, out) in typed_mut::<f32>(out).iter_mut().enumerate() {
            *out = (0..io.places.len())
                .map(|k| typed::<f32>(io.bytes(k))[i])
                .sum();
        }
    })
}

fn node(inputs: &[usize], outputs: &[usize]) -> Node {
    let op = Op::Custom(CustomOp {
        code: "test".into(),
        options: Default::default(),
        options_format: 0,
    });
    let inputs = inputs.iter().map(|&i| Some(i)).collect();
    Node::new(op, inputs, outputs.to_vec())
}

#[derive(Default)]
struct Seen(Vec<(TensorId, Vec<f32>)>);

impl Observer for Seen {
    fn tensor(&mut self, id: TensorId, value: View<'_>) {
        if let Slice::F32(x) = value.data {
            self.0.push((id, x.to_vec()));
        }
    }
}

/// Prepares x[4] → halves → sum of the halves → …; `fed` says whether x is an input or a constant.
fn prepared(fed: bool) -> Prepared {
    let tensor = |name: &str, n| Tensor::new(name, DType::Float32, vec![n]);
    let mut tensors = vec![tensor("x", 4)];
    if !fed {
        let bytes: Vec<u8> = [1f32, 2.0, 3.0, 5.0]
            .iter()
            .flat_map(|v| v.to_le_bytes())
            .collect();
        tensors[0].data = Some(bytes.into());
    }
    for (name, n) in [
        ("a", 2),
        ("b", 2),
        ("all", 4),
        ("a+b", 2),
        ("again", 2),
        ("r", 2),
        ("r+r", 2),
    ] {
        tensors.push(tensor(name, n));
    }
    let nodes = vec![
        node(&[0], &[1, 2, 3]),
        node(&[1, 2], &[4]),
        node(&[2], &[6]),
        node(&[4, 1], &[5]),
        node(&[6, 5], &[7]),
    ];
    let subgraph = Subgraph {
        tensors,
        nodes: nodes.clone(),
        inputs: if fed { vec![0] } else { vec![] },
        outputs: vec![7, 3],
        ..Subgraph::default()
    };
    let graph = Arc::new(Graph {
        subgraphs: vec![subgraph],
        ..Graph::default()
    });
    let shared = Shared::new(graph.clone(), Options::default()).unwrap();
    let mut plan = Plan::new(&shared, &[0]).unwrap();
    plan.feed(None).unwrap();
    let built = [halves(4), sum(2), Built::alias(vec![2]), sum(2), sum(2)];
    for (i, (node, built)) in nodes.iter().zip(built).enumerate() {
        plan.define(i, node, built.unwrap()).unwrap();
    }
    let main = plan.finish().unwrap();
    Prepared::new(shared.clone(), main, None)
}

#[test]
fn nodes_with_several_outputs_run_fold_alias_and_are_seen() {
    // a = 1 2, b = 3 5, a+b = 4 7, again = a+b+a = 5 9, r = b, r+r = b + again
    let want = [
        (0, vec![1.0, 2.0, 3.0, 5.0]),
        (1, vec![1.0, 2.0]),
        (2, vec![3.0, 5.0]),
        (3, vec![1.0, 2.0, 3.0, 5.0]),
        (4, vec![4.0, 7.0]),
        (6, vec![3.0, 5.0]),
        (5, vec![5.0, 9.0]),
        (7, vec![8.0, 14.0]),
    ];
    for fed in [true, false] {
        let mut prepared = prepared(fed);
        // `all` and four pairs at a time: six results, two of which take the place of a done one.
        assert_eq!(prepared.memory(), if fed { 4 * (4 + 4 * 2) } else { 0 });
        let x = Value::new(vec![4], Data::F32(vec![1.0, 2.0, 3.0, 5.0])).unwrap();
        let inputs = if fed { vec![x] } else { vec![] };
        let mut seen = Seen::default();
        let out = prepared.run(&inputs, Some(&mut seen)).unwrap();
        assert_eq!(out[0].as_f32(), Some(&[8.0, 14.0][..]));
        assert_eq!(out[1].as_f32(), Some(&[1.0, 2.0, 3.0, 5.0][..]));
        assert_eq!(seen.0, want[usize::from(!fed)..]);
    }
}

#[test]
fn a_count_of_outputs_that_does_not_fit_is_refused() {
    let tensors = (0..3).map(|i| Tensor::new(format!("t{i}"), DType::Float32, vec![4]));
    let subgraph = Subgraph {
        tensors: tensors.collect(),
        inputs: vec![0],
        ..Subgraph::default()
    };
    let graph = Arc::new(Graph {
        subgraphs: vec![subgraph],
        ..Graph::default()
    });
    let define = |outputs: &[usize], built: Result<Built>| {
        let shared = Shared::new(graph.clone(), Options::default())?;
        let mut plan = Plan::new(&shared, &[0])?;
        plan.feed(None)?;
        plan.define(0, &node(&[0], outputs), built?)
    };
    for (outputs, words) in [
        (&[1][..], "1 outputs, not 3"),
        (&[1, 1, 2], "defined twice"),
        (&[1, 2, 9], "does not exist"),
    ] {
        let error = define(outputs, halves(4)).expect_err("must be refused");
        assert!(error.to_string().contains(words), "{error}");
    }
}
