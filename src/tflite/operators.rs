//! The format's list of builtin operators, as the graph has them.

use flatbuffers::FlatBufferBuilder;

use super::options;
use super::schema::{BuiltinOperator, Operator, OperatorT};
use crate::graph::{Op, OtherOp};

/// Every builtin operator of the format in the order of its code, each with the schema's default options. The two codes that
/// are no operators (`CUSTOM` and the placeholder above 126) are left out.
pub fn builtin_operators() -> Vec<Op> {
    let mut builder = FlatBufferBuilder::new();
    let bare = OperatorT::default().pack(&mut builder);
    builder.finish_minimal(bare);
    let bare = flatbuffers::root::<Operator>(builder.finished_data());
    BuiltinOperator::ENUM_VALUES
        .iter()
        .filter(|&&code| {
            code != BuiltinOperator::CUSTOM
                && code != BuiltinOperator::PLACEHOLDER_FOR_GREATER_OP_CODES
        })
        .filter_map(|&code| {
            let typed = options::read(code, bare.as_ref().ok()?).ok().flatten();
            Some(typed.unwrap_or_else(|| {
                Op::Other(OtherOp {
                    code: code.0,
                    name: code.variant_name().unwrap_or_default().to_owned(),
                    options: bytes::Bytes::new(),
                })
            }))
        })
        .collect()
}
