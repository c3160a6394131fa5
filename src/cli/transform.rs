//! `zeropoint convert`, `quantize` and `run`: a file in, files out.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use serde_json::json;

use super::engine::Engines;
use super::{DataArgument, Failure, args, asking_for_shapes, open, print, print_json};
use crate::calibrate;
use crate::data as datasets;
use crate::engine::{self, KernelSet, Options};
use crate::error::{Error, Result};
use crate::evaluate::{self, Runner};
use crate::graph::Value;
use crate::progress::Progress;
use crate::quantize::{Mode, OperatorRef, Recipe};
use crate::workbench::litert::{Litert, difference_line, runtime_line};
use crate::workbench::{ModelFormat, OpenModel, Role, files, float_operators, steps};

/// Carries out `convert`.
pub(super) fn convert(a: &args::Convert) -> Result<(), Failure> {
    let model = steps::open_model(&a.model)?;
    if model.format == ModelFormat::TfLite {
        return Err(Error::Invalid(format!(
            "{} is a .tflite file already, there is nothing to convert",
            model.name
        ))
        .into());
    }
    files::write(&a.output, &model.bytes)?;
    print(&format!(
        "{}: {} bytes, {} operators, from {}",
        a.output.display(),
        model.bytes.len(),
        model.card.operator_count(),
        model.format.name()
    ));
    Ok(())
}

/// Carries out `quantize`.
pub(super) fn quantize(a: &args::Quantize) -> Result<(), Failure> {
    let recipe = recipe(a)?;
    if !recipe.mode.ios().contains(&recipe.io) {
        let possible: Vec<_> = recipe.mode.ios().iter().map(|io| io.name()).collect();
        let (mode, io) = (recipe.mode.name(), recipe.io.name());
        return Err(Failure::Usage(format!(
            "{mode} has no {io} inputs and outputs, choose --io {}",
            possible.join(" or ")
        )));
    }
    if recipe.mode.needs_calibration() && a.calibration.is_none() {
        let mode = recipe.mode.name();
        return Err(Failure::Usage(format!(
            "{mode} needs sample data to learn ranges from, give --calibration DATA"
        )));
    }
    let argument = a.calibration.as_deref().map(|path| {
        let argument = DataArgument::file(path, None, Role::Calibration, &a.data_flags);
        argument.samples(Some(a.samples))
    });
    let model = open(&a.model, &a.entry, argument.as_ref())?;
    let progress = Progress::new();
    let start = Instant::now();
    let calibration = match &argument {
        Some(argument) if recipe.mode.needs_calibration() => {
            let loaded = argument.open(&model);
            let loaded = asking_for_shapes(&model, &a.entry, loaded)?;
            super::tell_of(&a.data_flags, &[&loaded])?;
            let data = loaded.dataset.as_ref();
            let calibrated = calibrate::calibrate(&model.graph, data, all_cores(), &progress);
            let calibrated = asking_for_shapes(&model, &a.entry, calibrated)?;
            Some((calibrated, loaded))
        }
        _ => None,
    };
    let (calibration, loaded) = calibration.unzip();
    let synthetic = loaded.as_ref().and_then(super::synthetic);
    let calibrate_seconds = start.elapsed().as_secs_f64();
    let file = steps::convert(
        &model,
        &recipe,
        calibration.as_ref(),
        all_cores(),
        &progress,
    )?;
    files::write(&a.output, &file.bytes)?;
    let float = float_operators(&model.graph, &file.plan);
    let warnings: Vec<_> = synthetic.iter().chain(&file.plan.warnings).collect();
    if a.json {
        print_json(&json!({
            "model": model.name, "output": a.output, "mode": recipe.mode.name(), "io": recipe.io.name(),
            "bytes": file.bytes.len(), "float_bytes": model.bytes.len(),
            "calibrate_seconds": calibrate_seconds, "convert_seconds": file.convert_seconds,
            "float_operators": float.iter().map(|(i, op, why)| json!({"index": i, "op": op, "reason": why})).collect::<Vec<_>>(),
            "recipe": recipe, "corrected_biases": file.plan.corrections.len(),
            "warnings": warnings, "synthetic": synthetic.is_some(),
            "calibration": loaded.map(|l| l.record().to_json()),
        }));
    } else {
        print(&format!(
            "{}: {} bytes, from {}",
            a.output.display(),
            file.bytes.len(),
            model.bytes.len()
        ));
        float
            .iter()
            .for_each(|(i, op, why)| print(&format!("operator {i}, {op}, stays float: {why}")));
        warnings.iter().for_each(|w| print(w));
    }
    Ok(())
}

fn recipe(a: &args::Quantize) -> Result<Recipe> {
    let mut recipe = recipe_file(a.recipe.as_deref())?;
    if let Some(mode) = a.mode {
        recipe.mode = mode.into();
    }
    if let Some(io) = a.io {
        recipe.io = io.into();
    }
    recipe.strict |= a.strict;
    recipe.keep_float.extend(kept(&a.keep_float));
    recipe.int16.extend(kept(&a.int16));
    if recipe.mode != Mode::Int8 && !a.int16.is_empty() {
        return crate::invalid!(
            "--int16 sets operators of mode int8 to int16, and the mode is {}.",
            recipe.mode.name()
        );
    }
    Ok(recipe)
}

/// The operators that `--keep-float` or `--int16` names.
pub(super) fn kept(names: &[String]) -> impl Iterator<Item = OperatorRef> {
    names.iter().map(|name| OperatorRef::parse(name.trim()))
}

/// The settings that a file holds; the defaults without one.
pub(super) fn recipe_file(path: Option<&Path>) -> Result<Recipe> {
    let Some(path) = path else {
        return Ok(Recipe::default());
    };
    let bytes = files::read(path)?;
    let text = String::from_utf8_lossy(&bytes);
    Recipe::from_json(&text).map_err(|e| e.at(files::file_name(path)))
}

/// Threads of this machine.
pub(super) fn all_cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// Carries out `run`.
pub(super) fn run(a: &args::Run) -> Result<(), Failure> {
    run_and_keep(a)?;
    if a.input.is_empty() {
        eprintln!("No --input: the inputs were random values");
    }
    Ok(())
}

fn run_and_keep(a: &args::Run) -> Result<(), Failure> {
    let engines = Engines::of(&a.engine)?;
    let model = open(&a.model, &a.entry, None)?;
    let specs = datasets::input_specs(&model.graph, 0);
    if !a.input.is_empty() && a.input.len() != specs.len() {
        return Err(Failure::Usage(format!(
            "{} has {} inputs, give --input once for each ({} given)",
            model.name,
            specs.len(),
            a.input.len()
        )));
    }
    let inputs: Vec<Value> = if a.input.is_empty() {
        let random = datasets::synthetic(&specs, 1, 0)?;
        let batches = calibrate::Batches::new(&model.graph, 0, 1);
        let batches = asking_for_shapes(&model, &a.entry, batches)?;
        batches.inputs(random.as_ref(), 0..1)?
    } else {
        let read = |path: &std::path::PathBuf| {
            datasets::read_npy(&files::file_name(path), files::read(path)?)
        };
        a.input.iter().map(read).collect::<Result<_>>()?
    };
    std::fs::create_dir_all(&a.output_dir)
        .map_err(|e| Error::Invalid(format!("{}: cannot be made: {e}", a.output_dir.display())))?;
    let own = match engines.engine.asks_own() {
        true => {
            let outputs = asking_for_shapes(&model, &a.entry, run_own(a, &model, &inputs))?;
            keep_outputs(a, &model, "output", &outputs)?;
            Some(outputs)
        }
        false => None,
    };
    if !engines.engine.asks_litert() {
        return Ok(());
    }
    let theirs = run_litert(a, &engines, &model, &inputs);
    let (outputs, runtime) = match (theirs, &own) {
        (Err(e), Some(_)) => {
            eprintln!("LiteRT: {e}");
            return Ok(());
        }
        (theirs, _) => theirs?,
    };
    match &own {
        None => {
            keep_outputs(a, &model, "output", &outputs)?;
            print(&runtime);
        }
        Some(own) => {
            keep_outputs(a, &model, "litert_output", &outputs)?;
            print(&runtime);
            let difference = evaluate::difference(&model.graph, own, &outputs)?;
            print(&difference_line(&difference));
        }
    }
    Ok(())
}

/// Zeropoint's engine, once.
fn run_own(a: &args::Run, model: &OpenModel, inputs: &[Value]) -> Result<Vec<Value>> {
    let kernels = match a.kernels {
        args::KernelsArg::Reference => KernelSet::Reference,
        args::KernelsArg::Fast => KernelSet::Fast,
    };
    let shapes: Vec<_> = inputs.iter().map(|x| x.shape.clone()).collect();
    let options = Options {
        kernels,
        threads: a.threads,
        ..Options::default()
    };
    let mut prepared = engine::prepare(Arc::clone(&model.graph), Some(&shapes), &options)?;
    prepared.run(inputs, None)
}

/// LiteRT, once: its outputs and what ran.
fn run_litert(
    a: &args::Run,
    engines: &Engines,
    model: &OpenModel,
    inputs: &[Value],
) -> Result<(Vec<Value>, String)> {
    let asked = engines.asked(a.threads);
    let setup = engines.setup.as_ref().map_err(Error::clone)?;
    let (bytes, graph) = (&model.bytes, &model.graph);
    let mut litert = Litert::open(setup, bytes, graph, asked, &Progress::new())?;
    let outputs = litert.run(inputs)?;
    Ok((outputs, runtime_line(litert.runtime())))
}

/// Writes the outputs as `DIR/<name>_<i>.npy` and lists them.
fn keep_outputs(a: &args::Run, model: &OpenModel, name: &str, outputs: &[Value]) -> Result<()> {
    for (i, output) in outputs.iter().enumerate() {
        files::write(
            &a.output_dir.join(format!("{name}_{i}.npy")),
            &datasets::write_npy(output),
        )?;
        let tensor = model.graph.main().outputs.get(i);
        let tensor = tensor.map_or("", |&id| model.graph.main().tensors[id].name.as_str());
        let (name, dtype) = (name.replace('_', " "), output.dtype());
        print(&format!("{name} {i} {tensor} {dtype} {:?}", output.shape));
    }
    Ok(())
}
