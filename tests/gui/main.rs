//! The window, driven without a display: found by accessible name, painted on the CPU.

mod data;
mod demo;
mod entry;
mod experiments;
mod fixture;
mod flow;
mod harness;
mod layers;
mod operators;
mod samples;
mod soft;
mod tensors;
