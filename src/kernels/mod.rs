//! The shared kernel core: numeric loops on slices. Knows nothing of graphs.
//!
//! The fast path in the engine's words. Ask [`Isa::best`] once. Prepare one packed operator per node ([`ConvF32`], [`ConvI8`],
//! [`ConvI16`]; FULLY_CONNECTED is the convolution of [`fully_connected_shape`]) with its constants, `reserve` each of them in one
//! [`Scratch`], then `run` them as often as wanted: a run allocates nothing. `reshape` serves another batch size. `threads` is
//! a limit: work too small for it stays on the calling thread, the rest goes to the caller's rayon pool. Integer results are the same
//! to the bit on every ISA and thread count.

mod conv_f32;
mod conv_i16;
mod conv_i8;
mod gather;
mod gemm;
mod isa;
mod portable;
mod rescale;
mod scratch;
mod shapes;
mod simd;

pub use conv_f32::ConvF32;
pub use conv_i8::ConvI8;
pub use conv_i16::{Bias16, ConvI16};
pub use gather::fully_connected_shape;
pub use isa::{ISA_VARIABLE, Isa};
pub use rescale::Rescale;
pub use scratch::Scratch;
pub use shapes::{Conv2dShape, Pool2dShape};
