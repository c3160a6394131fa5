//! What the user asks for: mode, input/output type and settings. Data, saved as JSON.

use serde::{Deserialize, Serialize};

/// A quantization mode.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// The model as it is.
    Float32,
    /// float16 weights, float32 computation.
    Float16,
    /// int8 weights, activations quantized while running.
    Dynamic,
    /// int8 weights and activations.
    Int8,
    /// int16 activations, int8 weights.
    Int16x8,
}

/// Type of the model's inputs and outputs.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum Io {
    /// Reals in, reals out.
    #[default]
    Float32,
    /// Signed bytes; int8 only.
    Int8,
    /// Unsigned bytes; int8 only.
    Uint8,
    /// 16-bit integers; int16x8 only.
    Int16,
}

/// Everything that decides how a model is quantized.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Recipe {
    /// Which mode.
    pub mode: Mode,
    /// Type of inputs and outputs.
    pub io: Io,
    /// Whether an operator that would stay float is an error.
    pub strict: bool,
    /// In dynamic mode, weights with fewer elements stay float (rules, section 8).
    pub min_weight_elements: usize,
}

impl Default for Recipe {
    fn default() -> Self {
        Self {
            mode: Mode::Float32,
            io: Io::Float32,
            strict: false,
            min_weight_elements: 1024,
        }
    }
}

impl Mode {
    /// All modes in the order they are shown.
    pub const ALL: [Mode; 5] = [
        Mode::Float32,
        Mode::Float16,
        Mode::Dynamic,
        Mode::Int8,
        Mode::Int16x8,
    ];

    /// The word for it everywhere: `int16x8`.
    pub fn name(self) -> &'static str {
        match self {
            Mode::Float32 => "float32",
            Mode::Float16 => "float16",
            Mode::Dynamic => "dynamic",
            Mode::Int8 => "int8",
            Mode::Int16x8 => "int16x8",
        }
    }

    /// Input/output types that this mode can have, its default first.
    pub fn ios(self) -> &'static [Io] {
        match self {
            Mode::Float32 | Mode::Float16 | Mode::Dynamic => &[Io::Float32],
            Mode::Int8 => &[Io::Float32, Io::Int8, Io::Uint8],
            Mode::Int16x8 => &[Io::Float32, Io::Int16],
        }
    }

    /// Whether it needs a calibration dataset.
    pub fn needs_calibration(self) -> bool {
        matches!(self, Mode::Int8 | Mode::Int16x8)
    }
}

impl Io {
    /// The word for it everywhere: `uint8`.
    pub fn name(self) -> &'static str {
        match self {
            Io::Float32 => "float32",
            Io::Int8 => "int8",
            Io::Uint8 => "uint8",
            Io::Int16 => "int16",
        }
    }
}
