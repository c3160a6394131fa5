//! The arguments of one call, with tensors in the place of the layers they come from.

use serde_json::Value;

use crate::error::Result;
use crate::graph::TensorId;
use crate::malformed;

/// One argument.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Arg {
    Tensor(TensorId),
    List(Vec<Arg>),
    Value(Value),
}

impl Arg {
    fn tensors(&self, out: &mut Vec<TensorId>) {
        match self {
            Arg::Tensor(id) => out.push(*id),
            Arg::List(items) => items.iter().for_each(|a| a.tensors(out)),
            Arg::Value(_) => {}
        }
    }
}

/// All arguments of one call.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Call {
    pub args: Vec<Arg>,
    pub kwargs: Vec<(String, Arg)>,
}

impl Call {
    /// A call on one tensor.
    pub fn on(id: TensorId) -> Self {
        Self {
            args: vec![Arg::Tensor(id)],
            kwargs: vec![],
        }
    }

    /// Every tensor among the arguments, in order, keywords last.
    pub fn tensors(&self) -> Vec<TensorId> {
        let mut out = vec![];
        self.args.iter().for_each(|a| a.tensors(&mut out));
        self.kwargs.iter().for_each(|(_, a)| a.tensors(&mut out));
        out
    }

    /// The one tensor that most layers take: the first.
    ///
    /// # Errors
    /// Malformed if there is none.
    pub fn tensor(&self) -> Result<TensorId> {
        match self.tensors().first() {
            Some(&id) => Ok(id),
            None => malformed!("it is called without a tensor"),
        }
    }

    /// The argument at `position` or of this name.
    pub fn argument(&self, position: usize, name: &str) -> Option<&Arg> {
        let named = || self.kwargs.iter().find(|(k, _)| k == name).map(|(_, a)| a);
        self.args.get(position).or_else(named)
    }
}
