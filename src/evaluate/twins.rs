//! Which tensor of the float model each quantized tensor of a file stands for.

use std::collections::HashMap;

use super::report::TensorKind;
use crate::graph::{DType, Op, Quantization, Subgraph, Tensor, TensorId};

/// A quantized tensor and its float twin.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Twin {
    pub(super) quantized: TensorId,
    pub(super) float: TensorId,
    pub(super) kind: TensorKind,
    /// The operator that makes it, or for a constant the first that uses it.
    pub(super) node: Option<usize>,
    pub(super) op: String,
    pub(super) grid: Grid,
}

/// The values that a type can represent.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Grid {
    /// scale · (q − zero point) for integers q from `low` to `high`.
    Integers {
        quantization: Quantization,
        low: i64,
        high: i64,
    },
    /// float16.
    Half,
}

/// Every quantized tensor of `quantized` whose twin in `float` is found: by name and shape, or through the QUANTIZE or
/// DEQUANTIZE beside it. Where several float tensors share name and shape, as many quantized ones must, and their order decides.
pub(super) fn twins(float: &Subgraph, quantized: &Subgraph) -> Vec<Twin> {
    let named = by_name(float, quantized);
    let edges = Edges::of(quantized);
    let mut found = vec![];
    for (id, tensor) in quantized.tensors.iter().enumerate() {
        let Some(kind) = edges.kind(quantized, id) else {
            continue;
        };
        let Some(grid) = grid(tensor, kind) else {
            continue;
        };
        let fits = |&twin: &TensorId| {
            float.tensors.get(twin).is_some_and(|f| {
                f.dtype == DType::Float32
                    && f.shape == tensor.shape
                    && f.is_constant() == tensor.is_constant()
            })
        };
        let beside = || {
            edges
                .converted(quantized, id)
                .into_iter()
                .filter_map(|other| named[other])
        };
        let Some(twin) = named[id].into_iter().chain(beside()).find(fits) else {
            continue;
        };
        let node = if tensor.is_constant() {
            edges.user(quantized, id)
        } else {
            edges.maker[id]
        };
        let op = match node.and_then(|n| quantized.nodes.get(n)) {
            Some(node) => node.op.name().to_string(),
            None => "INPUT".to_string(),
        };
        found.push(Twin {
            quantized: id,
            float: twin,
            kind,
            node,
            op,
            grid,
        });
    }
    found
}

/// For each tensor of the second graph the tensor of the first with its name and shape.
fn by_name<'a>(float: &'a Subgraph, quantized: &'a Subgraph) -> Vec<Option<TensorId>> {
    let key = |t: &'a Tensor| -> (&'a str, &'a [usize]) { (&t.name, &t.shape) };
    let mut all: HashMap<_, Vec<TensorId>> = HashMap::new();
    for (id, tensor) in float.tensors.iter().enumerate() {
        all.entry(key(tensor)).or_default().push(id);
    }
    let mut count: HashMap<_, usize> = HashMap::new();
    for tensor in &quantized.tensors {
        *count.entry(key(tensor)).or_default() += 1;
    }
    let mut seen: HashMap<_, usize> = HashMap::new();
    let twin = |tensor: &'a Tensor| {
        let place = seen.entry(key(tensor)).or_default();
        *place += 1;
        let float = all.get(&key(tensor))?;
        match float.as_slice() {
            [only] => Some(*only),
            several if count.get(&key(tensor)) == Some(&several.len()) => {
                several.get(*place - 1).copied()
            }
            _ => None,
        }
    };
    quantized.tensors.iter().map(twin).collect()
}

/// The grid of a quantized tensor; `None` for other tensors and for types that no report is made of.
fn grid(tensor: &Tensor, kind: TensorKind) -> Option<Grid> {
    if tensor.dtype == DType::Float16 && tensor.is_constant() {
        return Some(Grid::Half);
    }
    let (low, high) = match tensor.dtype {
        DType::Int8 | DType::UInt8 | DType::Int16 | DType::Int32 => tensor.dtype.integer_range()?,
        DType::Int64 => (i64::MIN, i64::MAX),
        _ => return None,
    };
    let quantization = tensor.quantization.clone()?;
    let channels = quantization.scales.len();
    let axis_fits = channels == 1
        || (tensor.is_constant() && tensor.shape.get(quantization.axis) == Some(&channels));
    let usable = quantization
        .scales
        .iter()
        .all(|s| s.is_finite() && *s >= 0.0);
    if channels == 0 || quantization.zero_points.len() != channels || !axis_fits || !usable {
        return None;
    }
    // Symmetric int8 weights leave −128 out (rules, section 1), unless the file uses it.
    let symmetric = quantization.zero_points.iter().all(|&z| z == 0);
    let narrow = kind == TensorKind::Weights
        && tensor.dtype == DType::Int8
        && symmetric
        && tensor.data.as_ref().is_some_and(|d| !d.contains(&0x80));
    Some(Grid::Integers {
        low: if narrow { -127 } else { low },
        high,
        quantization,
    })
}

/// Who makes and who uses each tensor.
struct Edges {
    maker: Vec<Option<usize>>,
    users: Vec<Vec<(usize, usize)>>,
}

impl Edges {
    fn of(graph: &Subgraph) -> Self {
        let mut edges = Self {
            maker: vec![None; graph.tensors.len()],
            users: vec![vec![]; graph.tensors.len()],
        };
        for (at, node) in graph.nodes.iter().enumerate() {
            for &id in &node.outputs {
                if let Some(maker) = edges.maker.get_mut(id) {
                    *maker = Some(at);
                }
            }
            for (input, id) in node.inputs.iter().enumerate() {
                if let Some(users) = id.and_then(|id| edges.users.get_mut(id)) {
                    users.push((at, input));
                }
            }
        }
        edges
    }

    /// The tensors that QUANTIZE or DEQUANTIZE made this one from, or make from this one; nearest sources first.
    fn converted(&self, graph: &Subgraph, id: TensorId) -> Vec<TensorId> {
        let converts = |at: usize| {
            graph
                .nodes
                .get(at)
                .filter(|n| matches!(n.op, Op::Quantize | Op::Dequantize))
        };
        let mut all = vec![];
        let mut at = id;
        // A graph is acyclic; the bound only spares us from trusting that.
        for _ in 0..4 {
            let source = self.maker.get(at).copied().flatten().and_then(converts);
            match source.and_then(|n| n.input(0)) {
                Some(next) if next < graph.tensors.len() => at = next,
                _ => break,
            }
            all.push(at);
        }
        for &(user, _) in self.users.get(id).into_iter().flatten() {
            let made = converts(user).and_then(|n| n.outputs.first().copied());
            all.extend(made.filter(|&id| id < graph.tensors.len()));
        }
        all
    }

    /// The first operator that uses a constant, and as which input, seen through a DEQUANTIZE.
    fn use_of(&self, graph: &Subgraph, id: TensorId) -> Option<(usize, usize)> {
        let &(at, input) = self.users.get(id)?.first()?;
        let node = graph.nodes.get(at)?;
        if matches!(node.op, Op::Dequantize)
            && let Some(&beyond) = node.outputs.first()
            && let Some(&further) = self.users.get(beyond).and_then(|u| u.first())
        {
            return Some(further);
        }
        Some((at, input))
    }

    fn user(&self, graph: &Subgraph, id: TensorId) -> Option<usize> {
        self.use_of(graph, id).map(|(at, _)| at)
    }

    /// What a tensor is; `None` for a constant that nothing uses.
    fn kind(&self, graph: &Subgraph, id: TensorId) -> Option<TensorKind> {
        if !graph.tensors.get(id)?.is_constant() {
            return Some(TensorKind::Activation);
        }
        let (at, input) = self.use_of(graph, id)?;
        let takes_bias = matches!(
            graph.nodes.get(at)?.op,
            Op::Conv2d(_) | Op::DepthwiseConv2d(_) | Op::FullyConnected(_)
        );
        Some(if takes_bias && input == 2 {
            TensorKind::Bias
        } else {
            TensorKind::Weights
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::Node;

    fn int8(name: &str, shape: &[usize]) -> Tensor {
        Tensor {
            quantization: Some(Quantization::per_tensor(0.5, 3)),
            ..Tensor::new(name, DType::Int8, shape.to_vec())
        }
    }

    fn graph(tensors: Vec<Tensor>, nodes: Vec<Node>) -> Subgraph {
        Subgraph {
            tensors,
            nodes,
            ..Subgraph::default()
        }
    }

    fn pairs(float: &Subgraph, quantized: &Subgraph) -> Vec<(TensorId, TensorId)> {
        let all = twins(float, quantized);
        all.iter().map(|t| (t.quantized, t.float)).collect()
    }

    #[test]
    fn a_chain_of_conversions_leads_to_the_source() {
        let float = graph(vec![Tensor::new("x", DType::Float32, vec![1, 4])], vec![]);
        let mut input = int8("x", &[1, 4]);
        input.dtype = DType::UInt8;
        let convert = |from, to| Node::new(Op::Quantize, vec![Some(from)], vec![to]);
        let quantized = graph(
            vec![input, int8("x_int8", &[1, 4]), int8("x_again", &[1, 4])],
            vec![convert(0, 1), convert(1, 2)],
        );
        assert_eq!(pairs(&float, &quantized), [(0, 0), (1, 0), (2, 0)]);
    }

    #[test]
    fn equal_names_pair_in_order_or_not_at_all() {
        let f32 = |shape: &[usize]| Tensor::new("t", DType::Float32, shape.to_vec());
        let float = graph(vec![f32(&[2]), f32(&[3]), f32(&[2])], vec![]);
        let both = graph(vec![int8("t", &[2]), int8("t", &[2])], vec![]);
        assert_eq!(pairs(&float, &both), [(0, 0), (1, 2)]);
        let one = graph(
            vec![int8("t", &[2]), int8("t", &[3]), int8("t", &[4])],
            vec![],
        );
        assert_eq!(pairs(&float, &one), [(1, 1)]);
    }

    #[test]
    fn unusable_parameters_and_unlike_tensors_are_left_out() {
        let float = graph(vec![Tensor::new("x", DType::Float32, vec![4])], vec![]);
        let with = |q: Option<Quantization>| {
            let mut tensor = int8("x", &[4]);
            tensor.quantization = q;
            graph(vec![tensor], vec![])
        };
        assert_eq!(
            pairs(&float, &with(Some(Quantization::per_tensor(1.0, 0)))).len(),
            1
        );
        let mut no_zero_points = Quantization::per_tensor(1.0, 0);
        no_zero_points.zero_points.clear();
        for bad in [
            None,
            Some(Quantization::default()),
            Some(no_zero_points),
            Some(Quantization::per_tensor(f32::NAN, 0)),
            Some(Quantization::per_tensor(-1.0, 0)),
            Some(Quantization::per_channel(vec![1.0; 3], 0)),
            Some(Quantization::per_channel(vec![1.0; 4], 7)),
        ] {
            assert_eq!(pairs(&float, &with(bad.clone())), [], "{bad:?}");
        }
        // A constant where the float model computes.
        let mut constant = int8("x", &[4]);
        constant.data = Some(vec![0; 4].into());
        let user = Node::new(Op::Relu, vec![Some(0)], vec![]);
        assert_eq!(pairs(&float, &graph(vec![constant], vec![user])), []);
    }

    #[test]
    fn edges_to_tensors_that_do_not_exist_do_no_harm() {
        let float = graph(vec![Tensor::new("x", DType::Float32, vec![4])], vec![]);
        let wild = graph(
            vec![int8("q", &[4])],
            vec![
                Node::new(Op::Quantize, vec![Some(9)], vec![0]),
                Node::new(Op::Dequantize, vec![Some(0)], vec![8]),
                Node::new(Op::Quantize, vec![Some(0)], vec![0]),
            ],
        );
        assert_eq!(pairs(&float, &wild), []);
    }
}
