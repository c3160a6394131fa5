//! An open model and the card that describes it.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;

use super::fingerprint::{Fingerprint, Stamps};
use super::{Entry, EntryCard};
use crate::error::Result;
use crate::graph::{DType, Graph, Tensor};
use crate::{keras, tflite};

/// A model that was read and validated.
#[derive(Debug, Clone)]
pub struct OpenModel {
    /// File name, or the demo's name.
    pub name: String,
    /// Where it came from; `None` for the demo.
    pub path: Option<PathBuf>,
    /// Which kind of file it was.
    pub format: ModelFormat,
    /// It as `.tflite`: the file itself, or what a Keras file becomes.
    pub bytes: Bytes,
    /// What is in `bytes`.
    pub file: Arc<Graph>,
    /// The part of it that is worked on, as its main subgraph and at the chosen input shapes.
    pub graph: Arc<Graph>,
    /// The parts that can be picked; at least one.
    pub entries: Arc<[EntryCard]>,
    /// Which one is.
    pub entry: Entry,
    /// Why it cannot run at these shapes although inputs have open axes; see [`OpenModel::check_shapes`].
    pub shape_obstacle: Option<String>,
    /// `graph` in short.
    pub card: ModelCard,
    /// Content of the file as it was given; `None` where nobody asked for it (the command line).
    pub fingerprint: Option<Fingerprint>,
    /// Signs that the file is still what it was.
    pub stamps: Stamps,
}

/// Kinds of model files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ModelFormat {
    /// `.tflite`.
    TfLite,
    /// A Keras file, converted when it was opened.
    Keras(keras::Container),
}

impl ModelFormat {
    /// What a user calls it.
    pub fn name(self) -> &'static str {
        match self {
            ModelFormat::TfLite => "TensorFlow Lite",
            ModelFormat::Keras(container) => container.name(),
        }
    }

    /// The file's kind by its first bytes, its content, and the same as `.tflite`. Everything that opens a model goes through
    /// here.
    ///
    /// # Errors
    /// Those of [`tflite::read`] and [`keras::read`].
    pub fn read(bytes: Bytes) -> Result<(Self, Graph, Bytes)> {
        let Some(container) = keras::Container::of(&bytes) else {
            return Ok((ModelFormat::TfLite, tflite::read(bytes.clone())?, bytes));
        };
        let graph = keras::read(bytes)?;
        let bytes = Bytes::from(tflite::write(&graph)?);
        // What is worked with is what would be written.
        let graph = tflite::read(bytes.clone())?;
        Ok((ModelFormat::Keras(container), graph, bytes))
    }
}

/// What a user wants to know of a model at first sight.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelCard {
    /// Name, type and shape of each input, unknown axes as `?`.
    pub inputs: Vec<PortCard>,
    /// Name, type and shape of each output.
    pub outputs: Vec<PortCard>,
    /// Operator names with how often they occur, most frequent first.
    pub operators: Vec<(String, usize)>,
    /// Elements of all float and integer constants that are weights or biases.
    pub parameters: usize,
    /// Size of the file.
    pub bytes: usize,
}

/// One input or output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PortCard {
    /// Its name.
    pub name: String,
    /// Its type.
    pub dtype: DType,
    /// Such as `1 × 28 × 28`.
    pub shape: String,
}

impl ModelCard {
    /// The card of a graph that a file of `bytes` holds.
    pub fn of(graph: &Graph, bytes: usize) -> Self {
        let main = graph.main();
        let port = |&id: &usize| {
            let t = &main.tensors[id];
            PortCard {
                name: t.name.clone(),
                dtype: t.dtype,
                shape: shape_text(t),
            }
        };
        let mut counts = BTreeMap::<&str, usize>::new();
        for node in graph.subgraphs.iter().flat_map(|s| &s.nodes) {
            *counts.entry(node.op.name()).or_default() += 1;
        }
        let mut operators: Vec<_> = counts
            .into_iter()
            .map(|(name, n)| (name.to_owned(), n))
            .collect();
        operators.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        let parameters = graph
            .subgraphs
            .iter()
            .flat_map(|s| &s.tensors)
            .filter(|t| t.is_constant() && is_parameter(t))
            .filter_map(Tensor::elements)
            .sum();
        Self {
            inputs: main.inputs.iter().map(port).collect(),
            outputs: main.outputs.iter().map(port).collect(),
            operators,
            parameters,
            bytes,
        }
    }

    /// Operators in all.
    pub fn operator_count(&self) -> usize {
        self.operators.iter().map(|o| o.1).sum()
    }
}

/// Shape arithmetic (unquantized integers) is no parameter.
fn is_parameter(t: &Tensor) -> bool {
    let quantized = t
        .quantization
        .as_ref()
        .is_some_and(|q| !q.scales.is_empty());
    matches!(
        t.dtype,
        DType::Float32 | DType::Float16 | DType::BFloat16 | DType::Float64
    ) || quantized
}

/// Extents joined by ` × `, unknown ones as `?`; `scalar` without axes.
pub fn shape_text(t: &Tensor) -> String {
    let known = t.shape.iter().map(|d| d.to_string());
    let text: Vec<String> = match &t.shape_signature {
        Some(s) if s.len() == t.shape.len() => known
            .zip(s)
            .map(|(d, &s)| if s < 0 { "?".to_owned() } else { d })
            .collect(),
        _ => known.collect(),
    };
    if text.is_empty() {
        "scalar".into()
    } else {
        text.join(" × ")
    }
}
