//! `zeropoint evaluate` and `bench`: figures of single files.

use serde_json::{Value as Json, json};

use super::engine::{Engines, difference_json, latency_json, litert_json};
use super::transform::all_cores;
use super::{DataArgument, Failure, args, asking_for_shapes, open, print, print_json};
use crate::data::Dataset;
use crate::error::Result;
use crate::evaluate::{self, Evaluation, Latency, Profile};
use crate::progress::Progress;
use crate::workbench::litert::{
    Engine, LitertFigures, Measure, Sides, answers_line, latency_line, litert_lines,
};
use crate::workbench::{OpenModel, Role};

/// How long latency is measured beside an evaluation.
pub(super) const LATENCY_SECONDS: f64 = 0.5;

/// Carries out `evaluate`.
pub(super) fn evaluate(a: &args::Evaluate) -> Result<(), Failure> {
    let engines = Engines::of(&a.engine)?;
    let argument = DataArgument::file(
        &a.data,
        a.labels.as_deref(),
        Role::Evaluation,
        &a.data_flags,
    );
    let model = open(&a.model, &a.entry, Some(&argument))?;
    let loaded = argument.samples(a.samples).open(&model)?;
    super::tell_of(&a.data_flags, &[&loaded])?;
    let threads = a.threads.unwrap_or_else(all_cores);
    let dataset = loaded.dataset.as_ref();
    let figures = if engines.engine == Engine::Zeropoint {
        let e = evaluate::evaluate(&model.graph, dataset, None, threads, &Progress::new());
        Figures {
            evaluation: Some(asking_for_shapes(&model, &a.entry, e)?),
            ..Figures::default()
        }
    } else {
        let found = measure(&engines, &model, Some(dataset), threads, LATENCY_SECONDS);
        asking_for_shapes(&model, &a.entry, found)?
    };
    let e = figures.evaluation.as_ref();
    if a.json {
        let mut row = json!({
            "model": model.name, "data": loaded.name, "samples": e.map(|e| e.samples), "top1": e.and_then(|e| e.top1),
            "top5": e.and_then(|e| e.top5), "seconds": e.map(|e| e.seconds), "threads": threads,
        });
        if figures.litert.is_some() {
            row["latency_ms"] = json!(figures.latency.as_ref().map(latency_json));
        }
        extend(&mut row, &loaded.record().to_json());
        let doubts = e.map_or(&[][..], |e| &e.warnings);
        row["warnings"] = json!([&loaded.warnings, doubts].concat());
        figures.add_to(&engines, &mut row);
        print_json(&row);
        return Ok(());
    }
    if let Some(e) = e {
        let line = answers_line(e);
        let mut line = format!(
            "{}: {line}, {} samples in {:.2} s",
            model.name, e.samples, e.seconds
        );
        if loaded.synthetic {
            line += ", on synthetic random data";
        }
        if let Some(l) = figures
            .latency
            .as_ref()
            .filter(|_| engines.engine.asks_own())
        {
            line += &format!(", {}, {} threads", latency_line(l, ", "), l.threads);
        }
        print(&line);
        e.warnings.iter().for_each(|w| print(w));
    }
    figures.print_litert();
    Ok(())
}

/// Carries out `bench`. Every model is opened before the first is timed.
pub(super) fn bench(a: &args::Bench) -> Result<(), Failure> {
    let engines = Engines::of(&a.engine)?;
    let models = a
        .models
        .iter()
        .map(|m| open(m, &a.entry, None))
        .collect::<Result<Vec<_>, _>>()?;
    let mut rows: Vec<Json> = vec![];
    for (path, model) in a.models.iter().zip(&models) {
        let figures = if engines.engine == Engine::Zeropoint {
            evaluate::latency(&model.graph, a.threads, a.seconds, &Progress::new()).map(|l| {
                Figures {
                    latency: Some(l),
                    ..Figures::default()
                }
            })
        } else {
            measure(&engines, model, None, a.threads, a.seconds)
        };
        let figures = asking_for_shapes(model, &a.entry, figures).map_err(|e| e.at(&model.name))?;
        let profile = match a.profile {
            true => Some(evaluate::profile(
                &model.graph,
                a.threads,
                a.seconds,
                &Progress::new(),
            )?),
            false => None,
        };
        let l = figures.latency.as_ref();
        if !a.json {
            if let Some(l) = l {
                print(&format!(
                    "{}\t{}, {} threads",
                    path.display(),
                    latency_line(l, "\t"),
                    l.threads
                ));
            }
            figures.print_litert();
            profile.iter().for_each(print_profile);
        }
        let mut row = json!({
            "model": path, "threads": l.map(|l| l.threads), "runs": l.map(|l| l.runs), "min_ms": l.map(|l| l.min_ms),
            "median_ms": l.map(|l| l.median_ms), "p95_ms": l.map(|l| l.p95_ms),
        });
        figures.add_to(&engines, &mut row);
        if let Some(profile) = &profile {
            row["profile"] = json!(profile);
        }
        rows.push(row);
    }
    if a.json {
        print_json(&Json::Array(rows));
    }
    Ok(())
}

/// The operators, slowest first, then the sum of each kind.
fn print_profile(p: &Profile) {
    let l = &p.latency;
    print(&format!(
        "Operators, {} kernels, {} threads, median of {} runs; whole run {:.4} ms",
        p.isa, l.threads, l.runs, l.median_ms
    ));
    let line = |ms: f64, share: f64, what: &str| {
        print(&format!("{ms:10.4} ms {:5.1} %  {what}", share * 100.0));
    };
    let mut rows: Vec<_> = p.operators.iter().collect();
    rows.sort_by(|a, b| {
        b.median_ms
            .unwrap_or(0.0)
            .total_cmp(&a.median_ms.unwrap_or(0.0))
    });
    let mut kinds: Vec<(&str, f64, f64, usize)> = vec![];
    for o in rows {
        let (Some(ms), Some(share)) = (o.median_ms, o.share) else {
            continue;
        };
        let types: Vec<_> = o.dtypes.iter().map(|d| d.name()).collect();
        let what = format!(
            "{:>4} {} {} {:?} {}",
            o.index,
            o.op,
            types.join(" "),
            o.shape,
            o.output
        );
        line(ms, share, &what);
        match kinds.iter_mut().find(|k| k.0 == o.op) {
            Some(kind) => *kind = (kind.0, kind.1 + ms, kind.2 + share, kind.3 + 1),
            None => kinds.push((&o.op, ms, share, 1)),
        }
    }
    kinds.sort_by(|a, b| b.1.total_cmp(&a.1));
    print("By kind");
    for (op, ms, share, count) in kinds {
        line(ms, share, &format!("{count:>4} × {op}"));
    }
}

/// Adds the keys of one JSON object to another that does not have them yet.
fn extend(to: &mut Json, from: &Json) {
    if let (Some(to), Some(from)) = (to.as_object_mut(), from.as_object()) {
        for (key, value) in from {
            to.entry(key).or_insert_with(|| value.clone());
        }
    }
}
/// Figures of one file: those of Zeropoint's engine, or of LiteRT where that runs alone; and LiteRT's own.
#[derive(Default)]
pub(super) struct Figures {
    pub(super) evaluation: Option<Evaluation>,
    pub(super) latency: Option<Latency>,
    /// What LiteRT did, where it was asked.
    pub(super) litert: Option<Result<LitertFigures>>,
}

impl Figures {
    /// Adds the keys `engine`, `litert` and `difference`.
    pub(super) fn add_to(&self, engines: &Engines, row: &mut Json) {
        row["engine"] = json!(engines.engine);
        if let Some(litert) = &self.litert {
            row["litert"] = litert_json(litert);
            if engines.engine == Engine::Both {
                row["difference"] = difference_json(litert);
            }
        }
    }

    fn print_litert(&self) {
        match &self.litert {
            Some(Err(e)) => eprintln!("LiteRT: {e}"),
            Some(litert) => litert_lines(litert.as_ref())
                .iter()
                .for_each(|line| print(line)),
            None => {}
        }
    }
}

/// Measures with LiteRT, alone or beside Zeropoint's engine. Alone it must come through; beside it may fail.
fn measure(
    engines: &Engines,
    model: &OpenModel,
    data: Option<&dyn Dataset>,
    threads: usize,
    seconds: f64,
) -> Result<Figures> {
    let file = Measure {
        bytes: &model.bytes,
        graph: &model.graph,
        baseline: None,
        own: engines.engine.asks_own(),
        litert: engines.asked(threads),
        jobs_threads: threads,
    };
    let found = measure_file(engines, file, data, seconds)?;
    match found.litert {
        Some(Err(e)) if !engines.engine.asks_own() => Err(e),
        _ => Ok(found),
    }
}

/// [`measure`] for any file; whatever LiteRT does costs only its own figures.
pub(super) fn measure_file(
    engines: &Engines,
    file: Measure<'_>,
    data: Option<&dyn Dataset>,
    seconds: f64,
) -> Result<Figures> {
    let progress = Progress::new();
    let mut sides = Sides::open(&engines.setup, file, &progress)?;
    let evaluation = match data {
        Some(data) => sides.evaluate(data, &progress)?,
        None => {
            sides.compare_on_random(&progress)?;
            None
        }
    };
    let latency = match file.own {
        true => Some(evaluate::latency(
            file.graph,
            file.litert.threads,
            seconds,
            &progress,
        )?),
        false => None,
    };
    let litert = sides.finish(seconds)?;
    if let (false, Ok(l)) = (file.own, &litert) {
        return Ok(Figures {
            evaluation: l.evaluation.clone(),
            latency: Some(l.latency.clone()),
            litert: Some(litert),
        });
    }
    Ok(Figures {
        evaluation,
        latency,
        litert: Some(litert),
    })
}
