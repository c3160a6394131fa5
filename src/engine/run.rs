//! A prepared graph and its run.

use std::sync::Arc;
use std::time::Duration;

use super::buffer::{bytes_of, has_values, to_value};
use super::node::label;
use super::segment::{Output, Run, Segment, show};
use super::shared::Shared;
use super::state::{State, Times};
use super::{Observer, Options};
use crate::error::Result;
use crate::graph::{Subgraph, TensorId, Value};
use crate::kernels::parallel::awake;
use crate::progress::Progress;
use crate::{invalid, unsupported};

/// A subgraph prepared for fixed input shapes. Runs as often as wanted; not two at a time. Recurrent nodes and variables keep
/// their state from run to run until [`Prepared::reset`].
pub struct Prepared {
    shared: Arc<Shared>,
    main: Segment,
    state: State,
    /// `None` runs everything on the calling thread.
    pool: Option<rayon::ThreadPool>,
}

impl std::fmt::Debug for Prepared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Prepared")
            .field("options", &self.shared.options)
            .field("memory", &self.memory())
            .finish_non_exhaustive()
    }
}

impl Prepared {
    pub(super) fn new(shared: Arc<Shared>, main: Segment, pool: Option<rayon::ThreadPool>) -> Self {
        // Without a pool parts of a kernel would go to that of the whole process.
        let threads = pool.as_ref().map_or(1, |p| p.current_num_threads());
        Self {
            shared,
            main,
            state: State::new(threads),
            pool,
        }
    }

    /// How it was prepared.
    pub fn options(&self) -> &Options {
        &self.shared.options
    }

    fn subgraph(&self) -> &Subgraph {
        &self.shared.graph.subgraphs[self.shared.options.subgraph]
    }

    fn shapes_of(&self, ids: &[TensorId]) -> Vec<Vec<usize>> {
        let declared = |id: TensorId| &self.subgraph().tensors[id].shape[..];
        let shape = |&id: &TensorId| self.shape(id).unwrap_or_else(|| declared(id)).to_vec();
        ids.iter().map(shape).collect()
    }

    /// Shape of each input, in input order.
    pub fn input_shapes(&self) -> Vec<Vec<usize>> {
        self.shapes_of(&self.subgraph().inputs)
    }

    /// Shape of each output, in output order; where it depends on values that of the last run, or before the first what the file declares.
    pub fn output_shapes(&self) -> Vec<Vec<usize>> {
        self.shapes_of(&self.subgraph().outputs)
    }

    /// Whether all shapes are known before running.
    pub fn is_static(&self) -> bool {
        self.main.output_shapes().is_some()
    }

    /// Resolved shape of a tensor; `None` if this subgraph does not define it, or only while running.
    pub fn shape(&self, id: TensorId) -> Option<&[usize]> {
        self.main.shape(id)
    }

    /// Bytes that computed tensors take while running.
    pub fn memory(&self) -> usize {
        self.main.memory()
    }

    /// Lets recurrent nodes and variables begin anew, as after preparing.
    pub fn reset(&mut self) {
        self.state.reset();
    }

    /// From now on a run fails with [`crate::error::Error::Cancelled`] between two nodes once `progress` was cancelled.
    pub fn stop_with(&mut self, progress: &Progress) {
        self.state.stop = Some(progress.clone());
    }

    /// Runs once: one array per input, in input order, of the prepared shape and the tensor's own type; returns one
    /// array per output. `observer` sees each tensor as it is defined.
    ///
    /// # Errors
    /// Arrays that do not fit the inputs; cancellation; in a graph whose shapes depend on values, whatever preparing may find.
    pub fn run(
        &mut self,
        inputs: &[Value],
        observer: Option<&mut dyn Observer>,
    ) -> Result<Vec<Value>> {
        let fed = self.check(inputs)?;
        let (shared, main, state) = (&self.shared, &mut self.main, &mut self.state);
        let subgraph = shared.subgraph(shared.options.subgraph)?;
        let mut values = vec![];
        let mut sink = |outputs: &[Output<'_>]| {
            for output in outputs {
                values.push(value_of(subgraph, output)?);
            }
            Ok(())
        };
        let mut run = Run {
            state,
            observer: observer.map(|o| o as &mut dyn Observer),
        };
        let mut run = || {
            for (&id, &bytes) in subgraph.inputs.iter().zip(&fed) {
                let shape = main.shape(id).unwrap_or_default().to_vec();
                show(shared, shared.options.subgraph, id, &shape, bytes, &mut run);
            }
            main.run(&fed, &mut run, &mut sink)
        };
        match &self.pool {
            None => run(),
            Some(pool) => pool.install(|| awake(run)),
        }?;
        Ok(values)
    }

    /// As [`Prepared::run`], and how long each node of the subgraph took; `None` where a node had nothing to compute.
    ///
    /// # Errors
    /// As [`Prepared::run`].
    pub fn run_timed(&mut self, inputs: &[Value]) -> Result<(Vec<Value>, Vec<Option<Duration>>)> {
        self.state.times = Some(Times {
            subgraph: self.shared.options.subgraph,
            nodes: vec![None; self.subgraph().nodes.len()],
        });
        let outputs = self.run(inputs, None);
        let times = self.state.times.take().unwrap_or_default();
        Ok((outputs?, times.nodes))
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
}

fn value_of(subgraph: &Subgraph, output: &Output<'_>) -> Result<Value> {
    let tensor = &subgraph.tensors[output.id];
    match to_value(tensor.dtype, output.shape, output.bytes) {
        Some(value) => Ok(value),
        None => unsupported!(
            "Output {} is {}, which cannot be returned yet",
            label(output.id, tensor),
            tensor.dtype
        ),
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
