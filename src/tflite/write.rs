//! A graph to the bytes of a `.tflite` file, as few as the format allows.
//!
//! Equal parts (buffers, strings, shapes, quantizations, options) are stored once and default fields are left out. Constants
//! stand 16-byte aligned, as runtimes that map the file expect.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher, Hash, Hasher, RandomState};

use bytes::Bytes;
use flatbuffers::{FlatBufferBuilder, UnionWIPOffset, Vector, WIPOffset};

use super::schema::{self, BuiltinOperator};
use super::{opaque, options, packed_files, runtime_version, types, versions};
use crate::error::{Error, Result};
use crate::graph::{Graph, Node, Op, Quantization, Signature, Subgraph, Tensor};
use crate::invalid;

/// Alignment of constants in the file.
const ALIGNMENT: usize = 16;
/// A FlatBuffer must stay below 2 GiB; above this many bytes, large parts stand beside it.
const INSIDE_LIMIT: usize = 1_900_000_000;
/// No builder begins with more.
const MOST_BYTES: usize = 2_000_000_000;
/// Parts below this size stay inside of the FlatBuffer in any case.
const SMALL: usize = 1024;

/// Writes a model. Reading the bytes gives the same graph again, but for operator versions (each operator gets the highest
/// that one of its nodes needs) and `min_runtime_version`, which are brought up to date.
///
/// # Errors
/// Invalid if the graph holds what no file can (an extent beyond 32 bits, kept bytes that this crate's reader did not make).
pub fn write(graph: &Graph) -> Result<Vec<u8>> {
    write_within(graph, INSIDE_LIMIT)
}

/// As [`write`]; above `limit` bytes of payload, large parts go beside the FlatBuffer.
pub(super) fn write_within(graph: &Graph, limit: usize) -> Result<Vec<u8>> {
    let mut file = if payload(graph) > limit {
        // Offsets count from the start of the file, so the FlatBuffer's own length must be known first; it does not depend
        // on them.
        let (first, _) = Writer::build(graph, Some(ALIGNMENT as u64))?;
        let (mut file, parts) = Writer::build(graph, Some(first.len() as u64))?;
        for part in parts {
            file.extend_from_slice(&part);
            file.resize(file.len().next_multiple_of(ALIGNMENT), 0);
        }
        file
    } else {
        Writer::build(graph, None)?.0
    };
    if let Some(archive) = &graph.packed_files {
        packed_files::append(&mut file, archive);
    }
    Ok(file)
}

/// Bytes of all constants, custom options and metadata; the same memory counts once.
fn payload(graph: &Graph) -> usize {
    let tensors = graph.subgraphs.iter().flat_map(|s| &s.tensors);
    let nodes = graph.subgraphs.iter().flat_map(|s| &s.nodes);
    let options = nodes.filter_map(|n| match &n.op {
        Op::Custom(c) => Some(&c.options),
        Op::Other(o) => Some(&o.options),
        _ => None,
    });
    let parts: HashSet<(*const u8, usize)> = tensors
        .filter_map(|t| t.data.as_ref())
        .chain(options)
        .chain(graph.metadata.iter().map(|m| &m.data))
        .chain(&graph.unnamed_metadata)
        .map(|part| (part.as_ptr(), part.len()))
        .collect();
    parts
        .iter()
        .fold(0, |sum: usize, part| sum.saturating_add(part.1))
}

/// Bytes that all but the payload takes, rather too many than too few: a builder that must grow copies all it holds.
fn tables(graph: &Graph) -> usize {
    let tensor = |t: &Tensor| {
        let q = t.quantization.as_ref();
        let numbers = q.map_or(0, |q| {
            q.scales.len() + 2 * q.zero_points.len() + q.min.len() + q.max.len()
        });
        256 + t.name.len() + 8 * t.shape.len() + 4 * numbers
    };
    let node = |n: &Node| 256 + 4 * (n.inputs.len() + n.outputs.len() + n.intermediates.len());
    let subgraph = |s: &Subgraph| {
        s.tensors.iter().map(tensor).sum::<usize>() + s.nodes.iter().map(node).sum::<usize>()
    };
    4096 + graph.subgraphs.iter().map(subgraph).sum::<usize>()
}

/// Options in the file: kind and table of either union, and custom bytes.
#[derive(Clone, Copy)]
struct WrittenOptions<'f> {
    first: (schema::BuiltinOptions, Option<WIPOffset<UnionWIPOffset>>),
    second: (schema::BuiltinOptions2, Option<WIPOffset<UnionWIPOffset>>),
    custom: Option<WIPOffset<Vector<'f, u8>>>,
}

/// A file in the making; the maps find what is already in it.
struct Writer<'f> {
    fbb: FlatBufferBuilder<'f>,
    strings: HashMap<String, WIPOffset<&'f str>>,
    ints: HashMap<Vec<i32>, WIPOffset<Vector<'f, i32>>>,
    longs: HashMap<Vec<i64>, WIPOffset<Vector<'f, i64>>>,
    floats: HashMap<Vec<u32>, WIPOffset<Vector<'f, f32>>>,
    options: HashMap<Bytes, WrittenOptions<'f>>,
    buffers: Vec<WIPOffset<schema::Buffer<'f>>>,
    buffer_ids: HashMap<Content, u32>,
    /// Makes the hashes of contents differ from file to file.
    seed: RandomState,
    opcodes: OpCodes,
    /// Where the next part beside the FlatBuffer will stand; `None` if all stays inside.
    next_outside: Option<u64>,
    outside: Vec<Bytes>,
}

/// The bytes of a buffer as a key. Weights are long, so they are hashed once, eight bytes at a time in four strands.
#[derive(PartialEq, Eq)]
struct Content {
    hash: u64,
    data: Bytes,
}

impl Content {
    fn new(data: &Bytes, seed: &RandomState) -> Self {
        /// Odd, its bits spread: 2^64 / golden ratio.
        const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;
        let start = seed.hash_one(data.len());
        let mut strands = [0, 1, 2, 3].map(|i| start.wrapping_add(i));
        let mix = |strand: &mut u64, word: u64| {
            *strand = (strand.rotate_left(23) ^ word).wrapping_mul(FACTOR);
        };
        let (words, rest) = data.as_chunks::<8>();
        let (lines, more) = words.as_chunks::<4>();
        for line in lines {
            for (strand, word) in strands.iter_mut().zip(line) {
                mix(strand, u64::from_le_bytes(*word));
            }
        }
        for (strand, word) in strands.iter_mut().zip(more) {
            mix(strand, u64::from_le_bytes(*word));
        }
        Self {
            hash: seed.hash_one((strands, rest)),
            data: data.clone(),
        }
    }
}

impl Hash for Content {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.hash);
    }
}

/// The operator table: one entry for each operator, with the highest version of its nodes.
#[derive(Default)]
struct OpCodes {
    entries: Vec<(BuiltinOperator, String, i32)>,
    index: HashMap<(i32, String), u32>,
}

impl OpCodes {
    fn id(&mut self, op: &Op, code: BuiltinOperator, version: i32) -> u32 {
        let custom = match op {
            Op::Custom(c) => c.code.clone(),
            _ => String::new(),
        };
        let entries = &mut self.entries;
        let id = *self
            .index
            .entry((code.0, custom.clone()))
            .or_insert_with(|| {
                entries.push((code, custom, version));
                entries.len() as u32 - 1
            });
        if let Some(entry) = entries.get_mut(id as usize) {
            entry.2 = entry.2.max(version);
        }
        id
    }
}

impl<'f> Writer<'f> {
    /// The FlatBuffer, and what stands beside it from `outside` on if that is given.
    fn build(graph: &Graph, outside: Option<u64>) -> Result<(Vec<u8>, Vec<Bytes>)> {
        let expected = match outside {
            Some(_) => 0,
            None => payload(graph),
        } + tables(graph);
        let expected = expected.min(MOST_BYTES);
        let mut w = Writer {
            fbb: FlatBufferBuilder::with_capacity(expected),
            strings: HashMap::new(),
            ints: HashMap::new(),
            longs: HashMap::new(),
            floats: HashMap::new(),
            options: HashMap::new(),
            buffers: vec![],
            buffer_ids: HashMap::new(),
            seed: RandomState::new(),
            opcodes: OpCodes::default(),
            next_outside: outside,
            outside: vec![],
        };
        // Buffer 0 is the empty one, by the format's convention.
        w.buffer(&Bytes::new());
        w.model(graph)?;
        let (mut file, unused) = w.fbb.collapse();
        file.drain(..unused);
        Ok((file, w.outside))
    }

    fn model(&mut self, graph: &Graph) -> Result<()> {
        let mut subgraphs = vec![];
        for (i, subgraph) in graph.subgraphs.iter().enumerate() {
            let written = self
                .subgraph(subgraph)
                .map_err(|e| e.at(format_args!("Subgraph {i}")))?;
            subgraphs.push(written);
        }
        let mut metadata = vec![];
        for m in &runtime_version::with_min_runtime_version(graph) {
            let buffer = self.buffer(&m.data);
            let name = self.string(&m.name);
            metadata.push(schema::Metadata::create(
                &mut self.fbb,
                &schema::MetadataArgs { name, buffer },
            ));
        }
        let unnamed: Vec<i32> = graph
            .unnamed_metadata
            .iter()
            .map(|m| self.buffer(m) as i32)
            .collect();
        let metadata_buffer = (!unnamed.is_empty()).then(|| self.ints(unnamed));
        let mut signatures = vec![];
        for s in &graph.signatures {
            signatures.push(self.signature(s)?);
        }
        let mut codes = vec![];
        for (code, custom, version) in std::mem::take(&mut self.opcodes.entries) {
            let custom_code = self.string(&custom);
            codes.push(schema::OperatorCode::create(
                &mut self.fbb,
                &schema::OperatorCodeArgs {
                    // Codes that the older, narrower field cannot hold stand there as 127.
                    deprecated_builtin_code: code
                        .min(BuiltinOperator::PLACEHOLDER_FOR_GREATER_OP_CODES)
                        .0 as i8,
                    custom_code,
                    version,
                    builtin_code: code,
                },
            ));
        }
        let description = self.string(graph.description.as_deref().unwrap_or_default());
        let fbb = &mut self.fbb;
        let operator_codes = Some(fbb.create_vector(&codes));
        let subgraphs = Some(fbb.create_vector(&subgraphs));
        let buffers = Some(fbb.create_vector(&self.buffers));
        let metadata = (!metadata.is_empty()).then(|| fbb.create_vector(&metadata));
        let signature_defs = (!signatures.is_empty()).then(|| fbb.create_vector(&signatures));
        let root = schema::Model::create(
            fbb,
            &schema::ModelArgs {
                version: 3,
                operator_codes,
                subgraphs,
                description,
                buffers,
                metadata_buffer,
                metadata,
                signature_defs,
                ..Default::default()
            },
        );
        // The builder aligns from the end, so a length that is a multiple of 16 makes aligned constants aligned in the file.
        self.pad(8);
        schema::finish_model_buffer(&mut self.fbb, root);
        Ok(())
    }

    /// Zeros such that the part of `len` bytes that follows ends (that is: begins, in the file) on an aligned place.
    fn pad(&mut self, len: usize) {
        while !(self.fbb.unfinished_data().len() + len).is_multiple_of(ALIGNMENT) {
            self.fbb.push(0u8);
        }
    }

    fn string(&mut self, text: &str) -> Option<WIPOffset<&'f str>> {
        if text.is_empty() {
            return None;
        }
        if let Some(&known) = self.strings.get(text) {
            return Some(known);
        }
        let new = self.fbb.create_string(text);
        self.strings.insert(text.to_owned(), new);
        Some(new)
    }

    fn ints(&mut self, values: Vec<i32>) -> WIPOffset<Vector<'f, i32>> {
        let fbb = &mut self.fbb;
        *self
            .ints
            .entry(values)
            .or_insert_with_key(|v| fbb.create_vector(v))
    }

    fn longs(&mut self, values: &[i64]) -> Option<WIPOffset<Vector<'f, i64>>> {
        let fbb = &mut self.fbb;
        (!values.is_empty()).then(|| {
            *self
                .longs
                .entry(values.to_vec())
                .or_insert_with(|| fbb.create_vector(values))
        })
    }

    fn floats(&mut self, values: &[f32]) -> Option<WIPOffset<Vector<'f, f32>>> {
        let fbb = &mut self.fbb;
        let bits = values.iter().map(|v| v.to_bits()).collect();
        (!values.is_empty()).then(|| {
            *self
                .floats
                .entry(bits)
                .or_insert_with(|| fbb.create_vector(values))
        })
    }

    /// Tensor indices or extents, which the format holds in 32 bits.
    fn indices(&mut self, values: &[usize], what: &str) -> Result<WIPOffset<Vector<'f, i32>>> {
        let narrow: std::result::Result<Vec<i32>, _> =
            values.iter().map(|&v| i32::try_from(v)).collect();
        match narrow {
            Ok(narrow) => Ok(self.ints(narrow)),
            Err(_) => invalid!("its {what} {values:?} do not fit into 32 bits"),
        }
    }

    /// Index of the buffer that holds these bytes.
    fn buffer(&mut self, data: &Bytes) -> u32 {
        let content = Content::new(data, &self.seed);
        if let Some(&known) = self.buffer_ids.get(&content) {
            return known;
        }
        let mut args = schema::BufferArgs::default();
        if let Some(offset) = self.outside(data) {
            args.offset = offset;
            args.size = data.len() as u64;
        } else if !data.is_empty() {
            self.pad(data.len());
            args.data = Some(self.fbb.create_vector(data));
        }
        let buffer = schema::Buffer::create(&mut self.fbb, &args);
        let id = self.buffers.len() as u32;
        self.buffers.push(buffer);
        self.buffer_ids.insert(content, id);
        id
    }

    /// Puts a large part beside the FlatBuffer where that is needed, and says where.
    fn outside(&mut self, data: &Bytes) -> Option<u64> {
        let offset = self.next_outside.filter(|_| data.len() >= SMALL)?;
        self.next_outside = Some(offset + data.len().next_multiple_of(ALIGNMENT) as u64);
        self.outside.push(data.clone());
        Some(offset)
    }

    fn subgraph(&mut self, from: &Subgraph) -> Result<WIPOffset<schema::SubGraph<'f>>> {
        let mut tensors = vec![];
        for (i, t) in from.tensors.iter().enumerate() {
            let place = format_args!("Tensor {i} {:?}", t.name);
            tensors.push(self.tensor(t).map_err(|e| e.at(place))?);
        }
        let mut operators = vec![];
        for (i, n) in from.nodes.iter().enumerate() {
            let place = format_args!("Node {i} {}", n.op.name().escape_debug());
            let version = n.version.max(versions::required(from, n));
            operators.push(self.node(n, version).map_err(|e| e.at(place))?);
        }
        let inputs = Some(self.indices(&from.inputs, "inputs")?);
        let outputs = Some(self.indices(&from.outputs, "outputs")?);
        let name = self.string(from.name.as_deref().unwrap_or_default());
        let tensors = Some(self.fbb.create_vector(&tensors));
        let operators = Some(self.fbb.create_vector(&operators));
        Ok(schema::SubGraph::create(
            &mut self.fbb,
            &schema::SubGraphArgs {
                tensors,
                inputs,
                outputs,
                operators,
                name,
                debug_metadata_index: from.debug_metadata,
            },
        ))
    }

    fn tensor(&mut self, from: &Tensor) -> Result<WIPOffset<schema::Tensor<'f>>> {
        let buffer = match &from.data {
            Some(data) => self.buffer(data),
            None => 0,
        };
        let shape = match from.shape.as_slice() {
            [] => None,
            shape => Some(self.indices(shape, "extents")?),
        };
        let shape_signature = from.shape_signature.clone().map(|s| self.ints(s));
        let quantization = match &from.quantization {
            Some(q) => Some(self.quantization(q)?),
            None => None,
        };
        let (mut sparsity, mut variant_tensors) = (None, None);
        if let Some(extra) = &from.extra {
            let extra = opaque::decode_tensor_extra(extra)?;
            sparsity = extra.sparsity.map(|s| s.pack(&mut self.fbb));
            variant_tensors = extra.variant_tensors.map(|v| {
                let packed: Vec<_> = v.iter().map(|t| t.pack(&mut self.fbb)).collect();
                self.fbb.create_vector(&packed)
            });
        }
        let name = self.string(&from.name);
        Ok(schema::Tensor::create(
            &mut self.fbb,
            &schema::TensorArgs {
                shape,
                type_: types::dtype_code(from.dtype),
                buffer,
                name,
                quantization,
                is_variable: from.is_variable,
                sparsity,
                shape_signature,
                has_rank: from.has_rank,
                variant_tensors,
                external_buffer: 0,
            },
        ))
    }

    fn quantization(
        &mut self,
        from: &Quantization,
    ) -> Result<WIPOffset<schema::QuantizationParameters<'f>>> {
        let (mut details_type, mut details) = (schema::QuantizationDetails::NONE, None);
        if let Some(encoded) = &from.details {
            let decoded = opaque::decode_details(encoded)?;
            details_type = decoded.quantization_details_type();
            details = decoded.pack(&mut self.fbb);
        }
        let Ok(quantized_dimension) = i32::try_from(from.axis) else {
            return invalid!("its quantization axis {} does not exist", from.axis);
        };
        let args = schema::QuantizationParametersArgs {
            min: self.floats(&from.min),
            max: self.floats(&from.max),
            scale: self.floats(&from.scales),
            zero_point: self.longs(&from.zero_points),
            details_type,
            details,
            quantized_dimension,
        };
        Ok(schema::QuantizationParameters::create(&mut self.fbb, &args))
    }

    fn node(&mut self, from: &Node, version: i32) -> Result<WIPOffset<schema::Operator<'f>>> {
        let (mut offset, mut size) = (0, 0);
        let (code, options, format) = match &from.op {
            Op::Custom(c) => {
                let mut options = opaque::Options::typed(schema::BuiltinOptionsT::NONE);
                if let Some(place) = self.outside(&c.options) {
                    (offset, size) = (place, c.options.len() as u64);
                } else if !c.options.is_empty() {
                    options.custom = Some(c.options.to_vec());
                }
                (BuiltinOperator::CUSTOM, options, c.options_format)
            }
            Op::Other(o) => (
                BuiltinOperator(o.code),
                opaque::Options::decode(&o.options)?,
                0,
            ),
            op => match options::write(op) {
                Some((code, options)) => (code, options, 0),
                None => return invalid!("it is of no known kind"),
            },
        };
        let options = self.options(options);
        let opcode_index = self.opcodes.id(&from.op, code, version);
        let inputs = from
            .inputs
            .iter()
            .map(|i| match i {
                Some(id) => i32::try_from(*id).map_err(|_| {
                    Error::Invalid(format!("its input {id} does not fit into 32 bits"))
                }),
                None => Ok(-1),
            })
            .collect::<Result<Vec<i32>>>()?;
        let inputs = Some(self.ints(inputs));
        let outputs = Some(self.indices(&from.outputs, "outputs")?);
        let intermediates = match from.intermediates.as_slice() {
            [] => None,
            ids => Some(self.indices(ids, "intermediates")?),
        };
        let mutating = &from.mutating_inputs;
        let mutating_variable_inputs =
            (!mutating.is_empty()).then(|| self.fbb.create_vector(mutating));
        Ok(schema::Operator::create(
            &mut self.fbb,
            &schema::OperatorArgs {
                opcode_index,
                inputs,
                outputs,
                builtin_options_type: options.first.0,
                builtin_options: options.first.1,
                custom_options: options.custom,
                custom_options_format: schema::CustomOptionsFormat(format),
                mutating_variable_inputs,
                intermediates,
                large_custom_options_offset: offset,
                large_custom_options_size: size,
                builtin_options_2_type: options.second.0,
                builtin_options_2: options.second.1,
                debug_metadata_index: from.debug_metadata,
            },
        ))
    }

    fn options(&mut self, from: opaque::Options) -> WrittenOptions<'f> {
        let key = from.encode();
        if let Some(known) = self.options.get(&key) {
            return *known;
        }
        let custom = from.custom.as_ref().map(|c| {
            self.pad(c.len());
            self.fbb.create_vector(c)
        });
        let written = WrittenOptions {
            first: (
                from.first.builtin_options_type(),
                from.first.pack(&mut self.fbb),
            ),
            second: (
                from.second.builtin_options_2_type(),
                from.second.pack(&mut self.fbb),
            ),
            custom,
        };
        self.options.insert(key, written);
        written
    }

    fn signature(&mut self, from: &Signature) -> Result<WIPOffset<schema::SignatureDef<'f>>> {
        let inputs = self.names(&from.inputs)?;
        let outputs = self.names(&from.outputs)?;
        let signature_key = self.string(&from.key);
        let Ok(subgraph_index) = u32::try_from(from.subgraph) else {
            return invalid!("Signature {:?} names no subgraph", from.key);
        };
        Ok(schema::SignatureDef::create(
            &mut self.fbb,
            &schema::SignatureDefArgs {
                inputs: Some(inputs),
                outputs: Some(outputs),
                signature_key,
                subgraph_index,
            },
        ))
    }

    fn names(
        &mut self,
        from: &[(String, usize)],
    ) -> Result<WIPOffset<Vector<'f, flatbuffers::ForwardsUOffset<schema::TensorMap<'f>>>>> {
        let mut maps = vec![];
        for (name, tensor) in from {
            let Ok(tensor_index) = u32::try_from(*tensor) else {
                return invalid!("{name:?} of a signature names no tensor");
            };
            let name = self.string(name);
            let args = schema::TensorMapArgs { name, tensor_index };
            maps.push(schema::TensorMap::create(&mut self.fbb, &args));
        }
        Ok(self.fbb.create_vector(&maps))
    }
}
