//! `zeropoint compare`: every mode at once, one table, one JSON.

use std::path::PathBuf;
use std::time::Instant;

use serde_json::{Value as Json, json};

use super::engine::{Engines, latency_json};
use super::measure::{Figures, LATENCY_SECONDS, measure_file};
use super::transform::{all_cores, kept, recipe_file};
use super::{DataArgument, Failure, args, print, report, write_json};
use crate::calibrate::{self, Calibration};
use crate::data::Dataset;
use crate::error::{Error, Result};
use crate::evaluate::{self, Baseline, Contrast, TensorReport};
use crate::progress::Progress;
use crate::quantize::{self, Io, Mode, Recipe};
use crate::workbench::litert::{Engine, Measure, litert_lines};
use crate::workbench::{
    Loaded, OpenModel, QuantizedFile, Role, Source, TENSOR_SAMPLES, experiment_name, files,
    float_operators, steps,
};

/// One finished experiment.
pub(super) struct Row {
    pub recipe: Recipe,
    pub file: QuantizedFile,
    pub saved: Option<PathBuf>,
    pub figures: Figures,
    /// For a report; empty without one.
    pub tensors: Vec<TensorReport>,
    calibrate_seconds: f64,
    pub warnings: Vec<String>,
    /// Whether its figures come from random values.
    synthetic: bool,
}

/// Carries out `compare`.
pub(super) fn compare(a: &args::Compare) -> Result<(), Failure> {
    report::check(a)?;
    let engines = Engines::of(&a.engine)?;
    let demo = a.model.is_none();
    let shown = a.calibration.as_deref().or(a.data.as_deref());
    let shown = shown.map(|d| DataArgument::file(d, None, Role::Calibration, &a.data_flags));
    let model = match &a.model {
        Some(path) => super::open(path, &a.entry, shown.as_ref())?,
        None => steps::open_demo()?,
    };
    let open = |path: &Option<PathBuf>, role, samples| -> Result<Option<Loaded>> {
        let labels = a.labels.as_deref().filter(|_| role == Role::Evaluation);
        let argument = match path {
            Some(path) => DataArgument::file(path, labels, role, &a.data_flags),
            None if demo => DataArgument {
                source: Source::Demo,
                role,
                samples: None,
                flags: &a.data_flags,
            },
            None => return Ok(None),
        };
        argument.samples(samples).open(&model).map(Some)
    };
    let calibration_data = open(&a.calibration, Role::Calibration, Some(a.samples))?;
    let evaluation_data = open(&a.data, Role::Evaluation, a.data_samples)?;
    let given: Vec<&Loaded> = calibration_data.iter().chain(&evaluation_data).collect();
    super::tell_of(&a.data_flags, &given)?;
    let modes = modes(a, calibration_data.is_some())?;
    let recipes = recipes(a, &modes)?;
    let baseline = baseline(a, &recipes)?;
    let calibration_samples = calibration_data.as_ref().map(|l| l.dataset.clone());
    // Without evaluation data the calibration samples still tell agreement and SQNR.
    let judged = evaluation_data
        .as_ref()
        .map(|l| l.dataset.clone())
        .or_else(|| calibration_samples.clone());
    if let Some(folder) = &a.output_dir {
        std::fs::create_dir_all(folder)
            .map_err(|e| Error::Invalid(format!("{}: cannot be made: {e}", folder.display())))?;
    }
    let mut rows = experiments(
        a,
        &engines,
        &model,
        &recipes,
        calibration_samples.as_deref(),
        judged.as_deref(),
    )?;

    if let Some(at) = baseline {
        take_against(&mut rows, at, judged.as_ref().and_then(|d| d.labels()));
    }
    let odd = |l: &Option<Loaded>| l.as_ref().and_then(super::synthetic);
    let judged_by = match &evaluation_data {
        Some(_) => odd(&evaluation_data),
        None => odd(&calibration_data),
    };
    for row in &mut rows {
        let calibrated = row.recipe.mode.needs_calibration();
        let learned_from = odd(&calibration_data).filter(|_| calibrated);
        if let Some(why) = learned_from.or_else(|| judged_by.clone()) {
            row.synthetic = true;
            row.warnings.insert(0, why);
        }
    }

    rows_as_text(&rows).iter().for_each(|line| print(line));
    if let Some(path) = &a.json {
        let described = |l: &Option<Loaded>| l.as_ref().map(|l| l.record().to_json());
        let figures = json!({
            "model": model.name,
            "model_bytes": model.bytes.len(),
            "calibration": described(&calibration_data),
            "data": described(&evaluation_data),
            "baseline": baseline.map_or("float32".to_owned(), |at| name(&recipes[at])),
            "experiments": rows.iter().map(|r| row_as_json(r, &engines)).collect::<Vec<_>>(),
        });
        write_json(path, &figures)?;
    }
    let used = |l: &'_ Option<Loaded>, samples: Option<usize>| {
        l.clone().map(|l| (samples.unwrap_or(l.dataset.len()), l))
    };
    let learnt = used(
        &calibration_data,
        calibration_samples.as_ref().map(|c| c.len()),
    );
    let judged = used(&evaluation_data, None);
    report::write(
        a,
        &model,
        learnt.as_ref().map(|(n, l)| (l, *n)),
        judged.as_ref().map(|(n, l)| (l, *n)),
        &rows,
        baseline,
    )
}

/// The recipe of each mode.
fn recipes(a: &args::Compare, modes: &[Mode]) -> Result<Vec<Recipe>> {
    let io: Io = a.io.into();
    let mut settings = recipe_file(a.recipe.as_deref())?;
    settings.keep_float.extend(kept(&a.keep_float));
    let recipe = |&mode: &Mode| Recipe {
        mode,
        io: match mode.ios().contains(&io) {
            true => io,
            false => Io::Float32,
        },
        ..settings.clone()
    };
    Ok(modes.iter().map(recipe).collect())
}

/// Which variant the others are taken against; `None` for the float model.
fn baseline(a: &args::Compare, recipes: &[Recipe]) -> Result<Option<usize>, Failure> {
    let Some(asked) = &a.baseline else {
        return Ok(None);
    };
    let named = |r: &Recipe| name(r) == *asked;
    let mode = |r: &Recipe| r.mode.name() == asked;
    let at = recipes.iter().position(named);
    let Some(at) = at.or_else(|| recipes.iter().position(mode)) else {
        let all: Vec<String> = recipes.iter().map(name).collect();
        return Err(Failure::Usage(format!(
            "--baseline {asked:?} is none of the variants: {}",
            all.join("; ")
        )));
    };
    Ok(Some(at))
}

/// Takes agreement, SQNR and the change in accuracy of every variant against that one.
fn take_against(rows: &mut [Row], at: usize, labels: Option<&[u32]>) {
    let is_float = rows[at].recipe.mode == Mode::Float32;
    let base = rows[at].figures.evaluation.clone();
    let Some(base) = base.filter(|_| !is_float) else {
        return;
    };
    for (i, row) in rows.iter_mut().enumerate() {
        let Some(own) = &mut row.figures.evaluation else {
            continue;
        };
        let found = match i == at {
            true => Contrast::none(own, None),
            false => evaluate::against(own, &base, labels),
        };
        *own = found.evaluation;
        row.warnings.extend(
            found
                .without
                .map(|why| format!("Not all figures are known: {why}")),
        );
    }
}

/// The modes that were asked for, or all that the given data allows.
fn modes(a: &args::Compare, calibrated: bool) -> Result<Vec<Mode>, Failure> {
    let asked: Vec<Mode> = a.modes.iter().map(|&m| m.into()).collect();
    if let Some(mode) = asked.iter().find(|m| m.needs_calibration() && !calibrated) {
        let mode = mode.name();
        return Err(Failure::Usage(format!(
            "{mode} needs sample data to learn ranges from, give --calibration DATA"
        )));
    }
    if asked.is_empty() && !calibrated {
        eprintln!("int8 and int16x8 are left out: they need sample data, give --calibration DATA");
    }
    let wanted = |m: &&Mode| {
        if asked.is_empty() {
            calibrated || !m.needs_calibration()
        } else {
            asked.contains(m)
        }
    };
    Ok(Mode::ALL.iter().filter(wanted).copied().collect())
}

fn experiments(
    a: &args::Compare,
    engines: &Engines,
    model: &OpenModel,
    recipes: &[Recipe],
    calibration_samples: Option<&dyn Dataset>,
    judged: Option<&dyn Dataset>,
) -> Result<Vec<Row>> {
    let (progress, cores) = (Progress::new(), all_cores());
    let mut calibrate_seconds = 0.0;
    let calibration: Option<Calibration> = match calibration_samples {
        Some(samples) if recipes.iter().any(|r| r.mode.needs_calibration()) => {
            let start = Instant::now();
            let calibration = calibrate::calibrate(&model.graph, samples, cores, &progress)?;
            calibrate_seconds = start.elapsed().as_secs_f64();
            Some(calibration)
        }
        _ => None,
    };
    let baseline = match judged {
        Some(data) => Some(evaluate::baseline(&model.graph, data, cores, &progress)?),
        None => None,
    };
    let mut rows = vec![];
    for recipe in recipes {
        let mode = recipe.mode;
        let file = steps::convert(
            model,
            recipe,
            calibration.as_ref().filter(|_| mode.needs_calibration()),
            cores,
            &progress,
        )?;
        let saved = match &a.output_dir {
            Some(folder) => {
                let path = folder.join(file_name(model, recipe));
                files::write(&path, &file.bytes)?;
                Some(path)
            }
            None => None,
        };
        let compared = baseline.as_ref().filter(|_| mode != Mode::Float32);
        let figures = measured(a, engines, &file, judged, compared, cores, &progress)?;
        let tensors = match judged {
            Some(data) if !a.report.is_empty() && mode != Mode::Float32 => evaluate::tensors(
                &model.graph,
                &file.graph,
                calibration.as_ref(),
                data,
                TENSOR_SAMPLES.min(data.len()),
                &progress,
            )?,
            _ => vec![],
        };
        let mut warnings: Vec<String> = float_operators(&model.graph, &file.plan)
            .iter()
            .map(|(i, op, why)| format!("Operator {i}, {op}, stays float: {why}"))
            .collect();
        warnings.extend(file.plan.warnings.iter().cloned());
        warnings.extend(figures.evaluation.iter().flat_map(|e| e.warnings.clone()));
        let calibrate_seconds = if mode.needs_calibration() {
            calibrate_seconds
        } else {
            0.0
        };
        eprintln!("{} done", name(recipe));
        rows.push(Row {
            recipe: recipe.clone(),
            file,
            saved,
            figures,
            tensors,
            calibrate_seconds,
            warnings,
            synthetic: false,
        });
    }
    Ok(rows)
}

/// The figures of one file by the engines that were asked for. A file that LiteRT does not run costs its own figures only.
fn measured(
    a: &args::Compare,
    engines: &Engines,
    file: &QuantizedFile,
    judged: Option<&dyn Dataset>,
    baseline: Option<&Baseline>,
    cores: usize,
    progress: &Progress,
) -> Result<Figures> {
    if engines.engine == Engine::Zeropoint {
        let evaluation = match judged {
            Some(data) => Some(evaluate::evaluate(
                &file.graph,
                data,
                baseline,
                cores,
                progress,
            )?),
            None => None,
        };
        let latency = evaluate::latency(&file.graph, a.threads, LATENCY_SECONDS, progress)?;
        return Ok(Figures {
            evaluation,
            latency: Some(latency),
            litert: None,
        });
    }
    let file = Measure {
        bytes: &file.bytes,
        graph: &file.graph,
        baseline,
        own: engines.engine.asks_own(),
        litert: engines.asked(a.threads),
        jobs_threads: cores,
    };
    measure_file(engines, file, judged, LATENCY_SECONDS)
}

/// `int8, int8 I/O, conv2d_1 kept float`.
pub(super) fn name(recipe: &Recipe) -> String {
    let mut name = experiment_name(recipe.mode, recipe.io);
    if let Some(kept) =
        quantize::kept_words(&recipe.keep_float).filter(|_| recipe.mode != Mode::Float32)
    {
        name = format!("{name}, {kept}");
    }
    name
}

/// `mnist_int8.tflite`, `mnist_int8_uint8io.tflite`.
fn file_name(model: &OpenModel, recipe: &Recipe) -> String {
    let stem = match &model.path {
        Some(path) => path
            .file_stem()
            .map_or("model".into(), |s| s.to_string_lossy().into_owned()),
        None => "mnist".into(),
    };
    match recipe.io {
        Io::Float32 => format!("{stem}_{}.tflite", recipe.mode.name()),
        io => format!("{stem}_{}_{}io.tflite", recipe.mode.name(), io.name()),
    }
}

fn row_as_json(r: &Row, engines: &Engines) -> Json {
    let (e, l) = (r.figures.evaluation.as_ref(), r.figures.latency.as_ref());
    let mut row = json!({
        "name": name(&r.recipe),
        "mode": r.recipe.mode.name(),
        "io": r.recipe.io.name(),
        "recipe": r.recipe,
        "file": r.saved,
        "bytes": r.file.bytes.len(),
        "accuracy": e.and_then(|e| e.top1),
        "top5": e.and_then(|e| e.top5),
        "delta_interval": e.and_then(|e| e.delta_interval),
        "agreement": e.and_then(|e| e.agreement),
        // JSON has no infinity: an exact copy has null here and agreement 1.
        "sqnr_db": e.and_then(|e| e.sqnr_db).filter(|db| db.is_finite()),
        "latency_ms": l.map(latency_json),
        "convert_seconds": r.file.convert_seconds,
        "calibrate_seconds": r.calibrate_seconds,
        "evaluate_seconds": e.map(|e| e.seconds),
        "synthetic": r.synthetic,
        "warnings": r.warnings,
    });
    r.figures.add_to(engines, &mut row);
    row
}

fn rows_as_text(rows: &[Row]) -> Vec<String> {
    let mut lines = vec![format!(
        "{:<22} {:>10} {:>12} {:>9} {:>10} {:>9}",
        "experiment", "bytes", "median", "top-1", "agreement", "SQNR"
    )];
    for r in rows {
        let e = r.figures.evaluation.as_ref();
        let share = |s: Option<f64>| s.map_or("–".to_owned(), |s| format!("{:.2} %", s * 100.0));
        let sqnr = match e.and_then(|e| e.sqnr_db) {
            Some(db) if db.is_infinite() => "exact".into(),
            Some(db) => format!("{db:.1} dB"),
            None => "–".to_owned(),
        };
        let latency = r.figures.latency.as_ref();
        let latency = latency.map_or("–".to_owned(), |l| format!("{:.4} ms", l.median_ms));
        lines.push(format!(
            "{:<22} {:>10} {:>12} {:>9} {:>10} {:>9}",
            name(&r.recipe),
            r.file.bytes.len(),
            latency,
            share(e.and_then(|e| e.top1)),
            share(e.and_then(|e| e.agreement)),
            sqnr
        ));
        let litert = r.figures.litert.iter();
        let litert = litert.flat_map(|l| litert_lines(l.as_ref()));
        lines.extend(litert.map(|line| format!("  {line}")));
        lines.extend(r.warnings.iter().map(|w| format!("  {w}")));
    }
    lines
}
