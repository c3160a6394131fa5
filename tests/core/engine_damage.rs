//! Damaged models through the engine: whatever a flipped byte makes of a file that still reads, nothing panics.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use bytes::Bytes;
use zeropoint::engine::{KernelSet, Options, prepare};
use zeropoint::graph::{DType, Data, Value};

use crate::golden_file::Golden;

/// The archives of golden cases, every operator's.
fn files() -> Vec<String> {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let names = std::fs::read_dir(folder).unwrap();
    let names = names.map(|e| e.unwrap().file_name().into_string().unwrap());
    let archives = |n: &String| n.starts_with("ops_") && n.ends_with(".bin.gz");
    let mut names: Vec<String> = names.filter(archives).collect();
    names.sort_unstable();
    names
}

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
    let files = files();
    assert!(files.len() > 100, "{} operators", files.len());
    for file in files {
        let golden = Golden::open(&file);
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
