//! A subgraph while it is rewritten: who computes a tensor, how often it is read, and which nodes are gone.

use crate::graph::{DType, Node, Subgraph, Tensor, TensorId};

/// Nodes keep their places; a removed one leaves a gap.
pub(super) struct Net {
    subgraph: Subgraph,
    pub nodes: Vec<Option<Node>>,
    /// Of each tensor: the node that computes it.
    producers: Vec<Option<usize>>,
    /// Of each tensor: how many inputs of nodes and outputs of the subgraph read it.
    uses: Vec<usize>,
    /// Of each tensor: the nodes that read it, or did.
    readers: Vec<Vec<usize>>,
}

impl Net {
    pub fn new(mut subgraph: Subgraph) -> Self {
        let nodes: Vec<Option<Node>> = subgraph.nodes.drain(..).map(Some).collect();
        let count = subgraph.tensors.len();
        let (mut producers, mut uses) = (vec![None; count], vec![0; count]);
        let mut readers = vec![vec![]; count];
        for (i, node) in nodes.iter().enumerate() {
            let Some(node) = node else { continue };
            node.outputs.iter().for_each(|&id| producers[id] = Some(i));
            for &id in node.inputs.iter().flatten() {
                uses[id] += 1;
                readers[id].push(i);
            }
        }
        subgraph.outputs.iter().for_each(|&id| uses[id] += 1);
        Self {
            subgraph,
            nodes,
            producers,
            uses,
            readers,
        }
    }

    /// The subgraph without the gaps.
    pub fn finish(self) -> Subgraph {
        Subgraph {
            nodes: self.nodes.into_iter().flatten().collect(),
            ..self.subgraph
        }
    }

    pub fn tensor(&self, id: TensorId) -> &Tensor {
        &self.subgraph.tensors[id]
    }

    pub fn node(&self, i: usize) -> Option<&Node> {
        self.nodes[i].as_ref()
    }

    /// The node that computes `id`, with its place.
    pub fn producer(&self, id: TensorId) -> Option<(usize, &Node)> {
        let i = self.producers[id]?;
        Some((i, self.nodes[i].as_ref()?))
    }

    /// The same, if nothing else reads `id`: then the node may change what it computes.
    pub fn sole_producer(&self, id: TensorId) -> Option<(usize, &Node)> {
        self.producer(id).filter(|_| self.uses[id] == 1)
    }

    /// Whether the tensors have the same shape, unknown axes included.
    pub fn same_shape(&self, a: TensorId, b: TensorId) -> bool {
        let (a, b) = (self.tensor(a), self.tensor(b));
        a.shape == b.shape && a.shape_signature == b.shape_signature
    }

    /// Whether an axis has no extent of its own: the data tell.
    pub fn unknown(&self, id: TensorId, axis: usize) -> bool {
        let signature = &self.tensor(id).shape_signature;
        signature.as_ref().is_some_and(|s| s.get(axis) == Some(&-1))
    }

    /// Elements and shape of a float32 constant.
    pub fn constant(&self, id: TensorId) -> Option<(&[usize], Vec<f32>)> {
        let tensor = self.tensor(id);
        Some((&tensor.shape, tensor.f32s()?.into_owned()))
    }

    /// The operand of `node` that is computed, and the float32 constant beside it; `None` if it has no such pair of inputs.
    /// `first` says that the constant must be the second.
    pub fn constant_operand(&self, node: &Node, first: bool) -> Option<(TensorId, TensorId)> {
        let [Some(a), Some(b)] = node.inputs[..] else {
            return None;
        };
        let is_constant = |id: TensorId| {
            let t = self.tensor(id);
            t.is_constant() && t.dtype == DType::Float32
        };
        match (is_constant(a), is_constant(b)) {
            (false, true) => Some((a, b)),
            (true, false) if !first => Some((b, a)),
            _ => None,
        }
    }

    /// A new float32 constant like `like`, named after it.
    pub fn add_constant(&mut self, like: TensorId, shape: Vec<usize>, data: &[f32]) -> TensorId {
        let name = self.tensor(like).name.clone();
        let bytes = bytemuck::cast_slice::<f32, u8>(data).to_vec();
        self.push(Tensor::constant(name, DType::Float32, shape, bytes))
    }

    /// A new shape for RESHAPE, named after `like`.
    pub fn add_shape(&mut self, like: TensorId, extents: &[i32]) -> TensorId {
        let bytes = bytemuck::cast_slice::<i32, u8>(extents).to_vec();
        let name = self.tensor(like).name.clone();
        self.push(Tensor::constant(
            name,
            DType::Int32,
            vec![extents.len()],
            bytes,
        ))
    }

    fn push(&mut self, tensor: Tensor) -> TensorId {
        self.subgraph.tensors.push(tensor);
        self.producers.push(None);
        self.uses.push(0);
        self.readers.push(vec![]);
        self.subgraph.tensors.len() - 1
    }

    /// Declares another shape of a computed tensor.
    pub fn set_shape(&mut self, id: TensorId, shape: Vec<usize>) {
        self.subgraph.tensors[id].shape = shape;
    }

    /// Removes node `i` if nothing reads its outputs any more.
    pub fn remove_unread(&mut self, i: usize) {
        let read = |net: &Self, node: &Node| node.outputs.iter().any(|&id| net.uses[id] > 0);
        if self.node(i).is_some_and(|node| !read(self, node)) {
            self.remove(i);
        }
    }

    /// Sets input `slot` of node `i`.
    pub fn set_input(&mut self, i: usize, slot: usize, id: TensorId) {
        let Some(node) = self.nodes[i].as_mut() else {
            return;
        };
        while node.inputs.len() <= slot {
            node.inputs.push(None);
        }
        if let Some(old) = node.inputs[slot].replace(id) {
            self.uses[old] -= 1;
        }
        self.uses[id] += 1;
        self.readers[id].push(i);
    }

    /// Removes node `i`, whose outputs nothing reads any more.
    pub fn remove(&mut self, i: usize) {
        self.drop_node(i, |_, _| {});
    }

    /// Removes node `i`, which has one output: `earlier` computes that output instead of its own, which nothing else reads.
    pub fn absorb(&mut self, earlier: usize, i: usize) {
        self.drop_node(i, |net, removed| {
            if let Some(node) = net.nodes[earlier].as_mut() {
                node.outputs.clone_from(&removed.outputs);
                node.outputs
                    .iter()
                    .for_each(|&id| net.producers[id] = Some(earlier));
            }
        });
    }

    /// Removes node `i`, whose output is the same as tensor `with`: whoever reads it reads `with`. Where the output leaves the
    /// subgraph, the node stays.
    pub fn bypass(&mut self, i: usize, with: TensorId) -> bool {
        let Some(&[out]) = self.node(i).map(|n| n.outputs.as_slice()) else {
            return false;
        };
        if self.subgraph.outputs.contains(&out) {
            return false;
        }
        self.drop_node(i, |net, _| {
            for reader in std::mem::take(&mut net.readers[out]) {
                let Some(node) = net.nodes[reader].as_mut() else {
                    continue;
                };
                for input in node.inputs.iter_mut().filter(|x| **x == Some(out)) {
                    *input = Some(with);
                    net.uses[with] += 1;
                    net.readers[with].push(reader);
                }
            }
            net.uses[out] = 0;
        });
        true
    }

    fn drop_node(&mut self, i: usize, then: impl FnOnce(&mut Self, &Node)) {
        if let Some(node) = self.nodes[i].take() {
            node.inputs
                .iter()
                .flatten()
                .for_each(|&id| self.uses[id] -= 1);
            node.outputs
                .iter()
                .for_each(|&id| self.producers[id] = None);
            then(self, &node);
        }
    }
}
