//! The engine where shapes depend on values, subgraphs call each other, variables keep state, and runs are stopped.

use std::sync::Arc;

use zeropoint::engine::{KernelSet, Observer, Options, View, prepare};
use zeropoint::error::Error;
use zeropoint::graph::{
    Activation, DType, Data, Graph, Node, Op, StridedSlice, Subgraph, Tensor, Value,
};
use zeropoint::progress::Progress;

const KINDS: [Options; 3] = [
    options(KernelSet::Reference, 1),
    options(KernelSet::Fast, 1),
    options(KernelSet::Fast, 2),
];

const fn options(kernels: KernelSet, threads: usize) -> Options {
    Options {
        kernels,
        threads,
        subgraph: 0,
    }
}

fn graph(subgraphs: Vec<Subgraph>) -> Arc<Graph> {
    let graph = Graph {
        subgraphs,
        ..Graph::default()
    };
    graph.validate().unwrap();
    Arc::new(graph)
}

fn subgraph(
    tensors: Vec<Tensor>,
    nodes: Vec<Node>,
    inputs: &[usize],
    outputs: &[usize],
) -> Subgraph {
    Subgraph {
        tensors,
        nodes,
        inputs: inputs.to_vec(),
        outputs: outputs.to_vec(),
        debug_metadata: -1,
        ..Subgraph::default()
    }
}

fn tensor(name: &str, dtype: DType, shape: &[usize]) -> Tensor {
    Tensor::new(name, dtype, shape.to_vec())
}

fn f32s(name: &str, shape: &[usize]) -> Tensor {
    tensor(name, DType::Float32, shape)
}

fn i32s(name: &str, values: &[i32]) -> Tensor {
    let bytes: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
    Tensor::constant(name, DType::Int32, vec![values.len()], bytes)
}

fn truth(name: &str, value: bool) -> Tensor {
    Tensor::constant(name, DType::Bool, vec![1], vec![u8::from(value)])
}

fn node(op: Op, inputs: &[usize], outputs: &[usize]) -> Node {
    Node::new(
        op,
        inputs.iter().map(|&i| Some(i)).collect(),
        outputs.to_vec(),
    )
}

const ADD: Op = Op::Add {
    activation: Activation::None,
    pot_scale_int16: false,
};
const RESHAPE: Op = Op::Reshape { new_shape: None };
const JOIN: Op = Op::Concatenation {
    axis: 0,
    activation: Activation::None,
};

fn value(shape: &[usize], data: Data) -> Value {
    Value::new(shape.to_vec(), data).unwrap()
}

fn reals(x: &[f32]) -> Value {
    value(&[x.len()], Data::F32(x.to_vec()))
}

fn whole(x: &[i32]) -> Value {
    value(&[x.len()], Data::I32(x.to_vec()))
}

fn flags(x: &[bool]) -> Value {
    value(&[x.len()], Data::Bool(x.to_vec()))
}

#[derive(Default)]
struct Shapes(Vec<(usize, Vec<usize>)>);

impl Observer for Shapes {
    fn tensor(&mut self, id: usize, view: View<'_>) {
        self.0.push((id, view.shape.to_vec()));
    }
}

/// relu(x) → reshape to what is fed → reshaped + itself; and its shape.
fn reshaping() -> Arc<Graph> {
    let tensors = vec![
        f32s("x", &[6]),
        tensor("target", DType::Int32, &[2]),
        f32s("relu", &[6]),
        f32s("reshaped", &[1, 1]),
        f32s("sum", &[1, 1]),
        tensor("shape", DType::Int32, &[2]),
    ];
    let shape = Op::Shape {
        out_type: DType::Int32,
    };
    let nodes = vec![
        node(Op::Relu, &[0], &[2]),
        node(RESHAPE, &[2, 1], &[3]),
        node(ADD, &[3, 3], &[4]),
        node(shape, &[4], &[5]),
    ];
    graph(vec![subgraph(tensors, nodes, &[0, 1], &[4, 5, 2])])
}

#[test]
fn shapes_may_depend_on_fed_values() {
    let x = [-1.0, 2.0, -3.0, 4.0, 5.0, 6.0];
    let doubled = Data::F32(vec![0.0, 4.0, 0.0, 8.0, 10.0, 12.0]);
    for options in KINDS {
        let mut prepared = prepare(reshaping(), None, &options).unwrap();
        assert!(!prepared.is_static());
        assert_eq!(prepared.output_shapes()[0], [1, 1], "as declared");
        // The third asks for what the first had, the fourth lets the engine fill in.
        for target in [[2, 3], [3, 2], [2, 3], [-1, 1]] {
            let rows = if target[0] < 0 { 6 } else { target[0] as usize };
            let shape = vec![rows, 6 / rows];
            let mut seen = Shapes::default();
            let inputs = [reals(&x), whole(&target)];
            let out = prepared.run(&inputs, Some(&mut seen)).unwrap();
            assert_eq!(out[0], value(&shape, doubled.clone()));
            assert_eq!(out[1], whole(&[shape[0] as i32, shape[1] as i32]));
            assert_eq!(out[2].shape, [6]);
            assert_eq!(prepared.output_shapes()[0], shape);
            assert_eq!(prepared.run(&inputs, None).unwrap(), out);
            let order: Vec<usize> = seen.0.iter().map(|(id, _)| *id).collect();
            assert_eq!(order, [0, 1, 2, 3, 4, 5]);
            assert_eq!(seen.0[3].1, shape);
        }
        let error = prepared
            .run(&[reals(&x), whole(&[4, 2])], None)
            .expect_err("8 of 6");
        assert!(
            matches!(&error, Error::Malformed(e) if e.contains("node 1, RESHAPE")),
            "{error}"
        );
        assert!(
            prepared.run(&[reals(&x), whole(&[6, 1])], None).is_ok(),
            "runs on after an error"
        );
    }
}

#[test]
fn many_shapes_in_turn_stay_right() {
    let mut prepared = prepare(slicing(), Some(&[vec![200], vec![1]]), &KINDS[1]).unwrap();
    let x: Vec<f32> = (0..200).map(|i| i as f32).collect();
    for end in (1..200).chain((1..200).rev()) {
        let out = prepared
            .run(&[reals(&x), whole(&[end as i32])], None)
            .unwrap();
        assert_eq!(out[0], reals(&x[..end]));
    }
    // Nothing is left: an empty array.
    let out = prepared.run(&[reals(&x), whole(&[0])], None).unwrap();
    assert_eq!(out[0], reals(&[]));
}

/// relu(x[..end])
fn slicing() -> Arc<Graph> {
    let tensors = vec![
        f32s("x", &[4]),
        tensor("end", DType::Int32, &[1]),
        i32s("0", &[0]),
        i32s("1", &[1]),
        f32s("part", &[1]),
        f32s("y", &[1]),
    ];
    let nodes = vec![
        node(
            Op::StridedSlice(StridedSlice::default()),
            &[0, 2, 1, 3],
            &[4],
        ),
        node(Op::Relu, &[4], &[5]),
    ];
    graph(vec![subgraph(tensors, nodes, &[0, 1], &[5])])
}

/// flags[0], the condition of a loop that goes on while the first of its flags holds.
fn first_flag(more: Vec<Tensor>) -> Subgraph {
    let shrink = StridedSlice {
        shrink_axis_mask: 1,
        ..StridedSlice::default()
    };
    let mut tensors = vec![
        tensor("flags", DType::Bool, &[4]),
        i32s("0", &[0]),
        i32s("1", &[1]),
        tensor("go on", DType::Bool, &[]),
    ];
    let inputs: Vec<usize> = [0].into_iter().chain(4..4 + more.len()).collect();
    tensors.extend(more);
    let nodes = vec![node(Op::StridedSlice(shrink), &[0, 1, 2, 2], &[3])];
    subgraph(tensors, nodes, &inputs, &[3])
}

/// flags, x → flags[1..] (and a false behind them if `keep`), x + x (or x joined with x).
fn doubling(keep: bool, join: bool) -> Subgraph {
    let tensors = vec![
        tensor("flags", DType::Bool, &[4]),
        f32s("x", &[2]),
        i32s("1", &[1]),
        i32s("max", &[i32::MAX]),
        tensor("rest", DType::Bool, &[3]),
        truth("false", false),
        tensor("next flags", DType::Bool, &[4]),
        f32s("next x", &[2]),
    ];
    let mut nodes = vec![node(
        Op::StridedSlice(StridedSlice::default()),
        &[0, 2, 3, 2],
        &[4],
    )];
    if keep {
        nodes.push(node(JOIN, &[4, 5], &[6]));
    }
    nodes.push(node(if join { JOIN } else { ADD }, &[1, 1], &[7]));
    subgraph(tensors, nodes, &[0, 1], &[if keep { 6 } else { 4 }, 7])
}

fn looping(condition: Subgraph, body: Subgraph) -> Arc<Graph> {
    let tensors = vec![
        tensor("flags", DType::Bool, &[4]),
        f32s("x", &[2]),
        tensor("flags after", DType::Bool, &[4]),
        f32s("x after", &[2]),
        f32s("y", &[2]),
    ];
    let repeat = Op::While {
        condition: 1,
        body: 2,
    };
    let nodes = vec![node(repeat, &[0, 1], &[2, 3]), node(Op::Relu, &[3], &[4])];
    graph(vec![
        subgraph(tensors, nodes, &[0, 1], &[2, 4]),
        condition,
        body,
    ])
}

#[test]
fn loops_carry_tensors_of_one_shape_or_of_changing_ones() {
    for options in KINDS {
        for (keep, join) in [(true, false), (true, true), (false, false), (false, true)] {
            let model = looping(first_flag(vec![f32s("x", &[2])]), doubling(keep, join));
            let mut prepared = prepare(model, None, &options).unwrap();
            assert_eq!(prepared.is_static(), keep && !join);
            for rounds in [0, 3, 1, 2] {
                let fed: Vec<bool> = (0..4).map(|i| i < rounds).collect();
                let inputs = [flags(&fed), reals(&[-1.0, 1.5])];
                let out = prepared.run(&inputs, None).unwrap();
                let times = 1 << rounds;
                let want = match join {
                    true => reals(&[0.0, 1.5].repeat(times)),
                    false => reals(&[0.0, 1.5 * times as f32]),
                };
                assert_eq!(out[1], want, "{rounds} rounds, keep {keep}, join {join}");
                let mut left = fed[rounds..].to_vec();
                left.resize(if keep { 4 } else { 4 - rounds }, false);
                assert_eq!(out[0], flags(&left));
                assert_eq!(prepared.run(&inputs, None).unwrap(), out, "twice");
            }
        }
    }
}

/// A condition that always holds.
fn always() -> Subgraph {
    let tensors = vec![
        tensor("flags", DType::Bool, &[4]),
        f32s("x", &[2]),
        truth("true", true),
    ];
    subgraph(tensors, vec![], &[0, 1], &[2])
}

/// Cancels when it sees a tensor.
struct Cancel(Progress);

impl Observer for Cancel {
    fn tensor(&mut self, _: usize, _: View<'_>) {
        self.0.cancel();
    }
}

#[test]
fn endless_loops_end_and_runs_can_be_stopped() {
    let model = looping(always(), doubling(true, false));
    let inputs = [flags(&[true; 4]), reals(&[0.0; 2])];
    let mut prepared = prepare(model.clone(), None, &KINDS[1]).unwrap();
    let error = prepared.run(&inputs, None).expect_err("without end");
    let text = error.to_string();
    assert!(
        text.contains("node 0, WHILE") && text.contains("did not end"),
        "{text}"
    );

    let progress = Progress::new();
    prepared.stop_with(&progress);
    std::thread::scope(|scope| {
        let run = scope.spawn(|| prepared.run(&inputs, None));
        progress.cancel();
        assert_eq!(run.join().unwrap(), Err(Error::Cancelled));
    });
    // Between two nodes of a graph without loops, too.
    let progress = Progress::new();
    let mut prepared = prepare(reshaping(), None, &KINDS[1]).unwrap();
    prepared.stop_with(&progress);
    let inputs = [reals(&[0.0; 6]), whole(&[2, 3])];
    assert!(prepared.run(&inputs, None).is_ok());
    let stopped = prepared.run(&inputs, Some(&mut Cancel(progress)));
    assert_eq!(stopped, Err(Error::Cancelled));
}

/// x → x + x, or x joined with x.
fn branch(op: Op) -> Subgraph {
    let tensors = vec![f32s("x", &[2]), f32s("y", &[2])];
    subgraph(tensors, vec![node(op, &[0, 0], &[1])], &[0], &[1])
}

fn choosing(then: Subgraph, otherwise: Subgraph) -> Arc<Graph> {
    let tensors = vec![
        tensor("c", DType::Bool, &[1]),
        f32s("x", &[2]),
        f32s("chosen", &[2]),
        f32s("y", &[2]),
    ];
    let choose = Op::If {
        then: 1,
        otherwise: 2,
    };
    let nodes = vec![node(choose, &[0, 1], &[2]), node(Op::Relu, &[2], &[3])];
    graph(vec![
        subgraph(tensors, nodes, &[0, 1], &[3]),
        then,
        otherwise,
    ])
}

#[test]
fn branches_may_differ_in_shape() {
    let same = subgraph(vec![f32s("x", &[2])], vec![], &[0], &[0]);
    for options in KINDS {
        for (otherwise, want) in [
            (same.clone(), vec![1.0, 0.0]),
            (branch(JOIN), vec![1.0, 0.0, 1.0, 0.0]),
        ] {
            let mut prepared = prepare(choosing(branch(ADD), otherwise), None, &options).unwrap();
            assert_eq!(prepared.is_static(), want.len() == 2);
            for _ in 0..2 {
                let mut run = |c| {
                    prepared
                        .run(&[flags(&[c]), reals(&[1.0, -2.0])], None)
                        .unwrap()
                        .remove(0)
                };
                assert_eq!(run(true), reals(&[2.0, 0.0]));
                assert_eq!(run(false), reals(&want));
            }
        }
    }
}

fn variable(name: &str) -> Op {
    Op::VarHandle {
        container: None,
        shared_name: Some(name.into()),
    }
}

/// count ← 10 once; then count ← count + x, and count is returned. A second variable is left alone.
fn counting() -> Arc<Graph> {
    let handle = |name: &str| tensor(name, DType::Resource, &[]);
    let ten = Tensor::constant("ten", DType::Float32, vec![1], 10f32.to_le_bytes().to_vec());
    let main = subgraph(
        vec![
            f32s("x", &[1]),
            handle("h"),
            f32s("was", &[1]),
            f32s("is", &[1]),
            f32s("read", &[1]),
        ],
        vec![
            node(Op::CallOnce { subgraph: 1 }, &[], &[]),
            node(variable("count"), &[], &[1]),
            node(Op::ReadVariable, &[1], &[2]),
            node(ADD, &[2, 0], &[3]),
            node(Op::AssignVariable, &[1, 3], &[]),
            node(Op::ReadVariable, &[1], &[4]),
        ],
        &[0],
        &[4, 2],
    );
    let initialise = subgraph(
        vec![handle("other"), handle("h"), ten],
        vec![
            node(variable("other"), &[], &[0]),
            node(variable("count"), &[], &[1]),
            node(Op::AssignVariable, &[1, 2], &[]),
            node(Op::AssignVariable, &[0, 2], &[]),
        ],
        &[],
        &[],
    );
    graph(vec![main, initialise])
}

#[test]
fn variables_live_between_runs_until_they_are_reset() {
    for options in KINDS {
        let mut prepared = prepare(counting(), None, &options).unwrap();
        for turn in 0..2 {
            for (add, was, is) in [(1.0, 10.0, 11.0), (2.0, 11.0, 13.0), (0.5, 13.0, 13.5)] {
                let out = prepared.run(&[reals(&[add])], None).unwrap();
                assert_eq!(out, [reals(&[is]), reals(&[was])], "turn {turn}");
            }
            prepared.reset();
        }
    }
}

#[track_caller]
fn refused(model: Arc<Graph>, words: &[&str]) {
    let text = prepare(model, None, &KINDS[0])
        .expect_err("must be refused")
        .to_string();
    for word in words {
        assert!(text.contains(word), "\"{text}\" does not say \"{word}\"");
    }
}

#[test]
fn calls_that_make_no_sense_are_refused() {
    let call = |subgraph| node(Op::CallOnce { subgraph }, &[], &[]);
    let calling = |nodes| subgraph(vec![f32s("x", &[1])], nodes, &[0], &[0]);
    let silent = |nodes| subgraph(vec![], nodes, &[], &[]);
    let bare = |subgraphs| {
        Arc::new(Graph {
            subgraphs,
            ..Graph::default()
        })
    };
    refused(
        bare(vec![calling(vec![call(9)])]),
        &["node 0, CALL_ONCE", "subgraph 9"],
    );
    refused(
        bare(vec![
            calling(vec![call(1)]),
            silent(vec![call(2)]),
            silent(vec![call(1)]),
        ]),
        &["subgraph 2, node 0", "subgraph 1 calls itself"],
    );
    let row = (0..60).map(|i| silent(vec![call(i + 2)]));
    let row = [calling(vec![call(1)])]
        .into_iter()
        .chain(row)
        .chain([silent(vec![])]);
    refused(bare(row.collect()), &["in a row"]);
    // Every subgraph calls the next one eight times: 8^30 calls.
    let row = (0..30).map(|i| silent(vec![call(i + 2); 8]));
    let row = [calling(vec![call(1)])]
        .into_iter()
        .chain(row)
        .chain([silent(vec![])]);
    refused(bare(row.collect()), &["GiB"]);

    let two = subgraph(vec![f32s("x", &[2])], vec![], &[0], &[0, 0]);
    refused(
        choosing(branch(ADD), two),
        &["its second branch gives 2 tensors (float32, float32), not 1"],
    );
    let whole = subgraph(vec![tensor("x", DType::Int32, &[2])], vec![], &[0], &[0]);
    refused(
        choosing(whole, branch(ADD)),
        &["its first branch takes 1 tensors (int32), not 1 (float32)"],
    );
    let float = subgraph(
        vec![tensor("flags", DType::Bool, &[4]), f32s("x", &[2])],
        vec![],
        &[0, 1],
        &[1],
    );
    refused(
        looping(float, doubling(true, false)),
        &["its condition gives", "not 1 (bool)"],
    );

    let unset = subgraph(
        vec![
            f32s("x", &[1]),
            tensor("h", DType::Resource, &[]),
            f32s("y", &[1]),
        ],
        vec![
            node(variable("v"), &[], &[1]),
            node(Op::ReadVariable, &[1], &[2]),
        ],
        &[0],
        &[2],
    );
    let mut prepared = prepare(graph(vec![unset]), None, &KINDS[0]).unwrap();
    let error = prepared
        .run(&[reals(&[1.0])], None)
        .expect_err("nothing assigned");
    assert!(
        error
            .to_string()
            .contains("READ_VARIABLE: the variable is read before"),
        "{error}"
    );
}
