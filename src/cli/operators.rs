//! `zeropoint inspect --operators`: what this version does with every builtin operator.

use serde_json::{Value as Json, json};

use super::{print, print_json};
use crate::workbench::{OperatorRow, operator_table};

/// Prints the table.
pub(super) fn print_table(as_json: bool) {
    let rows = operator_table();
    if as_json {
        print_json(&json!({ "operators": rows.iter().map(row).collect::<Vec<_>>() }));
    } else {
        print(&text(&rows));
    }
}

/// One operator; `why` has the reason for each mode in which it is not quantized.
fn row(o: &OperatorRow) -> Json {
    let q = &o.quantized;
    let modes = [
        ("int8", &q.int8),
        ("int16x8", &q.int16x8),
        ("dynamic", &q.dynamic),
    ];
    let why = modes
        .iter()
        .filter_map(|(mode, r)| Some(((*mode).to_owned(), json!(r.as_ref().err()?))));
    json!({
        "op": o.name,
        "opens": true,
        "runs": {"float32": o.runs.float32, "int8": o.runs.int8, "int16x8": o.runs.int16x8},
        "quantized": modes.iter().map(|(mode, r)| ((*mode).to_owned(), json!(r.is_ok()))).collect::<serde_json::Map<_, _>>(),
        "why": why.collect::<serde_json::Map<_, _>>(),
    })
}

fn text(rows: &[OperatorRow]) -> String {
    let mark = |yes: bool| if yes { "yes" } else { "-" };
    let line = |name: &str, cells: [&str; 7]| {
        let [opens, rest @ ..] = cells;
        let rest: Vec<_> = rest.iter().map(|c| format!("{c:<8}")).collect();
        format!("{name:<32}{opens:<7}{}", rest.join(""))
            .trim_end()
            .to_owned()
    };
    let mut lines = vec![
        line("", ["", "runs in", "", "", "quantized in", "", ""]),
        line(
            "operator",
            [
                "opens", "float32", "int8", "int16x8", "int8", "int16x8", "dynamic",
            ],
        ),
    ];
    lines.extend(rows.iter().map(|o| {
        let q = &o.quantized;
        line(
            &o.name,
            [
                "yes",
                mark(o.runs.float32),
                mark(o.runs.int8),
                mark(o.runs.int16x8),
                mark(q.int8.is_ok()),
                mark(q.int16x8.is_ok()),
                mark(q.dynamic.is_ok()),
            ],
        )
    }));
    lines.join("\n")
}
