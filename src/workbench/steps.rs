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
use crate::data;
use crate::error::Result;
use crate::graph::Graph;
use crate::progress::Progress;
use crate::quantize::{self, Recipe};
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
