//! The built-in experiment: a small MNIST network and its data, so that the first start needs nothing.

use bytes::Bytes;

/// A file that is part of the program.
#[derive(Debug, Clone, PartialEq)]
pub struct File {
    /// Its name.
    pub name: &'static str,
    /// Its bytes.
    pub bytes: Bytes,
}

/// All that the built-in experiment consists of; `assets/README.md` says where each comes from.
#[derive(Debug, Clone, PartialEq)]
pub struct Demo {
    /// A float `.tflite` classifier of 28 × 28 pixels into ten digits.
    pub model: File,
    /// 1,000 training images for calibration (IDX, gzipped); the reference conversion by TensorFlow saw the first 100.
    pub calibration: File,
    /// Their digits.
    pub calibration_labels: File,
    /// The 10,000 test images (IDX, gzipped).
    pub test: File,
    /// Their digits.
    pub test_labels: File,
}

macro_rules! asset {
    ($name:literal) => {
        File {
            name: $name,
            bytes: Bytes::from_static(include_bytes!(concat!("../../assets/", $name))),
        }
    };
}

/// The built-in experiment. Costs nothing: the bytes are part of the program.
pub fn demo() -> Demo {
    Demo {
        model: asset!("mnist_float.tflite"),
        calibration: asset!("train-1000-images-idx3-ubyte.gz"),
        calibration_labels: asset!("train-1000-labels-idx1-ubyte.gz"),
        test: asset!("t10k-images-idx3-ubyte.gz"),
        test_labels: asset!("t10k-labels-idx1-ubyte.gz"),
    }
}
