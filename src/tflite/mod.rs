//! Bytes of a `.tflite` file to a [`Graph`](crate::graph::Graph) and back.
