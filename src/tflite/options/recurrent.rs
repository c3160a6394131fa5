//! Options of the recurrent operators.

use super::super::schema::*;
use super::super::types::{activation, activation_code};
use crate::error::Result;
use crate::graph::{self, Op};

pub(super) fn read_svdf(o: SVDFOptionsT) -> Result<Op> {
    Ok(Op::Svdf(graph::Svdf {
        rank: o.rank,
        activation: activation(o.fused_activation_function)?,
        asymmetric_quantize_inputs: o.asymmetric_quantize_inputs,
    }))
}

pub(super) fn write_svdf(o: &graph::Svdf) -> BuiltinOptionsT {
    BuiltinOptionsT::SVDFOptions(Box::new(SVDFOptionsT {
        rank: o.rank,
        fused_activation_function: activation_code(o.activation),
        asymmetric_quantize_inputs: o.asymmetric_quantize_inputs,
    }))
}

pub(super) fn read_lstm(o: LSTMOptionsT) -> Result<Op> {
    Ok(Op::Lstm(graph::Lstm {
        activation: activation(o.fused_activation_function)?,
        cell_clip: o.cell_clip,
        projection_clip: o.proj_clip,
        basic: match o.kernel_type {
            LSTMKernelType::FULL => false,
            LSTMKernelType::BASIC => true,
            other => return crate::malformed!("LSTM kernel {} does not exist (0 or 1)", other.0),
        },
        asymmetric_quantize_inputs: o.asymmetric_quantize_inputs,
    }))
}

pub(super) fn write_lstm(o: &graph::Lstm) -> BuiltinOptionsT {
    BuiltinOptionsT::LSTMOptions(Box::new(LSTMOptionsT {
        fused_activation_function: activation_code(o.activation),
        cell_clip: o.cell_clip,
        proj_clip: o.projection_clip,
        kernel_type: match o.basic {
            false => LSTMKernelType::FULL,
            true => LSTMKernelType::BASIC,
        },
        asymmetric_quantize_inputs: o.asymmetric_quantize_inputs,
    }))
}

pub(super) fn read_unidirectional_sequence_lstm(
    o: UnidirectionalSequenceLSTMOptionsT,
) -> Result<Op> {
    Ok(Op::UnidirectionalSequenceLstm(
        graph::UnidirectionalSequenceLstm {
            activation: activation(o.fused_activation_function)?,
            cell_clip: o.cell_clip,
            projection_clip: o.proj_clip,
            time_major: o.time_major,
            asymmetric_quantize_inputs: o.asymmetric_quantize_inputs,
            diagonal_recurrent_tensors: o.diagonal_recurrent_tensors,
        },
    ))
}

pub(super) fn write_unidirectional_sequence_lstm(
    o: &graph::UnidirectionalSequenceLstm,
) -> BuiltinOptionsT {
    BuiltinOptionsT::UnidirectionalSequenceLSTMOptions(Box::new(
        UnidirectionalSequenceLSTMOptionsT {
            fused_activation_function: activation_code(o.activation),
            cell_clip: o.cell_clip,
            proj_clip: o.projection_clip,
            time_major: o.time_major,
            asymmetric_quantize_inputs: o.asymmetric_quantize_inputs,
            diagonal_recurrent_tensors: o.diagonal_recurrent_tensors,
        },
    ))
}

pub(super) fn read_bidirectional_sequence_lstm(o: BidirectionalSequenceLSTMOptionsT) -> Result<Op> {
    Ok(Op::BidirectionalSequenceLstm(
        graph::BidirectionalSequenceLstm {
            activation: activation(o.fused_activation_function)?,
            cell_clip: o.cell_clip,
            projection_clip: o.proj_clip,
            merge_outputs: o.merge_outputs,
            time_major: o.time_major,
            asymmetric_quantize_inputs: o.asymmetric_quantize_inputs,
        },
    ))
}

pub(super) fn write_bidirectional_sequence_lstm(
    o: &graph::BidirectionalSequenceLstm,
) -> BuiltinOptionsT {
    BuiltinOptionsT::BidirectionalSequenceLSTMOptions(Box::new(BidirectionalSequenceLSTMOptionsT {
        fused_activation_function: activation_code(o.activation),
        cell_clip: o.cell_clip,
        proj_clip: o.projection_clip,
        merge_outputs: o.merge_outputs,
        time_major: o.time_major,
        asymmetric_quantize_inputs: o.asymmetric_quantize_inputs,
    }))
}

pub(super) fn read_rnn(o: RNNOptionsT) -> Result<Op> {
    Ok(Op::Rnn(graph::Rnn {
        activation: activation(o.fused_activation_function)?,
        asymmetric_quantize_inputs: o.asymmetric_quantize_inputs,
    }))
}

pub(super) fn write_rnn(o: &graph::Rnn) -> BuiltinOptionsT {
    BuiltinOptionsT::RNNOptions(Box::new(RNNOptionsT {
        fused_activation_function: activation_code(o.activation),
        asymmetric_quantize_inputs: o.asymmetric_quantize_inputs,
    }))
}

pub(super) fn read_unidirectional_sequence_rnn(o: SequenceRNNOptionsT) -> Result<Op> {
    Ok(Op::UnidirectionalSequenceRnn(graph::SequenceRnn {
        time_major: o.time_major,
        activation: activation(o.fused_activation_function)?,
        asymmetric_quantize_inputs: o.asymmetric_quantize_inputs,
    }))
}

pub(super) fn write_unidirectional_sequence_rnn(o: &graph::SequenceRnn) -> BuiltinOptionsT {
    BuiltinOptionsT::SequenceRNNOptions(Box::new(SequenceRNNOptionsT {
        time_major: o.time_major,
        fused_activation_function: activation_code(o.activation),
        asymmetric_quantize_inputs: o.asymmetric_quantize_inputs,
    }))
}

pub(super) fn read_bidirectional_sequence_rnn(o: BidirectionalSequenceRNNOptionsT) -> Result<Op> {
    Ok(Op::BidirectionalSequenceRnn(
        graph::BidirectionalSequenceRnn {
            time_major: o.time_major,
            activation: activation(o.fused_activation_function)?,
            merge_outputs: o.merge_outputs,
            asymmetric_quantize_inputs: o.asymmetric_quantize_inputs,
        },
    ))
}

pub(super) fn write_bidirectional_sequence_rnn(
    o: &graph::BidirectionalSequenceRnn,
) -> BuiltinOptionsT {
    BuiltinOptionsT::BidirectionalSequenceRNNOptions(Box::new(BidirectionalSequenceRNNOptionsT {
        time_major: o.time_major,
        fused_activation_function: activation_code(o.activation),
        merge_outputs: o.merge_outputs,
        asymmetric_quantize_inputs: o.asymmetric_quantize_inputs,
    }))
}
