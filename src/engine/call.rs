//! Subgraphs that a node calls: prepared for the shapes it calls them with, run with bytes.

use std::sync::Arc;

use super::built::Made;
use super::node::NodeCx;
use super::plan;
use super::segment::{Output, Run, Segment};
use super::shared::Shared;
use super::state::State;
use crate::error::Result;
use crate::graph::{DType, Subgraph};
use crate::malformed;

/// Shapes that a called subgraph is kept prepared for.
const MOST_KEPT: usize = 16;

/// A subgraph that a node calls.
pub(super) struct Callee {
    shared: Arc<Shared>,
    /// The subgraphs on the way to it, itself last.
    path: Vec<usize>,
    /// Most recently used last.
    prepared: Vec<(Vec<Vec<usize>>, Segment)>,
}

impl Callee {
    /// Subgraph `index` called from a node; `what` says as what: "its body".
    pub fn new(cx: &NodeCx<'_>, index: usize, what: &str) -> Result<Self> {
        if index >= cx.shared.graph.subgraphs.len() {
            return malformed!(
                "{what} is subgraph {index}, but the model has {}",
                cx.shared.graph.subgraphs.len()
            );
        }
        Ok(Self {
            shared: cx.shared.clone(),
            path: cx.path.iter().copied().chain([index]).collect(),
            prepared: vec![],
        })
    }

    /// The subgraph itself.
    pub fn subgraph(&self) -> Result<&Subgraph> {
        self.shared.subgraph(self.path.last().copied().unwrap_or(0))
    }

    /// Fails unless it takes and gives tensors of these types.
    pub fn expect(&self, what: &str, inputs: &[DType], outputs: &[DType]) -> Result<()> {
        let subgraph = self.subgraph()?;
        let sides = [
            ("takes", inputs, &subgraph.inputs),
            ("gives", outputs, &subgraph.outputs),
        ];
        for (verb, wanted, ids) in sides {
            let dtype = |&id: &usize| subgraph.tensors.get(id).map(|t| t.dtype);
            let found: Vec<Option<DType>> = ids.iter().map(dtype).collect();
            if !found.iter().copied().eq(wanted.iter().map(|&d| Some(d))) {
                let list = |types: Vec<DType>| {
                    let names: Vec<_> = types.iter().map(|d| d.name()).collect();
                    names.join(", ")
                };
                return malformed!(
                    "{what} {verb} {} tensors ({}), not {} ({})",
                    found.len(),
                    list(found.into_iter().flatten().collect()),
                    wanted.len(),
                    list(wanted.to_vec())
                );
            }
        }
        Ok(())
    }

    /// Prepares it for these shapes of its inputs.
    pub fn prepare(&mut self, shapes: &[Vec<usize>]) -> Result<&mut Segment> {
        if let Some(at) = self.prepared.iter().rposition(|(s, _)| s == shapes) {
            self.prepared[at..].rotate_left(1);
        } else {
            if self.prepared.len() >= MOST_KEPT {
                self.prepared.remove(0);
            }
            let segment = plan::whole(&self.shared, &self.path, Some(shapes))?;
            self.prepared.push((shapes.to_vec(), segment));
        }
        match self.prepared.last_mut() {
            Some((_, segment)) => Ok(segment),
            None => malformed!("there is nothing to call"),
        }
    }

    /// Runs it; `outputs` become what it gives, reusing their memory.
    pub fn run(
        &mut self,
        shapes: &[Vec<usize>],
        inputs: &[&[u8]],
        state: &mut State,
        outputs: &mut Vec<Made>,
    ) -> Result<()> {
        let segment = self.prepare(shapes)?;
        let mut copy = |given: &[Output<'_>]| {
            outputs.resize_with(given.len(), Made::default);
            for (output, given) in outputs.iter_mut().zip(given) {
                output.shape.clear();
                output.shape.extend_from_slice(given.shape);
                output.data.become_copy_of(given.bytes)?;
            }
            Ok(())
        };
        state.enter()?;
        let mut run = Run {
            state,
            observer: None,
        };
        let done = segment.run(inputs, &mut run, &mut copy);
        state.leave();
        done
    }
}

/// Shapes and bytes of arguments that loops and branches pass on.
pub(super) fn split(made: &[Made]) -> (Vec<Vec<usize>>, Vec<&[u8]>) {
    made.iter()
        .map(|m| (m.shape.clone(), m.data.bytes()))
        .unzip()
}

/// Copies what a call gave into the outputs of its node.
pub(super) fn hand_over(made: &[Made], outs: &mut [&mut [u8]]) -> Result<()> {
    for (made, out) in made.iter().zip(outs) {
        if made.data.bytes().len() != out.len() {
            return malformed!("a subgraph gave the shape {:?} unlike before", made.shape);
        }
        out.copy_from_slice(made.data.bytes());
    }
    Ok(())
}
