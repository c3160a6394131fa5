//! The window, driven without a display: found by accessible name, painted on the CPU.

mod soft;
