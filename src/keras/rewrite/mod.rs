//! Makes a lowered graph lean: plain rewrites from graph to graph that leave what it computes as it is.

mod activation;
mod affine;
mod clean;
mod hard_swish;
mod net;
mod pad;
mod reshape;
mod twins;

use crate::graph::{Graph, Subgraph};

/// Every rewrite, in the order in which they help each other.
pub(super) fn simplify(graph: Graph) -> Graph {
    let steps: [fn(Subgraph) -> Subgraph; 6] = [
        twins::merge,
        hard_swish::recognise,
        reshape::merge,
        affine::fold,
        pad::fold,
        activation::fuse,
    ];
    let subgraphs = graph.subgraphs.into_iter();
    let lean = Graph {
        subgraphs: subgraphs
            .map(|s| steps.iter().fold(s, |s, step| step(s)))
            .collect(),
        ..graph
    };
    clean::sweep(lean)
}
