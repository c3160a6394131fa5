//! The table of operators against the golden files: it claims what they show, no more and no less.

use std::collections::BTreeMap;
use std::path::Path;

use zeropoint::workbench::operator_table;

use crate::golden_file::Golden;

/// Cases of each operator by the type that their name begins with.
fn shown() -> BTreeMap<String, BTreeMap<String, usize>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let mut shown = BTreeMap::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let file = entry.unwrap().file_name().into_string().unwrap();
        let Some(op) = file
            .strip_prefix("ops_")
            .and_then(|f| f.strip_suffix(".bin.gz"))
        else {
            continue;
        };
        let mut counts: BTreeMap<String, usize> = BTreeMap::new();
        for case in Golden::open(&file).cases {
            let kind = case.name.split([' ', '_']).next().unwrap_or_default();
            *counts.entry(kind.to_owned()).or_default() += 1;
        }
        shown.insert(op.to_uppercase(), counts);
    }
    shown
}

#[test]
fn it_claims_what_golden_files_show() {
    let shown = shown();
    let mut wrong = vec![];
    for row in operator_table() {
        let Some(counts) = shown.get(&row.name) else {
            continue;
        };
        let has = |kind: &str| counts.get(kind).is_some_and(|&n| n >= 20);
        // What works on truth values, indices or integers alone has no float form, and yet runs in float networks.
        let float32 = has("float32") || !counts.contains_key("float32");
        for (kind, claims, shows) in [
            ("float32", row.runs.float32, float32),
            ("int8", row.runs.int8, has("int8")),
            ("int16x8", row.runs.int16x8, has("int16")),
        ] {
            if claims != shows {
                wrong.push(format!("{} {kind}: claims {claims}", row.name));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_runs_in_integers_has_golden_files() {
    let shown = shown();
    let missing: Vec<_> = operator_table()
        .into_iter()
        .filter(|row| (row.runs.int8 || row.runs.int16x8) && !shown.contains_key(&row.name))
        .map(|row| row.name)
        .collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn what_is_quantized_runs_so() {
    for row in operator_table() {
        let q = &row.quantized;
        assert!(q.int8.is_err() || row.runs.int8, "{} int8", row.name);
        assert!(
            q.int16x8.is_err() || row.runs.int16x8,
            "{} int16x8",
            row.name
        );
    }
}

#[test]
fn every_operator_of_the_format_is_in_it() {
    let rows = operator_table();
    // Codes 0 to 209 but for CUSTOM and the placeholder.
    assert_eq!(rows.len(), 208);
    assert!(rows.iter().all(|r| !r.name.is_empty()));
}
