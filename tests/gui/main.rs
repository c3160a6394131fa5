//! The window, driven without a display: found by accessible name, painted on the CPU.

mod demo;
mod entry;
mod fixture;
mod flow;
mod harness;
mod layers;
mod operators;
mod soft;
mod tensors;
