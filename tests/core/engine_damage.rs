//! Damaged models through the engine: whatever a flipped byte makes of a file that still reads, nothing panics.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use bytes::Bytes;
use zeropoint::engine::{KernelSet, Options, prepare};
use zeropoint::graph::{DType, Data, Value};

use crate::golden_file::Golden;

const FILES: &[&str] = &[
    "conv_2d",
    "depthwise_conv_2d",
    "fully_connected",
    "max_pool_2d",
    "average_pool_2d",
    "mean",
    "add",
    "sub",
    "mul",
    "relu",
    "relu6",
    "logistic",
    "tanh",
    "softmax",
    "hard_swish",
    "pad",
    "concatenation",
    "pack",
    "transpose",
    "reshape",
    "shape",
    "strided_slice",
    "quantize",
    "dequantize",
    "expand_dims",
    "squeeze",
    "broadcast_args",
    "fill",
    "range",
    "slice",
    "split",
    "split_v",
    "unpack",
    "gather",
    "gather_nd",
    "scatter_nd",
    "embedding_lookup",
    "tile",
    "broadcast_to",
    "padv2",
    "mirror_pad",
    "reverse_v2",
    "reverse_sequence",
    "dilate",
    "dynamic_update_slice",
    "space_to_depth",
    "depth_to_space",
    "space_to_batch_nd",
    "batch_to_space_nd",
    "one_hot",
    "where",
    "topk_v2",
    "unique",
    "sparse_to_dense",
    "matrix_diag",
    "matrix_set_diag",
    "segment_sum",
    "unsorted_segment_sum",
    "transpose_conv",
    "conv_3d",
    "conv_3d_transpose",
    "batch_matmul",
    "resize_bilinear",
    "resize_nearest_neighbor",
    "l2_pool_2d",
    "densify",
];

/// The next number of a fixed sequence (xorshift).
fn next(state: &mut u64) -> usize {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    (*state >> 11) as usize
}

fn zeros(dtype: DType, shape: &[usize]) -> Option<Value> {
    let n = shape.iter().product();
    let data = match dtype {
        DType::Float32 => Data::F32(vec![0.5; n]),
        DType::Float16 => Data::F16(vec![half::f16::ONE; n]),
        DType::Int8 => Data::I8(vec![-7; n]),
        DType::UInt8 => Data::U8(vec![200; n]),
        DType::Int16 => Data::I16(vec![-3000; n]),
        DType::Int32 => Data::I32(vec![i32::MIN; n]),
        DType::Int64 => Data::I64(vec![i64::MAX; n]),
        DType::Bool => Data::Bool(vec![true; n]),
        _ => return None,
    };
    Value::new(shape.to_vec(), data).ok()
}

/// Reads, prepares and runs; how far it came.
fn attempt(model: Bytes, kernels: KernelSet) -> &'static str {
    let Ok(graph) = zeropoint::tflite::read(model) else {
        return "read";
    };
    let graph = Arc::new(graph);
    let main = graph.main();
    // Larger than anything here is meant to be: right perhaps, but not quick.
    let elements = |shape: &[usize]| shape.iter().try_fold(1usize, |n, &d| n.checked_mul(d));
    if main
        .tensors
        .iter()
        .any(|t| elements(&t.shape).is_none_or(|n| n > 1 << 20))
    {
        return "size";
    }
    let options = Options {
        kernels,
        threads: 1,
        subgraph: 0,
    };
    let Ok(mut prepared) = prepare(graph.clone(), None, &options) else {
        return "prepare";
    };
    if prepared.memory() > 1 << 24 {
        return "size";
    }
    let inputs = main.inputs.iter().zip(prepared.input_shapes());
    let inputs: Option<Vec<Value>> = inputs
        .map(|(&id, shape)| zeros(main.tensors[id].dtype, &shape))
        .collect();
    match inputs.map(|inputs| prepared.run(&inputs, None)) {
        Some(Ok(_)) => "ran",
        _ => "run",
    }
}

#[test]
fn flipped_bytes_never_panic() {
    let mut state = 0x9E37_79B9_7F4A_7C15;
    let (mut panics, mut ran, mut refused) = (vec![], 0, 0);
    for file in FILES {
        let golden = Golden::open(&format!("ops_{file}.bin.gz"));
        for case in golden.cases.iter().step_by(11) {
            let model = golden
                .blobs
                .slice(case.model.0..case.model.0 + case.model.1);
            for _ in 0..60 {
                let mut damaged = model.to_vec();
                for _ in 0..1 + next(&mut state) % 3 {
                    let at = next(&mut state) % damaged.len();
                    damaged[at] =
                        [0, 1, 0x7f, 0x80, 0xff, next(&mut state) as u8][next(&mut state) % 6];
                }
                for kernels in [KernelSet::Reference, KernelSet::Fast] {
                    let bytes = Bytes::from(damaged.clone());
                    match catch_unwind(AssertUnwindSafe(|| attempt(bytes, kernels))) {
                        Ok("ran") => ran += 1,
                        Ok(_) => refused += 1,
                        Err(_) => panics.push(format!("{file} {} {kernels:?}", case.name)),
                    }
                }
            }
        }
    }
    assert!(
        panics.is_empty(),
        "{} panics:\n{}",
        panics.len(),
        panics.join("\n")
    );
    assert!(
        ran > 1000 && refused > 1000,
        "{ran} ran, {refused} were refused"
    );
}
