//! The engine against LiteRT's reference kernels: every operator and type, and whole networks tensor by tensor.
//!
//! The golden files and their format come from `tests/golden/ops_make.py` and `networks_make.py`.

use std::collections::BTreeMap;

use zeropoint::engine::{KernelSet, Observer, Options, Slice, View, prepare};
use zeropoint::graph::{Data, Value};

use crate::golden_file::{Case, Golden};

/// Sees every tensor and keeps a copy.
#[derive(Default)]
struct Recorder(BTreeMap<usize, Value>);

impl Observer for Recorder {
    fn tensor(&mut self, id: usize, view: View<'_>) {
        let data = match view.data {
            Slice::F32(x) => Data::F32(x.to_vec()),
            Slice::F16(x) => Data::F16(x.to_vec()),
            Slice::I8(x) => Data::I8(x.to_vec()),
            Slice::U8(x) => Data::U8(x.to_vec()),
            Slice::I16(x) => Data::I16(x.to_vec()),
            Slice::I32(x) => Data::I32(x.to_vec()),
            Slice::I64(x) => Data::I64(x.to_vec()),
            Slice::Bool(x) => Data::Bool(x.to_vec()),
        };
        self.0
            .insert(id, Value::new(view.shape.to_vec(), data).unwrap());
    }
}

/// How close floats must be, relative to the peak of what is expected. Integers must be equal.
#[derive(Clone, Copy)]
enum Floats {
    Within(f32),
    /// Half of them within 1e-5, none above 1e-2: inputs that are quantized while running may round the other way.
    ButForFlips,
}

fn difference(got: &Value, want: &Value, floats: Floats) -> Option<String> {
    if got.shape != want.shape || got.dtype() != want.dtype() {
        return Some(format!(
            "{} {:?}, not {} {:?}",
            got.dtype(),
            got.shape,
            want.dtype(),
            want.shape
        ));
    }
    let (Some(g), Some(w)) = (got.as_f32(), want.as_f32()) else {
        return (got != want).then(|| first_difference(&got.data, &want.data));
    };
    let peak = w.iter().fold(f32::MIN_POSITIVE, |m, v| m.max(v.abs()));
    let mut errors: Vec<f32> = g.iter().zip(w).map(|(g, w)| (g - w).abs() / peak).collect();
    errors.sort_by(f32::total_cmp);
    let (worst, median) = (errors.last()?, errors[errors.len() / 2]);
    let fine = match floats {
        Floats::Within(bound) => *worst <= bound,
        Floats::ButForFlips => *worst <= 1e-2 && median <= 1e-5,
    };
    (!fine).then(|| format!("off by {worst:e} of the peak (median {median:e})"))
}

fn first_difference(got: &Data, want: &Data) -> String {
    fn find<T: PartialEq + std::fmt::Debug>(got: &[T], want: &[T]) -> String {
        let wrong: Vec<_> = (0..got.len()).filter(|&i| got[i] != want[i]).collect();
        let i = wrong[0];
        format!(
            "{} of {} differ, first at {i}: {:?}, not {:?}",
            wrong.len(),
            got.len(),
            got[i],
            want[i]
        )
    }
    match (got, want) {
        (Data::I8(g), Data::I8(w)) => find(g, w),
        (Data::U8(g), Data::U8(w)) => find(g, w),
        (Data::I16(g), Data::I16(w)) => find(g, w),
        (Data::I32(g), Data::I32(w)) => find(g, w),
        (Data::I64(g), Data::I64(w)) => find(g, w),
        _ => "differs".into(),
    }
}

fn options(kernels: KernelSet, threads: usize) -> Options {
    Options {
        kernels,
        threads,
        subgraph: 0,
    }
}

/// Replays every case with both kernel sets and lists all that is wrong before it fails.
fn replay(file: &str, floats: impl Fn(&str) -> Floats) {
    let golden = Golden::open(file);
    assert!(golden.cases.len() >= 8, "{file} holds too few cases");
    let mut wrong = vec![];
    for case in &golden.cases {
        for (kernels, threads) in [
            (KernelSet::Reference, 1),
            (KernelSet::Fast, 1),
            (KernelSet::Fast, 2),
        ] {
            if let Some(what) = run(&golden, case, options(kernels, threads), floats(&case.name)) {
                wrong.push(format!("{kernels:?} {threads}: {}: {what}", case.name));
            }
        }
    }
    let runs = 3 * golden.cases.len();
    assert!(
        wrong.is_empty(),
        "{} of {runs}:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

fn run(golden: &Golden, case: &Case, options: Options, floats: Floats) -> Option<String> {
    let graph = match golden.graph(case) {
        Ok(graph) => graph,
        Err(e) => return Some(format!("read: {e}")),
    };
    let mut prepared = match prepare(graph, None, &options) {
        Ok(prepared) => prepared,
        Err(e) => return Some(format!("prepare: {e}")),
    };
    let inputs: Vec<Value> = case.inputs.iter().map(|a| golden.value(a)).collect();
    let mut recorder = Recorder::default();
    let outputs = match prepared.run(&inputs, Some(&mut recorder)) {
        Ok(outputs) => outputs,
        Err(e) => return Some(format!("run: {e}")),
    };
    for (id, array) in &case.tensors {
        let Some(got) = recorder.0.get(id) else {
            return Some(format!("tensor {id} was not seen"));
        };
        if let Some(what) = difference(got, &golden.value(array), floats) {
            return Some(format!("tensor {id}: {what}"));
        }
    }
    let again = prepared.run(&inputs, None);
    if again.as_ref() != Ok(&outputs) {
        return Some("a second run without an observer gives something else".into());
    }
    let wanted = case.outputs.iter().map(|a| golden.value(a));
    outputs
        .iter()
        .zip(wanted)
        .find_map(|(got, want)| difference(got, &want, floats))
}

fn tight(name: &str) -> Floats {
    if name.starts_with("hybrid") || name.starts_with("dynamic") {
        Floats::ButForFlips
    } else {
        Floats::Within(1e-5)
    }
}

macro_rules! golden {
    ($($operator:ident),*) => { $(
        #[test]
        fn $operator() {
            replay(concat!("ops_", stringify!($operator), ".bin.gz"), tight);
        }
    )* };
}
golden!(
    conv_2d,
    depthwise_conv_2d,
    fully_connected,
    max_pool_2d,
    average_pool_2d,
    mean,
    add,
    sub,
    mul,
    relu,
    relu6,
    logistic,
    tanh,
    softmax,
    hard_swish,
    pad,
    concatenation,
    pack,
    transpose,
    reshape,
    shape,
    strided_slice,
    quantize,
    dequantize
);

#[test]
fn mnist_networks_tensor_by_tensor() {
    replay("networks_mnist.bin.gz", tight);
}
