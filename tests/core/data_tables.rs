//! Tables: what columns mean, how values are written, and what is refused, word for word.

use std::io::Read;
use std::sync::Arc;

use proptest::prelude::*;
use zeropoint::data::{
    ClassNames, ClassOrder, Dataset, InputSpec, TableData, TableRequest, read_table, write_npy,
};
use zeropoint::error::{Error, Result};
use zeropoint::graph::{DType, Data, Value};
use zeropoint::progress::Progress;

use crate::data_files::{real, spec};

/// What a test says of a table.
#[derive(Default)]
struct Options {
    label_column: Option<String>,
    classes: Vec<String>,
    labels: Option<Vec<u32>>,
}

fn options(label_column: Option<&str>, classes: &[&str]) -> Options {
    Options {
        label_column: label_column.map(str::to_owned),
        classes: classes.iter().map(|c| (*c).to_owned()).collect(),
        labels: None,
    }
}

fn read_from(input: &mut dyn Read, specs: &[InputSpec], options: &Options) -> Result<TableData> {
    let order = match options.classes.is_empty() {
        true => ClassOrder::Auto(None),
        false => ClassOrder::Names(ClassNames {
            from: "names.txt".into(),
            names: options.classes.clone(),
        }),
    };
    let labels = options.labels.clone().map(|labels| {
        let labels = Value::new(vec![labels.len()], Data::U32(labels));
        ("y.npy".to_owned(), write_npy(&labels.unwrap()).into())
    });
    let request = TableRequest {
        name: "t.csv",
        specs,
        label_column: options.label_column.as_deref(),
        labels,
        order,
        classes: None,
        needs_labels: true,
    };
    read_table(input, request, &Progress::new())
}

fn read(text: &str, specs: &[InputSpec], options: &Options) -> Result<Arc<dyn Dataset>> {
    read_from(&mut text.as_bytes(), specs, options).map(|t| t.dataset)
}

/// The values of the only input, and the labels.
fn values(text: &str, specs: &[InputSpec]) -> (Vec<f32>, Option<Vec<u32>>) {
    labelled(text, specs, &Options::default())
}

fn labelled(text: &str, specs: &[InputSpec], options: &Options) -> (Vec<f32>, Option<Vec<u32>>) {
    let set = read(text, specs, options).unwrap_or_else(|e| panic!("{text:?}: {e}"));
    let batch = set.batch(0..set.len()).unwrap();
    let values = batch[0].as_f32().unwrap().to_vec();
    (values, set.labels().map(<[u32]>::to_vec))
}

/// The message of a table that is refused.
fn refused(text: &str, specs: &[InputSpec], options: &Options) -> String {
    match read(text, specs, options) {
        Ok(set) => panic!("{text:?} was read as {} samples", set.len()),
        Err(e) => e.to_string(),
    }
}

fn two() -> Vec<InputSpec> {
    real(&[1, 2])
}

#[test]
fn every_separator_line_end_and_quote_reads_alike() {
    for text in [
        "a,b\n1,2.5\n3,-4e-1\n",
        "a;b\n1;2.5\n3;-4e-1\n",
        "a\tb\r\n1\t2.5\r\n3\t-0.4",
        "\u{feff}a,b\n1,2.5\n\n3,-0.4\n",
        "\"a\",\"b, in mm\"\n\"1\",\" 2.5 \"\n3 , -0.4",
        "a;b\n1;2,5\n3;-0,4\n",
        "1,2.5\n3,-.4\n",
        "# a,b\n1,2.5\n3,-0.4\n",
    ] {
        assert_eq!(
            values(text, &two()),
            (vec![1.0, 2.5, 3.0, -0.4], None),
            "{text:?}"
        );
    }
}

#[test]
fn the_label_is_found_by_its_usual_names_or_the_one_given() {
    let plain = Options::default();
    for text in ["a,b,label\n1,2,0\n3,4,1\n", "Class,a,b\n0,1,2\n1.0,3,4\n"] {
        let want = (vec![1.0, 2.0, 3.0, 4.0], Some(vec![0, 1]));
        assert_eq!(labelled(text, &two(), &plain), want, "{text:?}");
    }
    let text = "a,kind,b\n1,7,2\n3,5,4\n";
    let want = (vec![1.0, 2.0, 3.0, 4.0], Some(vec![7, 5]));
    assert_eq!(labelled(text, &two(), &options(Some("kind"), &[])), want);
    assert_eq!(labelled(text, &two(), &options(Some("KIND"), &[])), want);
    let bare = "7,1,2\n5,3,4\n";
    assert_eq!(labelled(bare, &two(), &options(Some("1"), &[])), want);
    // A target of reals is no class unless the user says so.
    let regression = "a,b,target\n1,2,0.5\n3,4,1\n";
    assert_eq!(values(regression, &two()).1, None);
}

#[test]
fn class_names_count_in_sorted_order_or_that_of_the_given_names() {
    let text = "a,b,label\n1,2,owl\n3,4,cat\n5,6,owl\n";
    let plain = Options::default();
    assert_eq!(labelled(text, &two(), &plain).1, Some(vec![1, 0, 1]));
    let given = options(None, &["dog", "owl", "cat"]);
    assert_eq!(labelled(text, &two(), &given).1, Some(vec![1, 2, 1]));
    let numbers = "a,b,label\n1,2,2\n3,4,0\n";
    assert_eq!(labelled(numbers, &two(), &given).1, Some(vec![2, 0]));
    let all = read_from(&mut text.as_bytes(), &two(), &plain).unwrap();
    assert_eq!(all.classes, ["cat", "owl"]);
    assert_eq!(all.class_order, "in alphabetical order");
    let all = read_from(&mut numbers.as_bytes(), &two(), &given).unwrap();
    assert_eq!(all.classes, ["dog", "owl", "cat"]);
    assert_eq!(all.class_order, "by the numbers in column 'label'");
    assert_eq!(
        refused(text, &two(), &options(None, &["dog", "owl"])),
        "The class cat of t.csv is not one of the 2 names in names.txt, such as dog"
    );
    // Labels of another file take the column's place.
    let labelled_by = |labels: &[u32]| Options {
        labels: Some(labels.to_vec()),
        ..Options::default()
    };
    let other = read(text, &two(), &labelled_by(&[4, 5, 6])).unwrap();
    assert_eq!(other.labels(), Some(&[4, 5, 6][..]));
    assert_eq!(
        refused(text, &two(), &labelled_by(&[4, 5])),
        "Labels count 2, rows 3"
    );
}

#[test]
fn classes_that_do_not_fit_the_model_stop_evaluation_only() {
    let request = |needs_labels| TableRequest {
        name: "t.csv",
        specs: &[],
        label_column: None,
        labels: None,
        order: ClassOrder::Auto(None),
        classes: Some(3),
        needs_labels,
    };
    let specs = two();
    let open = |needs_labels| {
        let request = TableRequest {
            specs: &specs,
            ..request(needs_labels)
        };
        let text = "a,b,label\n1,2,owl\n3,4,cat\n";
        read_table(&mut text.as_bytes(), request, &Progress::new())
    };
    let why = "t.csv holds 2 classes (cat, owl), the model tells 3 apart; give their names in the order of its outputs, one a line";
    assert_eq!(open(true).err().unwrap().to_string(), why);
    let calibration = open(false).unwrap();
    assert_eq!(calibration.dataset.labels(), None);
    assert_eq!(
        calibration.warnings,
        [format!("{why}; its rows are used without labels")]
    );
}

#[test]
fn what_pandas_writes_is_read() {
    let four = real(&[1, 2, 2]);
    let want = (vec![5.0, 6.0, 7.0, 8.0], None);
    // Without names, with and without the index column; with names and index.
    assert_eq!(values("0,1,2,3\n5,6,7,8\n", &four), want);
    assert_eq!(values(",0,1,2,3\n0,5,6,7,8\n", &four), want);
    assert_eq!(values(",a,b,c,d\n0,5,6,7,8\n", &four), want);
    assert_eq!(values("Unnamed: 0,a,b,c,d\n0,5,6,7,8\n", &four), want);
    // Two columns of 0 and 1 are a sample.
    assert_eq!(values("0,1\n2,3\n", &two()).0, [0.0, 1.0, 2.0, 3.0]);
}

#[test]
fn several_inputs_are_filled_by_name() {
    let specs = [
        spec("serving_default_image:0", DType::Float32, &[1, 2]),
        spec("ids", DType::Int32, &[1, 1]),
        spec("mask", DType::Bool, &[1, 2]),
    ];
    let text =
        "note,image[1],ids,image[0],input_2[0],input_2[1],label\nx,2,7,1,1,0,3\ny,4,-8,3,0,1,5\n";
    let set = read(text, &specs, &Options::default()).unwrap();
    let batch = set.batch(0..2).unwrap();
    assert_eq!(batch[0].data, Data::F32(vec![1.0, 2.0, 3.0, 4.0]));
    assert_eq!(batch[1].data, Data::I32(vec![7, -8]));
    assert_eq!(batch[2].data, Data::Bool(vec![true, false, false, true]));
    assert_eq!(batch[1].shape, [2, 1]);
    assert_eq!(set.labels(), Some(&[3, 5][..]));
    // The same names pick columns for a model with one input.
    let one = [spec("x", DType::Float32, &[1, 2])];
    assert_eq!(values("id,x[1],x[0]\n9,2,1\n", &one).0, [1.0, 2.0]);
}

#[test]
fn columns_that_do_not_fit_are_named() {
    let plain = Options::default();
    for (text, want) in [
        (
            "a,b,c\n1,2,3\n",
            "t.csv has 3 columns of values, the model takes 2 a sample; if one of them is the label, name it as the label column (--label-column)",
        ),
        (
            "1,2,3\n",
            "t.csv has 3 columns of values, the model takes 2 a sample; if one of them is the label, give its number from 1 as the label column (--label-column)",
        ),
        (
            "a,label\n1,2\n",
            "t.csv has 1 column of values, the model takes 2 a sample",
        ),
        (
            "a,b\n1,2\n3\n",
            "t.csv, line 3 has 1 columns, the first line has 2",
        ),
        ("a,b\n", "t.csv holds no samples, only a header"),
        ("\n\n", "t.csv holds no rows"),
        ("", "t.csv is empty"),
    ] {
        assert_eq!(refused(text, &two(), &plain), want, "{text:?}");
    }
    assert_eq!(
        refused("a,b,c\n1,2,3\n", &real(&[1, 2, 2]), &plain),
        "t.csv has 3 columns of values, the model takes 4 (2 × 2) a sample"
    );
    assert_eq!(
        refused("a,b,c\n1,2,3\n", &two(), &options(Some("d"), &[])),
        "t.csv has no column 'd'; it has a, b, c"
    );
    for column in ["d", "0", "4"] {
        assert_eq!(
            refused("1,2,3\n", &two(), &options(Some(column), &[])),
            format!(
                "t.csv has 3 columns and no header, so there is no column '{column}'; give the label column's number, counted from 1"
            )
        );
    }
    let inputs = [
        spec("p", DType::Float32, &[1, 2]),
        spec("q", DType::Float32, &[1, 1]),
    ];
    for (text, want) in [
        (
            "a,b,c\n1,2,3\n",
            "t.csv does not say which columns belong to which of the model's 2 inputs (p, q); name them 'p[0]', 'p[1]', … in a header",
        ),
        (
            "p[0],p[1]\n1,2\n",
            "t.csv has no columns 'q[0]', … or 'input_1[0]', … for the model's input 'q', which takes 1 values",
        ),
        (
            "p[0],q\n1,2\n",
            "t.csv has no column 'p[1]'; the model's input 'p' takes 2 values, 'p[0]' to 'p[1]'",
        ),
        (
            "p[0],p[2],q\n1,2,3\n",
            "t.csv has no column 'p[1]'; the model's input 'p' takes 2 values, 'p[0]' to 'p[1]'",
        ),
        (
            "p[0],p[1],p[2],q\n1,2,3,4\n",
            "t.csv has the column 'p[2]', the model's input 'p' takes 2 values, 'p[0]' to 'p[1]'",
        ),
        (
            "p[0],p[1],input_0[1],q\n1,2,3,4\n",
            "t.csv has two columns for element 1 of the model's input 'p': 'p[1]' and 'input_0[1]'",
        ),
    ] {
        assert_eq!(refused(text, &inputs, &plain), want, "{text:?}");
    }
}

#[test]
fn values_that_are_none_are_named_by_line_and_column() {
    let plain = Options::default();
    for (cell, want) in [
        ("x", "holds 'x', not a number"),
        ("1 2", "holds '1 2', not a number"),
        (
            "1_000_000_000_000_000_000_000_000_000_000_000_000",
            "holds '1_000_000_000_000_000_000_000_000_000_00…', not a number",
        ),
        ("", "is empty; fill such cells or leave the row out"),
        ("nan", "holds NaN; remove or replace such values"),
        ("-inf", "holds an infinity; remove or replace such values"),
        ("1e39", "holds 1e39, too large for float32"),
    ] {
        let text = format!("a,b\n1,2\n\n3,{cell}\n");
        let got = refused(&text, &two(), &plain);
        assert_eq!(got, format!("t.csv, line 4, column 'b' {want}"));
        let text = format!("a,b\r\n1,2\r\n\r\n3,{cell}");
        assert_eq!(refused(&text, &two(), &plain), got);
        let text = format!("1,2\n3,{cell}");
        let got = refused(&text, &two(), &plain);
        assert_eq!(got, format!("t.csv, line 2, column 2 {want}"));
    }
    let ids = [spec("ids", DType::UInt8, &[1, 2])];
    assert_eq!(values_of(&ids), Data::U8(vec![3, 255]));
    for (cell, want) in [
        (
            "1.5",
            "holds '1.5', not a whole number; the model's input 'ids' takes uint8",
        ),
        (
            "256",
            "holds 256, outside uint8, which the model's input 'ids' takes",
        ),
        (
            "-1",
            "holds -1, outside uint8, which the model's input 'ids' takes",
        ),
    ] {
        let got = refused(&format!("a,b\n1,{cell}\n"), &ids, &plain);
        assert_eq!(got, format!("t.csv, line 2, column 'b' {want}"));
    }
    assert_eq!(
        refused("a,b,label\n1,2,\n", &two(), &plain),
        "t.csv, line 2, column 'label', the label, is empty; fill such cells or leave the row out"
    );
    for label in ["0.5", "-1", "4294967296"] {
        let text = format!("a,b,y\n1,2,0\n1,2,{label}\n");
        assert_eq!(
            refused(&text, &two(), &options(Some("y"), &[])),
            format!(
                "t.csv, line 3, column 'y': label {label} is no class; classes are names or whole numbers from 0"
            )
        );
    }
}

fn values_of(ids: &[InputSpec]) -> Data {
    let set = read("a,b\n3.0,255\n", ids, &Options::default()).unwrap();
    set.batch(0..1).unwrap().remove(0).data
}

#[test]
fn text_that_is_no_table_is_refused() {
    let plain = Options::default();
    let utf16: Vec<u8> = "a,b".encode_utf16().flat_map(u16::to_le_bytes).collect();
    for (bytes, want) in [
        (
            [&b"\xff\xfe"[..], &utf16].concat(),
            "t.csv is UTF-16 text; save it as UTF-8",
        ),
        (
            b"a,b\n\0\x01\x02\n".to_vec(),
            "t.csv is no table of text: it holds binary data",
        ),
    ] {
        let got = read_from(&mut &bytes[..], &two(), &plain);
        assert_eq!(got.err().unwrap().to_string(), want);
    }
}

/// Repeats a text without end, and counts what was asked of it.
struct Endless {
    text: &'static [u8],
    given: usize,
}

impl Read for Endless {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        for byte in out.iter_mut() {
            *byte = self.text[self.given % self.text.len()];
            self.given += 1;
        }
        Ok(out.len())
    }
}

#[test]
fn lines_without_end_are_given_up_early() {
    for (head, text) in [("", &b"1,"[..]), ("", b"1"), ("\"", b"1,\n")] {
        let mut endless = Endless { text, given: 0 };
        let mut input = head.as_bytes().chain(&mut endless);
        let got = read_from(&mut input, &two(), &Options::default());
        assert_eq!(
            got.err().unwrap(),
            Error::Malformed(
                "t.csv: the first row is longer than 1,048,704 bytes, more than this model can need"
                    .into()
            )
        );
        assert!(endless.given < 2 << 20, "{} bytes were read", endless.given);
    }
    let wide = "1,".repeat(400_000) + "1\n";
    assert_eq!(
        refused(&wide, &two(), &Options::default()),
        "t.csv has 400,001 columns of values, the model takes 2 a sample"
    );
    let mut long = "a,b\n1,2\n".to_owned();
    long.push_str(&"1,".repeat(1_000_000));
    assert_eq!(
        refused(&long, &two(), &Options::default()),
        "t.csv: the row after line 2 is longer than 1,048,704 bytes, more than this model can need"
    );
}

#[test]
fn a_column_of_countless_names_is_no_label() {
    let mut text = "a,b,y\n".to_owned();
    (0..100_001).for_each(|i| text.push_str(&format!("1,2,n{i}\n")));
    assert_eq!(
        refused(&text, &two(), &options(Some("y"), &[])),
        "t.csv, column 'y' holds more than 100,000 different labels, so it names no classes"
    );
    let text = text.replace(",y\n", ",label\n");
    assert_eq!(
        read(&text, &two(), &Options::default()).unwrap().labels(),
        None
    );
}

proptest! {
    /// What is written reads back, whatever the separator, the header and the label's place.
    #[test]
    fn tables_read_back(
        rows in prop::collection::vec((prop::array::uniform3(-1e30f32..1e30), 0u32..9), 1..20),
        separator in prop::sample::select(vec![',', ';', '\t']),
        place in 0usize..4,
        header in any::<bool>(),
    ) {
        let join = |cells: Vec<String>| cells.join(&separator.to_string()) + "\n";
        let mut text = String::new();
        let place_of = |values: Vec<String>, label: String| {
            let mut all = values;
            all.insert(place, label);
            all
        };
        if header {
            let names = ["a", "b", "c"].map(str::to_owned).to_vec();
            text += &join(place_of(names, "kind".into()));
        }
        for (values, label) in &rows {
            let cells = values.iter().map(|x| x.to_string()).collect();
            text += &join(place_of(cells, label.to_string()));
        }
        let column = if header { "kind".to_owned() } else { (place + 1).to_string() };
        let (values, labels) = labelled(&text, &real(&[1, 3]), &options(Some(&column), &[]));
        let want: Vec<f32> = rows.iter().flat_map(|(v, _)| *v).collect();
        prop_assert_eq!(values, want);
        prop_assert_eq!(labels, Some(rows.iter().map(|r| r.1).collect::<Vec<_>>()));
    }

    /// Text of the letters that matter: an error or samples, never a panic.
    #[test]
    fn noise_does_no_harm(text in "[ab\\[\\]0-9,;\t\n\r\"'.eE+\\-#x_é ]{0,200}", column in "[ab0-9]{0,2}") {
        let inputs = [spec("a", DType::Float32, &[1, 2]), spec("b", DType::Int8, &[1])];
        for specs in [real(&[1, 1]), real(&[1, 2]), inputs.to_vec()] {
            for options in [Options::default(), options(Some(&column), &["a", "b"])] {
                if let Ok(set) = read(&text, &specs, &options) {
                    prop_assert_eq!(set.batch(0..set.len()).unwrap()[0].shape[0], set.len());
                    prop_assert!(set.labels().is_none_or(|l| l.len() == set.len()));
                }
            }
        }
    }

    /// Any bytes: an error or samples, never a panic.
    #[test]
    fn bytes_do_no_harm(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = read_from(&mut &bytes[..], &two(), &Options::default());
    }
}
