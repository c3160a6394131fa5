//! Feeds the samples of a data set to a graph in batches, in the types that its inputs take.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use crate::data::{Dataset, InputSpec, input_specs};
use crate::engine::{self, Observer, Options, Prepared};
use crate::error::Result;
use crate::graph::{DType, Data, Graph, Node, Op, Subgraph, TensorId, Value};
use crate::progress::Progress;
use crate::{invalid, unsupported};

/// Multiply-adds of one run: some 20 ms on a slow core, so that a job that looks up between runs can be cancelled at once.
const WORK: u64 = 20_000_000;
/// Activation elements of one run: 1 MB as float32, which stays in a core's second-level cache.
const ELEMENTS: u64 = 250_000;
/// Beyond this a larger batch gains nothing.
const MOST: usize = 128;

/// How the samples of a data set become the inputs of a graph, batch by batch.
#[derive(Debug, Clone)]
pub struct Batches {
    specs: Vec<InputSpec>,
    rows: usize,
    resizes: bool,
}

/// A graph prepared for batches of samples.
pub struct Feed {
    graph: Arc<Graph>,
    options: Options,
    batches: Batches,
    main: Prepared,
    /// For a last batch with fewer samples.
    rest: Option<(usize, Prepared)>,
    /// Asks runs to stop.
    progress: Option<Progress>,
}

/// Samples that one run should hold: as many as a short run of the graph takes where its batch axis can be resized, else
/// what its inputs declare. It follows from the graph alone, so that results do not depend on the machine's load.
pub fn batch_size(graph: &Graph, subgraph: usize) -> usize {
    match engine::batchable(graph, subgraph) {
        true => fitting_rows(graph, subgraph),
        false => declared_rows(graph, subgraph),
    }
}

/// Samples of a short run of a graph whose batch axis can be resized.
pub(super) fn fitting_rows(graph: &Graph, subgraph: usize) -> usize {
    let Some(subgraph) = graph.subgraphs.get(subgraph) else {
        return 1;
    };
    let work: u64 = subgraph
        .nodes
        .iter()
        .map(|n| work(subgraph, n))
        .fold(1, u64::saturating_add);
    let elements = subgraph
        .nodes
        .iter()
        .flat_map(|n| &n.outputs)
        .map(|&id| elements(subgraph, Some(id)))
        .fold(1, u64::saturating_add);
    let rows = declared_rows_of(subgraph).max(1) as u64;
    let fits = (WORK / (work / rows).max(1)).min(ELEMENTS / (elements / rows).max(1));
    fits.clamp(1, MOST as u64) as usize
}

/// Extent of axis 0 of the first input; 1 for a scalar.
fn declared_rows(graph: &Graph, subgraph: usize) -> usize {
    graph.subgraphs.get(subgraph).map_or(1, declared_rows_of)
}

fn declared_rows_of(subgraph: &Subgraph) -> usize {
    let first = subgraph
        .inputs
        .first()
        .and_then(|&id| subgraph.tensors.get(id));
    first.and_then(|t| t.shape.first().copied()).unwrap_or(1)
}

fn elements(subgraph: &Subgraph, id: Option<usize>) -> u64 {
    let tensor = id.and_then(|id| subgraph.tensors.get(id));
    tensor.and_then(|t| t.elements()).unwrap_or(0) as u64
}

/// Roughly the multiply-adds of a node, by the shapes that the file declares.
fn work(subgraph: &Subgraph, node: &Node) -> u64 {
    let out = elements(subgraph, node.outputs.first().copied());
    let weights = elements(subgraph, node.input(1));
    let extent = |axis: usize| {
        let tensor = node.input(1).and_then(|id| subgraph.tensors.get(id));
        tensor
            .and_then(|t| t.shape.get(axis).copied())
            .unwrap_or(1)
            .max(1) as u64
    };
    let each = match &node.op {
        Op::Conv2d(_) | Op::FullyConnected(_) => weights / extent(0),
        Op::DepthwiseConv2d(_) => weights / extent(3),
        // Every value meets every weight of its channel once per stride.
        Op::TransposeConv(o) => {
            let stride: u64 = o.stride.iter().map(|&s| s.max(1) as u64).product();
            weights / extent(0) / stride
        }
        Op::Conv3d(_) => weights / extent(4),
        Op::Conv3dTranspose(_) => weights / extent(3),
        Op::BatchMatMul(o) => {
            let shape = node.input(0).and_then(|id| subgraph.tensors.get(id));
            let shape = shape.map_or(&[][..], |t| &t.shape);
            let depth = if o.adjoint_x { 2 } else { 1 };
            let axis = shape.len().checked_sub(depth);
            axis.and_then(|a| shape.get(a)).map_or(1, |&d| d as u64)
        }
        // Each step meets all weights of its four gates; the output has a row a step.
        Op::Lstm(_)
        | Op::UnidirectionalSequenceLstm(_)
        | Op::BidirectionalSequenceLstm(_)
        | Op::Rnn(_)
        | Op::UnidirectionalSequenceRnn(_)
        | Op::BidirectionalSequenceRnn(_)
        | Op::Svdf(_) => {
            let all = node.inputs.iter().skip(1).map(|&id| elements(subgraph, id));
            all.fold(0, u64::saturating_add) / extent(0)
        }
        Op::MaxPool2d(p) | Op::AveragePool2d(p) => {
            p.filter.iter().map(|&f| f.max(1) as u64).product()
        }
        Op::Logistic | Op::Tanh | Op::Softmax { .. } | Op::Gelu { .. } | Op::LogSoftmax => 10,
        Op::Unary(_) => 10,
        Op::Other(_) | Op::Custom(_) => weights.max(1),
        _ => 1,
    };
    out.saturating_mul(each.max(1))
}

impl Batches {
    /// Batches of `rows` samples for one subgraph; where its batch axis cannot be resized, of as many as it declares.
    ///
    /// # Errors
    /// A model without inputs, with an empty one, or with inputs that take different numbers of samples at once.
    pub fn new(graph: &Graph, subgraph: usize, rows: usize) -> Result<Self> {
        let resizes = engine::batchable(graph, subgraph);
        let rows = match resizes {
            true => rows.max(1),
            false => declared_rows(graph, subgraph),
        };
        Self::of(graph, subgraph, rows, resizes)
    }

    /// [`Batches::new`] with [`batch_size`] samples.
    pub fn sized(graph: &Graph, subgraph: usize) -> Result<Self> {
        let resizes = engine::batchable(graph, subgraph);
        let rows = match resizes {
            true => fitting_rows(graph, subgraph),
            false => declared_rows(graph, subgraph),
        };
        Self::of(graph, subgraph, rows, resizes)
    }

    fn of(graph: &Graph, subgraph: usize, rows: usize, resizes: bool) -> Result<Self> {
        let specs = input_specs(graph, subgraph);
        if specs.is_empty() {
            return invalid!("The model has no inputs");
        }
        let odd = specs
            .iter()
            .find(|s| s.shape.first().copied().unwrap_or(1) != rows);
        if let Some(odd) = odd.filter(|_| !resizes) {
            return unsupported!(
                "Input '{}' has the shape {:?} where the first input takes {rows} samples at once; such models cannot be fed from data",
                odd.name,
                odd.shape
            );
        }
        if rows == 0 {
            return invalid!("The model's first input holds no elements");
        }
        Ok(Self {
            specs,
            rows,
            resizes,
        })
    }

    /// Samples of a full run.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// The ranges of `samples` samples that the runs take.
    pub fn ranges(&self, samples: usize) -> impl Iterator<Item = Range<usize>> + use<> {
        let rows = self.rows;
        (0..samples)
            .step_by(rows)
            .map(move |start| start..samples.min(start.saturating_add(rows)))
    }

    /// The samples of `range` as the inputs take them: quantized where an input is, padded by repeating the last sample where
    /// the graph takes more rows than that and cannot be resized.
    pub fn inputs(&self, data: &dyn Dataset, range: Range<usize>) -> Result<Vec<Value>> {
        let rows = if self.resizes { range.len() } else { self.rows };
        let values = data.batch(range)?;
        if values.len() != self.specs.len() {
            return invalid!(
                "{} feeds {} inputs, the model has {}",
                data.name(),
                values.len(),
                self.specs.len()
            );
        }
        let pairs = values.into_iter().zip(&self.specs);
        pairs.map(|(value, spec)| fit(value, spec, rows)).collect()
    }

    fn prepare(&self, graph: &Arc<Graph>, options: &Options, rows: usize) -> Result<Prepared> {
        let shapes: Vec<Vec<usize>> = self.specs.iter().map(|s| shape_of(s, rows)).collect();
        let shapes = self.resizes.then_some(shapes.as_slice());
        engine::prepare(graph.clone(), shapes, options)
    }
}

impl Feed {
    /// Prepares `graph` for runs of `rows` samples; where its batch axis cannot be resized, for as many as it declares.
    pub fn new(graph: &Arc<Graph>, options: Options, rows: usize) -> Result<Self> {
        let batches = Batches::new(graph, options.subgraph, rows)?;
        Self::of(graph, options, batches)
    }

    /// Prepares `graph` for runs of `batches`, which must be its own.
    ///
    /// # Errors
    /// A graph that cannot run.
    pub fn of(graph: &Arc<Graph>, options: Options, batches: Batches) -> Result<Self> {
        let main = batches.prepare(graph, &options, batches.rows)?;
        Ok(Self {
            graph: graph.clone(),
            options,
            batches,
            main,
            rest: None,
            progress: None,
        })
    }

    /// From now on runs fail with [`crate::error::Error::Cancelled`] soon after `progress` was cancelled.
    pub fn stop_with(&mut self, progress: &Progress) {
        self.main.stop_with(progress);
        self.rest = None;
        self.progress = Some(progress.clone());
    }

    /// Samples of a full run.
    pub fn rows(&self) -> usize {
        self.batches.rows
    }

    /// As [`Batches::ranges`].
    pub fn batches(&self, samples: usize) -> impl Iterator<Item = Range<usize>> + use<> {
        self.batches.ranges(samples)
    }

    /// As [`Batches::inputs`].
    pub fn inputs(&self, data: &dyn Dataset, range: Range<usize>) -> Result<Vec<Value>> {
        self.batches.inputs(data, range)
    }

    /// Runs the samples of `range`, at most [`Feed::rows`]. A graph that cannot be resized gets the last sample
    /// again and again where there are fewer; its outputs then have more rows than `range`.
    pub fn run(
        &mut self,
        data: &dyn Dataset,
        range: Range<usize>,
        observer: Option<&mut dyn Observer>,
    ) -> Result<Vec<Value>> {
        let inputs = self.inputs(data, range)?;
        self.run_inputs(&inputs, observer)
    }

    /// Runs inputs that [`Feed::inputs`] made. State begins anew: samples know nothing of each other.
    pub fn run_inputs(
        &mut self,
        inputs: &[Value],
        observer: Option<&mut dyn Observer>,
    ) -> Result<Vec<Value>> {
        let rows = inputs.first().and_then(|x| x.shape.first().copied());
        let rows = rows.filter(|_| self.batches.resizes);
        let rows = rows.unwrap_or(self.batches.rows);
        if rows == self.batches.rows {
            self.main.reset();
            return self.main.run(inputs, observer);
        }
        if self.rest.as_ref().is_none_or(|(n, _)| *n != rows) {
            let mut prepared = self.batches.prepare(&self.graph, &self.options, rows)?;
            if let Some(progress) = &self.progress {
                prepared.stop_with(progress);
            }
            self.rest = Some((rows, prepared));
        }
        match &mut self.rest {
            Some((_, rest)) => {
                rest.reset();
                rest.run(inputs, observer)
            }
            None => invalid!("The model was not prepared for {rows} samples"),
        }
    }

    /// [`Feed::run_inputs`] of a full run, and how long each node of the subgraph took; `None` where a node had nothing to compute.
    pub fn run_timed(&mut self, inputs: &[Value]) -> Result<(Vec<Value>, Vec<Option<Duration>>)> {
        self.main.reset();
        self.main.run_timed(inputs)
    }

    /// Resolved shape of a tensor in a full run; `None` if it is only known while running.
    pub fn shape(&self, id: TensorId) -> Option<&[usize]> {
        self.main.shape(id)
    }
}

/// The input's shape for that many samples.
fn shape_of(spec: &InputSpec, rows: usize) -> Vec<usize> {
    let mut shape = spec.shape.clone();
    if let Some(first) = shape.first_mut() {
        *first = rows;
    }
    shape
}

/// Samples as the input takes them: its type, its rank, `rows` rows.
fn fit(value: Value, spec: &InputSpec, rows: usize) -> Result<Value> {
    let held = value.shape.first().copied().unwrap_or(1).max(1);
    let mut data = match (spec.quantization, value.data) {
        (Some((scale, zero_point)), Data::F32(x)) => quantize(&x, spec.dtype, scale, zero_point)?,
        (_, Data::F32(x)) if spec.dtype == DType::Float16 => {
            Data::F16(x.into_iter().map(half::f16::from_f32).collect())
        }
        (_, Data::F32(x)) if spec.dtype == DType::Float64 => {
            Data::F64(x.into_iter().map(f64::from).collect())
        }
        (_, data) => data,
    };
    if data.dtype() != spec.dtype {
        return invalid!(
            "Input '{}' takes {}, the data holds {}",
            spec.name,
            spec.dtype,
            data.dtype()
        );
    }
    if held < rows {
        repeat_last(&mut data, held, rows);
    }
    Value::new(shape_of(spec, rows), data).map_err(|e| e.at(format!("Input '{}'", spec.name)))
}

/// Reals to integers as QUANTIZE computes them: round(x / scale) in float32, halves away from zero, plus the zero point,
/// clamped to the type.
pub fn quantize(x: &[f32], dtype: DType, scale: f32, zero_point: i64) -> Result<Data> {
    let Some((low, high)) = dtype.integer_range() else {
        return unsupported!("Inputs quantized as {dtype} cannot be fed");
    };
    let q = x.iter().map(|&x| {
        // A float-to-integer cast saturates, so the sum cannot overflow.
        let q = ((x / scale).round() as i32) as i64 + zero_point;
        q.clamp(low, high)
    });
    Ok(match dtype {
        DType::Int8 => Data::I8(q.map(|q| q as i8).collect()),
        DType::UInt8 => Data::U8(q.map(|q| q as u8).collect()),
        DType::Int16 => Data::I16(q.map(|q| q as i16).collect()),
        DType::UInt16 => Data::U16(q.map(|q| q as u16).collect()),
        DType::Int32 => Data::I32(q.map(|q| q as i32).collect()),
        other => return unsupported!("Inputs quantized as {other} cannot be fed"),
    })
}

/// Appends the last of `held` rows until there are `rows`.
fn repeat_last(data: &mut Data, held: usize, rows: usize) {
    fn grow<T: Copy>(x: &mut Vec<T>, held: usize, rows: usize) {
        let size = x.len() / held;
        let last = x.len() - size..x.len();
        for _ in held..rows {
            x.extend_from_within(last.clone());
        }
    }
    match data {
        Data::F32(x) => grow(x, held, rows),
        Data::F16(x) => grow(x, held, rows),
        Data::F64(x) => grow(x, held, rows),
        Data::I8(x) => grow(x, held, rows),
        Data::I16(x) => grow(x, held, rows),
        Data::I32(x) => grow(x, held, rows),
        Data::I64(x) => grow(x, held, rows),
        Data::U8(x) => grow(x, held, rows),
        Data::U16(x) => grow(x, held, rows),
        Data::U32(x) => grow(x, held, rows),
        Data::U64(x) => grow(x, held, rows),
        Data::Bool(x) => grow(x, held, rows),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_round_away_from_zero_and_ends_saturate() {
        let x = [0.25, 0.75, -0.25, -0.75, 1e30, -1e30, 0.0];
        let q = quantize(&x, DType::Int8, 0.5, 1).unwrap();
        assert_eq!(q, Data::I8(vec![2, 3, 0, -1, 127, -128, 1]));
        let q = quantize(&x, DType::UInt8, 0.5, 1).unwrap();
        assert_eq!(q, Data::U8(vec![2, 3, 0, 0, 255, 0, 1]));
        let q = quantize(&x, DType::Int16, 0.5, 0).unwrap();
        assert_eq!(q, Data::I16(vec![1, 2, -1, -2, 32767, -32768, 0]));
        assert!(quantize(&x, DType::Float32, 0.5, 0).is_err());
    }

    #[test]
    fn missing_rows_repeat_the_last() {
        let mut data = Data::I32(vec![1, 2, 3, 4]);
        repeat_last(&mut data, 2, 4);
        assert_eq!(data, Data::I32(vec![1, 2, 3, 4, 3, 4, 3, 4]));
    }
}
