//! A prepared run of nodes whose shapes are all known, and what follows it once values or further shapes are.

use std::sync::Arc;

use super::Observer;
use super::buffer::{Buffer, to_view};
use super::built::{Inputs, Kernel, Made, Memory, Parts, Place, SizingKernel, Work};
use super::plan;
use super::shared::{Charge, Shared};
use super::state::State;
use crate::error::Result;
use crate::graph::TensorId;
use crate::kernels::{FloatRange, Ranges, Scratch};
use crate::malformed;

/// Continuations that a split keeps prepared for other values and shapes.
const MOST_KEPT: usize = 64;

/// One node, ready to run. Without a kernel its outputs are known or share the place of its input.
pub(super) struct Step {
    /// Index of the node.
    pub node: usize,
    pub outputs: Vec<TensorId>,
    pub inputs: Vec<Option<Place>>,
    pub kernel: Option<Kernel>,
    pub states: Vec<StateTensor>,
}

/// A state tensor that a step changes in place.
#[derive(Debug, Clone, Copy)]
pub(super) struct StateTensor {
    pub id: TensorId,
    pub bytes: usize,
    /// What each of its bytes begins as.
    pub fill: u8,
}

/// See the head of this file. The first segment of a subgraph is fed its inputs, each further one what it imports.
pub(super) struct Segment {
    pub shared: Arc<Shared>,
    /// The subgraphs that were being prepared, outermost first; the last is the segment's own.
    pub path: Vec<usize>,
    pub steps: Vec<Step>,
    /// Resolved shape of each tensor that is defined.
    pub shapes: Vec<Option<Vec<usize>>>,
    /// Where each tensor that is defined lies.
    pub places: Vec<Option<Place>>,
    pub constants: Vec<Arc<Buffer>>,
    pub slots: Vec<Buffer>,
    /// The range of the floats in each slot, if who computed them found it.
    pub ranges: Vec<Option<FloatRange>>,
    /// Working memory of packed kernels.
    pub scratch: Scratch,
    /// What follows, if not all could be prepared.
    pub tail: Option<Box<Tail>>,
    /// Its part of the memory that a run may use.
    pub _charge: Charge,
}

/// Why the nodes that follow could not be prepared yet.
pub(super) enum Split {
    /// The first of them depends on the value of this tensor.
    Value(TensorId),
    /// The node before them finds the shapes of its outputs while it runs.
    Shapes {
        node: usize,
        kernel: SizingKernel,
        inputs: Vec<Option<Place>>,
        outputs: Vec<TensorId>,
    },
}

/// The nodes that follow a split.
pub(super) struct Tail {
    pub split: Split,
    /// The first of them.
    pub next: usize,
    /// Tensors computed or fed before the split that are read behind it.
    pub imports: Vec<TensorId>,
    /// Values known at the split.
    pub known: Vec<Option<Arc<Buffer>>>,
    /// Most recently used last.
    pub prepared: Vec<Continuation>,
}

/// The nodes behind a split, prepared for one value or one set of shapes.
pub(super) struct Continuation {
    value: Vec<u8>,
    shapes: Vec<Vec<usize>>,
    segment: Segment,
}

/// An output of a subgraph that has just run.
pub(super) struct Output<'a> {
    pub id: TensorId,
    pub shape: &'a [usize],
    pub bytes: &'a [u8],
}

/// Receives all outputs at the end of a run.
pub(super) type Sink<'a> = &'a mut (dyn FnMut(&[Output<'_>]) -> Result<()> + Send);

/// What a run goes with.
pub(super) struct Run<'r> {
    pub state: &'r mut State,
    pub observer: Option<&'r mut (dyn Observer + 'r)>,
}

impl Segment {
    /// Index of its subgraph.
    pub fn subgraph(&self) -> usize {
        self.path.last().copied().unwrap_or(0)
    }

    /// Shape of each output of the subgraph; `None` if some of it is only known while running.
    pub fn output_shapes(&self) -> Option<Vec<Vec<usize>>> {
        if self.tail.is_some() {
            return None;
        }
        let outputs = &self.shared.subgraph(self.subgraph()).ok()?.outputs;
        outputs
            .iter()
            .map(|&id| self.shape(id).map(<[usize]>::to_vec))
            .collect()
    }

    /// Resolved shape of a tensor, as of the last run where it is only known while running.
    pub fn shape(&self, id: TensorId) -> Option<&[usize]> {
        let behind = || self.tail.as_ref()?.prepared.last()?.segment.shape(id);
        self.shapes.get(id)?.as_deref().or_else(behind)
    }

    /// Bytes that computed tensors take while running, as far as prepared.
    pub fn memory(&self) -> usize {
        let own: usize = self.slots.iter().map(|s| s.bytes().len()).sum();
        let behind = self
            .tail
            .iter()
            .flat_map(|t| &t.prepared)
            .map(|c| c.segment.memory());
        own + behind.sum::<usize>()
    }

    /// Runs all nodes once and hands the outputs of the subgraph to `sink`.
    pub fn run(&mut self, fed: &[&[u8]], run: &mut Run<'_>, sink: Sink<'_>) -> Result<()> {
        let subgraph = self.subgraph();
        for step in &mut self.steps {
            if let Some(kernel) = &mut step.kernel {
                run.state.check()?;
                let mut taken =
                    Taken::take(&step.outputs, &step.states, &self.places, &mut self.slots);
                let states = taken.take_states(subgraph, &step.states, run.state);
                let inputs = Inputs {
                    places: &step.inputs,
                    memory: Memory {
                        fed,
                        constants: &self.constants,
                        slots: &self.slots,
                    },
                };
                let (scratch, threads) = (&mut self.scratch, run.state.threads.max(1));
                let mut parts = run.observer.is_some().then(Parts::new);
                let wanted = parts.as_mut();
                let mut ranges = Ranges {
                    input: inputs.slot(0).and_then(|slot| self.ranges[slot]),
                    output: None,
                };
                let begun = run.state.begin(subgraph);
                let done = states.and_then(|()| {
                    let work = Work {
                        scratch,
                        threads,
                        state: run.state,
                        ranges: &mut ranges,
                        parts: wanted,
                    };
                    taken.write(|outs| kernel(&inputs, outs, work))
                });
                run.state.end(step.node, begun);
                for &id in &step.outputs {
                    if let Some(Place::Slot(slot, _)) = self.places[id] {
                        self.ranges[slot] = ranges.output;
                    }
                }
                taken.put_back(subgraph, &step.states, &mut self.slots, run.state);
                done.map_err(|e| self.shared.at_node(subgraph, step.node, e))?;
                if let Some(observer) = run.observer.as_deref_mut() {
                    for (part, min, max) in parts.into_iter().flatten() {
                        observer.part(step.node, part, min, max);
                    }
                }
            }
            if run.observer.is_some() {
                let memory = Memory {
                    fed,
                    constants: &self.constants,
                    slots: &self.slots,
                };
                for &id in &step.outputs {
                    let bytes = self.places[id].map_or(&[][..], |p| memory.bytes(p));
                    let shape = self.shapes[id].as_deref().unwrap_or_default();
                    show(&self.shared, subgraph, id, shape, bytes, run);
                }
            }
        }
        let memory = Memory {
            fed,
            constants: &self.constants,
            slots: &self.slots,
        };
        let bytes = |id: TensorId| match self.places.get(id).copied().flatten() {
            Some(place) => memory.bytes(place),
            None => &[],
        };
        match &mut self.tail {
            None => {
                let shape = |id: TensorId| self.shapes[id].as_deref().unwrap_or_default();
                let output = |&id: &TensorId| Output {
                    id,
                    shape: shape(id),
                    bytes: bytes(id),
                };
                let outputs = &self.shared.subgraph(subgraph)?.outputs;
                sink(&outputs.iter().map(output).collect::<Vec<_>>())
            }
            Some(tail) => {
                run.state.check()?;
                let made = match &mut tail.split {
                    Split::Value(_) => vec![],
                    Split::Shapes {
                        node,
                        kernel,
                        inputs,
                        ..
                    } => {
                        let places = inputs;
                        let inputs = Inputs { places, memory };
                        let (scratch, threads) = (&mut self.scratch, run.state.threads.max(1));
                        let begun = run.state.begin(subgraph);
                        let work = Work {
                            scratch,
                            threads,
                            state: run.state,
                            ranges: &mut Ranges::default(),
                            parts: None,
                        };
                        let made = kernel(&inputs, work);
                        run.state.end(*node, begun);
                        made.map_err(|e| self.shared.at_node(subgraph, *node, e))?
                    }
                };
                let mut fed: Vec<&[u8]> = tail.imports.iter().map(|&id| bytes(id)).collect();
                fed.extend(made.iter().map(|m| m.data.bytes()));
                let value = match &tail.split {
                    Split::Value(id) => bytes(*id),
                    Split::Shapes { .. } => &[],
                };
                if let Split::Shapes { outputs, .. } = &tail.split {
                    for (&id, made) in outputs.iter().zip(&made) {
                        show(
                            &self.shared,
                            subgraph,
                            id,
                            &made.shape,
                            made.data.bytes(),
                            run,
                        );
                    }
                }
                let next =
                    tail.continuation(&self.shared, &self.path, &self.shapes, value, &made)?;
                run.state.enter()?;
                let done = next.run(&fed, run, sink);
                run.state.leave();
                done
            }
        }
    }
}

impl Tail {
    /// The segment behind the split for this value or these outputs, prepared if it is not yet.
    fn continuation(
        &mut self,
        shared: &Arc<Shared>,
        path: &[usize],
        shapes: &[Option<Vec<usize>>],
        value: &[u8],
        made: &[Made],
    ) -> Result<&mut Segment> {
        let fits = |c: &Continuation| {
            c.value == value && c.shapes.iter().eq(made.iter().map(|m| &m.shape))
        };
        if let Some(at) = self.prepared.iter().rposition(fits) {
            // Ends at the back, so that the front is what has not been used for longest.
            self.prepared[at..].rotate_left(1);
        } else {
            if self.prepared.len() >= MOST_KEPT {
                self.prepared.remove(0);
            }
            let segment = plan::continuation(shared, path, self, shapes, value, made)?;
            self.prepared.push(Continuation {
                value: value.to_vec(),
                shapes: made.iter().map(|m| m.shape.clone()).collect(),
                segment,
            });
        }
        match self.prepared.last_mut() {
            Some(last) => Ok(&mut last.segment),
            None => malformed!("nothing follows the split"),
        }
    }
}

impl Shared {
    /// The error with the node it arose in put in front.
    pub fn at_node(
        &self,
        subgraph: usize,
        node: usize,
        e: crate::error::Error,
    ) -> crate::error::Error {
        let found = self.subgraph(subgraph).ok().and_then(|s| s.nodes.get(node));
        let name = found.map_or("", |n| n.op.name());
        match subgraph == self.options.subgraph {
            true => e.at(format_args!("node {node}, {name}")),
            false => e.at(format_args!("subgraph {subgraph}, node {node}, {name}")),
        }
    }
}

/// Shows one tensor to the observer, if there is one.
pub(super) fn show(
    shared: &Shared,
    subgraph: usize,
    id: TensorId,
    shape: &[usize],
    bytes: &[u8],
    run: &mut Run<'_>,
) {
    let Some(observer) = run.observer.as_deref_mut() else {
        return;
    };
    let tensor = shared
        .subgraph(subgraph)
        .ok()
        .and_then(|s| s.tensors.get(id));
    if let Some(tensor) = tensor
        && let Some(view) = to_view(tensor.dtype, shape, bytes)
    {
        observer.tensor(id, view);
    }
}

/// The slots and states that a step writes, taken out of the memory that it reads.
enum Taken {
    One(TakenSlot),
    Several(Vec<TakenSlot>, Vec<Buffer>),
}

struct TakenSlot {
    slot: usize,
    bytes: usize,
    buffer: Buffer,
}

impl TakenSlot {
    fn take(place: Option<Place>, slots: &mut [Buffer]) -> Self {
        let (slot, bytes) = match place {
            Some(Place::Slot(slot, bytes)) => (slot, bytes),
            _ => (usize::MAX, 0),
        };
        let buffer = slots.get_mut(slot).map(std::mem::take).unwrap_or_default();
        Self {
            slot,
            bytes,
            buffer,
        }
    }

    fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.buffer.bytes_mut()[..self.bytes]
    }

    fn put_back(self, slots: &mut [Buffer]) {
        if let Some(slot) = slots.get_mut(self.slot) {
            *slot = self.buffer;
        }
    }
}

impl Taken {
    fn take(
        outputs: &[TensorId],
        states: &[StateTensor],
        places: &[Option<Place>],
        slots: &mut [Buffer],
    ) -> Self {
        match outputs {
            &[id] if states.is_empty() => Taken::One(TakenSlot::take(places[id], slots)),
            _ => {
                let slot = |&id: &TensorId| TakenSlot::take(places[id], slots);
                Taken::Several(outputs.iter().map(slot).collect(), vec![])
            }
        }
    }

    fn take_states(
        &mut self,
        subgraph: usize,
        ids: &[StateTensor],
        state: &mut State,
    ) -> Result<()> {
        if let Taken::Several(_, states) = self {
            for s in ids {
                states.push(state.take((subgraph, s.id), s.bytes, s.fill)?);
            }
        }
        Ok(())
    }

    /// Runs `kernel` on their bytes; a node of one output costs no allocation.
    fn write<R>(&mut self, kernel: impl FnOnce(&mut [&mut [u8]]) -> R) -> R {
        match self {
            Taken::One(one) => kernel(&mut [one.bytes_mut()]),
            Taken::Several(slots, states) => {
                let slots = slots.iter_mut().map(TakenSlot::bytes_mut);
                let states = states.iter_mut().map(Buffer::bytes_mut);
                kernel(&mut slots.chain(states).collect::<Vec<_>>())
            }
        }
    }

    fn put_back(
        self,
        subgraph: usize,
        ids: &[StateTensor],
        slots: &mut [Buffer],
        state: &mut State,
    ) {
        match self {
            Taken::One(one) => one.put_back(slots),
            Taken::Several(all, states) => {
                all.into_iter().for_each(|t| t.put_back(slots));
                for (s, buffer) in ids.iter().zip(states) {
                    state.put((subgraph, s.id), buffer);
                }
            }
        }
    }
}
