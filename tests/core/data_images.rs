//! Pictures as PIL decodes them, `tf.image.resize` resizes them and Keras' `preprocess_input` scales them; MNIST as a folder.

use std::io::{Cursor, Read};
use std::sync::Arc;

use bytes::Bytes;
use zeropoint::data::demo::demo;
use zeropoint::data::{
    self, ClassOrder, Dataset, Entry, FolderData, FolderRequest, InputSpec, Listing, Preprocess,
    Selection,
};
use zeropoint::error::Result;
use zeropoint::evaluate;
use zeropoint::graph::DType;
use zeropoint::progress::Progress;

/// A folder in memory.
#[derive(Default, Clone)]
pub struct Files(pub std::collections::BTreeMap<String, Bytes>);

impl Files {
    pub fn add(&mut self, path: impl Into<String>, bytes: impl Into<Bytes>) {
        self.0.insert(path.into(), bytes.into());
    }

    pub fn listing(&self) -> Listing {
        let mut folders: Vec<String> = vec![];
        let mut files = vec![];
        for (path, bytes) in &self.0 {
            if let Some((folder, _)) = path.split_once('/')
                && !folders.iter().any(|f| f == folder)
            {
                folders.push(folder.to_owned());
            }
            files.push(Entry {
                path: path.clone(),
                bytes: bytes.len() as u64,
            });
        }
        Listing {
            files,
            folders,
            too_deep: None,
        }
    }

    /// Opens it for one model input; `change` alters the request.
    pub fn open(
        &self,
        spec: &InputSpec,
        change: impl FnOnce(&mut FolderRequest<'_>),
    ) -> Result<FolderData> {
        let files = self.0.clone();
        let mut request = FolderRequest {
            name: "photos",
            listing: self.listing(),
            read: Arc::new(move |path: &str| {
                let bytes = files.get(path).cloned();
                bytes.ok_or_else(|| zeropoint::error::Error::Invalid(format!("{path} is gone")))
            }),
            specs: std::slice::from_ref(spec),
            preprocess: Preprocess::default(),
            selection: Selection::All,
            labels: None,
            order: ClassOrder::Auto(None),
            classes: None,
            needs_labels: true,
        };
        change(&mut request);
        data::open_folder(request, &Progress::new())
    }
}

/// An input of reals.
pub fn input(shape: &[usize]) -> InputSpec {
    InputSpec {
        name: "x".into(),
        dtype: DType::Float32,
        shape: shape.to_vec(),
        open: zeropoint::data::Open::None,
        quantization: None,
    }
}

pub fn reals(dataset: &dyn Dataset, range: std::ops::Range<usize>) -> Vec<f32> {
    let batch = dataset.batch(range).unwrap();
    batch[0].as_f32().unwrap().to_vec()
}

/// Grey pixels as PNG.
pub fn png(width: u32, height: u32, pixels: &[u8]) -> Vec<u8> {
    let mut out = vec![];
    let image = image::GrayImage::from_raw(width, height, pixels.to_vec()).unwrap();
    image
        .write_to(&mut Cursor::new(&mut out), image::ImageFormat::Png)
        .unwrap();
    out
}

fn golden(name: &str) -> Vec<u8> {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/images");
    std::fs::read(folder.join(name)).unwrap_or_else(|e| panic!("{name}: {e}"))
}

#[derive(serde::Deserialize)]
struct Case {
    image: String,
    shape: Vec<usize>,
    tolerance: f64,
    preprocess: Preprocess,
    values: Vec<f64>,
}

#[test]
fn pictures_become_what_pil_tensorflow_and_keras_make_of_them() {
    let mut text = String::new();
    flate2::read::GzDecoder::new(&golden("cases.json.gz")[..])
        .read_to_string(&mut text)
        .unwrap();
    let cases: Vec<Case> = serde_json::from_str(&text).unwrap();
    assert!(cases.len() > 80);
    let mut wrong = vec![];
    for case in cases {
        let mut files = Files::default();
        files.add(&case.image, golden(&case.image));
        let spec = input(&[&[1], case.shape.as_slice()].concat());
        let opened = files
            .open(&spec, |r| r.preprocess = case.preprocess.clone())
            .unwrap_or_else(|e| panic!("{} {:?}: {e}", case.image, case.preprocess));
        let ours = reals(opened.dataset.as_ref(), 0..1);
        assert_eq!(ours.len(), case.values.len());
        let pairs = ours.iter().zip(&case.values);
        let worst = pairs
            .map(|(&a, b)| (f64::from(a) - b).abs())
            .fold(0.0, f64::max);
        // The values are written with six digits.
        if worst > case.tolerance + 6e-4 {
            wrong.push(format!(
                "{} {:?} {:?}: {worst}",
                case.image, case.shape, case.preprocess
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn channels_first_and_bgr_are_the_same_pixels_in_another_order() {
    let mut files = Files::default();
    files.add("a.png", golden("rgb.png"));
    let raw = Preprocess::preset("raw").unwrap();
    let open = |shape: &[usize], p: &Preprocess| {
        let opened = files
            .open(&input(shape), |r| r.preprocess = p.clone())
            .unwrap();
        reals(opened.dataset.as_ref(), 0..1)
    };
    let last = open(&[1, 9, 13, 3], &raw);
    let first = open(&[1, 3, 9, 13], &raw);
    let mut bgr = raw.clone();
    bgr.colour = data::Colour::Bgr;
    let swapped = open(&[1, 9, 13, 3], &bgr);
    for pixel in 0..9 * 13 {
        for c in 0..3 {
            assert_eq!(last[pixel * 3 + c], first[c * 9 * 13 + pixel]);
            assert_eq!(last[pixel * 3 + c], swapped[pixel * 3 + 2 - c]);
        }
    }
}

/// The first `n` test digits as a folder of classes, a PNG each.
fn digits(n: usize) -> Files {
    let demo = demo();
    let labels = Some((
        demo.test_labels.name.to_owned(),
        demo.test_labels.bytes.clone(),
    ));
    let idx = data::open(
        demo.test.name,
        demo.test.bytes,
        labels,
        &[input(&[1, 28, 28])],
    )
    .unwrap();
    let mut files = Files::default();
    for i in 0..n {
        let pixels: Vec<u8> = reals(idx.as_ref(), i..i + 1)
            .iter()
            .map(|x| (x * 255.0).round() as u8)
            .collect();
        let class = idx.labels().unwrap()[i];
        files.add(format!("{class}/{i:05}.png"), png(28, 28, &pixels));
    }
    files
}

#[test]
fn digits_as_png_are_answered_as_from_the_idx_file() {
    const N: usize = 400;
    let demo = demo();
    let graph = Arc::new(zeropoint::tflite::read(demo.model.bytes.clone()).unwrap());
    let specs = data::input_specs(&graph, 0);
    let idx = data::open(
        demo.test.name,
        demo.test.bytes.clone(),
        Some((demo.test_labels.name.into(), demo.test_labels.bytes.clone())),
        &specs,
    )
    .unwrap();
    let idx = data::take(idx, N).unwrap();
    let files = digits(N);
    let opened = files
        .open(&specs[0], |r| r.classes = data::classes(&graph, 0))
        .unwrap();
    assert_eq!((opened.dataset.len(), opened.total), (N, N));
    assert_eq!(opened.classes.len(), 10);
    assert_eq!(opened.class_order, "in numerical order");
    let measure =
        |d: &dyn Dataset| evaluate::evaluate(&graph, d, None, 2, &Progress::new()).unwrap();
    let (a, b) = (measure(idx.as_ref()), measure(opened.dataset.as_ref()));
    assert_eq!((a.top1, a.top5), (b.top1, b.top5));
    // Sample by sample: the file's name says which of the IDX file it is.
    for place in 0..N {
        let file = opened.dataset.origin(place).unwrap().file;
        let i: usize = file[2..7].parse().unwrap();
        assert_eq!(b.answers[place], a.answers[i]);
        assert_eq!(
            opened.dataset.labels().unwrap()[place],
            idx.labels().unwrap()[i]
        );
        assert_eq!(
            reals(opened.dataset.as_ref(), place..place + 1),
            reals(idx.as_ref(), i..i + 1)
        );
    }
    // The first ten are one of each class.
    let mut first: Vec<u32> = opened.dataset.labels().unwrap()[..10].to_vec();
    first.sort_unstable();
    assert!(first.into_iter().eq(0..10));
}

#[test]
fn the_same_seed_chooses_the_same_files_and_batches_do_not_matter() {
    let files = digits(300);
    let spec = input(&[1, 28, 28]);
    let open = |selection: Selection| files.open(&spec, |r| r.selection = selection).unwrap();
    let names = |d: &FolderData| -> Vec<String> {
        (0..d.dataset.len())
            .map(|i| d.dataset.origin(i).unwrap().file)
            .collect()
    };
    let random = |seed| open(Selection::Random { samples: 40, seed });
    let (a, b, c) = (random(1), random(1), random(2));
    assert_eq!(names(&a), names(&b));
    assert_ne!(names(&a), names(&c));
    assert_eq!((a.dataset.len(), a.total), (40, 300));
    let whole = reals(a.dataset.as_ref(), 0..40);
    let pieces: Vec<f32> = (0..40)
        .step_by(7)
        .flat_map(|i| reals(b.dataset.as_ref(), i..(i + 7).min(40)))
        .collect();
    assert_eq!(whole, pieces);
    let each = open(Selection::PerClass { samples: 3 });
    assert_eq!(each.dataset.len(), 30);
    for class in 0..10 {
        let labels = each.dataset.labels().unwrap();
        assert_eq!(labels.iter().filter(|&&l| l == class).count(), 3);
    }
}

#[test]
fn sets_larger_than_what_is_kept_stream_the_same_values() {
    // 700 samples of 181 × 181 reals take 92 MB, more than the 64 MB that stay in memory.
    const N: usize = 700;
    let mut files = Files::default();
    for i in 0..N {
        let pixels: Vec<u8> = (0..16).map(|k| (k * 7 + i) as u8).collect();
        files.add(format!("{i:04}.png"), png(4, 4, &pixels));
    }
    let spec = input(&[1, 181, 181]);
    let opened = files.open(&spec, |_| ()).unwrap();
    for i in (0..N).rev().step_by(43).chain([0, N - 1]) {
        let first = reals(opened.dataset.as_ref(), i..i + 1)[0];
        // The corner is the corner pixel, whatever the size.
        assert_eq!(first, (f64::from(i as u8) / 255.0) as f32, "{i}");
    }
}

#[test]
fn integer_inputs_take_what_their_scale_makes_of_the_reals() {
    let mut files = Files::default();
    files.add("a.png", png(2, 1, &[0, 255]));
    // Plain bytes, no scale: grey levels as they are.
    let spec = InputSpec {
        dtype: DType::UInt8,
        ..input(&[1, 1, 2, 1])
    };
    let raw = Preprocess::preset("raw").unwrap();
    let opened = files.open(&spec, |r| r.preprocess = raw).unwrap();
    let batch = opened.dataset.batch(0..1).unwrap();
    assert_eq!(batch[0].data, zeropoint::graph::Data::U8(vec![0, 255]));
    // Quantized: the preset's reals, which the feed then quantizes.
    let spec = InputSpec {
        quantization: Some((1.0 / 128.0, 128)),
        ..spec
    };
    let signed = Preprocess::preset("signed").unwrap();
    let opened = files.open(&spec, |r| r.preprocess = signed).unwrap();
    assert_eq!(reals(opened.dataset.as_ref(), 0..1), [-1.0, 1.0]);
}
