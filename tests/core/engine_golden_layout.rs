//! Operators that move data, look up and select against LiteRT's reference kernels; cases from `tests/golden/ops_layout.py`
//! and `ops_detection.py`.

use crate::golden_replay::{golden, replay, tight};

golden!(
    expand_dims,
    squeeze,
    rank,
    broadcast_args,
    fill,
    range,
    slice,
    split,
    split_v,
    unpack,
    gather,
    gather_nd,
    scatter_nd,
    embedding_lookup,
    tile,
    broadcast_to,
    padv2,
    mirror_pad,
    reverse_v2,
    reverse_sequence,
    dilate,
    dynamic_update_slice,
    space_to_depth,
    depth_to_space,
    space_to_batch_nd,
    batch_to_space_nd,
    one_hot,
    topk_v2,
    unique,
    sparse_to_dense,
    matrix_diag,
    matrix_set_diag,
    non_max_suppression_v4,
    non_max_suppression_v5,
    segment_sum,
    unsorted_segment_sum,
    unsorted_segment_prod,
    unsorted_segment_max,
    unsorted_segment_min,
);

#[test]
fn where_true() {
    replay("ops_where.bin.gz", tight);
}
