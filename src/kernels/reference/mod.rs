//! Naive kernels: the specification of what every operator computes, and the oracle of the fast ones.
//!
//! Integers are those of LiteRT 2.3's reference kernels to the bit. Slices have the lengths that the shapes say; the
//! caller checks that. Each file names the LiteRT source its formulas come from (paths below `tflite/kernels/`).

pub mod activation;
pub mod arithmetic;
pub mod batch_matmul;
pub mod binary;
pub mod cast;
pub mod choose;
pub mod compare;
pub mod conv;
pub mod conv3d;
pub mod fully_connected;
pub mod layout;
pub mod lookup;
pub mod lstm_integer;
pub mod mean;
pub mod normalize;
pub mod pool;
pub mod recurrent;
pub mod reduce;
pub mod requantize;
pub mod resize;
pub mod select;
pub mod softmax;
pub mod suppression;
pub mod transpose_conv;
pub mod unary;
