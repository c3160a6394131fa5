//! Options of the typed operators: from the format and back. Both list the operators in one order; the larger tables stand with reader
//! and writer side by side.

mod read;
mod recurrent;
mod small;
mod windows;
mod write;

pub use read::read;
pub use write::write;
