//! Preparing: shapes and constants node by node, then a place in memory for every computed tensor.

use std::cell::{Cell, RefCell};
use std::sync::Arc;

use super::buffer::Buffer;
use super::built::{Action, Built, Inputs, Kernel, Made, Memory, Place, SizingKernel, Work};
use super::node::{NodeCx, label};
use super::ops;
use super::run::{Prepared, check_has_values};
use super::segment::{Segment, Split, StateTensor, Step, Tail};
use super::shared::{Shared, byte_size};
use super::state::State;
use super::{KernelSet, Options};
use crate::error::Result;
use crate::graph::{DType, Graph, Node, Subgraph, TensorId};
use crate::kernels::{Ranges, Scratch};
use crate::{invalid, malformed, unsupported};

/// Subgraphs that may call each other in a row.
const MOST_CALLS: usize = 32;

/// Work (see [`Shared::work`]) from which a run uses more than one thread: some 150 µs.
const WORTH_THREADS: usize = 8_000_000;
/// Bytes of constants from which several threads pack them.
const WORTH_PACKING: usize = 1 << 20;

/// Prepares subgraph `options.subgraph` of `graph` to run: resolves all shapes for `input_shapes` (one per input, in input
/// order; `None`: those of the file), checks every node and packs what kernels want packed. From the first node on whose
/// shapes depend on values this is done while running, and kept for the same values.
///
/// # Errors
/// `Malformed` where the file contradicts itself, `Unsupported` where an operator or a type cannot run yet, `Invalid` where
/// `input_shapes` or `options` do not fit; each names the node and the tensor.
pub fn prepare(
    graph: Arc<Graph>,
    input_shapes: Option<&[Vec<usize>]>,
    options: &Options,
) -> Result<Prepared> {
    let shared = Shared::new(graph, *options)?;
    let subgraph = shared.subgraph(options.subgraph)?;
    let count = subgraph.tensors.len();
    for &id in subgraph.inputs.iter().chain(&subgraph.outputs) {
        if id >= count {
            return malformed!("An input or output is tensor {id}, which does not exist");
        }
    }
    check_has_values(subgraph, &subgraph.inputs, "Input")?;
    check_has_values(subgraph, &subgraph.outputs, "Output")?;
    for (i, shape) in input_shapes.unwrap_or_default().iter().enumerate() {
        if let Some(&id) = subgraph.inputs.get(i)
            && shape.contains(&0)
        {
            return invalid!(
                "Input {} cannot take the shape {shape:?}: every extent must be at least 1",
                label(id, &subgraph.tensors[id])
            );
        }
    }
    let path = [options.subgraph];
    let (main, pool) = match shared.graph.constant_bytes() < WORTH_PACKING {
        true => (whole(&shared, &path, input_shapes)?, None),
        false => {
            let pool = thread_pool(options.threads)?;
            let prepare = || whole(&shared, &path, input_shapes);
            (
                pool.as_ref().map_or_else(prepare, |p| p.install(prepare))?,
                pool,
            )
        }
    };
    // What takes less time than waking a thread stays on the calling one.
    let small = main.tail.is_none() && shared.work() < WORTH_THREADS;
    let pool = match (small, pool) {
        (true, _) => None,
        (false, None) => thread_pool(options.threads)?,
        (false, pool) => pool,
    };
    Ok(Prepared::new(shared.clone(), main, pool))
}

/// Prepares all of the subgraph that `path` ends with, for these shapes of its inputs.
pub(super) fn whole(
    shared: &Arc<Shared>,
    path: &[usize],
    input_shapes: Option<&[Vec<usize>]>,
) -> Result<Segment> {
    let Some((&index, callers)) = path.split_last() else {
        return malformed!("there is no subgraph to run");
    };
    if callers.contains(&index) {
        return unsupported!("subgraph {index} calls itself, which cannot run");
    }
    if path.len() > MOST_CALLS {
        return unsupported!("more than {MOST_CALLS} subgraphs call each other in a row");
    }
    let mut plan = Plan::new(shared, path)?;
    plan.feed(input_shapes)?;
    plan.nodes(0)?;
    plan.finish()
}

/// Prepares the nodes behind a split, with the value or the shapes that it waited for. `shapes` are those of the segment
/// before it.
pub(super) fn continuation(
    shared: &Arc<Shared>,
    path: &[usize],
    tail: &Tail,
    shapes: &[Option<Vec<usize>>],
    value: &[u8],
    made: &[Made],
) -> Result<Segment> {
    let mut plan = Plan::new(shared, path)?;
    plan.shapes.clone_from_slice(shapes);
    for (id, known) in tail.known.iter().enumerate() {
        if known.is_some() {
            plan.known[id].clone_from(known);
            plan.sources[id] = Some(Source::Known);
        }
    }
    for (i, &id) in tail.imports.iter().enumerate() {
        plan.sources[id] = Some(Source::Fed(i));
    }
    match &tail.split {
        Split::Value(id) => plan.know(*id, Buffer::copy_of(value)?),
        Split::Shapes { node, outputs, .. } => {
            plan.make(outputs, made, tail.imports.len())
                .map_err(|e| shared.at_node(plan.index, *node, e))?;
        }
    }
    plan.nodes(tail.next)?;
    plan.finish()
}

/// Whether all inputs of a subgraph have a batch axis that can be resized: axis 0 of every output follows axis 0 of the
/// inputs from 1 to 2, and nothing else changes.
pub fn batchable(graph: &Graph, subgraph: usize) -> bool {
    let Some(inputs) = graph.subgraphs.get(subgraph).map(|s| &s.inputs) else {
        return false;
    };
    let outputs = |batch: usize| {
        let mut shapes = vec![];
        for &id in inputs {
            let mut shape = graph.subgraphs[subgraph].tensors.get(id)?.shape.clone();
            *shape.first_mut()? = batch;
            shapes.push(shape);
        }
        let options = Options {
            kernels: KernelSet::Reference,
            threads: 1,
            subgraph,
        };
        let prepared = prepare(Arc::new(graph.clone()), Some(&shapes), &options).ok()?;
        Some(prepared.output_shapes())
    };
    let follows = |one: &[usize], two: &[usize]| {
        one.first() == Some(&1) && two.first() == Some(&2) && one[1..] == two[1..]
    };
    match (outputs(1), outputs(2)) {
        (Some(one), Some(two)) => {
            !inputs.is_empty() && one.iter().zip(&two).all(|(a, b)| follows(a, b))
        }
        _ => false,
    }
}

/// Most bytes that a node which reads next to nothing may make of constants while preparing.
const FOLD_LIMIT: usize = 1 << 22;

/// Where a tensor comes from, before slots are given out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Source {
    Fed(usize),
    Known,
    /// Computed, under any number of shapes: index of the result.
    Result(usize),
}

/// What a kernel computes into one output.
struct PlannedResult {
    bytes: usize,
    /// The step that computes it.
    step: usize,
}

struct PlannedStep {
    node: usize,
    outputs: Vec<TensorId>,
    inputs: Vec<Option<TensorId>>,
    /// The kernel and the first of its results; the others follow.
    kernel: Option<(Kernel, usize)>,
    states: Vec<StateTensor>,
}

/// Where the nodes that can be prepared end.
enum PlannedSplit {
    /// This node wants to know that tensor.
    Value(usize, TensorId),
    /// This node finds the shapes of its outputs itself.
    Shapes(usize, SizingKernel),
}

struct Plan<'a> {
    shared: &'a Arc<Shared>,
    path: &'a [usize],
    index: usize,
    subgraph: &'a Subgraph,
    shapes: Vec<Option<Vec<usize>>>,
    known: Vec<Option<Arc<Buffer>>>,
    sources: Vec<Option<Source>>,
    steps: Vec<PlannedStep>,
    results: Vec<PlannedResult>,
    split: Option<PlannedSplit>,
    scratch: RefCell<Scratch>,
}

impl<'a> Plan<'a> {
    /// A plan that knows the constants and the shapes of state.
    fn new(shared: &'a Arc<Shared>, path: &'a [usize]) -> Result<Self> {
        let index = path.last().copied().unwrap_or(0);
        let subgraph = shared.subgraph(index)?;
        let count = subgraph.tensors.len();
        let mut plan = Self {
            shared,
            path,
            index,
            subgraph,
            shapes: vec![None; count],
            known: vec![None; count],
            sources: vec![None; count],
            steps: vec![],
            results: vec![],
            split: None,
            scratch: RefCell::new(Scratch::new()),
        };
        for (id, tensor) in subgraph.tensors.iter().enumerate() {
            if let Some(constant) = shared.constant(index, id)? {
                plan.shapes[id] = Some(tensor.shape.clone());
                plan.sources[id] = Some(Source::Known);
                plan.known[id] = Some(constant);
            } else if tensor.is_variable {
                byte_size(id, tensor, &tensor.shape)?;
                plan.shapes[id] = Some(tensor.shape.clone());
            }
        }
        Ok(plan)
    }

    fn feed(&mut self, input_shapes: Option<&[Vec<usize>]>) -> Result<()> {
        let inputs = &self.subgraph.inputs;
        if let Some(shapes) = input_shapes
            && shapes.len() != inputs.len()
        {
            return invalid!(
                "The model takes {} inputs, but shapes are given for {}",
                inputs.len(),
                shapes.len()
            );
        }
        for (i, &id) in inputs.iter().enumerate() {
            let Some(tensor) = self.subgraph.tensors.get(id) else {
                return malformed!("An input is tensor {id}, which does not exist");
            };
            let shape = input_shapes.map_or(&tensor.shape, |s| &s[i]);
            if tensor.has_rank && shape.len() != tensor.shape.len() {
                return invalid!(
                    "Input {} has shape {:?}, so it cannot take {shape:?}",
                    label(id, tensor),
                    tensor.shape
                );
            }
            byte_size(id, tensor, shape)?;
            self.shapes[id] = Some(shape.clone());
            self.sources[id] = Some(Source::Fed(i));
            self.known[id] = None;
        }
        Ok(())
    }

    /// Builds the nodes from `first` on, up to the first that has to wait for values.
    fn nodes(&mut self, first: usize) -> Result<()> {
        for (index, node) in self.subgraph.nodes.iter().enumerate().skip(first) {
            let wanted = Cell::new(None);
            let cx = NodeCx {
                node,
                tensors: &self.subgraph.tensors,
                shapes: &self.shapes,
                constants: &self.known,
                isa: self.shared.isa,
                in_order: self.shared.in_order,
                threads: self.shared.options.threads.max(1),
                scratch: &self.scratch,
                wanted: &wanted,
                shared: self.shared,
                path: self.path,
            };
            let built = ops::build(&cx);
            if let (Err(_), Some(id)) = (&built, wanted.get()) {
                self.split = Some(PlannedSplit::Value(index, id));
                return Ok(());
            }
            built
                .and_then(|built| self.define(index, node, built))
                .map_err(|e| self.shared.at_node(self.index, index, e))?;
            if self.split.is_some() {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Enters what a node makes of its outputs; computes them at once if all it reads is known.
    fn define(&mut self, index: usize, node: &Node, built: Built) -> Result<()> {
        let (outputs, inputs) = (&node.outputs, &node.inputs);
        if let Action::Size(kernel) = built.action {
            self.check_outputs(outputs)?;
            self.split = Some(PlannedSplit::Shapes(index, kernel));
            return Ok(());
        }
        if outputs.len() != built.shapes.len() {
            return malformed!(
                "it has {} outputs, not {}",
                outputs.len(),
                built.shapes.len()
            );
        }
        self.check_outputs(outputs)?;
        let mut sizes = vec![];
        for (&id, shape) in outputs.iter().zip(&built.shapes) {
            sizes.push(byte_size(id, &self.subgraph.tensors[id], shape)?);
        }
        let states = self.states(node, &built)?;
        let is_known = |&id: &TensorId| self.known.get(id).is_some_and(Option::is_some);
        // What grows far beyond its inputs is computed while running: preparing stays quick whatever a small file asks for.
        let read = |&id: &TensorId| self.known.get(id)?.as_ref().map(|b| b.bytes().len());
        let read: usize = inputs.iter().flatten().filter_map(read).sum();
        let grows = sizes.iter().sum::<usize>() > FOLD_LIMIT.max(read.saturating_mul(16));
        let fold = built.pure && !grows && inputs.iter().flatten().all(is_known);
        let is_empty = built.pure && sizes.iter().all(|&bytes| bytes == 0);
        let mut kernel = None;
        match built.action {
            Action::Size(_) => {}
            // Kernels need not expect that there is nothing to do.
            Action::Compute(_) if is_empty => {
                for &id in outputs {
                    self.know(id, Buffer::default());
                }
            }
            Action::Known(data) => {
                for &id in outputs {
                    self.know(id, Buffer::copy_of(&data)?);
                }
            }
            Action::Alias => {
                let Some(input) = node.input(0) else {
                    return malformed!("input 0 is missing");
                };
                for &id in outputs {
                    self.known[id] = self.known[input].clone();
                    self.sources[id] = self.sources[input];
                }
            }
            Action::Compute(mut compute) if fold => {
                let mut results = vec![];
                for &bytes in &sizes {
                    results.push(Buffer::zeros(bytes)?);
                }
                self.compute(&mut compute, inputs, &mut results)?;
                for (&id, result) in outputs.iter().zip(results) {
                    self.know(id, result);
                }
            }
            Action::Compute(compute) => {
                kernel = Some((compute, self.results.len()));
                for (&id, &bytes) in outputs.iter().zip(&sizes) {
                    // To write a byte costs about as much as a multiply–add.
                    self.shared.add_work(bytes);
                    self.sources[id] = Some(Source::Result(self.results.len()));
                    self.results.push(PlannedResult {
                        bytes,
                        step: self.steps.len(),
                    });
                }
            }
        }
        for (&id, shape) in outputs.iter().zip(built.shapes) {
            self.shapes[id] = Some(shape);
        }
        self.steps.push(PlannedStep {
            node: index,
            outputs: outputs.clone(),
            inputs: inputs.clone(),
            kernel,
            states,
        });
        Ok(())
    }

    /// Fails if an output does not exist or is defined already.
    fn check_outputs(&self, outputs: &[TensorId]) -> Result<()> {
        for (i, &id) in outputs.iter().enumerate() {
            let Some(tensor) = self.subgraph.tensors.get(id) else {
                return malformed!("its output is tensor {id}, which does not exist");
            };
            if self.sources[id].is_some() || outputs[..i].contains(&id) {
                return malformed!("{} is defined twice", label(id, tensor));
            }
        }
        Ok(())
    }

    /// The state of a node. All other inputs must have a value.
    fn states(&self, node: &Node, built: &Built) -> Result<Vec<StateTensor>> {
        let mut states = vec![];
        for &(input, elements) in &built.states {
            let id = node.input(input);
            let found = id.and_then(|id| Some((id, self.subgraph.tensors.get(id)?)));
            let Some((id, tensor)) = found else {
                return malformed!("its state, input {input}, is missing");
            };
            if self.sources[id].is_some() {
                return malformed!(
                    "its state, {}, is computed or constant, not a variable",
                    label(id, tensor)
                );
            }
            let bytes = byte_size(id, tensor, &[elements])?;
            let zero_point = tensor
                .quantization
                .as_ref()
                .and_then(|q| q.zero_points.first());
            let fill = match (tensor.dtype, zero_point) {
                (DType::Int8, Some(&zero)) => i8::try_from(zero).unwrap_or(0) as u8,
                _ => 0,
            };
            states.push(StateTensor { id, bytes, fill });
        }
        for &id in node.inputs.iter().flatten() {
            let is_state = states.iter().any(|s| s.id == id);
            if let Some(tensor) = self.subgraph.tensors.get(id)
                && self.sources[id].is_none()
                && !is_state
            {
                return unsupported!(
                    "{} keeps state, which this operator cannot read yet",
                    label(id, tensor)
                );
            }
        }
        Ok(states)
    }

    /// Enters the outputs of a node that has found their shapes; they are fed behind the imports.
    fn make(&mut self, outputs: &[TensorId], made: &[Made], imports: usize) -> Result<()> {
        if outputs.len() != made.len() {
            return malformed!("it has {} outputs, not {}", outputs.len(), made.len());
        }
        for (i, (&id, made)) in outputs.iter().zip(made).enumerate() {
            let tensor = &self.subgraph.tensors[id];
            if byte_size(id, tensor, &made.shape)? != made.data.bytes().len() {
                return malformed!(
                    "{} of shape {:?} got {} bytes",
                    label(id, tensor),
                    made.shape,
                    made.data.bytes().len()
                );
            }
            self.shapes[id] = Some(made.shape.clone());
            self.sources[id] = Some(Source::Fed(imports + i));
        }
        Ok(())
    }

    fn know(&mut self, id: TensorId, value: Buffer) {
        self.known[id] = Some(Arc::new(value));
        self.sources[id] = Some(Source::Known);
    }

    /// Runs a kernel all of whose inputs are known.
    fn compute(
        &self,
        kernel: &mut Kernel,
        inputs: &[Option<TensorId>],
        results: &mut [Buffer],
    ) -> Result<()> {
        let mut constants = vec![];
        let mut places = vec![];
        for id in inputs {
            places.push(id.and_then(|id| self.known[id].clone()).map(|buffer| {
                constants.push(buffer);
                Place::Constant(constants.len() - 1)
            }));
        }
        let inputs = Inputs {
            places: &places,
            memory: Memory {
                fed: &[],
                constants: &constants,
                slots: &[],
            },
        };
        let work = Work {
            scratch: &mut Scratch::new(),
            threads: 1,
            state: &mut State::default(),
            ranges: &mut Ranges::default(),
            parts: None,
        };
        let mut outs: Vec<&mut [u8]> = results.iter_mut().map(Buffer::bytes_mut).collect();
        kernel(&inputs, &mut outs, work)
    }

    /// Gives every computed tensor a slot, reusing those whose tensors nobody reads any more.
    fn finish(self) -> Result<Segment> {
        let imports = self.imports();
        let last_use = self.last_use(&imports)?;
        let mut slots: Vec<usize> = vec![];
        let mut free: Vec<usize> = vec![];
        let mut slot_of = vec![0; self.results.len()];
        let mut done_at = vec![vec![]; self.steps.len()];
        for (result, &last) in last_use.iter().enumerate() {
            if let Some(done) = done_at.get_mut(last) {
                done.push(result);
            }
        }
        for (i, step) in self.steps.iter().enumerate() {
            if let Some((_, first)) = step.kernel {
                let own = first..first + step.outputs.len();
                for (slot, result) in slot_of[own.clone()].iter_mut().zip(&self.results[own]) {
                    *slot = take_slot(&mut slots, &mut free, result.bytes);
                }
            }
            free.extend(done_at[i].iter().map(|&result| slot_of[result]));
        }
        let nodes = self.subgraph.nodes.len();
        let charge = self.shared.charge(nodes, &slots)?;
        let mut constants = vec![];
        let mut places: Vec<Option<Place>> = vec![];
        for (id, source) in self.sources.iter().enumerate() {
            places.push(match *source {
                None => None,
                Some(Source::Fed(i)) => Some(Place::Fed(i)),
                Some(Source::Result(r)) => Some(Place::Slot(slot_of[r], self.results[r].bytes)),
                Some(Source::Known) => self.known[id].clone().map(|buffer| {
                    constants.push(buffer);
                    Place::Constant(constants.len() - 1)
                }),
            });
        }
        let place = |id: &Option<TensorId>| id.and_then(|id| places.get(id).copied().flatten());
        let tail = self.split.map(|split| {
            let (next, split) = match split {
                PlannedSplit::Value(node, id) => (node, Split::Value(id)),
                PlannedSplit::Shapes(node, kernel) => {
                    let n = &self.subgraph.nodes[node];
                    let split = Split::Shapes {
                        node,
                        kernel,
                        inputs: n.inputs.iter().map(place).collect(),
                        outputs: n.outputs.clone(),
                    };
                    (node + 1, split)
                }
            };
            Box::new(Tail {
                split,
                next,
                imports,
                known: self.known,
                prepared: vec![],
            })
        });
        let steps = self.steps.into_iter().map(|step| Step {
            node: step.node,
            outputs: step.outputs,
            inputs: step.inputs.iter().map(place).collect(),
            kernel: step.kernel.map(|(kernel, _)| kernel),
            states: step.states,
        });
        Ok(Segment {
            steps: steps.collect(),
            shared: self.shared.clone(),
            path: self.path.to_vec(),
            shapes: self.shapes,
            constants,
            ranges: vec![None; slots.len()],
            slots: slots
                .into_iter()
                .map(Buffer::zeros)
                .collect::<Result<_>>()?,
            places,
            scratch: self.scratch.into_inner(),
            tail,
            _charge: charge,
        })
    }

    /// Tensors fed or computed so far that the nodes behind the split read.
    fn imports(&self) -> Vec<TensorId> {
        let (next, sizing) = match &self.split {
            None => return vec![],
            Some(PlannedSplit::Value(node, id)) => (*node, vec![*id]),
            Some(PlannedSplit::Shapes(node, _)) => {
                let inputs = &self.subgraph.nodes[*node].inputs;
                (*node + 1, inputs.iter().flatten().copied().collect())
            }
        };
        let behind = self.subgraph.nodes.iter().skip(next);
        let mut wanted = vec![false; self.sources.len()];
        let read = behind.flat_map(|n| n.inputs.iter().flatten());
        for &id in read.chain(&self.subgraph.outputs).chain(&sizing) {
            if let Some(wanted) = wanted.get_mut(id) {
                *wanted = true;
            }
        }
        let is_here = |id: &TensorId| {
            let source = self.sources[*id];
            wanted[*id] && matches!(source, Some(Source::Fed(_) | Source::Result(_)))
        };
        (0..wanted.len()).filter(is_here).collect()
    }

    /// The last step that reads each result; `usize::MAX` for what leaves the graph or goes on behind a split.
    fn last_use(&self, imports: &[TensorId]) -> Result<Vec<usize>> {
        let mut last: Vec<usize> = self.results.iter().map(|r| r.step).collect();
        for (i, step) in self.steps.iter().enumerate() {
            // An observer looks at a reshaped tensor when its own step comes.
            for &id in step.inputs.iter().flatten().chain(&step.outputs) {
                if let Some(Source::Result(r)) = self.sources[id] {
                    last[r] = last[r].max(i);
                }
            }
        }
        for &id in &self.subgraph.outputs {
            let Some(tensor) = self.subgraph.tensors.get(id) else {
                return malformed!("An output is tensor {id}, which does not exist");
            };
            if self.sources[id].is_none() && self.split.is_none() {
                return malformed!("Output {} is never computed", label(id, tensor));
            }
        }
        for &id in self.subgraph.outputs.iter().chain(imports) {
            if let Some(Source::Result(r)) = self.sources[id] {
                last[r] = usize::MAX;
            }
        }
        Ok(last)
    }
}

/// The free slot that fits `bytes` best, grown if none is large enough, or a new one.
fn take_slot(slots: &mut Vec<usize>, free: &mut Vec<usize>, bytes: usize) -> usize {
    let fits = (0..free.len())
        .filter(|&i| slots[free[i]] >= bytes)
        .min_by_key(|&i| slots[free[i]]);
    let largest = (0..free.len()).max_by_key(|&i| slots[free[i]]);
    match fits.or(largest) {
        Some(i) => {
            let slot = free.swap_remove(i);
            slots[slot] = slots[slot].max(bytes);
            slot
        }
        None => {
            slots.push(bytes);
            slots.len() - 1
        }
    }
}

fn thread_pool(threads: usize) -> Result<Option<rayon::ThreadPool>> {
    if threads <= 1 {
        return Ok(None);
    }
    match rayon::ThreadPoolBuilder::new().num_threads(threads).build() {
        Ok(pool) => Ok(Some(pool)),
        Err(e) => invalid!("Cannot start {threads} threads: {e}"),
    }
}

#[cfg(test)]
mod tests;
