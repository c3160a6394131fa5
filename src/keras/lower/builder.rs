//! The subgraph in the making: tensors with shapes known so far, constants that are shared, and names after layers.

use std::collections::HashMap;

use bytes::Bytes;

use crate::graph::{DType, Node, Op, Subgraph, Tensor, TensorId};

/// An extent; `None` where only the data will tell (the batch).
pub(crate) type Dim = Option<usize>;

/// Which steps of a sequence count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mask {
    /// Those that this bool tensor [batch, steps, 1] says.
    Steps(TensorId),
    /// Those whose index in this tensor [batch, steps] is not 0.
    NotZero(TensorId),
}

/// Collects tensors and nodes in execution order.
pub(crate) struct Builder {
    subgraph: Subgraph,
    /// Of each tensor.
    shapes: Vec<Vec<Dim>>,
    /// Equal constants are one tensor.
    constants: HashMap<(DType, Vec<usize>, Bytes), TensorId>,
    /// How often a name was given.
    names: HashMap<String, usize>,
    /// Subgraphs that nodes call, numbered from 1.
    called: Vec<Subgraph>,
    /// Masks of tensors that have one.
    pub masks: HashMap<TensorId, Mask>,
    /// Whether an unknown batch is taken as 1.
    pub one_sample: bool,
    /// The layer that is being lowered, by path.
    pub scope: String,
    /// Calls of layers so far.
    pub calls: usize,
    /// Keras' major version: a few functions changed between 2 and 3.
    pub keras: u32,
}

impl Builder {
    pub fn new(keras: u32) -> Self {
        Self {
            subgraph: Subgraph {
                debug_metadata: -1,
                ..Subgraph::default()
            },
            shapes: vec![],
            constants: HashMap::new(),
            names: HashMap::new(),
            called: vec![],
            masks: HashMap::new(),
            one_sample: false,
            scope: String::new(),
            calls: 0,
            keras,
        }
    }

    /// Nodes so far.
    pub fn len(&self) -> usize {
        self.subgraph.nodes.len()
    }

    /// Extents of a tensor.
    pub fn shape(&self, id: TensorId) -> &[Dim] {
        &self.shapes[id]
    }

    /// Type of a tensor.
    pub fn dtype(&self, id: TensorId) -> DType {
        self.subgraph.tensors[id].dtype
    }

    /// A tensor by its number.
    pub fn tensor(&self, id: TensorId) -> &Tensor {
        &self.subgraph.tensors[id]
    }

    fn push(&mut self, mut tensor: Tensor, shape: Vec<Dim>) -> TensorId {
        let count = self.names.entry(tensor.name.clone()).or_default();
        *count += 1;
        if *count > 1 {
            tensor.name = format!("{}_{}", tensor.name, *count - 1);
        }
        if shape.contains(&None) {
            let extent = |d: &Dim| d.map_or(-1, |n| i32::try_from(n).unwrap_or(i32::MAX));
            tensor.shape_signature = Some(shape.iter().map(extent).collect());
        }
        self.subgraph.tensors.push(tensor);
        self.shapes.push(shape);
        self.subgraph.tensors.len() - 1
    }

    fn computed(&mut self, name: String, dtype: DType, shape: Vec<Dim>) -> TensorId {
        let known = shape.iter().map(|d| d.unwrap_or(1)).collect();
        self.push(Tensor::new(name, dtype, known), shape)
    }

    /// The builder of a subgraph that a node of this one calls.
    pub fn inner(&self) -> Self {
        Self {
            scope: self.scope.clone(),
            ..Self::new(self.keras)
        }
    }

    /// Adds a subgraph that [`Builder::inner`] began; its number.
    pub fn subgraph(&mut self, inner: Self, name: &str, outputs: Vec<TensorId>) -> usize {
        let mut subgraphs = inner.finish(outputs);
        if let Some(first) = subgraphs.first_mut() {
            first.name = Some(format!("{}/{name}", self.scope));
        }
        self.called.append(&mut subgraphs);
        self.called.len()
    }

    /// An input of the model.
    pub fn input(&mut self, name: &str, dtype: DType, mut shape: Vec<Dim>) -> TensorId {
        if let (true, Some(batch @ None)) = (self.one_sample, shape.first_mut()) {
            *batch = Some(1);
        }
        let id = self.computed(name.to_owned(), dtype, shape);
        self.subgraph.inputs.push(id);
        id
    }

    fn constant(&mut self, name: &str, dtype: DType, shape: &[usize], data: Bytes) -> TensorId {
        let key = (dtype, shape.to_vec(), data);
        if let Some(&id) = self.constants.get(&key) {
            return id;
        }
        let name = format!("{}/{name}", self.scope);
        let tensor = Tensor::constant(name, dtype, shape.to_vec(), key.2.clone());
        let id = self.push(tensor, shape.iter().map(|&d| Some(d)).collect());
        self.constants.insert(key, id);
        id
    }

    /// A float32 constant; `name` is its name within the layer. `data` fills `shape`.
    pub fn f32s(&mut self, name: &str, shape: &[usize], data: &[f32]) -> TensorId {
        let bytes = Bytes::from(bytemuck::cast_slice::<f32, u8>(data).to_vec());
        self.constant(name, DType::Float32, shape, bytes)
    }

    /// A float32 scalar.
    pub fn scalar(&mut self, name: &str, value: f64) -> TensorId {
        self.f32s(name, &[], &[value as f32])
    }

    /// An int32 constant; `data` fills `shape`.
    pub fn i32s(&mut self, name: &str, shape: &[usize], data: &[i32]) -> TensorId {
        let bytes = Bytes::from(bytemuck::cast_slice::<i32, u8>(data).to_vec());
        self.constant(name, DType::Int32, shape, bytes)
    }

    /// A node with one output of the type of its first input (float32 if it has none).
    pub fn node(&mut self, op: Op, inputs: &[TensorId], shape: Vec<Dim>) -> TensorId {
        let dtype = inputs.first().map_or(DType::Float32, |&id| self.dtype(id));
        let inputs = inputs.iter().map(|&id| Some(id)).collect();
        self.typed(op, inputs, dtype, shape)
    }

    /// A node with one output; `None` is an optional input that is absent.
    pub fn typed(
        &mut self,
        op: Op,
        inputs: Vec<Option<TensorId>>,
        dtype: DType,
        shape: Vec<Dim>,
    ) -> TensorId {
        let name = format!("{}/{}", self.scope, op.name().to_lowercase());
        let output = self.computed(name, dtype, shape);
        self.subgraph
            .nodes
            .push(Node::new(op, inputs, vec![output]));
        output
    }

    /// A node with several outputs.
    pub fn several(
        &mut self,
        op: Op,
        inputs: Vec<Option<TensorId>>,
        outputs: Vec<(DType, Vec<Dim>)>,
    ) -> Vec<TensorId> {
        let name = format!("{}/{}", self.scope, op.name().to_lowercase());
        let outputs: Vec<TensorId> = outputs
            .into_iter()
            .map(|(dtype, shape)| self.computed(name.clone(), dtype, shape))
            .collect();
        self.subgraph
            .nodes
            .push(Node::new(op, inputs, outputs.clone()));
        outputs
    }

    /// A tensor that lives between runs, zero at first.
    pub fn variable(&mut self, name: &str, shape: &[usize]) -> TensorId {
        let name = format!("{}/{name}", self.scope);
        let tensor = Tensor {
            is_variable: true,
            ..Tensor::new(name, DType::Float32, shape.to_vec())
        };
        self.push(tensor, shape.iter().map(|&d| Some(d)).collect())
    }

    /// The finished subgraph with these results, then those that it calls.
    pub fn finish(mut self, outputs: Vec<TensorId>) -> Vec<Subgraph> {
        self.subgraph.outputs = outputs;
        let mut all = vec![self.subgraph];
        all.append(&mut self.called);
        all
    }
}
