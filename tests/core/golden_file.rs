//! Golden files of what LiteRT computes: the format that `tests/golden/ops_common.py` describes.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use serde::Deserialize;
use zeropoint::error::Result;
use zeropoint::graph::{Data, Graph, Value};

#[derive(Deserialize)]
pub struct Case {
    pub name: String,
    pub model: (usize, usize),
    pub inputs: Vec<Array>,
    pub outputs: Vec<Array>,
    /// Computed tensors by index, for networks.
    #[serde(default)]
    pub tensors: BTreeMap<usize, Array>,
    /// Operators of TensorFlow's own file of the same model.
    #[serde(default)]
    pub operators: Option<usize>,
}

#[derive(Deserialize)]
pub struct Array {
    pub dtype: String,
    pub shape: Vec<usize>,
    pub at: (usize, usize),
}

pub struct Golden {
    pub cases: Vec<Case>,
    pub blobs: Bytes,
}

impl Golden {
    /// Reads `tests/golden/file`.
    pub fn open(file: &str) -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("tests/golden")
            .join(file);
        let packed = std::fs::read(path).unwrap();
        let mut data = vec![];
        flate2::read::GzDecoder::new(&packed[..])
            .read_to_end(&mut data)
            .unwrap();
        let data = Bytes::from(data);
        let length = u64::from_le_bytes(data[..8].try_into().unwrap()) as usize;
        Self {
            cases: serde_json::from_slice(&data[8..8 + length]).unwrap(),
            blobs: data.slice(8 + length..),
        }
    }

    /// The array that the file holds there.
    pub fn value(&self, a: &Array) -> Value {
        let bytes = &self.blobs[a.at.0..a.at.0 + a.at.1];
        let data = match a.dtype.as_str() {
            "float32" => Data::F32(bytemuck::pod_collect_to_vec(bytes)),
            "float16" => Data::F16(bytemuck::pod_collect_to_vec(bytes)),
            "float64" => Data::F64(bytemuck::pod_collect_to_vec(bytes)),
            "int8" => Data::I8(bytemuck::pod_collect_to_vec(bytes)),
            "uint8" => Data::U8(bytes.to_vec()),
            "int16" => Data::I16(bytemuck::pod_collect_to_vec(bytes)),
            "int32" => Data::I32(bytemuck::pod_collect_to_vec(bytes)),
            "int64" => Data::I64(bytemuck::pod_collect_to_vec(bytes)),
            "uint16" => Data::U16(bytemuck::pod_collect_to_vec(bytes)),
            "uint32" => Data::U32(bytemuck::pod_collect_to_vec(bytes)),
            "uint64" => Data::U64(bytemuck::pod_collect_to_vec(bytes)),
            "bool" => Data::Bool(bytes.iter().map(|&b| b != 0).collect()),
            other => panic!("{other} in a golden file"),
        };
        Value::new(a.shape.clone(), data).unwrap()
    }

    /// The file of a case's model.
    pub fn model(&self, case: &Case) -> Bytes {
        self.blobs.slice(case.model.0..case.model.0 + case.model.1)
    }

    /// The model of a case, a .tflite.
    pub fn graph(&self, case: &Case) -> Result<Arc<Graph>> {
        zeropoint::tflite::read(self.model(case)).map(Arc::new)
    }
}
