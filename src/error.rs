//! The one error type of the core: what went wrong, in words a user can act on.

/// Why a step could not be done. The text names the tensor, node or file and says what to do where that is known.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The file or the data is wrong in itself.
    #[error("{0}")]
    Malformed(String),
    /// The file is right, but this version of Zeropoint cannot do what it asks for.
    #[error("{0}")]
    Unsupported(String),
    /// What was asked for does not fit together: data of another shape, a mode without calibration, a wrong option.
    #[error("{0}")]
    Invalid(String),
    /// The user cancelled the job.
    #[error("Cancelled")]
    Cancelled,
}

/// Result of every fallible function of the core.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// The same error with the place it arose in put in front: `place: what`.
    pub fn at(self, place: impl std::fmt::Display) -> Self {
        match self {
            Error::Malformed(what) => Error::Malformed(format!("{place}: {what}")),
            Error::Unsupported(what) => Error::Unsupported(format!("{place}: {what}")),
            Error::Invalid(what) => Error::Invalid(format!("{place}: {what}")),
            Error::Cancelled => Error::Cancelled,
        }
    }
}

/// Shorthand for `Err(Error::Malformed(format!(…)))`.
#[macro_export]
macro_rules! malformed { ($($t:tt)*) => { Err($crate::error::Error::Malformed(format!($($t)*))) } }
/// Shorthand for `Err(Error::Unsupported(format!(…)))`.
#[macro_export]
macro_rules! unsupported { ($($t:tt)*) => { Err($crate::error::Error::Unsupported(format!($($t)*))) } }
/// Shorthand for `Err(Error::Invalid(format!(…)))`.
#[macro_export]
macro_rules! invalid { ($($t:tt)*) => { Err($crate::error::Error::Invalid(format!($($t)*))) } }
