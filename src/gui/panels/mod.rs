//! Painting, one file per panel; what to show is computed in [`view`](super::view).

pub mod layers;
pub mod tensors;
