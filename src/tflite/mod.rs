//! Bytes of a `.tflite` file to a [`Graph`](crate::graph::Graph) and back.
use crate::{error::Result, graph::Graph};
/// Stub.
pub fn read(_: bytes::Bytes) -> Result<Graph> {
    crate::unsupported!("stub")
}
/// Stub.
pub fn write(_: &Graph) -> Result<Vec<u8>> {
    crate::unsupported!("stub")
}
