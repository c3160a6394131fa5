//! Which operators have no effect but their outputs.

use crate::graph::Op;

/// Whether removing the operator cannot be noticed when nobody reads its outputs. Operators with state, variables, subgraphs
/// or unknown effects are not.
pub fn is_pure(op: &Op) -> bool {
    !matches!(
        op,
        Op::If { .. }
            | Op::While { .. }
            | Op::CallOnce { .. }
            | Op::VarHandle { .. }
            | Op::ReadVariable
            | Op::AssignVariable
            | Op::Hashtable(_)
            | Op::HashtableFind
            | Op::HashtableImport
            | Op::HashtableSize
            | Op::StablehloComposite(_)
            | Op::Svdf(_)
            | Op::Lstm(_)
            | Op::UnidirectionalSequenceLstm(_)
            | Op::BidirectionalSequenceLstm(_)
            | Op::Rnn(_)
            | Op::UnidirectionalSequenceRnn(_)
            | Op::BidirectionalSequenceRnn(_)
            | Op::Other(_)
            | Op::Custom(_)
    )
}
