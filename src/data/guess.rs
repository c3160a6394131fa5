//! Which preprocessing a model asks for, where it says so.

use serde::{Deserialize, Serialize};

/// Who said how files become inputs.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum GuessedFrom {
    /// Nobody: the default, or data that needs none.
    #[default]
    Nobody,
    /// The user.
    User,
    /// The model's metadata (NormalizationOptions).
    Metadata,
    /// The operators that the model begins with, which scale its input themselves.
    Layers,
    /// The range of the model's quantized input.
    InputRange,
}

impl std::fmt::Display for GuessedFrom {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            GuessedFrom::Nobody => "the default",
            GuessedFrom::User => "as chosen",
            GuessedFrom::Metadata => "by the model's metadata",
            GuessedFrom::Layers => "by the model's first layers",
            GuessedFrom::InputRange => "by the range of the model's input",
        })
    }
}
