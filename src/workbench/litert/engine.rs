//! A model in LiteRT as an engine: fed with batches, timed, and set beside Zeropoint's.

use std::sync::Arc;
use std::time::Duration;

use super::{Asked, LitertFigures, Runtime, Session, Setup};
use crate::data::{self, Dataset};
use crate::error::{Error, Result};
use crate::evaluate::{
    self, Baseline, Difference, Evaluation, LEAST_RUNS, Latency, MOST_RUNS, Runner, WARM_UP_RUNS,
};
use crate::graph::{Data, Graph, Value};
use crate::litert::{Array, Loaded, Reply, Request};
use crate::progress::Progress;
use crate::{invalid, unsupported};

/// Random samples that tell how far two engines differ where there are no data.
const RANDOM_SAMPLES: usize = 16;

/// A model that LiteRT has loaded, in a process of its own.
#[derive(Debug)]
pub struct Litert {
    session: Session,
    runtime: Runtime,
    /// Shape of each input as the file declares it, axes that it leaves open as 1.
    declared: Vec<Vec<usize>>,
    /// Whether the file leaves the batch axis of every input open and LiteRT can follow.
    open: bool,
}

impl Litert {
    /// Starts LiteRT on a file. `graph` is what Zeropoint reads of it, the subgraph to run first.
    ///
    /// # Errors
    /// Whatever keeps LiteRT from running the file, in one sentence.
    pub fn open(
        setup: &Setup,
        bytes: &[u8],
        graph: &Graph,
        asked: Asked,
        progress: &Progress,
    ) -> Result<Self> {
        let mut session = Session::start(setup, progress)?;
        let entered = graph.signatures.iter().find(|s| s.subgraph == 0);
        let request = Request::Load {
            model: bytes.to_vec(),
            threads: asked.threads,
            delegate: asked.delegate,
            signature: entered.map(|s| s.key.clone()),
        };
        let reply = session.ask(request, Duration::ZERO, "loading the model")?;
        let Reply::Loaded(loaded) = reply else {
            return unexpected();
        };
        same_entry(graph, &loaded)?;
        let main = graph.main();
        let open = |&id: &usize| {
            let signature = main
                .tensors
                .get(id)
                .and_then(|t| t.shape_signature.as_ref());
            signature.and_then(|s| s.first()).is_some_and(|&d| d < 0)
        };
        let declared = main.inputs.iter().map(|&id| main.tensors.get(id));
        let declared = declared.map(|t| t.map_or(vec![], |t| t.shape.clone()));
        Ok(Self {
            session,
            runtime: Runtime {
                version: setup.version.clone(),
                delegate: asked.delegate.name().into(),
                fully_delegated: loaded.fully_delegated,
                threads: asked.threads,
            },
            declared: declared.collect(),
            open: main.inputs.iter().all(open),
        })
    }

    /// What runs.
    pub fn runtime(&self) -> &Runtime {
        &self.runtime
    }

    /// Process number of the child.
    pub fn child_id(&self) -> u32 {
        self.session.child_id()
    }

    /// Runs once, inputs in the shapes that they have.
    fn run_once(&mut self, inputs: &[Value]) -> Result<Vec<Value>> {
        let inputs = inputs.iter().map(Array::of).collect::<Result<_>>()?;
        let request = Request::Run { inputs };
        match self
            .session
            .ask(request, Duration::ZERO, "running the model")?
        {
            Reply::Ran { outputs } => outputs.iter().map(Array::value).collect(),
            _ => unexpected(),
        }
    }

    /// Times single runs on these inputs, as [`evaluate::latency`] does for Zeropoint's engine.
    ///
    /// # Errors
    /// What LiteRT cannot run.
    pub fn latency(&mut self, inputs: &[Value], seconds: f64) -> Result<Latency> {
        let Ok(extra) = Duration::try_from_secs_f64(seconds) else {
            return invalid!("{seconds} is no time to measure for; give seconds from 0 up");
        };
        let request = Request::Time {
            inputs: inputs.iter().map(Array::of).collect::<Result<_>>()?,
            warm_up: WARM_UP_RUNS,
            least: LEAST_RUNS,
            most: MOST_RUNS,
            seconds,
        };
        match self.session.ask(request, extra, "timing the model")? {
            Reply::Timed { nanoseconds } => {
                let times = nanoseconds.into_iter().map(Duration::from_nanos);
                evaluate::latency_of(times.collect(), self.runtime.threads)
            }
            _ => unexpected(),
        }
    }
}

impl Litert {
    /// Samples a run and samples given, where the inputs have more or fewer than the file declares and are otherwise as declared.
    fn other_rows(&self, inputs: &[Value]) -> Option<(usize, usize)> {
        let rows = |shapes: &mut dyn Iterator<Item = &Vec<usize>>| {
            let mut rows = shapes.map(|s| s.first().copied());
            let first = rows.next().flatten()?;
            rows.all(|r| r == Some(first)).then_some(first)
        };
        let declared = rows(&mut self.declared.iter())?;
        let given = rows(&mut inputs.iter().map(|x| &x.shape))?;
        let mut pairs = self.declared.iter().zip(inputs);
        let alike = pairs.all(|(d, x)| d.get(1..) == x.shape.get(1..));
        (alike && declared > 0 && given > 0 && declared != given).then_some((declared, given))
    }

    /// Whether LiteRT can run that many samples at once: the outputs follow the inputs before the run. Where a shape is computed
    /// while the model runs they do not, and LiteRT would write beyond its buffers.
    fn follows(&mut self, inputs: &[Value], rows: usize) -> Result<bool> {
        if !self.open {
            return Ok(false);
        }
        let shapes = inputs.iter().map(|x| x.shape.clone()).collect();
        let request = Request::Resize { shapes };
        match self
            .session
            .ask(request, Duration::ZERO, "resizing the model")?
        {
            Reply::Resized { outputs } => {
                let first = |s: &Vec<i32>| s.first().and_then(|&d| usize::try_from(d).ok());
                self.open = outputs.iter().all(|s| first(s) == Some(rows));
                Ok(self.open)
            }
            _ => unexpected(),
        }
    }
}

impl Runner for Litert {
    /// The whole batch where the file leaves the batch axis open, else as many samples a run as it declares.
    fn run(&mut self, inputs: &[Value]) -> Result<Vec<Value>> {
        let Some((rows, given)) = self.other_rows(inputs) else {
            return self.run_once(inputs);
        };
        if self.follows(inputs, given)? {
            return self.run_once(inputs);
        }
        let mut parts: Vec<Vec<Value>> = vec![];
        for start in (0..given).step_by(rows) {
            let kept = rows.min(given - start);
            let part: Result<Vec<Value>> = inputs
                .iter()
                // The last run of a batch is filled up with its last sample.
                .map(|x| pick(x, given, (start..start + rows).map(|i| i.min(given - 1))))
                .collect();
            let outputs = self.run_once(&part?)?;
            let outputs = outputs.iter().map(|y| pick(y, rows, 0..kept));
            parts.push(outputs.collect::<Result<_>>()?);
        }
        (0..parts.first().map_or(0, Vec::len))
            .map(|i| joined(parts.iter().filter_map(|p| p.get(i))))
            .collect()
    }
}

/// The chosen of `rows` rows along axis 0.
fn pick(value: &Value, rows: usize, chosen: impl Iterator<Item = usize>) -> Result<Value> {
    if value.shape.first() != Some(&rows) || rows == 0 {
        return unsupported!(
            "An array of the shape {:?} has no axis of {rows} samples",
            value.shape
        );
    }
    let bytes = value.data.to_bytes();
    let size = bytes.len() / rows;
    let mut shape = value.shape.clone();
    let (mut picked, mut count) = (vec![], 0);
    for row in chosen {
        picked.extend_from_slice(bytes.get(row * size..(row + 1) * size).unwrap_or(&[]));
        count += 1;
    }
    shape[0] = count;
    whole(value, shape, &picked)
}

/// Arrays one after the other along axis 0.
fn joined<'a>(parts: impl Iterator<Item = &'a Value> + Clone) -> Result<Value> {
    let rows = parts.clone().filter_map(|p| p.shape.first()).sum();
    let bytes: Vec<u8> = parts.clone().flat_map(|p| p.data.to_bytes()).collect();
    let mut parts = parts;
    let Some(first) = parts.next() else {
        return invalid!("No runs to join");
    };
    let mut shape = first.shape.clone();
    if let Some(extent) = shape.first_mut() {
        *extent = rows;
    }
    whole(first, shape, &bytes)
}

/// These bytes as elements of `like`'s type.
fn whole(like: &Value, shape: Vec<usize>, bytes: &[u8]) -> Result<Value> {
    match Data::from_bytes(like.dtype(), bytes) {
        Some(data) => Value::new(shape, data),
        None => unsupported!("{} bytes are no {} elements", bytes.len(), like.dtype()),
    }
}

fn unexpected<T>() -> Result<T> {
    unsupported!("LiteRT's process gave the answer to another question")
}

/// Fails unless LiteRT enters the subgraph that Zeropoint runs.
fn same_entry(graph: &Graph, loaded: &Loaded) -> Result<()> {
    let main = graph.main();
    let name = |&id: &usize| main.tensors.get(id).map_or("", |t| t.name.as_str());
    let ours: Vec<&str> = main.inputs.iter().chain(&main.outputs).map(name).collect();
    let ports = loaded.inputs.iter().chain(&loaded.outputs);
    let theirs: Vec<&str> = ports.map(|p| p.name.as_str()).collect();
    if ours == theirs && loaded.inputs.len() == main.inputs.len() {
        return Ok(());
    }
    unsupported!(
        "LiteRT enters another part of the model: its inputs and outputs are {}, the chosen ones are {}; it runs signatures only",
        theirs.join(", "),
        ours.join(", ")
    )
}

/// How far LiteRT's outputs lie from Zeropoint's on random samples.
///
/// # Errors
/// A model that one of them cannot run, or that answers NaN.
fn differences(
    graph: &Arc<Graph>,
    litert: &mut Litert,
    threads: usize,
    progress: &Progress,
) -> Result<Difference> {
    let data = data::synthetic(&data::input_specs(graph, 0), RANDOM_SAMPLES, 1)?;
    let mut own = evaluate::own_runner(graph, threads, progress)?;
    let runners: &mut [&mut dyn Runner] = &mut [&mut own, litert];
    let found = evaluate::evaluate_with(graph, data.as_ref(), None, threads, runners, progress)?;
    for evaluation in found.evaluations {
        evaluation?;
    }
    match found.difference {
        Some(difference) => Ok(difference),
        None => invalid!("The outputs could not be compared"),
    }
}

/// One file in both engines, or in LiteRT alone, step by step. What LiteRT does never keeps Zeropoint's figures from being there.
#[derive(Debug)]
pub struct Sides<'a> {
    file: Measure<'a>,
    litert: Result<Litert>,
    evaluation: Option<Evaluation>,
    difference: Option<Difference>,
}

/// What is measured, and how.
#[derive(Clone, Copy)]
pub struct Measure<'a> {
    /// The file.
    pub bytes: &'a [u8],
    /// What Zeropoint reads of it.
    pub graph: &'a Arc<Graph>,
    /// The float model that quantized ones are compared with.
    pub baseline: Option<&'a Baseline>,
    /// Whether Zeropoint's engine is asked too.
    pub own: bool,
    /// How LiteRT computes.
    pub litert: Asked,
    /// Threads that Zeropoint's evaluation may use.
    pub jobs_threads: usize,
}

impl<'a> Sides<'a> {
    /// Starts LiteRT on the file.
    ///
    /// # Errors
    /// Cancellation only: what else fails is told at the end.
    pub fn open(setup: &Result<Setup>, file: Measure<'a>, progress: &Progress) -> Result<Self> {
        let litert = match setup {
            Ok(setup) => Litert::open(setup, file.bytes, file.graph, file.litert, progress),
            Err(e) => Err(e.clone()),
        };
        Ok(Self {
            file,
            litert: unless_cancelled(litert)?,
            evaluation: None,
            difference: None,
        })
    }

    /// Evaluates the engines on the same batches and compares their outputs; hands back Zeropoint's answers where it is asked.
    ///
    /// # Errors
    /// What is wrong with the data; Zeropoint's own failure where it is asked; cancellation.
    pub fn evaluate(
        &mut self,
        data: &dyn Dataset,
        progress: &Progress,
    ) -> Result<Option<Evaluation>> {
        let file = self.file;
        let mut own = match file.own {
            true => Some(evaluate::own_runner(
                file.graph,
                file.jobs_threads,
                progress,
            )?),
            false => None,
        };
        let mut runners: Vec<&mut dyn Runner> = vec![];
        runners.extend(own.as_mut().map(|own| own as &mut dyn Runner));
        runners.extend(self.litert.as_mut().ok().map(|l| l as &mut dyn Runner));
        if runners.is_empty() {
            return Ok(None);
        }
        let found = evaluate::evaluate_with(
            file.graph,
            data,
            file.baseline,
            file.jobs_threads,
            &mut runners,
            progress,
        )?;
        self.difference = found.difference;
        let mut evaluations = found.evaluations.into_iter();
        let ours = match file.own {
            true => evaluations.next().transpose()?,
            false => None,
        };
        match evaluations.next() {
            Some(Ok(evaluation)) => self.evaluation = Some(evaluation),
            Some(Err(e)) => self.litert = Err(e),
            None => {}
        }
        Ok(ours)
    }

    /// Compares the outputs on random samples, where there are no data.
    ///
    /// # Errors
    /// Cancellation only: random values may well lead to NaN, which says nothing of either engine.
    pub fn compare_on_random(&mut self, progress: &Progress) -> Result<()> {
        if let (true, Ok(litert)) = (self.file.own, &mut self.litert) {
            let (graph, threads) = (self.file.graph, self.file.jobs_threads);
            let found = differences(graph, litert, threads, progress);
            self.difference = unless_cancelled(found)?.ok();
        }
        Ok(())
    }

    /// Times LiteRT and ends its process: all its figures, or why there are none.
    ///
    /// # Errors
    /// Cancellation only.
    pub fn finish(self, seconds: f64) -> Result<Result<LitertFigures>> {
        let graph = self.file.graph;
        let timed = self.litert.and_then(|mut litert| {
            let latency = litert.latency(&evaluate::latency_inputs(graph)?, seconds)?;
            Ok(LitertFigures {
                runtime: litert.runtime,
                latency,
                evaluation: self.evaluation,
                difference: self.difference,
            })
        });
        unless_cancelled(timed)
    }
}

impl std::fmt::Debug for Measure<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Measure({} bytes, {:?})", self.bytes.len(), self.litert)
    }
}

/// Cancellation ends everything, any other error only its own part.
fn unless_cancelled<T>(done: Result<T>) -> Result<Result<T>> {
    match done {
        Err(Error::Cancelled) => Err(Error::Cancelled),
        done => Ok(done),
    }
}

/// `LiteRT 2.3.0, XNNPACK, 2 threads`, as it stands beside figures.
pub fn runtime_line(r: &Runtime) -> String {
    let version = r.version.as_deref().unwrap_or("of unknown version");
    let threads = match r.threads {
        1 => "1 thread".to_owned(),
        n => format!("{n} threads"),
    };
    let part = match (r.fully_delegated, r.delegate.as_str()) {
        (false, "XNNPACK") => " in part",
        _ => "",
    };
    format!("LiteRT {version}, {}{part}, {threads}", r.delegate)
}
