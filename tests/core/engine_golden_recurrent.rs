//! The engine against LiteRT's reference kernels: recurrent operators, and control flow as TensorFlow converts it.
//!
//! The golden files come from `tests/golden/ops_recurrent.py` and `flow_make.py`.

use crate::golden_replay::{golden, near, replay};

golden!(
    near: rnn,
    unidirectional_sequence_rnn,
    bidirectional_sequence_rnn,
    lstm,
    unidirectional_sequence_lstm,
    bidirectional_sequence_lstm,
    svdf
);

#[test]
fn networks_with_control_flow_and_recurrence() {
    replay("flow.bin.gz", near);
}
