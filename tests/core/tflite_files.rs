//! Reading and writing whole `.tflite` files: the graph stays the same, files that are none say so, versions follow the rules.

use bytes::Bytes;
use zeropoint::error::Error;
use zeropoint::graph::{
    Activation, Conv2d, DType, FullyConnected, Graph, Node, Op, OtherOp, Padding, Quantization,
    Subgraph, Tensor,
};
use zeropoint::tflite::{min_runtime_version, read, write};

/// Files of this folder by name.
pub fn golden(name: &str) -> Bytes {
    Bytes::from_static(match name {
        "operators" => include_bytes!("../golden/tflite_operators.tflite"),
        "features" => include_bytes!("../golden/tflite_features.tflite"),
        "outside" => include_bytes!("../golden/tflite_outside.tflite"),
        "mnist_int8" => include_bytes!("../golden/tflite_mnist_int8.tflite"),
        "mnist_16x8" => include_bytes!("../golden/tflite_mnist_16x8.tflite"),
        "dead_channel" => include_bytes!("../golden/tflite_dead_channel.tflite"),
        "shared_bias" => include_bytes!("../golden/tflite_shared_bias.tflite"),
        other => panic!("no golden file {other}"),
    })
}

pub const NAMES: [&str; 7] = [
    "operators",
    "features",
    "outside",
    "mnist_int8",
    "mnist_16x8",
    "dead_channel",
    "shared_bias",
];

/// The graph without what the writer brings up to date.
fn timeless(graph: &Graph) -> Graph {
    let mut graph = graph.clone();
    graph.metadata.retain(|m| m.name != "min_runtime_version");
    let nodes = graph.subgraphs.iter_mut().flat_map(|s| &mut s.nodes);
    nodes.for_each(|n| n.version = 0);
    graph
}

#[test]
fn reading_what_was_written_gives_the_same_graph() {
    for name in NAMES {
        let graph = read(golden(name)).unwrap();
        let written = write(&graph).unwrap();
        let again = read(written.clone().into()).unwrap();
        assert_eq!(timeless(&again), timeless(&graph), "{name}");
        for (was, is) in graph.subgraphs.iter().zip(&again.subgraphs) {
            for (was, is) in was.nodes.iter().zip(&is.nodes) {
                assert!(was.version <= is.version, "{name}: {was:?}");
            }
        }
        // Once up to date, nothing changes any more, to the byte.
        assert_eq!(write(&again).unwrap(), written, "{name}");
        assert!(written.len() <= golden(name).len(), "{name} grew");
    }
}

#[test]
fn the_graph_says_what_the_file_says() {
    let graph = read(golden("features")).unwrap();
    let main = graph.main();
    assert_eq!(graph.description.as_deref(), Some("every field"));
    assert_eq!(graph.subgraphs.len(), 3);
    assert_eq!(main.name.as_deref(), Some("main"));
    assert_eq!(main.debug_metadata, 3);
    let tensor = |name: &str| main.tensors.iter().find(|t| t.name == name).unwrap();
    assert_eq!(tensor("x").shape_signature, Some(vec![-1, 4]));
    assert_eq!(tensor("x").quantization.as_ref().unwrap().max, [2.0]);
    assert!(tensor("state").is_variable);
    let int4 = tensor("int4 weights").quantization.as_ref().unwrap();
    assert_eq!(int4.scales, [0.5, 0.25, 0.0]);
    assert_eq!(int4.zero_points, [0, 1, -1]);
    assert_eq!(tensor("sparse").data.as_ref().unwrap().len(), 12);
    assert!(tensor("sparse").extra.is_some() && tensor("variant").extra.is_some());
    assert!(!tensor("unranked").has_rank);
    assert_eq!(tensor("no elements").data.as_deref(), Some(&[][..]));
    assert_eq!(tensor("shared 0").i32s().unwrap(), [0, 1, 2, 3]);
    let nodes: Vec<_> = main.nodes.iter().map(|n| n.op.name()).collect();
    assert_eq!(
        nodes,
        [
            "IF",
            "WHILE",
            "Made.Up",
            "Another",
            "UNIDIRECTIONAL_SEQUENCE_LSTM",
            "RELU"
        ]
    );
    assert_eq!(main.nodes[1].debug_metadata, 7);
    assert_eq!(main.nodes[2].inputs[1], None);
    assert_eq!(main.nodes[2].version, 4);
    let Op::Custom(custom) = &main.nodes[2].op else {
        panic!("not custom")
    };
    assert_eq!(custom.options.as_ref(), (0..20).collect::<Vec<u8>>());
    assert_eq!(main.nodes[4].intermediates.len(), 1);
    assert_eq!(main.nodes[4].mutating_inputs, [false, true]);
    assert_eq!(graph.signatures[0].inputs[1], ("which".into(), 1));
    assert_eq!(graph.signatures[1].subgraph, 2);
    assert_eq!(graph.metadata[1].data.as_ref(), b"cat\ndog\n");
    assert_eq!(graph.unnamed_metadata[0].as_ref(), b"old metadata");
    let outside = read(golden("outside")).unwrap();
    let w = outside.main().tensors[2].f32s().unwrap();
    assert_eq!((w[0], w[31]), (-1.0, 1.0));
    assert_eq!(
        outside.metadata[0].data.as_ref(),
        b"note outside of the buffer"
    );
}

#[test]
fn files_packed_behind_the_model_move_with_it() {
    let mut graph = read(golden("features")).unwrap();
    let labels = |file: Bytes| {
        let mut archive = zip::ZipArchive::new(std::io::Cursor::new(file)).unwrap();
        // Readers forgive a wrong start by searching; the start is right if nothing had to be forgiven.
        assert_eq!(archive.len(), 2);
        let mut text = String::new();
        let mut entry = archive.by_name("labels.txt").unwrap();
        std::io::Read::read_to_string(&mut entry, &mut text).unwrap();
        (text, entry.header_start())
    };
    let archive = graph.packed_files.clone().unwrap();
    assert_eq!(labels(archive), ("cat\ndog\n".into(), 0));
    let before = write(&graph).unwrap();
    let (text, at) = labels(before.clone().into());
    assert_eq!(text, "cat\ndog\n");
    assert!(before[at as usize..].starts_with(b"PK\x03\x04"));
    // A longer model in front of it.
    graph.metadata[1].data = vec![7; 5000].into();
    let (text, moved) = labels(write(&graph).unwrap().into());
    assert_eq!(text, "cat\ndog\n");
    assert!(moved > at + 4900);
}

#[test]
fn absent_options_stand_for_the_schemas_defaults() {
    let graph = read(golden("operators")).unwrap();
    let find = |name: &str| graph.main().nodes.iter().find(|n| n.op.name() == name);
    let Some(Op::Add {
        pot_scale_int16, ..
    }) = find("ADD").map(|n| &n.op)
    else {
        panic!("no ADD")
    };
    assert!(!pot_scale_int16, "the generator flips the default, true");
    // An operator whose options are those of another one: its own are absent.
    let mut odd = one_node(
        Op::Other(OtherOp {
            code: 0,
            name: "ADD".into(),
            options: Bytes::new(),
        }),
        &[(DType::Float32, None), (DType::Float32, None)],
        DType::Float32,
    );
    let read_back = read(write(&odd).unwrap().into()).unwrap();
    let plain = Op::Add {
        activation: Activation::None,
        pot_scale_int16: true,
    };
    assert_eq!(read_back.main().nodes[0].op, plain);
    let Some(Op::Other(bucketize)) = find("BUCKETIZE").map(|n| &n.op) else {
        panic!("no BUCKETIZE")
    };
    if let Op::Other(o) = &mut odd.subgraphs[0].nodes[0].op {
        o.options = bucketize.options.clone();
    }
    let read_back = read(write(&odd).unwrap().into()).unwrap();
    assert_eq!(read_back.main().nodes[0].op, plain);
}

#[test]
fn what_is_no_tflite_file_says_what_it_is() {
    let says = |bytes: &[u8]| read(Bytes::copy_from_slice(bytes)).unwrap_err().to_string();
    assert_eq!(says(b""), "This file is empty");
    assert!(says(b"\x89HDF\r\n\x1a\nmore").contains("HDF5"));
    assert!(says(b"PK\x03\x04 and so on").contains("zip archive"));
    assert!(says(b"\x1f\x8b\x08 and so on").contains("gzip"));
    assert!(says(b"\x93NUMPY and so on").contains("NumPy"));
    assert_eq!(
        says(b"abc"),
        "This is no model: it is text. Open a .tflite, .keras, .h5 or .hdf5 file"
    );
    assert!(says(b"\x89PNG\r\n\x1a\n and so on").contains("picture"));
    assert!(says(b"\x80\x04 and so on").contains("pickle"));
    assert!(says(b"\x01\x02\x03").contains("ends before the identifier TFL3"));
    assert!(says(&[0; 100]).contains("identifier TFL3 is missing"));
    let short = golden("mnist_int8");
    let text = says(&short[..20_000]);
    assert!(
        text.starts_with("This file ends at byte 20000"),
        "{text:?} does not say that the file is cut off"
    );
    for text in [says(b""), says(b"abc"), text] {
        assert!(!text.contains('\n') && !text.ends_with('.'));
    }
}

#[test]
fn newer_and_older_formats_are_unsupported_rather_than_malformed() {
    // The version field of the root table, found by writing another version over the only place that holds it.
    let file = write(&read(golden("dead_channel")).unwrap()).unwrap();
    let root = u32::from_le_bytes(file[..4].try_into().unwrap()) as usize;
    let back = i32::from_le_bytes(file[root..root + 4].try_into().unwrap());
    let table = (root as i64 - i64::from(back)) as usize;
    let field = u16::from_le_bytes(file[table + 4..table + 6].try_into().unwrap()) as usize;
    let mut other = file.clone();
    assert_eq!(other[root + field], 3);
    other[root + field] = 2;
    let error = read(other.into()).unwrap_err();
    assert!(matches!(error, Error::Unsupported(_)), "{error}");
    assert!(error.to_string().contains("version 2"));
}

/// A graph of one node whose inputs have these types and quantizations; input 0 is fed, the others are constants.
fn one_node(op: Op, inputs: &[(DType, Option<Quantization>)], output: DType) -> Graph {
    let mut tensors = vec![];
    for (i, (dtype, quantization)) in inputs.iter().enumerate() {
        let mut tensor = Tensor::new(format!("input {i}"), *dtype, vec![2, 1, 1, 2]);
        tensor.quantization = quantization.clone();
        if i > 0 {
            tensor.data = Some(vec![0; (4 * dtype.bits()).div_ceil(8)].into());
        }
        tensors.push(tensor);
    }
    tensors.push(Tensor::new("output", output, vec![2, 1, 1, 2]));
    let ids = (0..inputs.len()).map(Some).collect();
    let subgraph = Subgraph {
        inputs: vec![0],
        outputs: vec![inputs.len()],
        nodes: vec![Node::new(op, ids, vec![inputs.len()])],
        tensors,
        debug_metadata: -1,
        ..Subgraph::default()
    };
    let graph = Graph {
        subgraphs: vec![subgraph],
        ..Graph::default()
    };
    graph.validate().unwrap();
    graph
}

fn version(graph: &Graph) -> i32 {
    read(write(graph).unwrap().into()).unwrap().main().nodes[0].version
}

/// Expected versions: quantization-rules, section 11 (LiteRT's `op_version.cc`).
#[test]
fn operators_get_the_version_their_types_need() {
    use DType::{Float16, Float32, Int4, Int8, Int16, Int32, Int64, UInt8};
    let conv = |quantized_bias| {
        Op::Conv2d(Conv2d {
            padding: Padding::Same,
            stride: [1, 1],
            dilation: [1, 1],
            activation: Activation::None,
            quantized_bias,
        })
    };
    let dense = |quantized_bias, asymmetric_quantize_inputs| {
        Op::FullyConnected(FullyConnected {
            quantized_bias,
            asymmetric_quantize_inputs,
            ..FullyConnected::default()
        })
    };
    let one = || Some(Quantization::per_tensor(0.5, 0));
    let two = || Some(Quantization::per_channel(vec![0.5, 0.25], 0));
    let (f, i8, i16) = ((Float32, None), (Int8, one()), (Int16, one()));
    let (bias, wide_bias) = ((Int32, None), (Int64, None));
    // Expected version, operator, inputs, type of the output.
    type Case = (i32, Op, Vec<(DType, Option<Quantization>)>, DType);
    let cases: Vec<Case> = vec![
        (
            1,
            conv(None),
            vec![f.clone(), f.clone(), f.clone()],
            Float32,
        ),
        (
            3,
            conv(None),
            vec![i8.clone(), (Int8, two()), bias.clone()],
            Int8,
        ),
        (
            5,
            conv(None),
            vec![f.clone(), (Int8, two()), f.clone()],
            Float32,
        ),
        (
            2,
            conv(None),
            vec![f.clone(), i8.clone(), f.clone()],
            Float32,
        ),
        (
            7,
            conv(None),
            vec![i8.clone(), (Int4, two()), bias.clone()],
            Int8,
        ),
        (
            8,
            conv(Some(Int64)),
            vec![i16.clone(), (Int8, two()), wide_bias.clone()],
            Int16,
        ),
        (
            1,
            conv(None),
            vec![i16.clone(), (Int8, two()), wide_bias.clone()],
            Int16,
        ),
        (
            12,
            dense(None, true),
            vec![f.clone(), (Int8, two()), f.clone()],
            Float32,
        ),
        (
            9,
            dense(None, true),
            vec![f.clone(), i8.clone(), f.clone()],
            Float32,
        ),
        (
            3,
            dense(None, false),
            vec![f.clone(), i8.clone(), f.clone()],
            Float32,
        ),
        (
            4,
            dense(None, false),
            vec![i8.clone(), i8.clone(), bias.clone()],
            Int8,
        ),
        (6, dense(None, false), vec![i8.clone(), i8.clone()], Int8),
        (
            11,
            dense(Some(Int64), false),
            vec![i16.clone(), i8.clone(), wide_bias],
            Int16,
        ),
        (2, Op::Logistic, vec![i8.clone()], Int8),
        (3, Op::Logistic, vec![i16.clone()], Int16),
        (2, Op::Relu, vec![(UInt8, one())], UInt8),
        (
            2,
            Op::Mul {
                activation: Activation::None,
            },
            vec![i8.clone(), i8.clone()],
            Int8,
        ),
        (
            4,
            Op::Mul {
                activation: Activation::None,
            },
            vec![i16.clone(), i16.clone()],
            Int16,
        ),
        (
            3,
            Op::Add {
                activation: Activation::None,
                pot_scale_int16: false,
            },
            vec![i16.clone(), i16.clone()],
            Int16,
        ),
        (
            5,
            Op::Sub {
                activation: Activation::None,
                pot_scale_int16: false,
            },
            vec![i16.clone(), i16.clone()],
            Int16,
        ),
        (
            1,
            Op::Add {
                activation: Activation::None,
                pot_scale_int16: true,
            },
            vec![i16.clone(), i16.clone()],
            Int16,
        ),
        (3, Op::Dequantize, vec![(Float16, None)], Float32),
        (5, Op::Dequantize, vec![(Int8, two())], Float32),
        (2, Op::Dequantize, vec![i8.clone()], Float32),
        (2, Op::Quantize, vec![f.clone()], Int16),
        (1, Op::Quantize, vec![f], Int8),
    ];
    for (expected, op, inputs, output) in cases {
        let graph = one_node(op.clone(), &inputs, output);
        assert_eq!(version(&graph), expected, "{op:?} {inputs:?}");
    }
    // A product that is scaled up needs a newer kernel.
    let mul = Op::Mul {
        activation: Activation::None,
    };
    let mut graph = one_node(mul, &[i8.clone(), i8], Int8);
    graph.subgraphs[0].tensors[2].quantization = Some(Quantization::per_tensor(0.25, 0));
    assert_eq!(version(&graph), 3);
}

#[test]
fn a_version_that_was_read_is_never_lowered_and_counts_for_the_whole_operator() {
    let mut graph = one_node(Op::Tanh, &[(DType::Float32, None)], DType::Float32);
    graph.subgraphs[0].nodes[0].version = 9;
    assert_eq!(version(&graph), 9);
    let main = &mut graph.subgraphs[0];
    let mut second = main.nodes[0].clone();
    main.tensors.push(main.tensors[1].clone());
    (second.version, second.outputs) = (1, vec![2]);
    main.nodes.insert(0, second);
    assert_eq!(version(&graph), 9);
}

#[test]
fn the_oldest_runtime_is_stated() {
    let stated = |graph: &Graph| {
        let entry = graph
            .metadata
            .iter()
            .find(|m| m.name == "min_runtime_version");
        entry.map(|m| m.data.clone())
    };
    // TensorFlow's own file states the same.
    let tensorflow = read(golden("mnist_int8")).unwrap();
    assert_eq!(min_runtime_version(&tensorflow), "1.14.0");
    assert_eq!(
        stated(&tensorflow).unwrap().as_ref(),
        b"1.14.0\0\0\0\0\0\0\0\0\0\0"
    );
    let mut bare = tensorflow.clone();
    bare.metadata.clear();
    let written = read(write(&bare).unwrap().into()).unwrap();
    assert_eq!(stated(&written), stated(&tensorflow));
    // A stated version is raised where an operator needs more, and never lowered.
    let mut graph = one_node(Op::Tanh, &[(DType::Int16, None)], DType::Int16);
    assert_eq!(min_runtime_version(&graph), "2.3.0");
    graph.metadata = tensorflow.metadata.clone();
    assert_eq!(min_runtime_version(&graph), "2.3.0");
    graph.metadata[0].data = Bytes::from_static(b"2.17.0\0\0");
    assert_eq!(min_runtime_version(&graph), "2.17.0");
    let written = read(write(&graph).unwrap().into()).unwrap();
    assert_eq!(stated(&written).unwrap().as_ref(), b"2.17.0\0\0");
}
