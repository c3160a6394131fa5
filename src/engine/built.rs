//! What a builder makes of a node: the shapes of its outputs and how they come about; and what a kernel sees while it runs.

use std::sync::Arc;

use bytemuck::Pod;

use super::Part;
use super::buffer::{Buffer, typed};
use super::state::State;
use crate::error::Result;
use crate::kernels::{Ranges, Scratch};
use crate::malformed;

/// Where the bytes of a tensor lie while running.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// Given by whoever runs the segment: index of what it is fed.
    Fed(usize),
    /// Known since preparing: index of the constant.
    Constant(usize),
    /// Computed: index of the slot, and bytes.
    Slot(usize, usize),
}

/// All bytes that a step may read.
#[derive(Clone, Copy)]
pub(super) struct Memory<'a> {
    pub fed: &'a [&'a [u8]],
    pub constants: &'a [Arc<Buffer>],
    pub slots: &'a [Buffer],
}

impl<'a> Memory<'a> {
    pub fn bytes(&self, place: Place) -> &'a [u8] {
        match place {
            Place::Fed(i) => self.fed[i],
            Place::Constant(i) => self.constants[i].bytes(),
            Place::Slot(i, bytes) => &self.slots[i].bytes()[..bytes],
        }
    }
}

/// The inputs of one step while it runs.
pub(super) struct Inputs<'a> {
    pub places: &'a [Option<Place>],
    pub memory: Memory<'a>,
}

impl<'a> Inputs<'a> {
    /// Bytes of input `i` of the node; empty if it is absent.
    pub fn bytes(&self, i: usize) -> &'a [u8] {
        match self.places.get(i).copied().flatten() {
            Some(place) => self.memory.bytes(place),
            None => &[],
        }
    }

    /// Elements of input `i` of the node; empty if it is absent.
    pub fn get<T: Pod>(&self, i: usize) -> &'a [T] {
        typed(self.bytes(i))
    }

    /// The slot of input `i` of the node, if it lies in one.
    pub fn slot(&self, i: usize) -> Option<usize> {
        match self.places.get(i).copied().flatten() {
            Some(Place::Slot(slot, _)) => Some(slot),
            Some(Place::Fed(_) | Place::Constant(_)) | None => None,
        }
    }

    /// Elements of an optional input.
    pub fn optional<T: Pod>(&self, i: usize) -> Option<&'a [T]> {
        self.places.get(i).copied().flatten().map(|_| self.get(i))
    }
}

/// What a kernel works with beside its data.
pub(super) struct Work<'a> {
    pub scratch: &'a mut Scratch,
    /// Threads it may use, its own included.
    pub threads: usize,
    /// What lives on between runs, and whether to stop.
    pub state: &'a mut State,
    /// The range of input 0, if who computed it found it; takes that of the only output.
    pub ranges: &'a mut Ranges,
    /// Takes the extremes of what a recurrent node computes on the way, if somebody wants to know.
    pub parts: Option<&'a mut Parts>,
}

/// The extremes of parts of a node.
pub(super) type Parts = Vec<(Part, f32, f32)>;

/// Computes the bytes of all outputs, given in the node's order, followed by the node's state to change in place.
pub(super) type Kernel =
    Box<dyn FnMut(&Inputs<'_>, &mut [&mut [u8]], Work<'_>) -> Result<()> + Send>;

/// Computes all outputs together with their shapes, which only the values of the inputs tell.
pub(super) type SizingKernel = Box<dyn FnMut(&Inputs<'_>, Work<'_>) -> Result<Vec<Made>> + Send>;

/// An output that came with its shape.
#[derive(Debug, Clone, Default)]
pub(super) struct Made {
    pub shape: Vec<usize>,
    /// Exactly the bytes of the shape.
    pub data: Buffer,
}

/// How a node's outputs come about.
pub(super) enum Action {
    /// A kernel computes them.
    Compute(Kernel),
    /// A kernel computes them and finds their shapes.
    Size(SizingKernel),
    /// The only output is input 0 under another shape.
    Alias,
    /// The only output follows from shapes alone.
    Known(Vec<u8>),
}

/// What a builder makes of a node.
pub(super) struct Built {
    /// Shape of each output; empty where a kernel finds them.
    pub shapes: Vec<Vec<usize>>,
    pub action: Action,
    /// Inputs that hold state, which the kernel changes in place: index of the input, and elements.
    pub states: Vec<(usize, usize)>,
    /// Whether it does nothing but compute its outputs from its inputs, so that it can be done once if they are known.
    pub pure: bool,
}

impl Built {
    fn new(shapes: Vec<Vec<usize>>, action: Action) -> Self {
        Self {
            shapes,
            action,
            states: vec![],
            pure: true,
        }
    }

    /// A kernel of one output that needs nothing but its data.
    pub fn kernel(
        shape: Vec<usize>,
        mut kernel: impl FnMut(&Inputs<'_>, &mut [u8]) + Send + 'static,
    ) -> Result<Self> {
        Self::working(shape, move |inputs, out, _| {
            kernel(inputs, out);
            Ok(())
        })
    }

    /// A kernel of one output that needs working memory or threads, or can fail.
    pub fn working(
        shape: Vec<usize>,
        mut kernel: impl FnMut(&Inputs<'_>, &mut [u8], Work<'_>) -> Result<()> + Send + 'static,
    ) -> Result<Self> {
        Self::several(vec![shape], move |inputs, outs, work| match outs {
            [out] => kernel(inputs, out, work),
            _ => malformed!("it has {} outputs, not 1", outs.len()),
        })
    }

    /// A kernel of several outputs: one shape each, and one slice of bytes each in `outs`.
    pub fn several(
        shapes: Vec<Vec<usize>>,
        kernel: impl FnMut(&Inputs<'_>, &mut [&mut [u8]], Work<'_>) -> Result<()> + Send + 'static,
    ) -> Result<Self> {
        Ok(Self::new(shapes, Action::Compute(Box::new(kernel))))
    }

    /// A kernel that finds the shapes of its outputs while it runs.
    pub fn sizing(
        kernel: impl FnMut(&Inputs<'_>, Work<'_>) -> Result<Vec<Made>> + Send + 'static,
    ) -> Result<Self> {
        Ok(Self::new(vec![], Action::Size(Box::new(kernel))))
    }

    /// Input 0 under another shape; nothing is computed.
    pub fn alias(shape: Vec<usize>) -> Result<Self> {
        Ok(Self::new(vec![shape], Action::Alias))
    }

    /// Bytes that follow from shapes alone.
    pub fn known(shape: Vec<usize>, bytes: Vec<u8>) -> Result<Self> {
        Ok(Self::new(vec![shape], Action::Known(bytes)))
    }

    /// The same with state: `states` names inputs of the node and how many elements they hold, zero (as real number) before the
    /// first run. The kernel gets them behind its outputs, as it left them.
    pub fn with_states(mut self, states: Vec<(usize, usize)>) -> Self {
        self.pure = self.pure && states.is_empty();
        self.states = states;
        self
    }

    /// The same, done anew in every run because it reads or changes more than its inputs and outputs.
    pub fn impure(mut self) -> Self {
        self.pure = false;
        self
    }
}
