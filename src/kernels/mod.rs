//! The shared kernel core: numeric loops on slices. Knows nothing of graphs.
//!
//! The naive kernels are in [`reference`]. The fast path in the engine's words: ask [`Isa::best`] once. Prepare one packed operator
//! per node ([`ConvF32`], [`ConvI8`], [`ConvI16`], [`ConvHybrid`] and their `Depthwise…` kin; FULLY_CONNECTED is the convolution of [`fully_connected_shape`])
//! with its constants, `reserve` each of them in one [`Scratch`], then `run` them as often as wanted: a run allocates nothing.
//! `reshape` serves another batch size. `threads` is a limit: work too small for it stays on the calling thread, the rest goes
//! to the caller's rayon pool. Integer results are those of [`reference`] to the bit on every ISA and thread count.

mod byte_product;
mod conv_f32;
mod conv_hybrid;
mod conv_i16;
mod conv_i8;
mod depthwise;
mod depthwise_f32;
mod depthwise_hybrid;
mod depthwise_int;
pub mod elementwise;
pub mod exponential;
pub mod fixed_point;
mod fixed_point_i16;
mod float_range;
mod gather;
mod gemm;
mod isa;
mod lines;
pub(crate) mod parallel;
pub mod pool;
mod portable;
pub mod quantize;
pub mod reference;
mod rescale;
mod row_quantize;
mod scratch;
mod shapes;
mod simd;

pub use conv_f32::ConvF32;
pub use conv_hybrid::ConvHybrid;
pub use conv_i8::ConvI8;
pub use conv_i16::ConvI16;
pub use depthwise_f32::DepthwiseF32;
pub use depthwise_hybrid::DepthwiseHybrid;
pub use depthwise_int::{DepthwiseI8, DepthwiseI16};
pub use float_range::{FloatRange, Ranges};
pub use gather::fully_connected_shape;
pub(crate) use isa::vectorized;
pub use isa::{ISA_VARIABLE, Isa};
pub use scratch::Scratch;
pub use shapes::{Conv2dShape, Pool2dShape};
pub(crate) use simd::Vectorized;
