//! Bytes of a `.tflite` file to a [`Graph`](crate::graph::Graph) and back.

mod opaque;
mod options;
mod read;
#[rustfmt::skip]
#[allow(unsafe_code, missing_docs, clippy::all, clippy::undocumented_unsafe_blocks, unused_imports, dead_code)]
mod schema_generated;
mod types;
mod write;

pub use read::read;
pub use write::write;

use schema_generated as schema;
