//! The chosen baseline: agreement, SQNR and deltas follow it in the list, in reports and on the command line.

use zeropoint::quantize::Mode;
use zeropoint::workbench::report::{Gathered, csv, html, json};
use zeropoint::workbench::{Command, Experiment, Workbench};

use crate::workbench_commands::{settle, small_demo};

/// The demo after a run of float32, dynamic and int8, int8 chosen as baseline.
fn against_int8() -> Workbench {
    let mut w = small_demo();
    for mode in [Mode::Float16, Mode::Int16x8] {
        w.apply(Command::SetMode(mode, false));
    }
    w.apply(Command::Run);
    settle(&mut w);
    let int8 = of(&w, Mode::Int8).id;
    w.apply(Command::SetBaseline(Some(int8)));
    settle(&mut w);
    w
}

fn of(w: &Workbench, mode: Mode) -> &Experiment {
    let found = w.experiments.iter().find(|e| e.mode() == mode);
    found.expect("it has run")
}

#[test]
fn agreement_and_sqnr_are_taken_against_the_chosen_baseline() {
    let mut w = against_int8();
    let int8 = w.quality(of(&w, Mode::Int8)).unwrap();
    assert_eq!(
        (int8.agreement, int8.sqnr_db, int8.delta_interval),
        (None, None, None)
    );
    // The float model against int8: the answers that int8 has against it, seen from the other side.
    let own = of(&w, Mode::Int8).evaluation.clone().unwrap();
    let float = w.quality(of(&w, Mode::Float32)).unwrap();
    assert_eq!(float.agreement, own.agreement);
    let (theirs, here) = (own.delta_interval.unwrap(), float.delta_interval.unwrap());
    assert!((theirs.0 + here.1).abs() < 1e-12 && (theirs.1 + here.0).abs() < 1e-12);
    // The same noise over another signal.
    let energy = |e: &Experiment| -> f64 {
        let outputs = e.evaluation.as_ref().unwrap().outputs.clone().unwrap();
        let values = outputs.values.as_ref().unwrap()[0].iter();
        values.map(|&x| f64::from(x) * f64::from(x)).sum()
    };
    let signals = energy(of(&w, Mode::Int8)) / energy(of(&w, Mode::Float32));
    let expected = own.sqnr_db.unwrap() + 10.0 * signals.log10();
    assert!((float.sqnr_db.unwrap() - expected).abs() < 1e-9);

    w.apply(Command::SetBaseline(None));
    settle(&mut w);
    let back = w.quality(of(&w, Mode::Int8)).unwrap();
    assert_eq!(*back, *own);
}

#[test]
fn figures_of_other_data_are_not_compared() {
    let mut w = against_int8();
    w.apply(Command::SetSamples(
        zeropoint::workbench::Role::Evaluation,
        Some(50),
    ));
    let dynamic = of(&w, Mode::Dynamic).id;
    w.apply(Command::Rerun(dynamic));
    settle(&mut w);
    let e = w.experiment(dynamic).unwrap();
    let figures = w.quality(e).unwrap();
    assert_eq!(
        (figures.agreement, figures.sqnr_db, figures.delta_interval),
        (None, None, None)
    );
    assert_eq!(w.without(e), Some("they were measured on other data"));
}

#[test]
fn reports_follow_the_chosen_baseline() {
    let w = against_int8();
    let report = Gathered::of(&w).unwrap().report().unwrap();
    assert_eq!(report.baseline_name(), "int8");
    let float = w.quality(of(&w, Mode::Float32)).unwrap();
    assert_eq!(report.experiments[0].evaluation.as_ref(), Some(float));

    let page = html(&report);
    assert!(page.contains("Accuracy, change from int8 with its 95 % interval"));
    assert!(!page.contains("of float32"), "int8 is the baseline");
    let data: serde_json::Value = serde_json::from_str(&json(&report)).unwrap();
    assert_eq!(data["baseline"], "int8");
    assert_eq!(
        data["experiments"][0]["agreement"].as_f64(),
        float.agreement
    );
    assert!(data["experiments"][2]["agreement"].is_null());
    let table = csv(&report);
    let lines: Vec<Vec<&str>> = table.lines().map(|l| l.split(',').collect()).collect();
    let column = |name: &str| lines[0].iter().position(|c| *c == name).unwrap();
    let smaller: f64 = lines[1][column("times_smaller")].parse().unwrap();
    assert!(smaller < 1.0, "float32 is larger than int8");
    assert_eq!(lines[3][column("times_smaller")], "1");
    assert_eq!(lines[3][column("top1_delta")], "");
    assert_eq!(lines[1][column("baseline")], "int8");
}
