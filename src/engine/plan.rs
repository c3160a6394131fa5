//! Preparing: shapes and constants node by node, then a place in memory for every computed tensor.

use std::cell::RefCell;
use std::sync::Arc;

use super::buffer::Buffer;
use super::node::{Action, Built, Inputs, Kernel, Memory, NodeCx, Operand, Place, Work, label};
use super::run::{Prepared, Step, check_has_values};
use super::{KernelSet, Options, ops};
use crate::error::Result;
use crate::graph::{Graph, Node, Subgraph, Tensor, TensorId};
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
        ops::build(&cx)
            .and_then(|built| plan.define(node, built))
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
    outputs: Vec<TensorId>,
    inputs: Vec<Option<TensorId>>,
    /// The kernel and the first of its results; the others follow.
    kernel: Option<(Kernel, usize)>,
}

struct Plan<'a> {
    subgraph: &'a Subgraph,
    shapes: Vec<Option<Vec<usize>>>,
    known: Vec<Option<Arc<Buffer>>>,
    sources: Vec<Option<Source>>,
    steps: Vec<PlannedStep>,
    results: Vec<PlannedResult>,
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
            results: vec![],
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
                let bytes = if is_sized {
                    byte_size(id, tensor, &tensor.shape)?
                } else {
                    data.len()
                };
                let dense = tensor.densified();
                let dense = dense.map_err(|e| e.at(label(id, tensor)))?;
                let data = dense.as_deref().unwrap_or(data);
                if bytes != data.len() {
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

    /// Enters what a node makes of its outputs; computes them at once if all it reads is known.
    fn define(&mut self, node: &Node, built: Built) -> Result<()> {
        let (outputs, inputs) = (&node.outputs, &node.inputs);
        if outputs.len() != built.shapes.len() {
            return malformed!(
                "it has {} outputs, not {}",
                outputs.len(),
                built.shapes.len()
            );
        }
        let mut sizes = vec![];
        for (i, (&id, shape)) in outputs.iter().zip(&built.shapes).enumerate() {
            let Some(tensor) = self.subgraph.tensors.get(id) else {
                return malformed!("its output is tensor {id}, which does not exist");
            };
            if self.sources[id].is_some() || outputs[..i].contains(&id) {
                return malformed!("{} is defined twice", label(id, tensor));
            }
            sizes.push(byte_size(id, tensor, shape)?);
        }
        let all_known = inputs.iter().flatten().all(|&id| self.known[id].is_some());
        let mut kernel = None;
        match built.action {
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
            Action::Compute(mut compute) if all_known => {
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
            outputs: outputs.clone(),
            inputs: inputs.clone(),
            kernel,
        });
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
        };
        let mut outs: Vec<&mut [u8]> = results.iter_mut().map(Buffer::bytes_mut).collect();
        kernel(&inputs, &mut outs, work)
    }

    /// Gives every computed tensor a slot, reusing those whose tensors nobody reads any more.
    fn finish(self, graph: Arc<Graph>, options: Options, scratch: Scratch) -> Result<Prepared> {
        let last_use = self.last_use()?;
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
                for result in first..first + step.outputs.len() {
                    slot_of[result] = take_slot(&mut slots, &mut free, self.results[result].bytes);
                }
            }
            free.extend(done_at[i].iter().map(|&result| slot_of[result]));
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
                Some(Source::Result(r)) => Some(Place::Slot(slot_of[r], self.results[r].bytes)),
                Some(Source::Known) => self.known[id].clone().map(|buffer| {
                    constants.push(buffer);
                    Place::Constant(constants.len() - 1)
                }),
            });
        }
        let steps = self.steps.into_iter().map(|step| Step {
            outputs: step.outputs,
            inputs: step
                .inputs
                .iter()
                .map(|i| i.and_then(|i| places[i]))
                .collect(),
            kernel: step.kernel.map(|(kernel, _)| kernel),
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

    /// The last step that reads each result; `usize::MAX` for what leaves the graph.
    fn last_use(&self) -> Result<Vec<usize>> {
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
            match self.sources[id] {
                Some(Source::Result(r)) => last[r] = usize::MAX,
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::buffer::{typed, typed_mut};
    use crate::engine::{Observer, Slice, View};
    use crate::graph::{CustomOp, DType, Data, Op, Value};

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
        let mut plan = Plan::new(&graph.subgraphs[0], None).unwrap();
        let built = [halves(4), sum(2), Built::alias(vec![2]), sum(2), sum(2)];
        for (node, built) in nodes.iter().zip(built) {
            plan.define(node, built.unwrap()).unwrap();
        }
        plan.finish(graph.clone(), Options::default(), Scratch::new())
            .unwrap()
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
        let define = |outputs: &[usize], built: Result<Built>| {
            let mut plan = Plan::new(&subgraph, None)?;
            plan.define(&node(&[0], outputs), built?)
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
}

impl NodeCx<'_> {
    /// Bytes of output `i` with this shape; an error if they are more than a run may use.
    pub(super) fn output_bytes(&self, i: usize, shape: &[usize]) -> Result<usize> {
        let (id, tensor) = self.output_at(i)?;
        byte_size(id, tensor, shape)
    }
}
