//! LiteRT, the runtime that deploys `.tflite` files, as a second engine: its C functions and what is said to a child process that calls them.
//!
//! Only a child process ever loads the library ([`serve`]): LiteRT ends the whole process on some files. Who starts that child, finds
//! the library and watches over both is `workbench`.

#[allow(unsafe_code)]
mod ffi;
mod protocol;
mod serve;

use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::graph::{DType, Data, Value};
use crate::{malformed, unsupported};

pub use protocol::{
    Loaded, Port, Reply, Request, read_reply, read_request, write_reply, write_request,
};
pub use serve::Server;

/// What computes inside LiteRT.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Delegate {
    /// The XNNPACK delegate where it knows the operator, LiteRT's own kernels elsewhere: what users get.
    #[default]
    Xnnpack,
    /// LiteRT's own kernels alone.
    None,
}

impl Delegate {
    /// As it stands beside figures.
    pub fn name(self) -> &'static str {
        match self {
            Delegate::Xnnpack => "XNNPACK",
            Delegate::None => "no delegate",
        }
    }

    /// The CPU accelerator's word for it.
    fn kernel_mode(self) -> &'static str {
        match self {
            Delegate::Xnnpack => "xnnpack",
            Delegate::None => "builtin",
        }
    }
}

/// Element types that can be fed and read, with LiteRT's number for each.
const ELEMENTS: [(DType, i32); 12] = [
    (DType::Float32, 1),
    (DType::Int32, 2),
    (DType::UInt8, 3),
    (DType::Int64, 4),
    (DType::Bool, 6),
    (DType::Int16, 7),
    (DType::Int8, 9),
    (DType::Float16, 10),
    (DType::Float64, 11),
    (DType::UInt64, 13),
    (DType::UInt32, 16),
    (DType::UInt16, 17),
];

/// An array as it crosses between the processes: LiteRT's number of its element type, its shape, its little-endian elements.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Array {
    /// LiteRT's number of the element type.
    pub element: i32,
    /// Extent of each axis.
    pub shape: Vec<usize>,
    /// Elements, row-major; travels outside the description.
    #[serde(skip)]
    pub bytes: Vec<u8>,
}

impl Array {
    /// A value as LiteRT takes it.
    ///
    /// # Errors
    /// An element type that LiteRT's buffers cannot hold.
    pub fn of(value: &Value) -> Result<Self> {
        let dtype = value.dtype();
        let Some((_, element)) = ELEMENTS.iter().find(|(d, _)| *d == dtype) else {
            return unsupported!("LiteRT cannot be fed {dtype} values");
        };
        Ok(Self {
            element: *element,
            shape: value.shape.clone(),
            bytes: value.data.to_bytes(),
        })
    }

    /// The array as a value.
    ///
    /// # Errors
    /// An element type that Zeropoint does not hold, or elements that do not fill the shape.
    pub fn value(&self) -> Result<Value> {
        let found = ELEMENTS.iter().find(|(_, e)| *e == self.element);
        let data = found.and_then(|(dtype, _)| Data::from_bytes(*dtype, &self.bytes));
        match data {
            Some(data) => Value::new(self.shape.clone(), data).map_err(|e| e.at("LiteRT's output")),
            None if found.is_none() => unsupported!(
                "LiteRT gave an output of its element type {}, which Zeropoint cannot read",
                self.element
            ),
            None => malformed!(
                "LiteRT gave an output of {} bytes, which are no whole elements",
                self.bytes.len()
            ),
        }
    }
}
