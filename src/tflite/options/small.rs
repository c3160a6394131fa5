//! Small tables and enumerations, reader and writer side by side.

use super::super::schema::*;
use super::super::types::dtype;
use crate::error::Result;
use crate::graph::{self, Op};

/// Index of a called subgraph; whether it exists is checked with the graph.
pub(super) fn subgraph(index: i32) -> Result<usize> {
    match usize::try_from(index) {
        Ok(index) => Ok(index),
        Err(_) => crate::malformed!("it calls subgraph {index}, which does not exist"),
    }
}

pub(super) fn index(subgraph: usize) -> i32 {
    i32::try_from(subgraph).unwrap_or(i32::MAX)
}

pub(super) fn read_mirror(mode: MirrorPadMode) -> Result<bool> {
    match mode {
        MirrorPadMode::REFLECT => Ok(false),
        MirrorPadMode::SYMMETRIC => Ok(true),
        other => crate::malformed!("mirror mode {} does not exist (0 or 1)", other.0),
    }
}

pub(super) fn write_mirror(symmetric: bool) -> MirrorPadMode {
    match symmetric {
        false => MirrorPadMode::REFLECT,
        true => MirrorPadMode::SYMMETRIC,
    }
}

/// Code 0 means "as the schema's comment says, int32" here, for the field was added to an operator that always gave int32.
pub(super) fn read_shape_type(o: ShapeOptionsT) -> Result<graph::DType> {
    if o.out_type == TensorType::FLOAT32 {
        return Ok(graph::DType::Int32);
    }
    dtype(o.out_type)
}

pub(super) fn read_strided_slice(o: StridedSliceOptionsT) -> Op {
    Op::StridedSlice(graph::StridedSlice {
        begin_mask: o.begin_mask,
        end_mask: o.end_mask,
        ellipsis_mask: o.ellipsis_mask,
        new_axis_mask: o.new_axis_mask,
        shrink_axis_mask: o.shrink_axis_mask,
        offset: o.offset,
    })
}

pub(super) fn write_strided_slice(o: &graph::StridedSlice) -> BuiltinOptionsT {
    BuiltinOptionsT::StridedSliceOptions(Box::new(StridedSliceOptionsT {
        begin_mask: o.begin_mask,
        end_mask: o.end_mask,
        ellipsis_mask: o.ellipsis_mask,
        new_axis_mask: o.new_axis_mask,
        shrink_axis_mask: o.shrink_axis_mask,
        offset: o.offset,
    }))
}
