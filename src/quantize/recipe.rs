//! What the user asks for: mode, input/output type and settings. Data, saved as JSON.

use serde::{Deserialize, Serialize};

use super::keep::OperatorRef;
use crate::error::{Error, Result};

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
    /// In int8 and int16x8, whether biases take back the mean error of the rounded weights, by the means that calibration saw.
    pub bias_correction: bool,
    /// Operators that the user keeps float; without effect in float32.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub keep_float: Vec<OperatorRef>,
    /// Operators that compute on int16 activations; without effect in modes other than int8.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub int16: Vec<OperatorRef>,
}

impl Default for Recipe {
    fn default() -> Self {
        Self {
            mode: Mode::Float32,
            io: Io::Float32,
            strict: false,
            min_weight_elements: 1024,
            bias_correction: true,
            keep_float: vec![],
            int16: vec![],
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

impl Recipe {
    /// Reads a recipe: a JSON object with the fields of [`Recipe`], those left out at their defaults.
    /// Fails with `Invalid` on anything else, naming the line, and on settings that do not go together.
    pub fn from_json(text: &str) -> Result<Self> {
        let recipe: Self = serde_json::from_str(text)
            .map_err(|e| Error::Invalid(format!("The recipe cannot be read: {e}")))?;
        recipe.check()?;
        Ok(recipe)
    }

    /// The recipe as JSON, one field a line.
    pub fn to_json(&self) -> String {
        // A struct of enums and numbers always has a JSON form.
        serde_json::to_string_pretty(self).unwrap_or_default()
    }

    /// Fails with `Invalid` if mode and input/output type do not go together.
    pub fn check(&self) -> Result<()> {
        let possible = self.mode.ios();
        if possible.contains(&self.io) {
            return Ok(());
        }
        let names: Vec<&str> = possible.iter().map(|io| io.name()).collect();
        crate::invalid!(
            "Mode {} cannot have {} inputs and outputs; possible: {}.",
            self.mode.name(),
            self.io.name(),
            names.join(", ")
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_round_trip_and_defaults() {
        let recipe = Recipe {
            mode: Mode::Int8,
            io: Io::Uint8,
            strict: true,
            min_weight_elements: 7,
            bias_correction: false,
            keep_float: vec![OperatorRef::Index(3), OperatorRef::parse("conv")],
            int16: vec![OperatorRef::Index(5)],
        };
        assert_eq!(Recipe::from_json(&recipe.to_json()), Ok(recipe));
        let short = Recipe::from_json(r#"{"mode": "int16x8"}"#).unwrap();
        assert_eq!((short.mode, short.io), (Mode::Int16x8, Io::Float32));
        assert_eq!(short.min_weight_elements, 1024);
        assert!(short.bias_correction && short.keep_float.is_empty() && short.int16.is_empty());
        let kept = Recipe::from_json(r#"{"keep_float": [4, "a", {"index": 2, "name": "b"}]}"#);
        assert_eq!(kept.unwrap().keep_float.len(), 3);
    }

    #[test]
    fn mistakes_in_json_are_named() {
        for (text, word) in [
            (r#"{"mode": "int9"}"#, "int9"),
            (r#"{"moed": "int8"}"#, "moed"),
            (
                r#"{"mode": "int8", "io": "int16"}"#,
                "possible: float32, int8, uint8",
            ),
            ("", "EOF"),
            (r#"{"min_weight_elements": -1}"#, "-1"),
            (r#"{"keep_float": [-1]}"#, "the name of a tensor"),
        ] {
            let error = Recipe::from_json(text).unwrap_err().to_string();
            assert!(error.contains(word), "{error}");
        }
    }
}
