//! Reports: balanced and escaped markup whatever the names, no figure that is not one, nothing from outside the page.

use zeropoint::evaluate::{Evaluation, Histogram, Latency, TensorKind, TensorReport};
use zeropoint::quantize::{Mode, Recipe};
use zeropoint::workbench::report::{DataNote, Entry, FileNote, Machine, Report, csv, html};

const HOSTILE: &str = "</td><script>alert('1')</script>\" onload=\"x & y\u{202e}\u{0}\u{1b}[31m";

fn file(name: &str, bytes: usize) -> FileNote {
    FileNote {
        name: name.into(),
        bytes,
        sha256: "00ff".into(),
    }
}

fn entry(name: &str, mode: Mode, bytes: usize) -> Entry {
    Entry {
        model: None,
        name: name.into(),
        recipe: Recipe {
            mode,
            ..Recipe::default()
        },
        file: file(name, bytes),
        runtime: "2.3.0".into(),
        evaluation: Some(Evaluation {
            samples: 1000,
            top1: Some(0.979),
            top5: None,
            agreement: (mode != Mode::Float32).then_some(0.998),
            sqnr_db: (mode != Mode::Float32).then_some(42.8),
            delta_interval: (mode != Mode::Float32).then_some((-0.001, 0.0004)),
            seconds: 1.0,
            answers: vec![],
            margins: vec![],
            outputs: None,
            warnings: vec![],
        }),
        latency: Some(Latency {
            min_ms: 0.01,
            median_ms: bytes as f64 * 1e-6,
            p95_ms: bytes as f64 * 2e-6,
            threads: 2,
            runs: 100,
        }),
        tensors: vec![],
        warnings: vec![],
        convert_seconds: 0.02,
    }
}

fn tensor(name: &str) -> TensorReport {
    TensorReport {
        tensor: 3,
        name: name.into(),
        op: "CONV_2D".into(),
        node: Some(0),
        kind: TensorKind::Activation,
        dtype: "int8".into(),
        shape: vec![1, 2, 3],
        range: (-1.0, 1.0),
        scale: 0.0123,
        zero_point: -128,
        q_range: (-128, 127),
        scale_error: Some(0.3),
        zero_point_error: Some(-0.25),
        clipped: 0.01,
        sqnr_local_db: Some(31.5),
        sqnr_cumulative_db: Some(30.25),
        values: Histogram::default(),
        dequantized: Histogram::default(),
        step_error: Histogram::default(),
        step_rms: 0.3,
        channels: vec![],
    }
}

fn report(experiments: Vec<Entry>) -> Report {
    Report {
        model: file("digits.tflite", 85_376),
        calibration: Some(DataNote {
            name: "train".into(),
            samples: 100,
            sha256: Some("abcd".into()),
        }),
        data: None,
        machine: Machine {
            processor: "Some <CPU>".into(),
            cores: 2,
            system: "linux x86_64".into(),
            kernels: "avx2".into(),
            version: "0.1.0".into(),
        },
        made: "2026-11-23 17:05 UTC".into(),
        experiments,
        baseline: None,
    }
}

fn full() -> Report {
    let mut int8 = entry("int8", Mode::Int8, 25_000);
    int8.tensors = vec![tensor("conv/Relu"), tensor("dense")];
    int8.warnings = vec!["Operator 3, CUSTOM, stays float: no kernel".into()];
    report(vec![
        entry("float32", Mode::Float32, 85_376),
        int8,
        entry("int8, int8 I/O", Mode::Int8, 24_000),
        entry("int16x8", Mode::Int16x8, 26_000),
    ])
}

/// The page's tags, each closed in its turn, with quoted attributes; text between them has no loose `<` or `&`.
fn well_formed(page: &str) -> Result<Vec<String>, String> {
    let body = page.strip_prefix("<!DOCTYPE html>").ok_or("no doctype")?;
    let (mut open, mut seen, mut rest) = (vec![], vec![], body);
    while let Some(at) = rest.find('<') {
        text_is_escaped(&rest[..at])?;
        let end = rest[at..].find('>').ok_or("a tag without end")? + at;
        let tag = &rest[at + 1..end];
        rest = &rest[end + 1..];
        if let Some(name) = tag.strip_prefix('/') {
            let wanted: Option<String> = open.pop();
            if wanted.as_deref() != Some(name) {
                return Err(format!("</{name}> closes {wanted:?}"));
            }
            continue;
        }
        let name: String = tag
            .chars()
            .take_while(char::is_ascii_alphanumeric)
            .collect();
        if name.is_empty() || tag.matches('"').count() % 2 == 1 {
            return Err(format!("odd tag <{tag}>"));
        }
        text_is_escaped(tag)?;
        seen.push(name.clone());
        if !tag.ends_with('/') {
            open.push(name);
        }
    }
    match open.is_empty() && rest.trim().is_empty() {
        true => Ok(seen),
        false => Err(format!("left open: {open:?} {rest:?}")),
    }
}

fn text_is_escaped(text: &str) -> Result<(), String> {
    for (at, _) in text.match_indices('&') {
        let after = &text[at..];
        if !["&amp;", "&lt;", "&gt;", "&quot;", "&#39;"]
            .iter()
            .any(|e| after.starts_with(e))
        {
            return Err(format!("loose & in {text:?}"));
        }
    }
    match text.chars().find(|c| c.is_control() && *c != '\n') {
        Some(c) => Err(format!("{c:?} in {text:?}")),
        None => Ok(()),
    }
}

fn has_only_figures(text: &str) {
    for odd in [
        "NaN", "inf\"", "inf<", "inf ", "inf,", "inf\r", "-inf", "Infinity", "None", "Some(",
    ] {
        assert!(!text.contains(odd), "{odd} in {text}");
    }
}

#[test]
fn a_full_report_says_everything_and_is_balanced() {
    let page = html(&full());
    let tags = well_formed(&page).unwrap();
    for wanted in ["svg", "table", "details", "pre", "title", "style", "meta"] {
        assert!(tags.iter().any(|t| t == wanted), "no {wanted}");
    }
    has_only_figures(&page);
    for wanted in [
        "digits.tflite",
        "3 of 3 variants keep accuracy within 0.10 pp of float32; int8, int8 I/O is the fastest of them, 3.56 × faster, 3.56 × smaller",
        "25,000",
        "3.42 ×",
        "97.90 %",
        "99.80 %",
        "42.8 dB",
        "[−0.10, +0.04]",
        "conv/Relu",
        "+0.30",
        "−0.25",
        "1.000 %",
        "bias_correction",
        "stays float: no kernel",
        "abcd",
        "00ff",
        "Some &lt;CPU&gt;",
        "2026-11-23 17:05 UTC",
        "prefers-color-scheme: dark",
        "width=device-width",
    ] {
        assert!(page.contains(wanted), "{wanted} is missing");
    }
}

#[test]
fn nothing_comes_from_outside_the_page() {
    let page = html(&full());
    for outside in [
        "<script", "src=", "href=", "url(", "@import", "://", "<link", "<iframe",
    ] {
        assert!(!page.contains(outside), "{outside}");
    }
}

#[test]
fn hostile_names_are_text() {
    let mut report = full();
    report.model.name = HOSTILE.into();
    report.made = HOSTILE.into();
    report.machine.processor = HOSTILE.into();
    report.data = Some(DataNote {
        name: HOSTILE.into(),
        samples: 1,
        sha256: Some(HOSTILE.into()),
    });
    for e in &mut report.experiments {
        (e.name, e.runtime, e.file.sha256) = (HOSTILE.into(), HOSTILE.into(), HOSTILE.into());
        e.warnings = vec![HOSTILE.into()];
        e.tensors = vec![
            tensor(HOSTILE),
            tensor("a\u{2066}b"),
            tensor(&"x".repeat(100_000)),
        ];
        e.tensors[0].op = HOSTILE.into();
        e.tensors[0].dtype = HOSTILE.into();
    }
    let page = html(&report);
    let tags = well_formed(&page).unwrap();
    assert!(tags.iter().all(|t| t != "script"), "{page}");
    assert!(!page.contains('\u{202e}') && !page.contains('\u{2066}'));
    assert!(!page.contains(" onload=\"") && page.len() < 500_000);
}

#[test]
fn figures_that_are_none_or_odd_leave_dashes() {
    let mut report = full();
    let odd = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 0.0, -1.0, 1e308];
    for (i, &x) in odd.iter().enumerate() {
        let mut e = entry("int8", Mode::Int8, i);
        e.convert_seconds = x;
        e.latency = Some(Latency {
            min_ms: x,
            median_ms: x,
            p95_ms: x,
            threads: 0,
            runs: 0,
        });
        e.evaluation = Some(Evaluation {
            samples: 0,
            top1: Some(x),
            top5: Some(x),
            agreement: Some(x),
            sqnr_db: Some(x),
            delta_interval: Some((x, x)),
            seconds: x,
            answers: vec![],
            margins: vec![],
            outputs: None,
            warnings: vec![],
        });
        let mut t = tensor("t");
        (t.scale, t.scale_error, t.zero_point_error) = (x as f32, Some(x), Some(x));
        (t.sqnr_local_db, t.sqnr_cumulative_db, t.clipped) = (Some(x), Some(x), x);
        e.tensors = vec![t];
        report.experiments.push(e);
    }
    for first in [true, false] {
        let page = html(&report);
        well_formed(&page).unwrap();
        has_only_figures(&page);
        has_only_figures(&csv(&report));
        if first {
            // And with an odd baseline.
            let e = report.experiments.pop().unwrap();
            report.experiments.insert(0, e);
            report.experiments[0].recipe.mode = Mode::Float32;
        }
    }
}

#[test]
fn missing_figures_are_said_to_be_missing() {
    let mut bare = report(vec![]);
    well_formed(&html(&bare)).unwrap();
    assert_eq!(csv(&bare).lines().count(), 1);
    for mode in [Mode::Float32, Mode::Dynamic] {
        let mut e = entry(mode.name(), mode, 100);
        (e.evaluation, e.latency, e.runtime) = (None, None, String::new());
        bare.experiments.push(e);
        let page = html(&bare);
        well_formed(&page).unwrap();
        assert!(page.contains("Not measured: no evaluation data") && page.contains("<td>–</td>"));
        assert!(!page.contains("Latency, median"));
    }
    assert!(html(&bare).contains("Without evaluation data: dynamic is the first, 1.00 × smaller"));
    // A model alone that is no float model: nothing to compare with.
    bare.experiments.remove(0);
    assert!(html(&bare).contains("There is nothing to compare with the float model"));
    // No labels: agreement decides, and SQNR takes the place of accuracy.
    let mut unlabelled = full();
    for e in &mut unlabelled.experiments {
        let q = e.evaluation.as_mut().unwrap();
        (q.top1, q.delta_interval) = (None, None);
    }
    unlabelled.experiments[1]
        .evaluation
        .as_mut()
        .unwrap()
        .agreement = Some(0.5);
    let page = html(&unlabelled);
    assert!(
        page.contains("2 of 3 variants keep float32&#39;s answer on 99 % of the samples"),
        "{page}"
    );
    assert!(page.contains("SQNR of the outputs"));
}

#[test]
fn csv_has_a_line_an_experiment_and_no_formulas() {
    let mut report = full();
    report.experiments[1].name = "=cmd|' /C calc'!A0".into();
    report.model.name = "a,\"b\"\nc".into();
    let text = csv(&report);
    let heads: Vec<&str> = text.lines().next().unwrap().split(',').collect();
    assert_eq!(text.matches("\r\n").count(), 5);
    assert!(text.contains("\r\n'=cmd|' /C calc'!A0,int8,float32,25000,3.41504,"));
    assert_eq!(text.matches("\"a,\"\"b\"\"\nc\"").count(), 4);
    report.model.name = "m".into();
    report.experiments[2].name = "second".into();
    for line in csv(&report).lines() {
        assert_eq!(line.split(',').count(), heads.len(), "{line}");
    }
    let of = |name| heads.iter().position(|h| *h == name).unwrap();
    let csv = csv(&report);
    let cells: Vec<&str> = csv.lines().nth(4).unwrap().split(',').collect();
    assert_eq!(
        (cells[of("mode")], cells[of("sqnr_db")]),
        ("int16x8", "42.8")
    );
    assert_eq!(
        (cells[of("top1_delta_low")], cells[of("threads")]),
        ("-0.001", "2")
    );
    let base: Vec<&str> = csv.lines().nth(1).unwrap().split(',').collect();
    assert_eq!((base[of("top1_delta")], base[of("agreement")]), ("", ""));
}
