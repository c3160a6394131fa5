//! Operators that slide, multiply and resize, and DENSIFY, against LiteRT's reference kernels; cases from `tests/golden/ops_windows.py`.

use crate::golden_replay::golden;

// The hybrid kernel of LiteRT adds floats, ours integers.
golden!(near: transpose_conv);
golden!(
    conv_2d_uint8,
    depthwise_conv_2d_uint8,
    fully_connected_uint8,
    conv_3d,
    conv_3d_transpose,
    batch_matmul,
    resize_bilinear,
    resize_nearest_neighbor,
    l2_pool_2d,
    densify,
);
