//! The `.keras` archive: a zip file with `config.json` and `model.weights.h5`.

use std::io::{Cursor, Read};

use bytes::Bytes;
use zip::ZipArchive;

use crate::error::Result;
use crate::{malformed, unsupported};

/// First bytes of a zip file.
pub(super) const MAGIC: [u8; 4] = *b"PK\x03\x04";

/// A configuration larger than this is no configuration.
const MAX_CONFIG: u64 = 1 << 28;

/// What a `.keras` file holds.
pub(super) struct Archive {
    /// `config.json`.
    pub config: String,
    /// `model.weights.h5`.
    pub weights: Bytes,
    /// Keras' major version as `metadata.json` states it, 3 if it does not.
    pub keras: u32,
}

/// Unpacks both parts.
///
/// # Errors
/// Malformed if the archive is damaged or is none of Keras' (the text says what it is instead, where that can be told);
/// Unsupported for weights in other containers.
pub(super) fn open(bytes: Bytes) -> Result<Archive> {
    let length = bytes.len() as u64;
    let Ok(mut zip) = ZipArchive::new(Cursor::new(bytes)) else {
        return malformed!("This .keras file (a zip archive) is damaged or cut off");
    };
    let has = |name: &str| zip.index_for_name(name).is_some();
    let any = |like: &dyn Fn(&str) -> bool| zip.file_names().flatten().any(|n| like(&n));
    if has("saved_model.pb") || any(&|n| n.ends_with("/saved_model.pb")) {
        return unsupported!(
            "This is a zipped SavedModel; save the model with model.save('model.keras'), or convert it with TensorFlow's converter to .tflite"
        );
    }
    if !has("config.json") {
        return match has("model.weights.h5") {
            true => malformed!(
                "This archive holds weights but no architecture (config.json); save the whole model with model.save('model.keras')"
            ),
            false => malformed!("This zip archive is no .keras file: it has no config.json"),
        };
    }
    if !has("model.weights.h5") {
        return match any(&|n| n.starts_with("model.weights")) {
            true => unsupported!(
                "This .keras file keeps its weights in another container than model.weights.h5; save the model again with model.save('model.keras')"
            ),
            false => malformed!(
                "This .keras file holds an architecture but no weights (model.weights.h5); save the whole model with model.save('model.keras')"
            ),
        };
    }
    let config = unpack(&mut zip, "config.json", MAX_CONFIG)?;
    let Ok(config) = String::from_utf8(config) else {
        return malformed!("config.json of this .keras file is not text");
    };
    // Keras stores the weights without compression; a few times more is room enough for those who repack.
    let most = length.saturating_mul(16).saturating_add(1 << 24);
    let weights = unpack(&mut zip, "model.weights.h5", most)?;
    // What it says there only chooses between definitions of a few functions: damage is no reason to refuse the file.
    let metadata = unpack(&mut zip, "metadata.json", 1 << 16).ok();
    let metadata = metadata.and_then(|m| serde_json::from_slice::<serde_json::Value>(&m).ok());
    let version = metadata
        .as_ref()
        .and_then(|m| m.get("keras_version")?.as_str());
    let major = version.and_then(|v| v.split('.').next()?.parse().ok());
    Ok(Archive {
        config,
        weights: weights.into(),
        keras: major.unwrap_or(3),
    })
}

fn unpack(zip: &mut ZipArchive<Cursor<Bytes>>, name: &str, most: u64) -> Result<Vec<u8>> {
    let Ok(entry) = zip.by_name(name) else {
        return unsupported!(
            "{name} of this .keras file cannot be unpacked: it is damaged, encrypted or compressed in another way than deflate"
        );
    };
    if entry.size() > most {
        return malformed!(
            "{name} of this .keras file says it unpacks to {} bytes, far more than this file can hold",
            entry.size()
        );
    }
    let mut out = vec![];
    match entry.take(most).read_to_end(&mut out) {
        Ok(_) => Ok(out),
        Err(e) => malformed!("{name} of this .keras file is damaged or cut off: {e}"),
    }
}
