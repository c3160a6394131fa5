//! Bytes of a `.tflite` file to a [`Graph`](crate::graph::Graph) and back.

#[cfg(test)]
mod lossless;
mod metadata;
mod opaque;
mod operators;
mod options;
mod packed_files;
mod read;
mod runtime_version;
#[rustfmt::skip]
#[allow(unsafe_code, missing_docs, clippy::all, clippy::undocumented_unsafe_blocks, unused_imports, dead_code)]
mod schema_generated;
mod types;
mod versions;
mod write;

pub use metadata::{ModelMetadata, metadata};
pub use operators::builtin_operators;
pub use read::read;
pub use runtime_version::min_runtime_version;
pub use write::write;

use schema_generated as schema;
