//! The steps of a run as plain functions, shared by the window's jobs and the command line.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;

use super::Entry;
use super::experiment::QuantizedFile;
use super::files;
use super::fingerprint::{Fingerprint, Stamps};
use super::model::{ModelCard, ModelFormat, OpenModel};
use crate::calibrate::Calibration;
use crate::data::{self, Dataset as _};
use crate::error::{Error, Result};
use crate::evaluate;
use crate::graph::Graph;
use crate::progress::Progress;
use crate::quantize::{self, QuantPlan, Recipe};
use crate::tflite;

pub use super::open_axes::{Shapes, shapes_from};
pub use super::open_data::{DataRequest, open_data};

/// Reads a model from its bytes, whatever its format, and enters it where its file says.
pub fn read_model(name: &str, path: Option<&Path>, bytes: Bytes) -> Result<OpenModel> {
    let (format, graph, bytes) = ModelFormat::read(bytes).map_err(|e| e.at(name))?;
    let entry = Entry {
        subgraph: graph.default_entry(),
        ..Entry::default()
    };
    let file = Arc::new(graph);
    let as_read = OpenModel {
        name: name.to_owned(),
        path: path.map(Path::to_owned),
        format,
        card: ModelCard::of(&file, bytes.len()),
        bytes,
        graph: file.clone(),
        entries: super::entries(&file).into(),
        file,
        entry: Entry::default(),
        shape_obstacle: None,
        fingerprint: None,
        stamps: Stamps::default(),
    };
    match entry == as_read.entry {
        true => Ok(as_read),
        false => as_read.enter(entry),
    }
}

/// Opens a model file.
pub fn open_model(path: &Path) -> Result<OpenModel> {
    read_model(&files::file_name(path), Some(path), files::read(path)?)
}

/// Opens a model file, or the demo's, with its fingerprint, so that results can say what they are of.
pub fn open_known_model(path: Option<&Path>, progress: &Progress) -> Result<OpenModel> {
    let Some(path) = path else {
        let fingerprint = Some(Fingerprint::of_bytes(&data::demo::demo().model.bytes));
        return Ok(OpenModel {
            fingerprint,
            ..open_demo()?
        });
    };
    // Taken first: what changes while it is read has another stamp later.
    let stamps = Stamps::of(&[path.to_owned()], progress)?;
    let bytes = files::read(path)?;
    let fingerprint = Some(Fingerprint::of_bytes(&bytes));
    progress.check()?;
    Ok(OpenModel {
        fingerprint,
        stamps,
        ..read_model(&files::file_name(path), Some(path), bytes)?
    })
}

/// The model of the built-in experiment.
pub fn open_demo() -> Result<OpenModel> {
    read_model("MNIST digits", None, data::demo::demo().model.bytes)
}

/// Reads images to train on, with the labels that lie beside them.
#[cfg(feature = "train")]
pub fn labelled_images(path: &Path) -> Result<data::LabelledImages> {
    let name = files::file_name(path);
    let images = files::read(path)?;
    let labels = super::open_data::labels_beside(path, &name)?;
    data::LabelledImages::read(&name, images, labels)
}

/// Plans, quantizes, writes and reads back: what is measured later is what was written. Biases are corrected where that brings
/// the outputs nearer to those of the float model on the samples that calibration kept. `threads` goes to the kernels.
pub fn convert(
    model: &OpenModel,
    recipe: &Recipe,
    calibration: Option<&Calibration>,
    threads: usize,
    progress: &Progress,
) -> Result<QuantizedFile> {
    let start = Instant::now();
    let (plan, graph) = planned(model, recipe, calibration, progress)?;
    let (plan, graph) = match calibration {
        Some(seen) if !plan.corrections.is_empty() => {
            nearer(model, (plan, graph), seen, threads, progress)?
        }
        _ => (plan, graph),
    };
    let bytes = Bytes::from(tflite::write(&graph)?);
    progress.check()?;
    let graph = Arc::new(tflite::read(bytes.clone())?);
    Ok(QuantizedFile {
        bytes,
        graph,
        plan: Arc::new(plan),
        convert_seconds: start.elapsed().as_secs_f64(),
    })
}

/// A plan and the graph that it describes.
fn planned(
    model: &OpenModel,
    recipe: &Recipe,
    calibration: Option<&Calibration>,
    progress: &Progress,
) -> Result<(QuantPlan, Arc<Graph>)> {
    let plan = quantize::plan(&model.graph, recipe, calibration)?;
    progress.check()?;
    let graph = Arc::new(quantize::apply(&model.graph, &plan, progress)?);
    progress.check()?;
    Ok((plan, graph))
}

/// Below this ratio, dB, a few samples do not tell which of two quantized models is nearer to the float one.
const TELLING: f64 = 10.0;

/// The plan with corrected biases or the same without, whichever answers more like the float model. Where the engine cannot run
/// them, the corrected one.
fn nearer(
    model: &OpenModel,
    corrected: (QuantPlan, Arc<Graph>),
    calibration: &Calibration,
    threads: usize,
    progress: &Progress,
) -> Result<(QuantPlan, Arc<Graph>)> {
    let sqnr = |graph: &Arc<Graph>| {
        let found = evaluate::probe_sqnr(graph, &calibration.probe, threads, progress);
        match found {
            Err(Error::Cancelled) => Err(Error::Cancelled),
            Err(_) => Ok(None),
            Ok(db) => Ok(db),
        }
    };
    let Some(with) = sqnr(&corrected.1)? else {
        return Ok(corrected);
    };
    let anew = || {
        let recipe = Recipe {
            bias_correction: false,
            ..corrected.0.recipe.clone()
        };
        planned(model, &recipe, Some(calibration), progress)
    };
    let uncorrected =
        match quantize::uncorrected(&model.graph, &corrected.0, &corrected.1, progress)? {
            Some(graph) => Arc::new(graph),
            None => anew()?.1,
        };
    match sqnr(&uncorrected)? {
        Some(without) if without > with && without >= TELLING => {
            let (mut plan, graph) = anew()?;
            plan.recipe.bias_correction = true;
            plan.warnings.push(format!(
                "Biases are not corrected: on {} calibration samples the outputs come nearer to float without ({without:.1} dB) than with ({with:.1} dB)",
                calibration.probe.len()
            ));
            Ok((plan, graph))
        }
        _ => Ok(corrected),
    }
}
