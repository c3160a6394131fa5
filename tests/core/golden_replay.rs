//! Replays golden files in the engine: outputs equal to what LiteRT's reference kernels gave, with both kernel sets.

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
            Slice::F64(x) => Data::F64(x.to_vec()),
            Slice::I8(x) => Data::I8(x.to_vec()),
            Slice::I16(x) => Data::I16(x.to_vec()),
            Slice::I32(x) => Data::I32(x.to_vec()),
            Slice::I64(x) => Data::I64(x.to_vec()),
            Slice::U8(x) => Data::U8(x.to_vec()),
            Slice::U16(x) => Data::U16(x.to_vec()),
            Slice::U32(x) => Data::U32(x.to_vec()),
            Slice::U64(x) => Data::U64(x.to_vec()),
            Slice::Bool(x) => Data::Bool(x.to_vec()),
        };
        self.0
            .insert(id, Value::new(view.shape.to_vec(), data).unwrap());
    }
}

/// How close floats must be, relative to the peak of what is expected (NaN and infinities equal). Integers must be equal.
#[derive(Clone, Copy)]
pub enum Floats {
    Within(f64),
    /// To the bit, but for the sign of 0.
    Equal,
}

/// What holds where the order of sums is not LiteRT's.
pub fn near(_: &str) -> Floats {
    Floats::Within(1e-5)
}

/// The bound of a case by its name: where it says hybrid or dynamic, inputs are quantized while running, and everything is equal to
/// the bit, since one that is not becomes another step.
pub fn tight(name: &str) -> Floats {
    if name.starts_with("hybrid") || name.starts_with("dynamic") {
        Floats::Equal
    } else {
        near(name)
    }
}

fn floats_of(data: &Data) -> Option<Vec<f64>> {
    match data {
        Data::F32(x) => Some(x.iter().map(|&v| v.into()).collect()),
        Data::F16(x) => Some(x.iter().map(|&v| v.into()).collect()),
        Data::F64(x) => Some(x.clone()),
        _ => None,
    }
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
    let (Some(g), Some(w)) = (floats_of(&got.data), floats_of(&want.data)) else {
        return (got != want).then(|| first_difference(&got.data, &want.data));
    };
    let finite = |v: &&f64| v.is_finite();
    let peak = w.iter().filter(finite).map(|v| v.abs());
    let peak = peak.fold(f64::from(f32::MIN_POSITIVE), f64::max);
    let error = |(&g, &w): (&f64, &f64)| match (g.is_finite(), w.is_finite()) {
        (true, true) => (g - w).abs() / peak,
        _ if g == w || g.is_nan() && w.is_nan() => 0.0,
        _ => f64::INFINITY,
    };
    let mut errors: Vec<f64> = g.iter().zip(&w).map(error).collect();
    let first = errors.iter().position(|e| e.is_infinite());
    errors.sort_by(f64::total_cmp);
    let (worst, median) = (errors.last()?, errors[errors.len() / 2]);
    let fine = match floats {
        Floats::Within(bound) => *worst <= bound,
        Floats::Equal => *worst == 0.0,
    };
    (!fine).then(|| match first {
        Some(i) => format!("element {i} is {}, not {}", g[i], w[i]),
        None => format!("off by {worst:e} of the peak (median {median:e})"),
    })
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
        (Data::U16(g), Data::U16(w)) => find(g, w),
        (Data::I32(g), Data::I32(w)) => find(g, w),
        (Data::U32(g), Data::U32(w)) => find(g, w),
        (Data::I64(g), Data::I64(w)) => find(g, w),
        (Data::U64(g), Data::U64(w)) => find(g, w),
        (Data::Bool(g), Data::Bool(w)) => find(g, w),
        _ => "differs".into(),
    }
}

/// Whether two arrays agree to the bit, NaN included.
fn identical(a: &Value, b: &Value) -> bool {
    match (&a.data, &b.data) {
        (Data::F32(x), Data::F32(y)) => {
            bytemuck::cast_slice::<_, u32>(x) == bytemuck::cast_slice::<_, u32>(y)
        }
        (Data::F16(x), Data::F16(y)) => {
            bytemuck::cast_slice::<_, u16>(x) == bytemuck::cast_slice::<_, u16>(y)
        }
        (Data::F64(x), Data::F64(y)) => {
            bytemuck::cast_slice::<_, u64>(x) == bytemuck::cast_slice::<_, u64>(y)
        }
        _ => a == b,
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
pub fn replay(file: &str, floats: impl Fn(&str) -> Floats) {
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
    prepared.reset();
    match prepared.run(&inputs, None) {
        Ok(again) if again.iter().zip(&outputs).all(|(a, b)| identical(a, b)) => {}
        _ => return Some("a second run without an observer gives something else".into()),
    }
    if outputs.len() != case.outputs.len() {
        return Some(format!(
            "{} outputs, not {}",
            outputs.len(),
            case.outputs.len()
        ));
    }
    let wanted = case.outputs.iter().map(|a| golden.value(a));
    outputs
        .iter()
        .zip(wanted)
        .find_map(|(got, want)| difference(got, &want, floats))
}

/// One test for each operator, replaying `ops_<operator>.bin.gz`.
macro_rules! golden {
    ($($operator:ident),* $(,)?) => { $crate::golden_replay::golden!(tight: $($operator),*); };
    ($bound:ident: $($operator:ident),* $(,)?) => { $(
        #[test]
        fn $operator() {
            $crate::golden_replay::replay(concat!("ops_", stringify!($operator), ".bin.gz"), $crate::golden_replay::$bound);
        }
    )* };
}
pub(crate) use golden;
