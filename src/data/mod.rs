//! Data sets: samples for calibration and evaluation, checked before any work starts.

mod array;
mod axes;
mod csv;
mod csv_columns;
pub mod demo;
mod folder;
mod guess;
mod idx;
#[cfg(feature = "train")]
mod labelled;
mod labels;
mod npy;
mod npy_value;
mod npz;
mod open;
mod preprocess;
mod preview;
mod random;
mod resample;
mod selection;
mod spec;
mod subset;
mod synthetic;
mod wav;
mod words;

pub use axes::{file_shapes, folder_shapes, table_shapes};
pub use csv::{TableData, TableRequest, is_table, read_table};
pub use folder::{
    ClassNames, ClassOrder, Drawing, Entry, FileKind, FolderData, FolderRequest, ImageInput,
    Listing, MAX_FILES, ReadFile, Skipped, open_folder,
};
pub use guess::{GuessedFrom, guess, range_warnings};
#[cfg(feature = "train")]
pub use labelled::LabelledImages;
pub use labels::label_candidates;
pub use npy_value::{read_npy, write_npy};
pub use open::{is_sound, open, open_sound};
pub use preprocess::{Colour, Fit, PRESETS, Preprocess, Resize, Scale, Sound};
pub use preview::{Picture, Preview, PreviewSample, Thumbnail, ValueRange, preview, preview_of};
#[cfg(feature = "train")]
pub use random::word;
pub use selection::{Selection, concat, select};
pub use spec::{InputSpec, Open, classes, input_specs};
pub use subset::take;
pub use synthetic::synthetic;

use std::ops::Range;

use crate::error::Result;
use crate::graph::Value;

/// Most bytes that a compressed file may unpack to.
const MAX_UNPACKED: usize = 1 << 30;

/// Samples, and labels where there are any. Reading a batch must not cost more memory than the batch.
pub trait Dataset: Send + Sync {
    /// What it is called where its figures appear, such as the file's name.
    fn name(&self) -> &str;
    /// Number of samples.
    fn len(&self) -> usize;
    /// Whether there are none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
    /// One array per model input, in input order, each with the samples of `range` along axis 0.
    fn batch(&self, range: Range<usize>) -> Result<Vec<Value>>;
    /// The class of each sample, if known; as many as samples.
    fn labels(&self) -> Option<&[u32]>;
    /// Where a sample comes from, if it is a file of its own.
    fn origin(&self, _sample: usize) -> Option<Origin> {
        None
    }
}

/// Where a sample comes from.
#[derive(Debug, Clone, PartialEq)]
pub struct Origin {
    /// Path of its file within the folder, parts joined by `/`.
    pub file: String,
    /// What the file held before preprocessing.
    pub original: Original,
}

/// What a file held before preprocessing.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Original {
    /// A picture of that many pixels.
    Image {
        /// Pixels a row.
        width: u32,
        /// Rows.
        height: u32,
    },
    /// A sound.
    Sound {
        /// Samples a second.
        rate: u32,
        /// How long it is.
        seconds: f64,
    },
}
