//! Tests of everything but the window, one module per topic, one binary.

mod architecture;
mod kernels_fast;
mod kernels_fast_depthwise;
mod kernels_fast_elementwise;
