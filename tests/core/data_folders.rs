//! Folders that are not what they should be: one clear sentence each, bounded memory; classes, label files, guesses.

use zeropoint::data::{
    self, ClassNames, ClassOrder, FolderData, FolderRequest, GuessedFrom, InputSpec, Preprocess,
    Scale, Selection,
};
use zeropoint::error::{Error, Result};
use zeropoint::graph::{DType, Graph, Node, Op, Quantization, Subgraph, Tensor};
use zeropoint::progress::Progress;

use crate::data_images::{Files, input, png, reals};

fn spec() -> InputSpec {
    input(&[1, 2, 2, 1])
}

/// A folder with a small picture at each path; its grey level is the path's place.
fn folder(paths: &[&str]) -> Files {
    let mut files = Files::default();
    for (i, path) in paths.iter().enumerate() {
        files.add(*path, png(2, 2, &[i as u8; 4]));
    }
    files
}

fn open(files: &Files, change: impl FnOnce(&mut FolderRequest<'_>)) -> Result<FolderData> {
    files.open(&spec(), change)
}

/// The one sentence that opening fails with; it holds all of `words`.
fn fails(files: &Files, words: &[&str], change: impl FnOnce(&mut FolderRequest<'_>)) {
    let message = match open(files, change) {
        Ok(_) => panic!("opened, but {words:?} was expected"),
        Err(e) => e.to_string(),
    };
    for word in words {
        assert!(message.contains(word), "{message:?} lacks {word:?}");
    }
    assert!(!message.contains('\n') && message.len() < 1200, "{message}");
}

fn names(from: &str, names: &[&str]) -> ClassNames {
    ClassNames {
        from: from.into(),
        names: names.iter().map(|n| n.to_string()).collect(),
    }
}

#[test]
fn folders_of_nothing_or_something_else_say_what_they_hold() {
    fails(&Files::default(), &["photos is empty"], |_| ());
    fails(&Files::default(), &["only empty sub-folders (1)"], |r| {
        r.listing.folders.push("a".into())
    });
    let mut files = Files::default();
    files.add("a.txt", "x");
    files.add("b.TXT", "x");
    files.add("notes/c.pdf", "x");
    files.add("README", "x");
    fails(
        &files,
        &["no images", "2 .txt", "1 .pdf", "nameless"],
        |_| (),
    );
    let mut both = folder(&["a.png"]);
    both.add("b.wav", "x");
    fails(&both, &["1 images and 1 sounds", "one kind"], |_| ());
}

#[test]
fn layouts_that_are_not_classes_are_refused() {
    fails(
        &folder(&["a.png", "cats/b.png", "cats/c.png"]),
        &["1 images itself and 2 in its sub-folders"],
        |_| (),
    );
    fails(&folder(&["train/a.png"]), &["too deep (train/cats)"], |r| {
        r.listing.too_deep = Some("train/cats".into())
    });
    fails(&Files::default(), &["too deep (a/b)"], |r| {
        r.listing.too_deep = Some("a/b".into())
    });
    let many = |r: &mut FolderRequest<'_>| {
        let file = r.listing.files[0].clone();
        r.listing.files = vec![file; data::MAX_FILES + 1];
    };
    fails(&folder(&["a.png"]), &["more than 2,000,000 files"], many);
}

#[test]
fn one_unreadable_picture_is_left_out_and_more_than_one_percent_stop() {
    let paths: Vec<String> = (0..100).map(|i| format!("{i:03}.png")).collect();
    let mut files = folder(&paths.iter().map(String::as_str).collect::<Vec<_>>());
    files.add("050.png", "no picture");
    let opened = open(&files, |_| ()).unwrap();
    assert_eq!((opened.dataset.len(), opened.total), (99, 100));
    assert_eq!(opened.skipped[0].file, "050.png");
    assert!(
        opened.skipped[0].reason.contains("not a PNG"),
        "{:?}",
        opened.skipped
    );
    // Another takes its place where a number was asked for.
    let first = Selection::First { samples: 60 };
    let opened = open(&files, |r| r.selection = first).unwrap();
    assert_eq!(opened.dataset.len(), 60);
    assert_eq!(opened.dataset.origin(59).unwrap().file, "060.png");
    for i in 20..34 {
        files.add(format!("{i:03}.png"), "");
    }
    fails(
        &files,
        &[
            "15 of ",
            "more than 1 %",
            "020.png (it is empty)",
            "and 5 more",
        ],
        |_| (),
    );
    let mut none = Files::default();
    none.add("a.png", "x");
    fails(&none, &["None of the files", "a.png"], |_| ());
}

#[test]
fn damaged_and_huge_pictures_are_skipped_within_limits() {
    let whole = png(2, 2, &[7; 4]);
    let mut files = folder(&["ok.png"]);
    // A header that claims 60,000 × 60,000 pixels.
    let mut bomb = whole.clone();
    for at in [16, 20] {
        bomb[at..at + 4].copy_from_slice(&60_000u32.to_be_bytes());
    }
    let crc = {
        let mut crc = flate2::Crc::new();
        crc.update(&bomb[12..29]);
        crc.sum()
    };
    bomb[29..33].copy_from_slice(&crc.to_be_bytes());
    files.add("bomb.png", bomb);
    let opened = open(&files, |_| ()).unwrap();
    assert_eq!(opened.skipped[0].file, "bomb.png");
    assert!(
        opened.skipped[0].reason.contains("too large"),
        "{:?}",
        opened.skipped
    );
    // Longer than any picture: not even read.
    let opened = open(&folder(&["a.png", "b.png"]), |r| {
        r.listing.files[0].bytes = 1 << 40;
    })
    .unwrap();
    assert!(
        opened.skipped[0].reason.contains("MB"),
        "{:?}",
        opened.skipped
    );
    // Every cut and many damaged bytes: a sample or a reason, never a panic.
    for length in 0..whole.len() {
        let mut files = folder(&["ok.png"]);
        files.add("x.png", whole[..length].to_vec());
        open(&files, |_| ()).unwrap();
    }
    let gif = {
        let mut out = std::io::Cursor::new(vec![]);
        image::GrayImage::from_raw(2, 2, vec![1; 4])
            .map(image::DynamicImage::from)
            .unwrap()
            .to_rgb8()
            .write_to(&mut out, image::ImageFormat::Bmp)
            .unwrap();
        out.into_inner()
    };
    for at in 0..gif.len() {
        for value in [0, 0x7f, 0xff] {
            let mut files = folder(&["ok.png"]);
            let mut damaged = gif.clone();
            damaged[at] = value;
            files.add("x.bmp", damaged);
            open(&files, |_| ()).unwrap();
        }
    }
}

#[test]
fn a_picture_that_vanishes_later_is_named() {
    let files = folder(&["a.png"]);
    let big = input(&[1, 4097, 4097]);
    let gone = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let flag = gone.clone();
    let opened = files
        .open(&big, |r| {
            let read = r.read.clone();
            r.read = std::sync::Arc::new(move |path: &str| {
                if flag.load(std::sync::atomic::Ordering::Relaxed) {
                    return Err(Error::Invalid("there is no such file".into()));
                }
                read(path)
            });
        })
        .unwrap();
    gone.store(true, std::sync::atomic::Ordering::Relaxed);
    let error = opened.dataset.batch(0..1).err().unwrap().to_string();
    assert!(
        error.contains("a.png") && error.contains("no longer"),
        "{error}"
    );
}

#[test]
fn cancelling_stops_the_check() {
    let files = folder(&["a.png", "b.png"]);
    let progress = Progress::new();
    progress.cancel();
    let spec = spec();
    let listing = files.listing();
    let all = files.0.clone();
    let request = FolderRequest {
        name: "photos",
        listing,
        read: std::sync::Arc::new(move |path: &str| Ok(all[path].clone())),
        specs: std::slice::from_ref(&spec),
        preprocess: Preprocess::default(),
        selection: Selection::All,
        labels: None,
        order: ClassOrder::Sorted,
        classes: None,
        needs_labels: false,
    };
    assert_eq!(
        data::open_folder(request, &progress).err(),
        Some(Error::Cancelled)
    );
}

#[test]
fn classes_are_ordered_by_name_number_list_or_model() {
    let animals = folder(&["dog/a.png", "Black Cat/b.png", "emu/c.png"]);
    let order = |files: &Files, order: ClassOrder, outputs: usize| {
        let d = open(files, |r| (r.order, r.classes) = (order, Some(outputs))).unwrap();
        // The grey level says which file it was.
        let mut labels = vec![0; d.dataset.len()];
        for i in 0..d.dataset.len() {
            let level = (reals(d.dataset.as_ref(), i..i + 1)[0] * 255.0).round() as usize;
            labels[level] = d.dataset.labels().unwrap()[i];
        }
        (labels, d.classes)
    };
    let (labels, classes) = order(&animals, ClassOrder::Sorted, 3);
    assert_eq!((labels, classes[0].as_str()), (vec![1, 0, 2], "Black Cat"));
    let list = names("labels.txt", &["emu", "black_cat", "gnu", "dog, hound"]);
    let (labels, classes) = order(&animals, ClassOrder::Names(list.clone()), 4);
    assert_eq!((labels, classes.len()), (vec![3, 1, 0], 4));
    let (labels, _) = order(&animals, ClassOrder::Auto(Some(list.clone())), 4);
    assert_eq!(labels, [3, 1, 0]);
    // The model's own names that do not fit give way to the order of names.
    let other = names("the model", &["x", "y", "z"]);
    let (labels, _) = order(&animals, ClassOrder::Auto(Some(other.clone())), 3);
    assert_eq!(labels, [1, 0, 2]);
    // Numbers by their value, in full or in part.
    let numbers = folder(&["10/a.png", "9/b.png", "1/c.png"]);
    assert_eq!(order(&numbers, ClassOrder::Sorted, 3).0, [2, 1, 0]);
    assert_eq!(order(&numbers, ClassOrder::Sorted, 12).0, [10, 9, 1]);

    fails(
        &animals,
        &["Black Cat", "not one of the 3 names", "the model"],
        |r| r.order = ClassOrder::Names(other),
    );
    fails(
        &animals,
        &["labels.txt names 4 classes", "tells 10 apart"],
        |r| (r.order, r.classes) = (ClassOrder::Names(list), Some(10)),
    );
    fails(&animals, &["holds 3 classes", "tells 10 apart"], |r| {
        r.classes = Some(10)
    });
    // Calibration needs no labels: the same is a warning there.
    let d = open(&animals, |r| {
        (r.classes, r.needs_labels) = (Some(10), false)
    })
    .unwrap();
    assert!(d.dataset.labels().is_none() && d.warnings[0].contains("without labels"));
    // A list that lies in the folder itself.
    let list = ("labels.txt".to_owned(), "emu\ndog\nBlack Cat\n".into());
    let d = open(&animals, |r| r.labels = Some(list)).unwrap();
    assert_eq!(d.classes, ["emu", "dog", "Black Cat"]);
}

#[test]
fn label_files_name_every_file_once() {
    let flat = folder(&["a.png", "b.png", "c.png"]);
    let with = |text: &str| {
        let labels = Some(("labels.csv".to_owned(), text.to_owned().into()));
        move |r: &mut FolderRequest<'_>| r.labels = labels
    };
    let d = open(
        &flat,
        with("file,label\na.png,dog\nc.png,emu\n\"b.png\", cat\n"),
    )
    .unwrap();
    assert_eq!(d.dataset.labels().unwrap(), [1, 0, 2]);
    assert_eq!(d.classes, ["cat", "dog", "emu"]);
    let d = open(&flat, with("a.png 2\nb.png 0\nc.png 2\n")).unwrap();
    assert_eq!(d.dataset.labels().unwrap(), [2, 0, 2]);
    assert!(open(&flat, |_| ()).unwrap().dataset.labels().is_none());
    // A line may name a file of a sub-folder by its name alone.
    let nested = folder(&["x/a.png", "y/b.png"]);
    let d = open(&nested, with("a.png,1\ny/b.png,0")).unwrap();
    assert_eq!(d.dataset.labels().unwrap(), [1, 0]);

    fails(
        &flat,
        &["line 3 names d.png", "not in the folder"],
        with("a.png,1\nb.png,1\nd.png,1"),
    );
    fails(
        &flat,
        &["no label for 1 of 3 files", "c.png"],
        with("a.png,1\nb.png,1"),
    );
    fails(
        &flat,
        &["line 2 has no label"],
        with("a.png,1\nb.png\nc.png,1"),
    );
    fails(
        &flat,
        &["line 2 gives a.png another label"],
        with("a.png,1\na.png,2"),
    );
    fails(
        &flat,
        &["names none of the folder's files"],
        with("dog\ncat\n"),
    );
    fails(&flat, &["is empty"], with(""));
    let classes = |r: &mut FolderRequest<'_>| {
        with("a.png,1\nb.png,1\nc.png,7")(r);
        r.classes = Some(3);
    };
    fails(&flat, &["label 7", "3 classes"], classes);
    let binary = Some(("labels.csv".to_owned(), vec![0xff, 0xfe, 0].into()));
    fails(&flat, &["no text file"], |r| r.labels = binary);
    fails(&flat, &["each class were asked for", "no labels"], |r| {
        r.selection = Selection::PerClass { samples: 1 }
    });
}

#[test]
fn preprocessing_that_does_not_fit_says_so() {
    let flat = folder(&["a.png"]);
    let preset = |name: &str| Preprocess::preset(name).unwrap();
    fails(&flat, &["imagenet is for 3 channels"], |r| {
        r.preprocess = preset("imagenet")
    });
    let error = flat.open(&input(&[1, 10]), |_| ()).err().unwrap();
    assert!(error.to_string().contains("no images"), "{error}");
    let own = |text: &str| Preprocess::from_json(text).map_err(|e| e.to_string());
    let three = own(r#"{"scale": {"own": {"mean": [1, 2, 3], "deviation": [1]}}}"#).unwrap();
    fails(&flat, &["3 figures as mean", "1 channels"], |r| {
        r.preprocess = three
    });
    for (text, words) in [
        (r#"{"scale": "units"}"#, "units"),
        (r#"{"scle": "unit"}"#, "scle"),
        (
            r#"{"scale": {"own": {"mean": [0], "deviation": [0]}}}"#,
            "not above 0",
        ),
        (
            r#"{"scale": {"own": {"mean": [0, 1], "deviation": [1, 1, 1]}}}"#,
            "as mean",
        ),
        ("[", "no preprocessing"),
    ] {
        let error = own(text).unwrap_err();
        assert!(error.contains(words), "{error}");
    }
    // What is written is read again.
    for preset in data::PRESETS {
        let p = Preprocess::preset(preset).unwrap();
        assert_eq!(own(&p.to_json().to_string()).unwrap(), p);
    }
}

/// A network that begins with these operators on constants.
fn beginning(steps: &[(Op, f32)], input: Tensor) -> Graph {
    let mut subgraph = Subgraph {
        tensors: vec![input],
        inputs: vec![0],
        ..Subgraph::default()
    };
    let mut last = 0;
    for (op, value) in steps {
        let n = subgraph.tensors.len();
        let constant = value.to_le_bytes().to_vec();
        subgraph
            .tensors
            .push(Tensor::constant("c", DType::Float32, vec![1], constant));
        subgraph
            .tensors
            .push(Tensor::new("y", DType::Float32, vec![1, 8, 8, 3]));
        let inputs = vec![Some(last), Some(n)];
        subgraph
            .nodes
            .push(Node::new(op.clone(), inputs, vec![n + 1]));
        last = n + 1;
    }
    let n = subgraph.tensors.len();
    subgraph
        .tensors
        .push(Tensor::new("z", DType::Float32, vec![1, 8, 8, 3]));
    subgraph
        .nodes
        .push(Node::new(Op::Relu, vec![Some(last)], vec![n]));
    subgraph.outputs = vec![n];
    Graph {
        subgraphs: vec![subgraph],
        ..Graph::default()
    }
}

#[test]
fn what_a_model_asks_for_is_read_off_it() {
    use zeropoint::graph::Activation::None as Plain;
    let float = || Tensor::new("x", DType::Float32, vec![1, 8, 8, 3]);
    let mul = Op::Mul { activation: Plain };
    let add = Op::Add {
        activation: Plain,
        pot_scale_int16: false,
    };
    let guess = |graph: &Graph| {
        let (p, from) = data::guess(graph, None);
        (p.scale, from)
    };
    let layers = |scale| (scale, GuessedFrom::Layers);
    let rescaling = beginning(&[(mul.clone(), 1.0 / 127.5), (add.clone(), -1.0)], float());
    assert_eq!(guess(&rescaling), layers(Scale::Raw));
    let spread = beginning(&[(mul, 2.0), (add.clone(), -1.0)], float());
    assert_eq!(guess(&spread), layers(Scale::Unit));
    let caffe = beginning(&[(add, -103.9)], float());
    assert_eq!(guess(&caffe), layers(Scale::Raw));
    assert_eq!(
        guess(&beginning(&[], float())),
        (Scale::Unit, GuessedFrom::Nobody)
    );

    let quantized = |scale, zero_point, dtype| {
        let mut x = Tensor::new("x", dtype, vec![1, 8, 8, 3]);
        x.quantization = Some(Quantization::per_tensor(scale, zero_point));
        guess(&beginning(&[], x))
    };
    let range = |scale| (scale, GuessedFrom::InputRange);
    assert_eq!(
        quantized(1.0 / 128.0, 128, DType::UInt8),
        range(Scale::Signed)
    );
    assert_eq!(
        quantized(1.0 / 255.0, -128, DType::Int8),
        range(Scale::Unit)
    );
    assert_eq!(quantized(1.0, -128, DType::Int8), range(Scale::Raw));
    assert_eq!(
        quantized(4.76 / 255.0, -14, DType::Int8),
        range(Scale::Imagenet)
    );
    let plain = Tensor::new("x", DType::UInt8, vec![1, 8, 8, 3]);
    assert_eq!(guess(&beginning(&[], plain)), range(Scale::Raw));

    let said = |mean: f64, deviation: f64| {
        let (p, from) = data::guess(&rescaling, Some(&(vec![mean], vec![deviation])));
        (p.scale, from)
    };
    assert_eq!(said(127.5, 127.5), (Scale::Signed, GuessedFrom::Metadata));
    assert_eq!(said(0.0, 1.0), (Scale::Raw, GuessedFrom::Metadata));
    // Figures that cannot be meant do not count.
    assert_eq!(said(0.0, 0.0), layers(Scale::Raw));
}

#[test]
fn values_of_another_range_than_the_model_asks_for_are_warned_of() {
    let asked = (Preprocess::preset("signed").unwrap(), GuessedFrom::Metadata);
    let fed = data::ValueRange {
        min: 0.0,
        max: 255.0,
        mean: 100.0,
    };
    let raw = Preprocess::preset("raw").unwrap();
    let warned = |p: Option<&Preprocess>, v| data::range_warnings(&asked, p, 3, v).join(" ");
    let words = warned(Some(&raw), fed);
    assert!(
        words.contains("0 to 255") && words.contains("−1 to 1 (signed)"),
        "{words}"
    );
    assert!(warned(Some(&asked.0), fed).is_empty());
    assert!(warned(None, fed).contains("data holds values from 0 to 255"));
    let good = data::ValueRange {
        min: -1.0,
        max: 0.9,
        mean: 0.0,
    };
    assert!(warned(None, good).is_empty());
    let nobody = (Preprocess::default(), GuessedFrom::Nobody);
    assert!(data::range_warnings(&nobody, Some(&raw), 3, fed).is_empty());
}

#[test]
fn a_preview_shows_what_the_model_sees() {
    let mut files = Files::default();
    files.add("cat/a.png", png(4, 4, &[255; 16]));
    files.add("dog/b.png", png(2, 2, &[0, 100, 200, 50]));
    for preset in ["unit", "signed", "raw"] {
        let p = Preprocess::preset(preset).unwrap();
        let d = open(&files, |r| r.preprocess = p.clone()).unwrap();
        let shown = data::preview(d.dataset.as_ref(), &[spec()], Some(&p)).unwrap();
        assert_eq!(shown.samples.len(), 2);
        let dog = &shown.samples[1];
        assert_eq!(
            (dog.file.as_deref(), dog.label),
            (Some("dog/b.png"), Some(1))
        );
        let data::Picture::Image(thumbnail) = &dog.picture else {
            panic!("no picture");
        };
        let grey = [0, 0, 0, 100, 100, 100, 200, 200, 200, 50, 50, 50];
        assert_eq!((thumbnail.width, thumbnail.rgb.as_slice()), (2, &grey[..]));
        let original = data::Original::Image {
            width: 4,
            height: 4,
        };
        assert_eq!(shown.samples[0].original, Some(original));
        let (low, high) = match preset {
            "unit" => (0.0, 1.0),
            "signed" => (-1.0, 1.0),
            _ => (0.0, 255.0),
        };
        assert_eq!((shown.values.min, shown.values.max), (low, high));
    }
}
