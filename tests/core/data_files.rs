//! Data files as NumPy and gzip write them, read as samples of a model.

use std::sync::Arc;

use bytes::Bytes;
use zeropoint::data::{self, Dataset, InputSpec, Open};
use zeropoint::graph::{DType, Data};

/// A file of tests/golden/data.
pub fn golden(name: &str) -> Bytes {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/golden/data")
        .join(name);
    std::fs::read(&path)
        .unwrap_or_else(|e| panic!("{}: {e}", path.display()))
        .into()
}

pub fn spec(name: &str, dtype: DType, shape: &[usize]) -> InputSpec {
    InputSpec {
        name: name.into(),
        dtype,
        shape: shape.to_vec(),
        open: Open::None,
        quantization: None,
    }
}

pub fn real(shape: &[usize]) -> Vec<InputSpec> {
    vec![spec("x", DType::Float32, shape)]
}

fn open(name: &str, specs: &[InputSpec]) -> Arc<dyn Dataset> {
    data::open(name, golden(name), None, specs).unwrap_or_else(|e| panic!("{name}: {e}"))
}

/// The reals that data_make.py writes.
fn reals() -> Vec<f32> {
    (0..24).map(|k| k as f32 * 0.25 - 2.0).collect()
}

#[test]
fn every_real_npy_holds_the_same_values() {
    for name in [
        "f4_c.npy",
        "f4_fortran.npy",
        "f4_big_endian.npy",
        "f8_fortran_big_endian.npy",
        "f4_v2.npy",
        "f4_v3.npy",
        "f8.npy",
        "f2.npy",
    ] {
        let set = open(name, &real(&[1, 2, 4]));
        assert_eq!((set.len(), set.name(), set.labels()), (3, name, None));
        let batch = set.batch(0..3).unwrap();
        assert_eq!(batch[0].shape, [3, 2, 4], "{name}");
        assert_eq!(batch[0].as_f32().unwrap(), reals(), "{name}");
        let middle = set.batch(1..2).unwrap();
        assert_eq!(middle[0].shape, [1, 2, 4]);
        assert_eq!(middle[0].as_f32().unwrap(), &reals()[8..16], "{name}");
        assert_eq!(set.batch(2..2).unwrap()[0].shape, [0, 2, 4]);
    }
}

#[test]
fn whole_numbers_of_any_width_feed_integer_inputs() {
    let wanted: Vec<i32> = (0..24).collect();
    for code in ["i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8"] {
        let name = format!("{code}.npy");
        let set = open(&name, &[spec("x", DType::Int32, &[1, 2, 4])]);
        assert_eq!(
            set.batch(0..3).unwrap()[0].data,
            Data::I32(wanted.clone()),
            "{name}"
        );
        let set = open(&name, &[spec("x", DType::Int64, &[1, 2, 4])]);
        let wide = wanted.iter().map(|&x| x.into()).collect();
        assert_eq!(set.batch(0..3).unwrap()[0].data, Data::I64(wide), "{name}");
    }
    let set = open("bool.npy", &[spec("x", DType::Bool, &[1, 2, 4])]);
    let odd = (0..24).map(|k| k % 2 == 1).collect();
    assert_eq!(set.batch(0..3).unwrap()[0].data, Data::Bool(odd));
}

#[test]
fn quantized_inputs_take_reals_or_their_own_integers() {
    let mut input = spec("x", DType::Int8, &[1, 2, 4]);
    input.quantization = Some((0.5, -3));
    let set = open("f4_c.npy", std::slice::from_ref(&input));
    assert_eq!(set.batch(0..3).unwrap()[0].as_f32().unwrap(), reals());
    let set = open("i1.npy", std::slice::from_ref(&input));
    let dequantized: Vec<f32> = (0..24).map(|k| (k + 3) as f32 * 0.5).collect();
    assert_eq!(set.batch(0..3).unwrap()[0].as_f32().unwrap(), dequantized);
    let error = data::open("i2.npy", golden("i2.npy"), None, &[input])
        .err()
        .unwrap();
    assert!(error.to_string().contains("int16"), "{error}");
}

#[test]
fn idx_gzipped_or_not_is_scaled_as_numpy_scales() {
    let scaled = open("pixels_scaled.npy", &real(&[1, 8, 8]));
    let wanted = scaled.batch(0..4).unwrap()[0].as_f32().unwrap().to_vec();
    for name in ["pixels-images-idx3-ubyte", "pixels-images-idx3-ubyte.gz"] {
        for shape in [&[1, 8, 8][..], &[1, 8, 8, 1]] {
            let set = open(name, &real(shape));
            let batch = set.batch(0..4).unwrap();
            assert_eq!(batch[0].shape[1..], shape[1..]);
            assert_eq!(batch[0].as_f32().unwrap(), wanted, "{name}");
        }
    }
    // A model that scales pixels itself takes them as they are.
    let raw = open(
        "pixels-images-idx3-ubyte",
        &[spec("x", DType::UInt8, &[1, 8, 8, 1])],
    );
    assert_eq!(
        raw.batch(1..2).unwrap()[0].data,
        Data::U8((64..128).collect())
    );
}

#[test]
fn npz_feeds_inputs_by_name_or_number_and_brings_labels() {
    let specs = [
        spec("first", DType::Float32, &[1, 2, 4]),
        spec("second", DType::Int32, &[1, 2, 4]),
    ];
    let set = open("two_inputs.npz", &specs);
    assert_eq!((set.len(), set.labels()), (3, Some(&[2, 0, 1][..])));
    let batch = set.batch(1..3).unwrap();
    assert_eq!(batch[0].as_f32().unwrap(), &reals()[8..]);
    assert_eq!(batch[1].data, Data::I32((8..24).collect()));
    let set = open("one_input.npz", &real(&[1, 2, 4]));
    assert_eq!(set.batch(0..3).unwrap()[0].as_f32().unwrap(), reals());
    assert_eq!(set.labels(), None);
}

#[test]
fn labels_come_from_npy_and_idx_and_win_over_those_inside() {
    let specs = real(&[1, 2, 4]);
    let labels = Some(("labels.npy".into(), golden("labels.npy")));
    let set = data::open("f4_c.npy", golden("f4_c.npy"), labels, &specs).unwrap();
    assert_eq!(set.labels(), Some(&[2, 0, 1][..]));
    let idx = Bytes::from_static(&[0, 0, 8, 1, 0, 0, 0, 3, 7, 8, 9]);
    let set = data::open(
        "f4_c.npy",
        golden("f4_c.npy"),
        Some(("y".into(), idx.clone())),
        &specs,
    )
    .unwrap();
    assert_eq!(set.labels(), Some(&[7, 8, 9][..]));
    let two = [
        spec("first", DType::Float32, &[1, 2, 4]),
        spec("second", DType::Int32, &[1, 2, 4]),
    ];
    let set = data::open(
        "z.npz",
        golden("two_inputs.npz"),
        Some(("y".into(), idx)),
        &two,
    )
    .unwrap();
    assert_eq!(set.labels(), Some(&[7, 8, 9][..]));
}

#[test]
fn one_sample_may_come_without_its_own_axis() {
    let set = open("f4_c.npy", &real(&[1, 3, 2, 4, 1]));
    assert_eq!(set.len(), 1);
    assert_eq!(set.batch(0..1).unwrap()[0].shape, [1, 3, 2, 4, 1]);
}

#[test]
fn labels_are_looked_for_under_these_names() {
    let of = data::label_candidates;
    assert_eq!(
        of("some/dir/train-images-idx3-ubyte.gz")[..2],
        ["train-labels-idx1-ubyte.gz", "train-labels-idx1-ubyte"]
    );
    assert_eq!(
        of("t10k-images.idx3-ubyte")[..2],
        ["t10k-labels.idx1-ubyte", "t10k-labels.idx1-ubyte.gz"]
    );
    assert!(of("x.npy").contains(&"labels.npy".to_string()));
    assert!(!of("labels.npy").contains(&"labels.npy".to_string()));
    assert!(of("x.npz").is_empty());
}

#[test]
fn subsets_keep_the_first_samples() {
    let labels = Some(("labels.npy".into(), golden("labels.npy")));
    let whole = data::open("f4_c.npy", golden("f4_c.npy"), labels, &real(&[1, 2, 4])).unwrap();
    let two = data::take(whole.clone(), 2).unwrap();
    assert_eq!(
        (two.len(), two.labels(), two.name()),
        (2, Some(&[2, 0][..]), "f4_c.npy")
    );
    assert_eq!(two.batch(0..2).unwrap(), whole.batch(0..2).unwrap());
    assert!(two.batch(1..3).is_err());
    assert_eq!(data::take(whole.clone(), 3).unwrap().len(), 3);
}

#[test]
fn synthetic_samples_do_not_depend_on_the_batches() {
    let mut quantized = spec("q", DType::Int8, &[1, 3]);
    quantized.quantization = Some((0.1, 0));
    let specs = [
        spec("x", DType::Float32, &[1, 2, 4]),
        spec("i", DType::Int32, &[1]),
        quantized,
    ];
    let set = data::synthetic(&specs, 50, 7).unwrap();
    assert!(set.name().contains("synthetic"));
    let whole = set.batch(0..50).unwrap();
    let reals = whole[0].as_f32().unwrap();
    assert_eq!(
        set.batch(10..12).unwrap()[0].as_f32().unwrap(),
        &reals[80..96]
    );
    assert!(reals.iter().all(|x| (0.0..1.0).contains(x)));
    let mean = reals.iter().sum::<f32>() / reals.len() as f32;
    assert!((mean - 0.5).abs() < 0.06, "mean {mean}");
    assert_eq!(whole[1].shape, [50]);
    assert!(matches!(whole[1].data, Data::I32(_)));
    assert!(matches!(whole[2].data, Data::F32(_)));
    assert_ne!(
        data::synthetic(&specs, 50, 8)
            .unwrap()
            .batch(0..50)
            .unwrap(),
        whole
    );
}

#[test]
fn the_demo_is_complete() {
    let demo = data::demo::demo();
    let specs = real(&[1, 28, 28]);
    for (images, labels, samples, first) in [
        (
            demo.calibration,
            demo.calibration_labels,
            1_000,
            [5, 0, 4, 1],
        ),
        (demo.test, demo.test_labels, 10_000, [7, 2, 1, 0]),
    ] {
        let labels = Some((labels.name.into(), labels.bytes));
        let set = data::open(images.name, images.bytes, labels, &specs).unwrap();
        assert_eq!(set.len(), samples);
        assert_eq!(set.labels().unwrap()[..4], first);
        let batch = set.batch(samples - 1..samples).unwrap();
        assert!(batch[0].as_f32().unwrap().iter().any(|&x| x > 0.5));
    }
    assert_eq!(demo.model.bytes.get(4..8), Some(&b"TFL3"[..]));
}
