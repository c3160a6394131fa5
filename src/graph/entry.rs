//! What a user picks of a file with several subgraphs or open shapes: the main subgraph, and the shapes of its inputs.

use super::{Graph, Op};
use crate::error::Result;
use crate::invalid;

/// The signature that tools write if nobody names one.
const DEFAULT_SIGNATURE: &str = "serving_default";

impl Op {
    /// The subgraphs that a node of this operator runs.
    fn subgraphs(&self) -> Vec<usize> {
        // One list of operators is enough: options are small.
        let mut copy = self.clone();
        copy.subgraphs_mut().into_iter().map(|i| *i).collect()
    }

    /// The subgraphs that a node of this operator runs; every operator that refers to subgraphs stands here.
    fn subgraphs_mut(&mut self) -> Vec<&mut usize> {
        match self {
            Op::If { then, otherwise } => vec![then, otherwise],
            Op::While { condition, body } => vec![condition, body],
            Op::CallOnce { subgraph } => vec![subgraph],
            Op::StablehloComposite(o) => vec![&mut o.decomposition],
            _ => vec![],
        }
    }
}

impl Graph {
    /// The subgraphs that some node runs, such as the body of a loop; numbers may repeat.
    pub fn called_subgraphs(&self) -> Vec<usize> {
        let nodes = self.subgraphs.iter().flat_map(|s| &s.nodes);
        nodes.flat_map(|n| n.op.subgraphs()).collect()
    }

    /// The subgraph to work on if nobody picks one: that of the signature `serving_default`, of the only signature, or the first.
    pub fn default_entry(&self) -> usize {
        let named = self.signatures.iter().find(|s| s.key == DEFAULT_SIGNATURE);
        let only = match &self.signatures[..] {
            [only] => Some(only),
            _ => None,
        };
        named.or(only).map_or(0, |s| s.subgraph)
    }

    /// The subgraph that signature `key` enters.
    ///
    /// # Errors
    /// Invalid, listing the signatures, if there is no such one.
    pub fn signature_entry(&self, key: &str) -> Result<usize> {
        if let Some(signature) = self.signatures.iter().find(|s| s.key == key) {
            return Ok(signature.subgraph);
        }
        let keys: Vec<_> = self.signatures.iter().map(|s| s.key.as_str()).collect();
        match keys.is_empty() {
            true => invalid!("The model has no signatures, so there is no {key:?}"),
            false => invalid!(
                "The model has no signature {key:?}; it has {}",
                keys.join(", ")
            ),
        }
    }

    /// The same model with subgraph `index` as its main one: it changes places with the first, and whoever calls either follows.
    ///
    /// # Errors
    /// Invalid if there is no such subgraph.
    pub fn with_main(mut self, index: usize) -> Result<Self> {
        if index >= self.subgraphs.len() {
            return invalid!(
                "The model has {} subgraphs, numbered from 0, so there is no subgraph {index}",
                self.subgraphs.len()
            );
        }
        if index == 0 {
            return Ok(self);
        }
        let follow = |i: &mut usize| {
            if *i == 0 {
                *i = index;
            } else if *i == index {
                *i = 0;
            }
        };
        self.subgraphs.swap(0, index);
        for node in self.subgraphs.iter_mut().flat_map(|s| &mut s.nodes) {
            node.op.subgraphs_mut().into_iter().for_each(follow);
        }
        for signature in &mut self.signatures {
            follow(&mut signature.subgraph);
        }
        Ok(self)
    }

    /// The same model with other default shapes of main inputs, each named as its tensor or as a signature names it. What is
    /// computed from them keeps the shapes that the file declares.
    ///
    /// # Errors
    /// Invalid for a name that no input has, a rank other than the input's, an extent of 0 or beyond 32 bits.
    pub fn with_input_shapes(mut self, shapes: &[(String, Vec<usize>)]) -> Result<Self> {
        for (name, shape) in shapes {
            let id = self.input_named(name)?;
            let Some(tensor) = self.subgraphs[0].tensors.get_mut(id) else {
                return invalid!("Input {name:?} is tensor {id}, which does not exist");
            };
            let fixed = tensor.has_rank || !tensor.shape.is_empty();
            if fixed && tensor.shape.len() != shape.len() {
                return invalid!(
                    "Input {name:?} has {} axes, so it cannot take the shape {shape:?}",
                    tensor.shape.len()
                );
            }
            if shape.iter().any(|&d| d == 0 || d > i32::MAX as usize) {
                return invalid!(
                    "Input {name:?} cannot take the shape {shape:?}: every extent must be from 1 to {}",
                    i32::MAX
                );
            }
            tensor.shape.clone_from(shape);
        }
        Ok(self)
    }

    /// The main input of this name.
    fn input_named(&self, name: &str) -> Result<usize> {
        let Some(main) = self.subgraphs.first() else {
            return invalid!("The model has no subgraph");
        };
        let called = |&&id: &&usize| main.tensors.get(id).is_some_and(|t| t.name == name);
        if let Some(&id) = main.inputs.iter().find(called) {
            return Ok(id);
        }
        let own = self.signatures.iter().filter(|s| s.subgraph == 0);
        if let Some((_, id)) = own.flat_map(|s| &s.inputs).find(|(n, _)| n == name) {
            return Ok(*id);
        }
        let names = main.inputs.iter().filter_map(|&id| main.tensors.get(id));
        let names: Vec<_> = names.map(|t| t.name.as_str()).collect();
        invalid!(
            "The model has no input {name:?}; it has {}",
            names.join(", ")
        )
    }

    /// Main inputs some of whose axes are open, the batch (axis 0) aside, each with its name and its shape as `[?, ?, ?, 3]`.
    pub fn open_inputs(&self) -> Vec<(&str, String)> {
        let Some(main) = self.subgraphs.first() else {
            return vec![];
        };
        let mut open = vec![];
        for tensor in main.inputs.iter().filter_map(|&id| main.tensors.get(id)) {
            let signature = tensor.shape_signature.as_deref().unwrap_or_default();
            if signature.iter().skip(1).any(|&d| d < 0) {
                let extent = |&d: &i32| match d {
                    ..0 => "?".to_owned(),
                    d => d.to_string(),
                };
                let extents: Vec<_> = signature.iter().map(extent).collect();
                open.push((tensor.name.as_str(), format!("[{}]", extents.join(", "))));
            } else if !tensor.has_rank && tensor.shape.is_empty() {
                open.push((tensor.name.as_str(), "any shape".to_owned()));
            }
        }
        open
    }
}
