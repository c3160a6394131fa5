//! A prepared graph and its run.

use std::sync::Arc;

use super::buffer::{Buffer, bytes_of, has_values, to_value, to_view};
use super::node::{Inputs, Kernel, Memory, Place, Work, label};
use super::{Observer, Options};
use crate::error::Result;
use crate::graph::{Graph, Subgraph, TensorId, Value};
use crate::kernels::Scratch;
use crate::{invalid, unsupported};

/// One node, ready to run. Without a kernel its outputs are known or share the place of its input.
pub(super) struct Step {
    pub outputs: Vec<TensorId>,
    pub inputs: Vec<Option<Place>>,
    pub kernel: Option<Kernel>,
}

/// A subgraph prepared for fixed input shapes. Runs as often as wanted; not two at a time.
pub struct Prepared {
    pub(super) graph: Arc<Graph>,
    pub(super) options: Options,
    pub(super) steps: Vec<Step>,
    /// Resolved shape of each tensor that is defined.
    pub(super) shapes: Vec<Option<Vec<usize>>>,
    /// Where each tensor that is defined lies.
    pub(super) places: Vec<Option<Place>>,
    pub(super) constants: Vec<Arc<Buffer>>,
    pub(super) slots: Vec<Buffer>,
    /// Working memory of packed kernels.
    pub(super) scratch: Scratch,
    /// `None` runs everything on the calling thread.
    pub(super) pool: Option<rayon::ThreadPool>,
}

impl std::fmt::Debug for Prepared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Prepared")
            .field("options", &self.options)
            .field("steps", &self.steps.len())
            .field("memory", &self.memory())
            .finish_non_exhaustive()
    }
}

impl Prepared {
    fn subgraph(&self) -> &Subgraph {
        &self.graph.subgraphs[self.options.subgraph]
    }

    fn shapes_of(&self, ids: &[TensorId]) -> Vec<Vec<usize>> {
        let shape = |&id: &TensorId| self.shapes[id].clone().unwrap_or_default();
        ids.iter().map(shape).collect()
    }

    /// Shape of each input, in input order.
    pub fn input_shapes(&self) -> Vec<Vec<usize>> {
        self.shapes_of(&self.subgraph().inputs)
    }

    /// Shape of each output, in output order.
    pub fn output_shapes(&self) -> Vec<Vec<usize>> {
        self.shapes_of(&self.subgraph().outputs)
    }

    /// Resolved shape of a tensor; `None` if this subgraph does not define it.
    pub fn shape(&self, id: TensorId) -> Option<&[usize]> {
        self.shapes.get(id)?.as_deref()
    }

    /// Bytes that computed tensors take while running.
    pub fn memory(&self) -> usize {
        self.slots.iter().map(|s| s.bytes().len()).sum()
    }

    /// Runs once: one array per input, in input order, of the prepared shape and the tensor's own type; returns one
    /// array per output. `observer` sees each tensor as it is defined.
    ///
    /// Fails if the arrays do not fit the inputs; nothing else can fail any more.
    pub fn run(
        &mut self,
        inputs: &[Value],
        observer: Option<&mut dyn Observer>,
    ) -> Result<Vec<Value>> {
        let fed = self.check(inputs)?;
        let pool = self.pool.take();
        let done = match (&pool, observer) {
            (None, observer) => self.steps_in_order(&fed, observer, None),
            (Some(pool), None) => pool.install(|| self.steps_in_order(&fed, None, None)),
            // The observer stays on the calling thread, so only kernels enter the pool.
            (Some(pool), observer) => self.steps_in_order(&fed, observer, Some(pool)),
        };
        self.pool = pool;
        done?;
        self.outputs(&fed)
    }

    fn check<'a>(&self, inputs: &'a [Value]) -> Result<Vec<&'a [u8]>> {
        let subgraph = self.subgraph();
        if inputs.len() != subgraph.inputs.len() {
            return invalid!(
                "The model takes {} inputs, not {}",
                subgraph.inputs.len(),
                inputs.len()
            );
        }
        let mut fed = vec![];
        for (&id, value) in subgraph.inputs.iter().zip(inputs) {
            let tensor = &subgraph.tensors[id];
            let shape = self.shape(id).unwrap_or_default();
            if value.dtype() != tensor.dtype || value.shape != shape {
                return invalid!(
                    "Input {} takes {} of shape {shape:?}, not {} of shape {:?}",
                    label(id, tensor),
                    tensor.dtype,
                    value.dtype(),
                    value.shape
                );
            }
            let bytes = bytes_of(&value.data);
            if bytes.len() != shape.iter().product::<usize>() * tensor.dtype.bits() / 8 {
                return invalid!(
                    "Input {} has {} elements, which do not fill its shape {shape:?}",
                    label(id, tensor),
                    value.data.len()
                );
            }
            fed.push(bytes);
        }
        Ok(fed)
    }

    fn steps_in_order(
        &mut self,
        fed: &[&[u8]],
        mut observer: Option<&mut (dyn Observer + '_)>,
        pool: Option<&rayon::ThreadPool>,
    ) -> Result<()> {
        if let Some(o) = observer.as_deref_mut() {
            for &id in &self.subgraph().inputs.clone() {
                self.show(id, fed, o);
            }
        }
        for i in 0..self.steps.len() {
            let step = &mut self.steps[i];
            if let Some(kernel) = &mut step.kernel {
                let mut taken = Taken::take(&step.outputs, &self.places, &mut self.slots);
                let inputs = Inputs {
                    places: &step.inputs,
                    memory: Memory {
                        fed,
                        constants: &self.constants,
                        slots: &self.slots,
                    },
                };
                let work = Work {
                    scratch: &mut self.scratch,
                    threads: self.options.threads.max(1),
                };
                let done = taken.write(|outs| match pool {
                    None => kernel(&inputs, outs, work),
                    Some(pool) => pool.install(|| kernel(&inputs, outs, work)),
                });
                taken.put_back(&mut self.slots);
                done.map_err(|e| e.at(format_args!("node {i}")))?;
            }
            if let Some(o) = observer.as_deref_mut() {
                for &id in &self.steps[i].outputs {
                    self.show(id, fed, o);
                }
            }
        }
        Ok(())
    }

    fn bytes<'a>(&'a self, id: TensorId, fed: &'a [&'a [u8]]) -> &'a [u8] {
        let memory = Memory {
            fed,
            constants: &self.constants,
            slots: &self.slots,
        };
        self.places[id].map_or(&[], |place| memory.bytes(place))
    }

    fn show(&self, id: TensorId, fed: &[&[u8]], observer: &mut (dyn Observer + '_)) {
        let tensor = &self.subgraph().tensors[id];
        let shape = self.shape(id).unwrap_or_default();
        if let Some(view) = to_view(tensor.dtype, shape, self.bytes(id, fed)) {
            observer.tensor(id, view);
        }
    }

    fn outputs(&self, fed: &[&[u8]]) -> Result<Vec<Value>> {
        let subgraph = self.subgraph();
        let value = |&id: &TensorId| {
            let tensor = &subgraph.tensors[id];
            let shape = self.shape(id).unwrap_or_default();
            match to_value(tensor.dtype, shape, self.bytes(id, fed)) {
                Some(value) => Ok(value),
                None => unsupported!(
                    "Output {} is {}, which cannot be returned yet",
                    label(id, tensor),
                    tensor.dtype
                ),
            }
        };
        subgraph.outputs.iter().map(value).collect()
    }
}

/// The slots that a step writes, taken out of the memory that it reads.
enum Taken {
    One(TakenSlot),
    Several(Vec<TakenSlot>),
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
    fn take(outputs: &[TensorId], places: &[Option<Place>], slots: &mut [Buffer]) -> Self {
        match outputs {
            &[id] => Taken::One(TakenSlot::take(places[id], slots)),
            _ => Taken::Several(
                outputs
                    .iter()
                    .map(|&id| TakenSlot::take(places[id], slots))
                    .collect(),
            ),
        }
    }

    /// Runs `kernel` on their bytes; a node of one output costs no allocation.
    fn write<R>(&mut self, kernel: impl FnOnce(&mut [&mut [u8]]) -> R) -> R {
        match self {
            Taken::One(one) => kernel(&mut [one.bytes_mut()]),
            Taken::Several(all) => {
                let mut outs: Vec<_> = all.iter_mut().map(TakenSlot::bytes_mut).collect();
                kernel(&mut outs)
            }
        }
    }

    fn put_back(self, slots: &mut [Buffer]) {
        match self {
            Taken::One(one) => one.put_back(slots),
            Taken::Several(all) => all.into_iter().for_each(|t| t.put_back(slots)),
        }
    }
}

/// Fails if arrays of a tensor's type cannot be fed or returned.
pub(super) fn check_has_values(subgraph: &Subgraph, ids: &[TensorId], what: &str) -> Result<()> {
    for &id in ids {
        let tensor = &subgraph.tensors[id];
        if !has_values(tensor.dtype) {
            return unsupported!(
                "{what} {} is {}, which cannot run yet",
                label(id, tensor),
                tensor.dtype
            );
        }
    }
    Ok(())
}
