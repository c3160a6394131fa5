//! The engine against LiteRT's reference kernels: every operator and type, and whole networks tensor by tensor.
//!
//! The golden files and their format come from `tests/golden/ops_make.py` and `networks_make.py`.

use crate::golden_replay::{golden, replay, tight};

golden!(
    conv_2d,
    depthwise_conv_2d,
    fully_connected,
    max_pool_2d,
    average_pool_2d,
    mean,
    add,
    sub,
    mul,
    relu,
    relu6,
    logistic,
    tanh,
    softmax,
    hard_swish,
    pad,
    concatenation,
    pack,
    transpose,
    reshape,
    shape,
    strided_slice,
    quantize,
    dequantize
);

#[test]
fn mnist_networks_tensor_by_tensor() {
    replay("networks_mnist.bin.gz", tight);
}
