//! Preparing: shapes and constants node by node, then a place in memory for every computed tensor.

use std::cell::RefCell;
use std::sync::Arc;

use super::buffer::Buffer;
use super::node::{Action, Inputs, Kernel, Memory, NodeCx, Operand, Place, Work, label};
use super::run::{Prepared, Step, check_has_values};
use super::{KernelSet, Options, ops};
use crate::error::Result;
use crate::graph::{Graph, Subgraph, Tensor, TensorId};
use crate::kernels::{Isa, Scratch};
use crate::{invalid, malformed, unsupported};

/// Most bytes that the tensors of a run may take together; a file that asks for more is refused before anything is allocated.
const MEMORY_LIMIT: usize = 1 << 32;

/// Prepares subgraph `options.subgraph` of `graph` to run: resolves all shapes for `input_shapes` (one per input, in input
/// order; `None`: those of the file), checks every node and packs what kernels want packed.
///
/// # Errors
/// `Malformed` where the file contradicts itself, `Unsupported` where an operator, a type or a dynamic shape cannot run
/// yet, `Invalid` where `input_shapes` or `options` do not fit; each names the node and the tensor.
pub fn prepare(
    graph: Arc<Graph>,
    input_shapes: Option<&[Vec<usize>]>,
    options: &Options,
) -> Result<Prepared> {
    let options = *options;
    let Some(subgraph) = graph.subgraphs.get(options.subgraph) else {
        return invalid!(
            "The model has {} subgraphs, so there is no subgraph {}",
            graph.subgraphs.len(),
            options.subgraph
        );
    };
    let isa = match options.kernels {
        KernelSet::Reference => None,
        KernelSet::Fast => Some(Isa::best()?),
    };
    let mut plan = Plan::new(subgraph, input_shapes)?;
    let scratch = RefCell::new(Scratch::new());
    for (index, node) in subgraph.nodes.iter().enumerate() {
        let place = format_args!("node {index}, {}", node.op.name()).to_string();
        let cx = NodeCx {
            node,
            tensors: &subgraph.tensors,
            shapes: &plan.shapes,
            constants: &plan.known,
            isa,
            threads: options.threads.max(1),
            scratch: &scratch,
        };
        let built = ops::build(&cx).and_then(|b| Ok((cx.output()?.0, b)));
        let (output, built) = built.map_err(|e| e.at(&place))?;
        plan.define(output, built.shape, built.action, &node.inputs)
            .map_err(|e| e.at(&place))?;
    }
    plan.finish(graph.clone(), options, scratch.into_inner())
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

/// Bytes of a tensor of this shape.
fn byte_size(id: TensorId, tensor: &Tensor, shape: &[usize]) -> Result<usize> {
    let bits = tensor.dtype.bits();
    if bits == 0 || !bits.is_multiple_of(8) {
        return unsupported!(
            "{} is {}, which cannot run yet",
            label(id, tensor),
            tensor.dtype
        );
    }
    let bytes = shape
        .iter()
        .try_fold(bits / 8, |n, &d| n.checked_mul(d))
        .filter(|&n| n <= MEMORY_LIMIT);
    match bytes {
        Some(bytes) => Ok(bytes),
        None => invalid!(
            "{} of shape {shape:?} takes more than the {} GiB that a run may use",
            label(id, tensor),
            MEMORY_LIMIT >> 30
        ),
    }
}

/// Where a tensor comes from, before slots are given out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Source {
    Fed(usize),
    Known,
    /// Output of that step, under any number of shapes.
    Step(usize),
}

struct PlannedStep {
    output: TensorId,
    inputs: Vec<Option<TensorId>>,
    kernel: Option<Kernel>,
    bytes: usize,
}

struct Plan<'a> {
    subgraph: &'a Subgraph,
    shapes: Vec<Option<Vec<usize>>>,
    known: Vec<Option<Arc<Buffer>>>,
    sources: Vec<Option<Source>>,
    steps: Vec<PlannedStep>,
}

impl<'a> Plan<'a> {
    fn new(subgraph: &'a Subgraph, input_shapes: Option<&[Vec<usize>]>) -> Result<Self> {
        let count = subgraph.tensors.len();
        let mut plan = Self {
            subgraph,
            shapes: vec![None; count],
            known: vec![None; count],
            sources: vec![None; count],
            steps: vec![],
        };
        for &id in subgraph.inputs.iter().chain(&subgraph.outputs) {
            if id >= count {
                return malformed!("An input or output is tensor {id}, which does not exist");
            }
        }
        check_has_values(subgraph, &subgraph.inputs, "Input")?;
        check_has_values(subgraph, &subgraph.outputs, "Output")?;
        for (id, tensor) in subgraph.tensors.iter().enumerate() {
            if tensor.is_variable {
                return unsupported!(
                    "{} keeps state between runs, which cannot run yet",
                    label(id, tensor)
                );
            }
            if let Some(data) = &tensor.data {
                let bits = tensor.dtype.bits();
                let is_sized = bits > 0 && bits.is_multiple_of(8);
                if is_sized && byte_size(id, tensor, &tensor.shape)? != data.len() {
                    return malformed!(
                        "{} of shape {:?} has {} bytes of data",
                        label(id, tensor),
                        tensor.shape,
                        data.len()
                    );
                }
                plan.shapes[id] = Some(tensor.shape.clone());
                plan.sources[id] = Some(Source::Known);
                plan.known[id] = Some(Arc::new(Buffer::copy_of(data)?));
            }
        }
        plan.feed(input_shapes)?;
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
            let tensor = &self.subgraph.tensors[id];
            let shape = input_shapes.map_or(&tensor.shape, |s| &s[i]);
            if tensor.has_rank && shape.len() != tensor.shape.len() {
                return invalid!(
                    "Input {} has shape {:?}, so it cannot take {shape:?}",
                    label(id, tensor),
                    tensor.shape
                );
            }
            if shape.contains(&0) {
                return invalid!(
                    "Input {} cannot take the shape {shape:?}: every extent must be at least 1",
                    label(id, tensor)
                );
            }
            byte_size(id, tensor, shape)?;
            self.shapes[id] = Some(shape.clone());
            self.sources[id] = Some(Source::Fed(i));
            self.known[id] = None;
        }
        Ok(())
    }

    /// Enters what a node makes of its output; computes it at once if all it reads is known.
    fn define(
        &mut self,
        output: TensorId,
        shape: Vec<usize>,
        action: Action,
        inputs: &[Option<TensorId>],
    ) -> Result<()> {
        let tensor = &self.subgraph.tensors[output];
        if self.sources[output].is_some() {
            return malformed!("{} is defined twice", label(output, tensor));
        }
        let bytes = byte_size(output, tensor, &shape)?;
        let all_known = inputs.iter().flatten().all(|&id| self.known[id].is_some());
        let step = self.steps.len();
        let mut kernel = None;
        let source = match action {
            Action::Known(data) => {
                self.known[output] = Some(Arc::new(Buffer::copy_of(&data)?));
                Source::Known
            }
            Action::Alias => match inputs.first().copied().flatten() {
                Some(input) => {
                    self.known[output] = self.known[input].clone();
                    match self.sources[input] {
                        Some(source) => source,
                        None => return malformed!("tensor {input} is read before it is computed"),
                    }
                }
                None => return malformed!("input 0 is missing"),
            },
            Action::Compute(mut compute) if all_known => {
                let mut result = Buffer::zeros(bytes)?;
                self.compute(&mut compute, inputs, &mut result)?;
                self.known[output] = Some(Arc::new(result));
                Source::Known
            }
            Action::Compute(compute) => {
                kernel = Some(compute);
                Source::Step(step)
            }
        };
        self.shapes[output] = Some(shape);
        self.sources[output] = Some(source);
        self.steps.push(PlannedStep {
            output,
            inputs: inputs.to_vec(),
            kernel,
            bytes,
        });
        Ok(())
    }

    /// Runs a kernel all of whose inputs are known.
    fn compute(
        &self,
        kernel: &mut Kernel,
        inputs: &[Option<TensorId>],
        result: &mut Buffer,
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
        };
        kernel(&inputs, result.bytes_mut(), work)
    }

    /// Gives every computed tensor a slot, reusing those whose tensors nobody reads any more.
    fn finish(self, graph: Arc<Graph>, options: Options, scratch: Scratch) -> Result<Prepared> {
        let last_use = self.last_use()?;
        let mut slots: Vec<usize> = vec![];
        let mut free: Vec<usize> = vec![];
        let mut slot_of_step = vec![None; self.steps.len()];
        let mut done_at = vec![vec![]; self.steps.len()];
        for (step, &last) in last_use.iter().enumerate() {
            if let Some(done) = done_at.get_mut(last) {
                done.push(step);
            }
        }
        for (i, step) in self.steps.iter().enumerate() {
            if step.kernel.is_some() {
                let slot = take_slot(&mut slots, &mut free, step.bytes);
                slot_of_step[i] = Some(slot);
            }
            free.extend(done_at[i].iter().filter_map(|&s| slot_of_step[s]));
        }
        if slots
            .iter()
            .try_fold(0usize, |n, &s| n.checked_add(s))
            .is_none_or(|n| n > MEMORY_LIMIT)
        {
            return invalid!(
                "The model takes more than the {} GiB that a run may use",
                MEMORY_LIMIT >> 30
            );
        }
        let mut constants = vec![];
        let mut places: Vec<Option<Place>> = vec![];
        for (id, source) in self.sources.iter().enumerate() {
            places.push(match *source {
                None => None,
                Some(Source::Fed(i)) => Some(Place::Fed(i)),
                Some(Source::Step(s)) => {
                    slot_of_step[s].map(|slot| Place::Slot(slot, self.steps[s].bytes))
                }
                Some(Source::Known) => self.known[id].clone().map(|buffer| {
                    constants.push(buffer);
                    Place::Constant(constants.len() - 1)
                }),
            });
        }
        let steps = self.steps.into_iter().map(|step| Step {
            output: step.output,
            inputs: step
                .inputs
                .iter()
                .map(|i| i.and_then(|i| places[i]))
                .collect(),
            kernel: step.kernel,
        });
        Ok(Prepared {
            steps: steps.collect(),
            options,
            shapes: self.shapes,
            constants,
            slots: slots
                .into_iter()
                .map(Buffer::zeros)
                .collect::<Result<_>>()?,
            pool: thread_pool(options.threads)?,
            places,
            scratch,
            graph,
        })
    }

    /// The last step that reads what each step computes; `usize::MAX` for what leaves the graph.
    fn last_use(&self) -> Result<Vec<usize>> {
        let mut last: Vec<usize> = (0..self.steps.len()).collect();
        for (i, step) in self.steps.iter().enumerate() {
            for id in step.inputs.iter().flatten() {
                if let Some(Source::Step(s)) = self.sources[*id] {
                    last[s] = i;
                }
            }
            // An observer looks at a reshaped tensor when its own step comes.
            if let Some(Source::Step(s)) = self.sources[step.output] {
                last[s] = last[s].max(i);
            }
        }
        for &id in &self.subgraph.outputs {
            match self.sources[id] {
                Some(Source::Step(s)) => last[s] = usize::MAX,
                Some(_) => {}
                None => {
                    return malformed!(
                        "Output {} is never computed",
                        label(id, &self.subgraph.tensors[id])
                    );
                }
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

impl Operand<'_> {
    /// Bytes of one element.
    pub(super) fn element_size(&self) -> Result<usize> {
        byte_size(self.id, self.tensor, &[])
    }
}
