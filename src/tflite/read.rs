//! Bytes of a `.tflite` file to a graph.

use std::sync::Arc;

use bytes::Bytes;
use flatbuffers::{InvalidFlatbuffer, VerifierOptions};

use super::schema::{self, BuiltinOperator};
use super::{opaque, options, packed_files, types};
use crate::error::{Error, Result};
use crate::graph::{
    CustomOp, Graph, Metadata, Node, Op, OtherOp, Quantization, Signature, Subgraph, Tensor,
    TensorId,
};
use crate::{malformed, unsupported};

/// Reads a whole model; constants share the memory of `bytes`.
///
/// # Errors
/// Malformed if it is no `.tflite` file, is cut off or contradicts itself; Unsupported if it uses a part of the format that
/// this version does not know. The text names the tensor or node.
pub fn read(bytes: Bytes) -> Result<Graph> {
    recognise(&bytes)?;
    let limits = VerifierOptions {
        max_depth: 64,
        max_tables: 4_000_000,
        // Equal parts may be shared, but a small file must not unfold into a huge one.
        max_apparent_size: bytes.len().saturating_mul(16).saturating_add(1 << 20),
        ignore_missing_null_terminator: true,
    };
    let model = schema::root_as_model_with_opts(&limits, &bytes).map_err(|e| damage(&e, &bytes))?;
    let file = File {
        bytes: &bytes,
        model,
    };
    let graph = file.graph()?;
    graph.validate()?;
    Ok(graph)
}

/// Whether these bytes call themselves a TensorFlow Lite file; if not, what they are.
fn recognise(bytes: &[u8]) -> Result<()> {
    if bytes.is_empty() {
        return malformed!("This file is empty");
    }
    if bytes.get(4..8) == Some(b"TFL3".as_slice()) {
        return Ok(());
    }
    let keras = match bytes {
        [0x89, b'H', b'D', b'F', ..] => Some("an HDF5 file, such as Keras writes"),
        [b'P', b'K', 3, 4, ..] => Some("a zip archive, such as a .keras or .npz file"),
        _ => None,
    };
    if let Some(what) = keras {
        return malformed!("This is not a TensorFlow Lite file: it is {what}");
    }
    let is_text = |b: &u8| matches!(b, b'\t' | b'\n' | b'\r' | b' '..=b'~');
    let what = match bytes {
        [0x93, b'N', b'U', b'M', b'P', b'Y', ..] => "it is a NumPy array",
        [0x1f, 0x8b, ..] => "it is gzip-compressed; unpack it first",
        [0x08, _, 0x12 | 0x1a | 0x22 | 0x3a, ..] => "it looks like an ONNX or TensorFlow protobuf",
        [0x89, b'P', b'N', b'G', ..] | [0xff, 0xd8, 0xff, ..] => "it is a picture",
        [0x80, 2..=5, ..] => "it is a Python pickle, such as PyTorch writes",
        _ if bytes.iter().take(256).all(is_text) => "it is text",
        _ if bytes.len() < 8 => "it ends before the identifier TFL3",
        _ => "the identifier TFL3 is missing at byte 4",
    };
    malformed!("This is no model: {what}. Open a .tflite, .keras, .h5 or .hdf5 file")
}

/// What the verifier found, in the user's words.
fn damage(error: &InvalidFlatbuffer, bytes: &[u8]) -> Error {
    use InvalidFlatbuffer as I;
    let end = bytes.len();
    let damaged = |what: String| Error::Malformed(format!("This file is damaged: {what}"));
    match error {
        I::RangeOutOfBounds { range, error_trace } => Error::Malformed(format!(
            "This file ends at byte {end}, but {} reaches to byte {}: it is cut off or damaged",
            place(error_trace),
            range.end
        )),
        I::SignedOffsetOutOfBounds { error_trace, .. } => damaged(format!(
            "{} points outside of the file's {end} bytes",
            place(error_trace)
        )),
        I::Unaligned {
            position,
            error_trace,
            ..
        } => damaged(format!(
            "{} stands at byte {position}, where nothing of its kind can stand",
            place(error_trace)
        )),
        I::Utf8Error { error_trace, .. } => {
            damaged(format!("{} is not valid UTF-8 text", place(error_trace)))
        }
        I::MissingNullTerminator { error_trace, .. } => {
            damaged(format!("{} is not terminated", place(error_trace)))
        }
        I::InconsistentUnion { error_trace, .. } => damaged(format!(
            "{} has a kind without a value or a value without a kind",
            place(error_trace)
        )),
        I::MissingRequiredField {
            required,
            error_trace,
        } => damaged(format!("{} lacks {required}", place(error_trace))),
        I::TooManyTables => damaged("it has more than 4,000,000 parts".into()),
        I::ApparentSizeTooLarge => {
            damaged("its parts, counted one by one, hold far more than the file does".into())
        }
        I::DepthLimitReached => damaged("its parts are nested too deeply".into()),
    }
}

/// The verifier's trace as a path: `subgraphs[0].tensors[3].name`.
fn place(trace: &impl AsRef<[flatbuffers::ErrorTraceDetail]>) -> String {
    use flatbuffers::ErrorTraceDetail as D;
    let mut path = String::new();
    for step in trace.as_ref().iter().rev() {
        match step {
            D::VectorElement { index, .. } => path += &format!("[{index}]"),
            D::TableField { field_name, .. } if path.is_empty() => path += field_name,
            D::TableField { field_name, .. } => path += &format!(".{field_name}"),
            D::UnionVariant { .. } => {}
        }
    }
    if path.is_empty() {
        "its first table".into()
    } else {
        path
    }
}

/// A verified file while it is being read.
struct File<'a> {
    bytes: &'a Bytes,
    model: schema::Model<'a>,
}

/// An entry of the operator table.
struct OpCode<'a> {
    code: BuiltinOperator,
    custom: &'a str,
    version: i32,
}

impl File<'_> {
    fn graph(&self) -> Result<Graph> {
        if self.model.version() != 3 {
            return unsupported!(
                "This file has version {} of the TensorFlow Lite schema; only version 3 can be read",
                self.model.version()
            );
        }
        let opcodes = self.opcodes()?;
        let count = self.model.subgraphs().map_or(0, |s| s.len());
        let subgraphs = collect(self.model.subgraphs(), |i, s| {
            self.subgraph(&s, &opcodes, count).map_err(|e| match count {
                1 => e,
                _ => e.at(format_args!("Subgraph {i}")),
            })
        })?;
        let signatures = collect(self.model.signature_defs(), |_, s| Ok(signature(&s)))?;
        let metadata = collect(self.model.metadata(), |i, m| {
            let name = m.name().unwrap_or_default().to_owned();
            let data = self
                .buffer(m.buffer() as usize)
                .map_err(|e| e.at(format_args!("Metadata {i} {name:?}")))?;
            Ok(Metadata { name, data })
        })?;
        let unnamed_metadata = collect(self.model.metadata_buffer(), |i, b| {
            let index = usize::try_from(b).unwrap_or(usize::MAX);
            self.buffer(index)
                .map_err(|e| e.at(format_args!("Unnamed metadata {i}")))
        })?;
        Ok(Graph {
            description: text(self.model.description()),
            subgraphs,
            signatures,
            metadata,
            unnamed_metadata,
            packed_files: packed_files::split(self.bytes),
        })
    }

    fn opcodes(&self) -> Result<Vec<OpCode<'_>>> {
        collect(self.model.operator_codes(), |_, c| {
            // Codes below 127 stand in the older, narrower field as well; a file may have only one of them.
            let old = BuiltinOperator(c.deprecated_builtin_code().into());
            Ok(OpCode {
                code: old.max(c.builtin_code()),
                custom: c.custom_code().unwrap_or_default(),
                version: c.version(),
            })
        })
    }

    /// Contents of buffer `index`, inside or outside of the FlatBuffer.
    fn buffer(&self, index: usize) -> Result<Bytes> {
        let buffers = self.model.buffers();
        let count = buffers.map_or(0, |b| b.len());
        let Some(buffer) = buffers.filter(|_| index < count).map(|b| b.get(index)) else {
            return malformed!("it names buffer {index}, but the file has {count}");
        };
        // The format takes offsets 0 and 1 as "inside".
        if buffer.offset() > 1 {
            return self.outside(buffer.offset(), buffer.size());
        }
        Ok(buffer
            .data()
            .map_or_else(Bytes::new, |d| self.bytes.slice_ref(d.bytes())))
    }

    /// Bytes that stand beside the FlatBuffer in the same file.
    fn outside(&self, offset: u64, size: u64) -> Result<Bytes> {
        let range = usize::try_from(offset).ok().and_then(|start| {
            let end = start.checked_add(usize::try_from(size).ok()?)?;
            (end <= self.bytes.len()).then_some(start..end)
        });
        match range {
            Some(range) => Ok(self.bytes.slice(range)),
            None => malformed!(
                "its {size} bytes of data from byte {offset} on reach beyond the end of the file at byte {}",
                self.bytes.len()
            ),
        }
    }

    fn subgraph(
        &self,
        from: &schema::SubGraph,
        opcodes: &[OpCode],
        count: usize,
    ) -> Result<Subgraph> {
        let mut tensors = collect(from.tensors(), |i, t| {
            self.tensor(&t)
                .map_err(|e| e.at(format_args!("Tensor {i} {:?}", t.name().unwrap_or("?"))))
        })?;
        let nodes = collect(from.operators(), |i, o| {
            self.node(&o, opcodes, count)
                .map_err(|e| e.at(format_args!("Node {i}")))
        })?;
        let inputs = ids(from.inputs(), "an input")?;
        empty_constants(&mut tensors, &inputs, &nodes);
        Ok(Subgraph {
            name: text(from.name()),
            tensors,
            inputs,
            outputs: ids(from.outputs(), "an output")?,
            nodes,
            debug_metadata: from.debug_metadata_index(),
        })
    }

    fn tensor(&self, from: &schema::Tensor) -> Result<Tensor> {
        if from.external_buffer() != 0 {
            return unsupported!(
                "its data stand in another file, which this version does not read"
            );
        }
        let shape = collect(from.shape(), |axis, extent| {
            usize::try_from(extent).map_err(|_| {
                wrong(format_args!(
                    "its shape has the negative extent {extent} on axis {axis}"
                ))
            })
        })?;
        let data = self.buffer(from.buffer() as usize)?;
        Ok(Tensor {
            name: from.name().unwrap_or_default().to_owned(),
            dtype: types::dtype(from.type_())?,
            shape,
            shape_signature: from
                .shape_signature()
                .filter(|s| !s.is_empty())
                .map(|s| s.iter().collect()),
            has_rank: from.has_rank(),
            is_variable: from.is_variable(),
            quantization: quantization(from)?,
            // A sparse constant that is all zero stores nothing.
            data: Some(data).filter(|d| !d.is_empty() || from.sparsity().is_some()),
            extra: opaque::encode_tensor_extra(from)?,
            sparsity: opaque::sparsity(from).map(Arc::new),
        })
    }

    fn node(&self, from: &schema::Operator, opcodes: &[OpCode], subgraphs: usize) -> Result<Node> {
        let index = from.opcode_index() as usize;
        let Some(opcode) = opcodes.get(index) else {
            return malformed!(
                "it is of operator code {index}, but the file has {}",
                opcodes.len()
            );
        };
        let op = self
            .op(from, opcode, subgraphs)
            .map_err(|e| match opcode.code {
                BuiltinOperator::CUSTOM => e.at(opcode.custom.escape_debug()),
                code => e.at(code.variant_name().unwrap_or("unknown operator")),
            })?;
        let inputs = collect(from.inputs(), |i, id| match id {
            -1 => Ok(None),
            _ => usize::try_from(id).map(Some).map_err(|_| {
                wrong(format_args!(
                    "its input {i} is tensor {id}, which cannot be"
                ))
            }),
        })?;
        Ok(Node {
            op,
            inputs,
            outputs: ids(from.outputs(), "an output")?,
            intermediates: ids(from.intermediates(), "an intermediate")?,
            mutating_inputs: from
                .mutating_variable_inputs()
                .map_or_else(Vec::new, |v| v.iter().collect()),
            version: opcode.version,
            debug_metadata: from.debug_metadata_index(),
        })
    }

    fn op(&self, from: &schema::Operator, opcode: &OpCode, subgraphs: usize) -> Result<Op> {
        let large = match from.large_custom_options_offset() {
            0 | 1 => None,
            offset => Some(self.outside(offset, from.large_custom_options_size())?),
        };
        if opcode.code == BuiltinOperator::CUSTOM {
            let inside = from
                .custom_options()
                .map_or_else(Bytes::new, |d| self.bytes.slice_ref(d.bytes()));
            return Ok(Op::Custom(CustomOp {
                code: opcode.custom.to_owned(),
                options: large.unwrap_or(inside),
                options_format: from.custom_options_format().0,
            }));
        }
        let Some(name) = opcode.code.variant_name() else {
            return unsupported!("operator code {} is newer than this version", opcode.code.0);
        };
        // A builtin operator with custom options on top is rare; only the opaque kind has a place for them.
        let plain = large.is_none() && from.custom_options().is_none_or(|o| o.is_empty());
        if plain && let Some(op) = options::read(opcode.code, from)? {
            return Ok(op);
        }
        let options = opaque::Options::of(from, large.as_deref())?;
        if let Some(missing) = options
            .called_subgraphs()
            .into_iter()
            .find(|&i| usize::try_from(i).map_or(true, |i| i >= subgraphs))
        {
            return malformed!("it calls subgraph {missing}, but the model has {subgraphs}");
        }
        Ok(Op::Other(OtherOp {
            code: opcode.code.0,
            name: name.to_owned(),
            options: options.encode(),
        }))
    }
}

/// The format cannot tell a constant without elements from a tensor that is computed; what no one defines is the former.
fn empty_constants(tensors: &mut [Tensor], inputs: &[TensorId], nodes: &[Node]) {
    let mut defined = vec![false; tensors.len()];
    for &id in inputs.iter().chain(nodes.iter().flat_map(|n| &n.outputs)) {
        if let Some(defined) = defined.get_mut(id) {
            *defined = true;
        }
    }
    for (tensor, _) in tensors.iter_mut().zip(defined).filter(|(_, d)| !d) {
        if tensor.elements() == Some(0) && !tensor.is_variable && tensor.data.is_none() {
            tensor.data = Some(Bytes::new());
        }
    }
}

fn quantization(from: &schema::Tensor) -> Result<Option<Quantization>> {
    let Some(q) = from.quantization() else {
        return Ok(None);
    };
    let floats = |v: Option<flatbuffers::Vector<f32>>| -> Vec<f32> {
        v.map_or_else(Vec::new, |v| v.iter().collect())
    };
    let scales = floats(q.scale());
    let mut zero_points: Vec<i64> = q.zero_point().map_or_else(Vec::new, |v| v.iter().collect());
    // One zero point may stand for all channels, none for zero.
    if zero_points.len() < 2 && zero_points.len() != scales.len() {
        zero_points = vec![zero_points.first().copied().unwrap_or(0); scales.len()];
    }
    let axis = match usize::try_from(q.quantized_dimension()) {
        Ok(axis) => axis,
        Err(_) => {
            return malformed!(
                "it is quantized along axis {}, which cannot be negative",
                q.quantized_dimension()
            );
        }
    };
    let read = Quantization {
        scales,
        zero_points,
        axis,
        min: floats(q.min()),
        max: floats(q.max()),
        details: opaque::encode_details(&q)?,
    };
    // TensorFlow gives every float tensor a table without anything in it.
    Ok(Some(read).filter(|q| *q != Quantization::default()))
}

fn signature(from: &schema::SignatureDef) -> Signature {
    let map =
        |names: Option<flatbuffers::Vector<flatbuffers::ForwardsUOffset<schema::TensorMap>>>| {
            names.map_or_else(Vec::new, |v| {
                v.iter()
                    .map(|m| {
                        let name = m.name().unwrap_or_default().to_owned();
                        (name, m.tensor_index() as TensorId)
                    })
                    .collect()
            })
        };
    Signature {
        key: from.signature_key().unwrap_or_default().to_owned(),
        subgraph: from.subgraph_index() as usize,
        inputs: map(from.inputs()),
        outputs: map(from.outputs()),
    }
}

fn wrong(what: std::fmt::Arguments) -> Error {
    Error::Malformed(what.to_string())
}

fn text(from: Option<&str>) -> Option<String> {
    from.filter(|t| !t.is_empty()).map(str::to_owned)
}

/// Tensor indices that must all be there.
fn ids(from: Option<flatbuffers::Vector<i32>>, what: &str) -> Result<Vec<TensorId>> {
    collect(from, |_, id| {
        usize::try_from(id)
            .map_err(|_| wrong(format_args!("{what} is tensor {id}, which cannot be")))
    })
}

/// Every element of a vector that may be absent, by `each(index, element)`.
fn collect<'a, T: flatbuffers::Follow<'a> + 'a, R>(
    from: Option<flatbuffers::Vector<'a, T>>,
    mut each: impl FnMut(usize, T::Inner) -> Result<R>,
) -> Result<Vec<R>> {
    match from {
        Some(v) => v.iter().enumerate().map(|(i, x)| each(i, x)).collect(),
        None => Ok(vec![]),
    }
}
