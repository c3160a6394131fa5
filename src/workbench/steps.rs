//! The steps of a run as plain functions, shared by the window's jobs and the command line.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;

use super::dataset::{Loaded, Source};
use super::experiment::QuantizedFile;
use super::model::{ModelCard, ModelFormat, OpenModel};
use super::{Role, files};
use crate::calibrate::Calibration;
use crate::data::{self, InputSpec};
use crate::error::Result;
use crate::graph::Graph;
use crate::progress::Progress;
use crate::quantize::{self, Recipe};
use crate::tflite;

/// Reads a model from its bytes, whatever its format.
pub fn read_model(name: &str, path: Option<&Path>, bytes: Bytes) -> Result<OpenModel> {
    let (format, graph, bytes) = ModelFormat::read(bytes).map_err(|e| e.at(name))?;
    let card = ModelCard::of(&graph, bytes.len());
    Ok(OpenModel {
        name: name.to_owned(),
        path: path.map(Path::to_owned),
        format,
        bytes,
        graph: Arc::new(graph),
        card,
    })
}

/// Opens a model file.
pub fn open_model(path: &Path) -> Result<OpenModel> {
    read_model(&files::file_name(path), Some(path), files::read(path)?)
}

/// The model of the built-in experiment.
pub fn open_demo() -> Result<OpenModel> {
    read_model("MNIST digits", None, data::demo::demo().model.bytes)
}

/// Reads data and checks that it fits the model's inputs.
pub fn open_data(source: &Source, role: Role, specs: &[InputSpec]) -> Result<Loaded> {
    match source {
        Source::Demo => {
            let demo = data::demo::demo();
            let (samples, labels) = match role {
                Role::Calibration => (demo.calibration, demo.calibration_labels),
                Role::Evaluation => (demo.test, demo.test_labels),
            };
            let dataset = data::open(
                samples.name,
                samples.bytes,
                Some((labels.name.to_owned(), labels.bytes)),
                specs,
            )?;
            Ok(Loaded {
                name: samples.name.to_owned(),
                dataset,
                synthetic: false,
            })
        }
        Source::File { path, labels } => {
            let name = files::file_name(path);
            let samples = files::read(path)?;
            let labels = match labels {
                Some(file) => Some((files::file_name(file), files::read(file)?)),
                None => labels_beside(path, &name)?,
            };
            let dataset = data::open(&name, samples, labels, specs)?;
            Ok(Loaded {
                name,
                dataset,
                synthetic: false,
            })
        }
        Source::Synthetic => {
            let dataset = data::synthetic(specs, 100, 0)?;
            Ok(Loaded {
                name: dataset.name().to_owned(),
                dataset,
                synthetic: true,
            })
        }
    }
}

/// Reads images to train on, with the labels that lie beside them.
#[cfg(feature = "train")]
pub fn labelled_images(path: &Path) -> Result<data::LabelledImages> {
    let name = files::file_name(path);
    let images = files::read(path)?;
    data::LabelledImages::read(&name, images, labels_beside(path, &name)?)
}

/// Labels that lie beside the data under one of the usual names.
fn labels_beside(path: &Path, name: &str) -> Result<Option<(String, Bytes)>> {
    for candidate in data::label_candidates(name) {
        let file = path.with_file_name(&candidate);
        if file.is_file() {
            return Ok(Some((candidate, files::read(&file)?)));
        }
    }
    Ok(None)
}

/// Plans, quantizes, writes and reads back: what is measured later is what was written.
pub fn convert(
    model: &OpenModel,
    recipe: &Recipe,
    calibration: Option<&Calibration>,
    progress: &Progress,
) -> Result<QuantizedFile> {
    let start = Instant::now();
    let plan = quantize::plan(&model.graph, recipe, calibration)?;
    progress.check()?;
    let graph: Graph = quantize::apply(&model.graph, &plan, progress)?;
    progress.check()?;
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
