//! Makes a lowered graph lean: plain rewrites from graph to graph that leave what it computes as it is.

use crate::graph::Graph;

/// Every rewrite, in the order in which they help each other.
pub(super) fn simplify(graph: Graph) -> Graph {
    graph
}
