//! The window, driven without a display: found by accessible name, painted on the CPU.

mod fixture;
mod harness;
mod layers;
mod soft;
mod tensors;
