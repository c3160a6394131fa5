//! `zeropoint evaluate` and `bench`: figures of single files.

use serde_json::{Value as Json, json};

use super::transform::all_cores;
use super::{DataArgument, Failure, args, asking_for_shapes, open, print, print_json};
use crate::evaluate;
use crate::progress::Progress;
use crate::workbench::Role;

/// Carries out `evaluate`.
pub(super) fn evaluate(a: &args::Evaluate) -> Result<(), Failure> {
    let model = open(&a.model, &a.entry, Some(&a.data))?;
    let argument = DataArgument::file(
        &a.data,
        a.labels.as_deref(),
        Role::Evaluation,
        &a.data_flags,
    );
    let loaded = argument.samples(a.samples).open(&model)?;
    let threads = a.threads.unwrap_or_else(all_cores);
    let e = evaluate::evaluate(
        &model.graph,
        loaded.dataset.as_ref(),
        None,
        threads,
        &Progress::new(),
    );
    let e = asking_for_shapes(&model, &a.entry, e)?;
    if a.json {
        let mut figures = json!({
            "model": model.name, "data": loaded.name, "samples": e.samples, "top1": e.top1, "top5": e.top5,
            "seconds": e.seconds, "threads": threads,
        });
        extend(&mut figures, &loaded.record().to_json());
        figures["warnings"] = json!([loaded.warnings.as_slice(), &e.warnings].concat());
        print_json(&figures);
    } else {
        let share = |s: Option<f64>| {
            s.map_or("– (no labels)".to_owned(), |s| {
                format!("{:.2} %", s * 100.0)
            })
        };
        print(&format!(
            "{}: top-1 {}, top-5 {}, {} samples in {:.2} s",
            model.name,
            share(e.top1),
            share(e.top5),
            e.samples,
            e.seconds
        ));
        e.warnings.iter().for_each(|w| print(w));
    }
    Ok(())
}

/// Carries out `bench`. Every model is opened before the first is timed.
pub(super) fn bench(a: &args::Bench) -> Result<(), Failure> {
    let models = a
        .models
        .iter()
        .map(|m| open(m, &a.entry, None))
        .collect::<Result<Vec<_>, _>>()?;
    let mut rows: Vec<Json> = vec![];
    for (path, model) in a.models.iter().zip(&models) {
        let l = evaluate::latency(&model.graph, a.threads, a.seconds, &Progress::new());
        let l = asking_for_shapes(model, &a.entry, l).map_err(|e| e.at(&model.name))?;
        if !a.json {
            print(&format!(
                "{}\tmin {:.4} ms\tmedian {:.4} ms\tp95 {:.4} ms\t{} runs, {} threads",
                path.display(),
                l.min_ms,
                l.median_ms,
                l.p95_ms,
                l.runs,
                l.threads
            ));
        }
        rows.push(json!({
            "model": path, "threads": l.threads, "runs": l.runs, "min_ms": l.min_ms, "median_ms": l.median_ms,
            "p95_ms": l.p95_ms,
        }));
    }
    if a.json {
        print_json(&Json::Array(rows));
    }
    Ok(())
}

/// Adds the keys of one JSON object to another that does not have them yet.
fn extend(to: &mut Json, from: &Json) {
    if let (Some(to), Some(from)) = (to.as_object_mut(), from.as_object()) {
        for (key, value) in from {
            to.entry(key).or_insert_with(|| value.clone());
        }
    }
}
