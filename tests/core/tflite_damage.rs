//! Damaged `.tflite` files: cut off anywhere, any byte changed, anything at all. The reader answers, and never panics.

use proptest::prelude::*;
use zeropoint::error::Error;
use zeropoint::tflite::{read, write};

use super::tflite_files::{NAMES, golden};

/// Reads it, and writes it again if it can be read; an error must be one line that says something.
pub fn survives(bytes: Vec<u8>) -> bool {
    match read(bytes.into()) {
        Ok(graph) => {
            let written = write(&graph).expect("a graph that was read can be written");
            read(written.into()).expect("what was written can be read");
            true
        }
        Err(error) => {
            let text = error.to_string();
            assert!(text.len() > 10 && !text.contains('\n'), "{text:?}");
            assert!(
                !matches!(error, Error::Cancelled | Error::Invalid(_)),
                "{text}"
            );
            false
        }
    }
}

#[test]
fn a_file_that_is_cut_off_is_an_error() {
    for name in NAMES {
        let file = golden(name);
        // All of a small file, a sample of a large one; the last bytes may be padding, files packed behind it are no model.
        let packed = read(file.clone()).unwrap().packed_files;
        let model = file.len() - packed.map_or(0, |p| p.len());
        let step = model.div_ceil(2000);
        for end in (0..model - 16).step_by(step) {
            assert!(
                !survives(file[..end].to_vec()),
                "{name} cut off at {end} reads"
            );
        }
    }
}

#[test]
fn no_changed_byte_makes_it_panic() {
    for name in NAMES {
        let file = golden(name);
        let step = file.len().div_ceil(500);
        let changes = [0x01, 0x80, 0xff, 0x04].into_iter().cycle();
        for (at, change) in (0..file.len()).step_by(step).zip(changes) {
            let mut bytes = file.to_vec();
            bytes[at] ^= change;
            survives(bytes);
        }
    }
}

#[test]
fn offsets_that_point_anywhere_are_an_error_or_harmless() {
    for name in ["features", "outside", "dead_channel"] {
        let file = golden(name);
        for at in (0..file.len() - 4).step_by(4) {
            for word in [u32::MAX, 1 << 31, file.len() as u32] {
                let mut bytes = file.to_vec();
                bytes[at..at + 4].copy_from_slice(&word.to_le_bytes());
                survives(bytes);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(300) })]

    #[test]
    fn several_changes_at_once_do_not_make_it_panic(
        name in prop::sample::select(vec!["features", "operators", "outside", "shared_bias"]),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..20),
    ) {
        let mut bytes = golden(name).to_vec();
        for (at, value) in changes {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        survives(bytes);
    }

    #[test]
    fn arbitrary_bytes_behind_the_identifier_do_not_make_it_panic(
        mut bytes in prop::collection::vec(any::<u8>(), 8..400),
        root in 8u32..64,
    ) {
        bytes[..4].copy_from_slice(&root.to_le_bytes());
        bytes[4..8].copy_from_slice(b"TFL3");
        survives(bytes);
    }
}
