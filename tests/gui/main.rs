//! The window, driven without a display: found by accessible name, painted on the CPU.

mod access;
mod compare;
mod data;
mod demo;
mod engines;
mod entry;
mod experiments;
mod export;
mod fixture;
mod flow;
mod harness;
mod layers;
mod layout;
mod models;
mod operators;
mod samples;
mod soft;
#[path = "../core/stand_in.rs"]
mod stand_in;
mod start;
mod tensors;
