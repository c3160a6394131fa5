//! Keras files to a float [`Graph`]: `.h5` and `.hdf5` (Keras 2.0 to 3.15) and `.keras` (a zip archive).
//!
//! ```text
//! bytes ─archive, hdf5→ JSON and arrays ─config, weights→ layers ─lower→ Graph ─rewrite→ the same, leaner
//! ```
//!
//! Only static data leaves the file: no code in it is run, and no size, offset or nesting that it states is trusted.

mod archive;
mod config;
mod hdf5;
mod lower;
mod rewrite;
mod weights;
#[cfg(feature = "train")]
mod write;

use bytes::Bytes;

use crate::error::Result;
use crate::graph::Graph;
use crate::malformed;
pub use hdf5::Array;
use hdf5::Hdf5;
use weights::Weights;
#[cfg(feature = "train")]
pub use write::{Layer, Sequential};

/// Which of Keras' containers these bytes are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Container {
    /// `.h5`, `.hdf5`.
    Hdf5,
    /// `.keras`.
    Archive,
}

impl Container {
    /// Tells by the first bytes; `None` for anything else.
    pub fn of(bytes: &[u8]) -> Option<Self> {
        if bytes.starts_with(&hdf5::MAGIC) {
            Some(Container::Hdf5)
        } else if bytes.starts_with(&archive::MAGIC) {
            Some(Container::Archive)
        } else {
            None
        }
    }

    /// What a user calls such a file.
    pub fn name(self) -> &'static str {
        match self {
            Container::Hdf5 => "Keras HDF5",
            Container::Archive => "Keras archive",
        }
    }
}

/// Reads a whole model: one subgraph of float32 operators, with batch normalization folded, activations fused and everything
/// that only matters in training gone. Unknown extents (the batch) stand as 1 with −1 in the shape signature.
///
/// # Errors
/// Malformed if the file is damaged, contradicts itself, or lacks its architecture or its weights; Unsupported, naming the layer
/// and its class, for what this version cannot express.
pub fn read(bytes: Bytes) -> Result<Graph> {
    let (model, file, version) = match Container::of(&bytes) {
        Some(Container::Hdf5) => {
            let file = Hdf5::open(bytes)?;
            let (json, version) = h5_architecture(&file)?;
            (config::read(&json)?, file, version)
        }
        Some(Container::Archive) => {
            let archive = archive::open(bytes)?;
            let model = config::read(&archive.config)?;
            (model, Hdf5::open(archive.weights)?, archive.keras)
        }
        None => return malformed!("This is no Keras file: it is neither HDF5 nor a zip archive"),
    };
    let root = ["model_weights", ""]
        .into_iter()
        .find(|g| file.has_group(g));
    let weights = match (file.has_group("layers"), root) {
        (false, Some(root)) if file.texts(root, "layer_names")?.is_some() => {
            Weights::of_h5(&file, root)
        }
        _ => Weights::of_keras(&file),
    };
    let graph = rewrite::simplify(lower::graph(&model, weights, version)?);
    graph.validate()?;
    Ok(graph)
}

/// The architecture in an `.h5` file, and Keras' major version.
fn h5_architecture(file: &Hdf5) -> Result<(String, u32)> {
    let Some(json) = file.text("", "model_config")? else {
        return match file.texts("", "layer_names")?.is_some() || file.has_group("layers") {
            true => malformed!(
                "This HDF5 file holds weights but no architecture (save_weights writes such files); save the whole model with model.save('model.keras')"
            ),
            false => malformed!("This HDF5 file is no Keras model: it has no model_config"),
        };
    };
    if !file.has_group("model_weights") {
        return malformed!(
            "This HDF5 file holds an architecture but no weights; save the whole model with model.save('model.keras')"
        );
    }
    let version = file.text("", "keras_version")?.unwrap_or_default();
    let major = version.split('.').next().and_then(|v| v.parse().ok());
    Ok((json, major.unwrap_or(2)))
}
