//! The shared kernel core: numeric loops on slices. Knows nothing of graphs.

pub mod fixed_point;
pub mod quantize;
pub mod reference;
mod shapes;

pub use shapes::{Conv2dShape, Pool2dShape};
