//! Dynamic mode against LiteRT's reference kernels, to the bit: small squeeze-and-excite networks in which one different bit grows.
//!
//! The golden file comes from `tests/golden/dynamic_make.py`.

use std::process::Command;

use zeropoint::data::{read_npy, write_npy};
use zeropoint::kernels::{ISA_VARIABLE, Isa};

use crate::folder::Folder;
use crate::golden_file::Golden;
use crate::golden_replay::{Floats, replay};

const FILE: &str = "dynamic.bin.gz";

#[test]
fn every_tensor_is_equal_to_the_bit() {
    replay(FILE, |_| Floats::Equal);
}

#[test]
fn every_instruction_set_and_thread_count_answers_alike() {
    let golden = Golden::open(FILE);
    let folder = Folder::new("engine_dynamic");
    let mut wrong = vec![];
    for case in golden.cases.iter().filter(|c| c.name.ends_with("input 1")) {
        std::fs::write(folder.join("m.tflite"), golden.model(case)).unwrap();
        let input = write_npy(&golden.value(&case.inputs[0]));
        std::fs::write(folder.join("x.npy"), input).unwrap();
        for isa in Isa::available() {
            for threads in ["1", "2", "3"] {
                let ran = Command::new(env!("CARGO_BIN_EXE_zeropoint"))
                    .args(["run", "m.tflite", "--input", "x.npy", "--output-dir", "o"])
                    .args(["--threads", threads])
                    .env(ISA_VARIABLE, isa.name())
                    .current_dir(folder.path())
                    .output()
                    .unwrap();
                assert!(ran.status.success(), "{ran:?}");
                let bytes = std::fs::read(folder.join("o/output_0.npy")).unwrap();
                let got = read_npy("output_0.npy", bytes.into()).unwrap();
                if got != golden.value(&case.outputs[0]) {
                    wrong.push(format!("{} on {isa:?}, {threads} threads", case.name));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
