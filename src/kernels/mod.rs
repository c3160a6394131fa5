//! The shared kernel core: numeric loops on slices. Knows nothing of graphs.

mod shapes;

pub use shapes::{Conv2dShape, Pool2dShape};
