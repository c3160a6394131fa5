//! `zeropoint compare`: every mode at once, one table, one JSON.

use std::path::{Path, PathBuf};
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
    /// Its model, where there are several.
    pub of: Option<String>,
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

/// One model with the data as it takes it.
struct Side {
    model: OpenModel,
    calibration: Option<Loaded>,
    data: Option<Loaded>,
}

impl Side {
    fn open(a: &args::Compare, path: Option<&Path>) -> Result<Self, Failure> {
        let shown = a.calibration.as_deref().or(a.data.as_deref());
        let shown = shown.map(|d| DataArgument::file(d, None, Role::Calibration, &a.data_flags));
        let model = match path {
            Some(path) => super::open(path, &a.entry, shown.as_ref())?,
            None => steps::open_demo()?,
        };
        let open = |given: &Option<PathBuf>, role, samples| -> Result<Option<Loaded>> {
            let labels = a.labels.as_deref().filter(|_| role == Role::Evaluation);
            let argument = match given {
                Some(given) => DataArgument::file(given, labels, role, &a.data_flags),
                None if path.is_none() => DataArgument {
                    source: Source::Demo,
                    role,
                    samples: None,
                    flags: &a.data_flags,
                },
                None => return Ok(None),
            };
            argument.samples(samples).open(&model).map(Some)
        };
        let calibration = open(&a.calibration, Role::Calibration, Some(a.samples))?;
        let data = open(&a.data, Role::Evaluation, a.data_samples)?;
        let given: Vec<&Loaded> = calibration.iter().chain(&data).collect();
        super::tell_of(&a.data_flags, &given)?;
        Ok(Self {
            model,
            calibration,
            data,
        })
    }

    /// What variants are judged on: without evaluation data the calibration samples still tell agreement and SQNR.
    fn judged(&self) -> Option<&Loaded> {
        self.data.as_ref().or(self.calibration.as_ref())
    }

    fn rows(
        &self,
        a: &args::Compare,
        engines: &Engines,
        recipes: &[Recipe],
        several: bool,
    ) -> Result<Vec<Row>> {
        let samples = |l: Option<&Loaded>| l.map(|l| l.dataset.clone());
        let (calibration, judged) = (samples(self.calibration.as_ref()), samples(self.judged()));
        let (learnt, judged) = (calibration.as_deref(), judged.as_deref());
        let mut rows = experiments(a, engines, &self.model, recipes, learnt, judged)?;
        let odd = |l: Option<&Loaded>| l.and_then(super::synthetic);
        for row in &mut rows {
            row.of = several.then(|| self.model.name.clone());
            let calibrated = row.recipe.mode.needs_calibration();
            let learned_from = odd(self.calibration.as_ref()).filter(|_| calibrated);
            if let Some(why) = learned_from.or_else(|| odd(self.judged())) {
                row.synthetic = true;
                row.warnings.insert(0, why);
            }
        }
        Ok(rows)
    }
}

/// Carries out `compare`.
pub(super) fn compare(a: &args::Compare) -> Result<(), Failure> {
    report::check(a)?;
    let engines = Engines::of(&a.engine)?;
    let first = Side::open(a, a.models.first().map(PathBuf::as_path))?;
    let modes = modes(a, first.calibration.is_some())?;
    let recipes = recipes(a, &modes)?;
    if let Some(folder) = &a.output_dir {
        std::fs::create_dir_all(folder)
            .map_err(|e| Error::Invalid(format!("{}: cannot be made: {e}", folder.display())))?;
    }
    let mut sides = vec![first];
    for path in a.models.iter().skip(1) {
        sides.push(Side::open(a, Some(path))?);
    }
    check_names(a, &sides)?;
    let baseline = baseline(a, &sides, &recipes)?;
    let mut rows = vec![];
    for side in &sides {
        rows.extend(side.rows(a, &engines, &recipes, sides.len() > 1)?);
    }
    let judged = sides.first().and_then(Side::judged);
    let labels = judged.and_then(|l| l.dataset.labels());
    if let Some(at) = baseline {
        take_against(&mut rows, at, labels);
    }

    rows_as_text(&rows).iter().for_each(|line| print(line));
    let Some(first) = sides.first() else {
        return Ok(());
    };
    if let Some(path) = &a.json {
        let described = |l: &Option<Loaded>| l.as_ref().map(|l| l.record().to_json());
        let of = |row: &Row| row_as_json(row, &first.model.name, &engines);
        let base = baseline.and_then(|at| rows.get(at)).map(Row::name);
        let figures = json!({
            "model": first.model.name,
            "model_bytes": first.model.bytes.len(),
            "models": sides.iter().map(|s| &s.model.name).collect::<Vec<_>>(),
            "calibration": described(&first.calibration),
            "data": described(&first.data),
            "baseline": base.unwrap_or_else(|| "float32".into()),
            "experiments": rows.iter().map(of).collect::<Vec<_>>(),
        });
        write_json(path, &figures)?;
    }
    let models: Vec<&OpenModel> = sides.iter().map(|s| &s.model).collect();
    let data = (first.calibration.as_ref(), first.data.as_ref());
    report::write(a, &models, data, &rows, baseline)
}

/// Fails where two models would be written to the same files.
fn check_names(a: &args::Compare, sides: &[Side]) -> Result<(), Failure> {
    if a.output_dir.is_none() {
        return Ok(());
    }
    let name = |s: &Side| file_name(&s.model, &Recipe::default());
    for (i, side) in sides.iter().enumerate() {
        if sides.iter().take(i).any(|s| name(s) == name(side)) {
            return Err(Failure::Usage(format!(
                "two models are called {}, their files cannot lie in one --output-dir",
                side.model.name
            )));
        }
    }
    Ok(())
}

/// The recipe of each mode.
fn recipes(a: &args::Compare, modes: &[Mode]) -> Result<Vec<Recipe>> {
    let io: Io = a.io.into();
    let mut settings = recipe_file(a.recipe.as_deref())?;
    settings.keep_float.extend(kept(&a.keep_float));
    settings.int16.extend(kept(&a.int16));
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

/// Which variant the others are taken against, counted over all models; `None` for the float model of each.
fn baseline(
    a: &args::Compare,
    sides: &[Side],
    recipes: &[Recipe],
) -> Result<Option<usize>, Failure> {
    let variants = sides
        .iter()
        .flat_map(|s| recipes.iter().map(move |r| (s, r)));
    let titles: Vec<String> = variants
        .clone()
        .map(|(s, r)| title((sides.len() > 1).then_some(&s.model.name), r))
        .collect();
    let Some(asked) = &a.baseline else {
        // Of several models the first one's, so that all deltas are against one.
        let float = recipes.iter().position(|r| r.mode == Mode::Float32);
        return Ok(float.filter(|_| sides.len() > 1));
    };
    let mut all = variants.map(|(_, r)| r);
    let at = titles.iter().position(|t| t == asked);
    let at = at.or_else(|| all.clone().position(|r| name(r) == *asked));
    let Some(at) = at.or_else(|| all.position(|r| r.mode.name() == asked)) else {
        return Err(Failure::Usage(format!(
            "--baseline {asked:?} is none of the variants: {}",
            titles.join("; ")
        )));
    };
    Ok(Some(at))
}

/// Takes agreement, SQNR and the change in accuracy of every variant against that one.
fn take_against(rows: &mut [Row], at: usize, labels: Option<&[u32]>) {
    let Some(base) = rows.get(at) else { return };
    let (is_float, of) = (base.recipe.mode == Mode::Float32, base.of.clone());
    let Some(base) = base.figures.evaluation.clone() else {
        return;
    };
    for (i, row) in rows.iter_mut().enumerate() {
        // Against the float model of its own they are there already.
        let Some(own) = (row.figures.evaluation.as_mut()).filter(|_| !is_float || row.of != of)
        else {
            continue;
        };
        let found = match i == at {
            true => Contrast::none(own, None),
            false => evaluate::against(own, &base, labels),
        };
        *own = found.evaluation;
        row.warnings
            .extend((found.without).map(|why| format!("Not all figures are known: {why}")));
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
            of: None,
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

impl Row {
    /// What it is called, after its model where there are several.
    pub(super) fn name(&self) -> String {
        title(self.of.as_ref(), &self.recipe)
    }
}

fn title(model: Option<&String>, recipe: &Recipe) -> String {
    match model {
        Some(model) => format!("{model}: {}", name(recipe)),
        None => name(recipe),
    }
}

/// `int8, int8 I/O, conv2d_1 kept float`.
fn name(recipe: &Recipe) -> String {
    let mut name = experiment_name(recipe.mode, recipe.io);
    let kept = quantize::kept_words(&recipe.keep_float).filter(|_| recipe.mode != Mode::Float32);
    let int16 = quantize::int16_words(&recipe.int16).filter(|_| recipe.mode == Mode::Int8);
    for words in kept.into_iter().chain(int16) {
        name = format!("{name}, {words}");
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

fn row_as_json(r: &Row, model: &str, engines: &Engines) -> Json {
    let (e, l) = (r.figures.evaluation.as_ref(), r.figures.latency.as_ref());
    let mut row = json!({
        "name": name(&r.recipe),
        "model": r.of.as_deref().unwrap_or(model),
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
            r.name(),
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
