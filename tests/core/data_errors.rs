//! Data that must be refused before any work: one test per reason, then hostile bytes.

use bytes::Bytes;
use proptest::prelude::*;
use zeropoint::data::{self, InputSpec};
use zeropoint::error::Error;
use zeropoint::graph::DType;

use crate::data_files::{golden, real, spec};

/// The error of opening these bytes.
fn refuse(name: &str, bytes: impl Into<Bytes>, specs: &[InputSpec]) -> Error {
    match data::open(name, bytes.into(), None, specs) {
        Ok(set) => panic!("{name} was opened with {} samples", set.len()),
        Err(error) => error,
    }
}

/// An IDX file of unsigned bytes.
fn idx(shape: &[u32], elements: usize) -> Vec<u8> {
    let mut out = vec![0, 0, 8, shape.len() as u8];
    shape.iter().for_each(|d| out.extend(d.to_be_bytes()));
    out.resize(out.len() + elements, 1);
    out
}

/// A `.npy` file of this header text and body.
fn npy(header: &str, body: &[u8]) -> Vec<u8> {
    let mut out = b"\x93NUMPY\x01\x00".to_vec();
    out.extend((header.len() as u16).to_le_bytes());
    out.extend(header.as_bytes());
    out.extend(body);
    out
}

fn f32s(shape: &str, values: &[f32]) -> Vec<u8> {
    let body: Vec<u8> = values.iter().flat_map(|x| x.to_le_bytes()).collect();
    npy(
        &format!("{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}"),
        &body,
    )
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    use std::io::Write;
    let mut out = flate2::write::GzEncoder::new(vec![], flate2::Compression::fast());
    out.write_all(bytes).unwrap();
    out.finish().unwrap()
}

#[test]
fn a_wrong_shape_names_both() {
    let error = refuse("a", idx(&[2, 32, 32], 2048), &real(&[1, 28, 28, 1]));
    assert_eq!(
        error,
        Error::Invalid("a: images are 32 × 32, the model takes 28 × 28 × 1".into())
    );
    let error = refuse("x.npy", golden("f4_c.npy"), &real(&[1, 4, 2]));
    assert_eq!(
        error,
        Error::Invalid("x.npy: samples are 2 × 4, the model takes 4 × 2".into())
    );
}

#[test]
fn a_wrong_type_is_refused() {
    let error = refuse("x.npy", golden("u1.npy"), &real(&[1, 2, 4]));
    let text = error.to_string();
    assert!(text.contains("uint8") && text.contains("float32"), "{text}");
    let halves = f32s("(1, 2)", &[1.0, 1.5]);
    let error = refuse("x.npy", halves, &[spec("ids", DType::Int32, &[1, 2])]);
    assert!(
        error.to_string().contains("1.5, not a whole number"),
        "{error}"
    );
    let error = refuse(
        "x.npy",
        golden("f4_c.npy"),
        &[spec("s", DType::String, &[1, 2, 4])],
    );
    assert!(matches!(error, Error::Unsupported(_)), "{error}");
}

#[test]
fn integers_outside_the_inputs_type_are_refused() {
    let big = f32s("(2, 2)", &[0.0, 0.0, 0.0, 300.0]);
    let error = refuse("x.npy", big, &[spec("ids", DType::UInt8, &[1, 2])]);
    let text = error.to_string();
    assert!(text.contains("sample 1") && text.contains("300"), "{text}");
}

#[test]
fn values_that_are_not_finite_are_refused() {
    for (value, word) in [
        (f32::NAN, "NaN"),
        (f32::INFINITY, "infinity"),
        (f32::NEG_INFINITY, "infinity"),
    ] {
        let error = refuse(
            "x.npy",
            f32s("(2, 2)", &[0.0, 0.0, value, 0.0]),
            &real(&[1, 2]),
        );
        assert!(matches!(error, Error::Malformed(_)));
        let text = error.to_string();
        assert!(text.contains(word) && text.contains("sample 1"), "{text}");
    }
    let wide = npy(
        "{'descr': '<f8', 'fortran_order': False, 'shape': (1, 1)}",
        &1e300f64.to_le_bytes(),
    );
    let error = refuse("x.npy", wide, &real(&[1, 1]));
    assert!(
        error.to_string().contains("too large for float32"),
        "{error}"
    );
}

#[test]
fn too_few_samples_are_refused() {
    assert!(
        refuse("a", idx(&[0, 28, 28], 0), &real(&[1, 28, 28]))
            .to_string()
            .contains("holds no images")
    );
    assert!(
        refuse("x.npy", f32s("(0, 2)", &[]), &real(&[1, 2]))
            .to_string()
            .contains("holds no samples")
    );
    let set = data::open("a", idx(&[2, 2, 2], 8).into(), None, &real(&[1, 2, 2])).unwrap();
    let error = data::take(set.clone(), 3).err().unwrap();
    assert_eq!(error.to_string(), "3 samples were asked for, a has 2");
    assert!(data::take(set.clone(), 0).is_err());
    assert!(set.batch(1..3).is_err());
    #[allow(clippy::reversed_empty_ranges)]
    let reversed = set.batch(2..1);
    assert!(reversed.is_err());
}

#[test]
fn labels_must_fit() {
    let open = |labels: Vec<u8>| {
        let images = idx(&[10, 2, 2], 40);
        data::open(
            "a",
            images.into(),
            Some(("y".into(), labels.into())),
            &real(&[1, 2, 2]),
        )
        .err()
        .expect("labels were taken")
        .to_string()
    };
    assert_eq!(open(idx(&[9], 9)), "Labels count 9, images 10");
    assert!(open(idx(&[10, 2, 2], 40)).contains("rank 3"));
    assert!(open(vec![]).contains("empty"));
    assert!(open(b"hello, labels".to_vec()).contains("no labels that can be read"));
    assert!(open(f32s("(2,)", &[1.0, 0.5])).contains("0.5"));
    assert!(open(f32s("(1,)", &[-1.0])).contains("-1"));
    assert!(open(f32s("(1, 2)", &[1.0, 2.0])).contains("one whole number a sample"));
    assert!(open(f32s("(1,)", &[f32::NAN])).contains("NaN"));
    assert!(open(f32s("()", &[1.0])).contains("one whole number a sample"));
}

#[test]
fn label_files_are_not_images() {
    assert!(
        refuse("y", idx(&[10], 10), &real(&[1, 2]))
            .to_string()
            .contains("labels, not images")
    );
}

#[test]
fn headers_that_lie_are_refused() {
    let spec = real(&[1, 28, 28]);
    for bytes in [idx(&[10, 28, 28], 100), idx(&[10, 28, 28], 8000)] {
        let plain = refuse("a", bytes.clone(), &spec);
        assert!(matches!(plain, Error::Malformed(_)), "{plain}");
        assert_eq!(refuse("a", gzip(&bytes), &spec), plain);
    }
    let huge = idx(&[u32::MAX, u32::MAX, u32::MAX, u32::MAX], 10);
    assert!(refuse("a", huge, &spec).to_string().contains("impossible"));
    let large = idx(&[u32::MAX, 28, 28], 10);
    assert!(
        refuse("a", large.clone(), &spec)
            .to_string()
            .contains("truncated")
    );
    assert!(matches!(
        refuse("a", gzip(&large), &spec),
        Error::Unsupported(_)
    ));
    for shape in [
        "(3, 2)",
        "(1, 2)",
        "(9223372036854775807, 2)",
        "(18446744073709551615, 4)",
    ] {
        let error = refuse("x.npy", f32s(shape, &[0.0; 4]), &real(&[1, 2]));
        assert!(matches!(error, Error::Malformed(_)), "{shape}: {error}");
    }
}

#[test]
fn a_gzip_bomb_is_not_unpacked_beyond_its_header() {
    // 64 MB of zeros behind a header of four bytes of data.
    let mut bytes = idx(&[1, 2, 2], 0);
    bytes.resize(64 << 20, 0);
    let error = refuse("bomb.gz", gzip(&bytes), &real(&[1, 2, 2]));
    assert!(
        error.to_string().contains("holds more than the 4 bytes"),
        "{error}"
    );
}

#[test]
fn other_kinds_of_files_are_named() {
    let spec = real(&[1, 2]);
    assert!(refuse("x.npy", vec![], &spec).to_string().contains("empty"));
    assert!(
        refuse("x.npy", b"no".to_vec(), &spec)
            .to_string()
            .contains("not a .npy")
    );
    assert!(
        refuse("x.npz", b"no".to_vec(), &spec)
            .to_string()
            .contains("not a .npz")
    );
    assert!(
        refuse("x.gz", b"no".to_vec(), &spec)
            .to_string()
            .contains("not a gzip")
    );
    assert!(
        refuse("t-idx3-ubyte", b"no".to_vec(), &spec)
            .to_string()
            .contains("not an IDX")
    );
    assert!(
        refuse("x.doc", b"no".to_vec(), &spec)
            .to_string()
            .contains(".npz")
    );
    assert!(
        refuse("x.gz", gzip(b"no idx at all"), &spec)
            .to_string()
            .contains("not an IDX")
    );
    let floats = [0, 0, 0x0d, 2, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0];
    assert!(matches!(
        refuse("f-idx2", floats.to_vec(), &spec),
        Error::Unsupported(_)
    ));
}

#[test]
fn arrays_without_plain_numbers_are_refused() {
    let spec = real(&[1, 2, 4]);
    for (name, word) in [
        ("object.npy", "Python objects"),
        ("structured.npy", "structured"),
        ("complex.npy", "c8"),
        ("text.npy", "U1"),
    ] {
        let error = refuse(name, golden(name), &spec);
        assert!(matches!(error, Error::Unsupported(_)), "{error}");
        assert!(error.to_string().contains(word), "{error}");
    }
    for header in [
        "",
        "{",
        "{}",
        "{'descr': '<f4'}",
        "[1]",
        "{'descr': '<q9', 'fortran_order': False, 'shape': (1,)}",
        "{'descr': '', 'fortran_order': False, 'shape': (1,)}",
        "{'descr': 'é4', 'fortran_order': False, 'shape': (1,)}",
        "{'descr': '<f4', 'fortran_order': 0, 'shape': (1,)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (-1,)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (,1)}",
    ] {
        let error = refuse("x.npy", npy(header, &[0; 4]), &real(&[1]));
        assert!(matches!(error, Error::Malformed(_)), "{header}: {error}");
    }
    let mut newer = f32s("(1, 2)", &[0.0; 2]);
    newer[6] = 4;
    assert!(matches!(
        refuse("x.npy", newer, &real(&[1, 2])),
        Error::Unsupported(_)
    ));
}

#[test]
fn archives_must_hold_what_the_model_asks_for() {
    let specs = [
        spec("first", DType::Float32, &[1, 2, 4]),
        spec("second", DType::Int32, &[1, 2, 4]),
        spec("third", DType::Int32, &[1, 2, 4]),
    ];
    let text = refuse("z.npz", golden("two_inputs.npz"), &specs).to_string();
    assert!(
        text.contains("'third'") && text.contains("input_2"),
        "{text}"
    );
    let text = refuse("x.npy", golden("f4_c.npy"), &specs).to_string();
    assert!(text.contains("3 inputs"), "{text}");
    let text = refuse("x.npy", golden("f4_c.npy"), &[]).to_string();
    assert!(text.contains("no inputs"), "{text}");
    let empty = [&b"PK\x05\x06"[..], &[0; 18]].concat();
    assert!(
        refuse("z.npz", empty, &specs)
            .to_string()
            .contains("no .npy arrays")
    );
}

#[test]
fn samples_without_elements_are_refused() {
    let error = refuse("x.npy", f32s("(3, 0)", &[]), &real(&[1, 0]));
    assert!(error.to_string().contains("no elements"), "{error}");
    assert!(data::synthetic(&real(&[1, 0]), 3, 0).is_err());
    assert!(data::synthetic(&real(&[1, 3]), 0, 0).is_err());
    assert!(data::synthetic(&real(&[1, usize::MAX]), 3, 0).is_err());
    assert!(data::synthetic(&[spec("s", DType::String, &[1])], 3, 0).is_err());
}

#[test]
fn every_truncation_is_refused() {
    let specs = real(&[1, 8, 8]);
    for name in ["pixels-images-idx3-ubyte", "pixels-images-idx3-ubyte.gz"] {
        let whole = golden(name);
        for end in 0..whole.len() {
            refuse(name, whole.slice(..end), &specs);
        }
    }
    for name in ["f4_fortran.npy", "one_input.npz"] {
        let whole = golden(name);
        for end in 0..whole.len() {
            refuse(name, whole.slice(..end), &real(&[1, 2, 4]));
        }
    }
}

proptest! {
    /// Damaged bytes give an error or samples, never a panic; what is opened can be read.
    #[test]
    fn flipped_bytes_do_no_harm(
        file in prop::sample::select(vec![
            "pixels-images-idx3-ubyte", "pixels-images-idx3-ubyte.gz", "f4_fortran.npy", "f8_fortran_big_endian.npy",
            "i8.npy", "one_input.npz", "two_inputs.npz",
        ]),
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let mut bytes = golden(file).to_vec();
        for (at, value) in flips {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        for specs in [real(&[1, 8, 8]), real(&[1, 2, 4]), vec![spec("x", DType::Int32, &[1, 2, 4])]] {
            if let Ok(set) = data::open(file, bytes.clone().into(), None, &specs) {
                let batch = set.batch(0..set.len()).unwrap();
                prop_assert_eq!(batch[0].shape[0], set.len());
            }
            let _ = data::open("x", golden("f4_c.npy"), Some((file.into(), bytes.clone().into())), &real(&[1, 2, 4]));
        }
    }

    /// Arbitrary bytes behind each magic number.
    #[test]
    fn noise_does_no_harm(magic in 0usize..4, noise in prop::collection::vec(any::<u8>(), 0..200)) {
        let magic: &[u8] = [&[0, 0, 8][..], b"\x93NUMPY\x01", b"PK\x03\x04", &[0x1f, 0x8b]][magic];
        let bytes = Bytes::from([magic, &noise].concat());
        let _ = data::open("x", bytes, None, &real(&[1, 2]));
    }
}
