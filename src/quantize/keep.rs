//! Operators that the user keeps float or sets to int16: how a recipe names them, and which of a model's operators those are.

use serde::{Deserialize, Serialize};

use super::recipe::{Mode, Recipe};
use super::rules::{Width, computes_no_reals, static_rule};
use crate::error::Result;
use crate::graph::{Subgraph, TensorId};

/// Why such an operator stays float, in the plan's words.
pub const KEPT: &str = "kept float by you";

/// What operators of [`Recipe::keep_float`] are, in sentences.
pub(super) const KEPT_FLOAT: &str = "kept float";
/// What operators of [`Recipe::int16`] are, in sentences.
const SET_TO_INT16: &str = "set to int16";

/// An operator of the main subgraph.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    untagged,
    expecting = "an operator is its index, the name of a tensor it makes, or {\"index\": 4, \"name\": \"conv/Relu\"}"
)]
pub enum OperatorRef {
    /// By its place in execution order.
    Index(usize),
    /// By the name of a tensor that it makes, or of its layer (see [`OperatorRef::layer`]).
    Name(String),
    /// By both, as the window writes it: where the model has changed, the name counts.
    Both {
        /// Its place in execution order.
        index: usize,
        /// Name of the first tensor it makes.
        name: String,
    },
}

impl std::fmt::Display for OperatorRef {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            OperatorRef::Index(index) => write!(f, "{index}"),
            OperatorRef::Name(name) => write!(f, "{name:?}"),
            OperatorRef::Both { index, name } => write!(f, "{index} ({name:?})"),
        }
    }
}

impl OperatorRef {
    /// As it is typed: a number is an index, anything else a name.
    pub fn parse(text: &str) -> Self {
        text.parse()
            .map_or_else(|_| OperatorRef::Name(text.to_owned()), OperatorRef::Index)
    }

    /// Operator `index` of `main`, by both.
    pub fn of(main: &Subgraph, index: usize) -> Option<Self> {
        let node = main.nodes.get(index)?;
        let made = node.outputs.first().and_then(|&t| main.tensors.get(t));
        Some(match made.filter(|t| !t.name.is_empty()) {
            Some(t) => OperatorRef::Both {
                index,
                name: t.name.clone(),
            },
            None => OperatorRef::Index(index),
        })
    }

    /// What people call it: the layer in its name, `conv2d_1` of `sequential/conv2d_1/Relu`.
    pub fn layer(&self) -> String {
        match self {
            OperatorRef::Index(index) => format!("operator {index}"),
            OperatorRef::Name(name) | OperatorRef::Both { name, .. } => {
                let first = name.split(';').next().unwrap_or(name);
                let mut parts = first.rsplit('/');
                let last = parts.next().unwrap_or(first);
                parts.next().unwrap_or(last).to_owned()
            }
        }
    }

    /// Which operator of `main` this is. Fails with `Invalid` if it has no such operator, or several; `wanted` says what it is to be.
    pub fn find(&self, main: &Subgraph, wanted: &str) -> Result<usize> {
        let is_called =
            |t: &TensorId, name: &str| main.tensors.get(*t).is_some_and(|t| t.name == name);
        let makes = |i: usize, name: &str| main.nodes[i].outputs.iter().any(|t| is_called(t, name));
        let count = main.nodes.len();
        let name = match self {
            OperatorRef::Index(index) if *index < count => return Ok(*index),
            OperatorRef::Index(index) => {
                return crate::invalid!(
                    "Operator {index} cannot be {wanted}: this model has {count} operators, counted from 0."
                );
            }
            OperatorRef::Both { index, name } if *index < count && makes(*index, name) => {
                return Ok(*index);
            }
            OperatorRef::Name(name) | OperatorRef::Both { name, .. } => name,
        };
        // Exact names first, then layers as people call them.
        let called = |i: usize| OperatorRef::of(main, i).is_some_and(|o| o.layer() == *name);
        let exact = (0..count).any(|i| makes(i, name));
        let mut found = (0..count).filter(|&i| if exact { makes(i, name) } else { called(i) });
        match (found.next(), found.next()) {
            (Some(one), None) => Ok(one),
            (Some(one), Some(another)) => crate::invalid!(
                "Operators {one} and {another} are both called {name:?}: give the index of the one to be {wanted}."
            ),
            (None, _) => crate::invalid!(
                "Operator {self} cannot be {wanted}: no operator of this model makes a tensor named {name:?}; \
                 `zeropoint inspect MODEL` lists them."
            ),
        }
    }
}

/// What sets a recipe that keeps these operators float apart: `conv2d_1 and 2 more kept float`; `None` for none.
pub fn kept_words(kept: &[OperatorRef]) -> Option<String> {
    Some(format!("{} {KEPT_FLOAT}", layers(kept)?))
}

/// What sets a recipe apart in which these operators compute on int16: `conv2d_1 and 2 more in int16`; `None` for none.
pub fn int16_words(chosen: &[OperatorRef]) -> Option<String> {
    Some(format!("{} in int16", layers(chosen)?))
}

fn layers(operators: &[OperatorRef]) -> Option<String> {
    let first = operators.first()?.layer();
    Some(match &operators[1..] {
        [] => first,
        [second] => format!("{first} and {}", second.layer()),
        more => format!("{first} and {} more", more.len()),
    })
}

/// For every operator of `main`, whether `operators` name it. Fails with `Invalid` if one of them is not there, and says that it
/// cannot be `wanted`.
pub(super) fn named(main: &Subgraph, operators: &[OperatorRef], wanted: &str) -> Result<Vec<bool>> {
    let mut all = vec![false; main.nodes.len()];
    for operator in operators {
        all[operator.find(main, wanted)?] = true;
    }
    Ok(all)
}

/// For every operator of `main`, whether `recipe` sets it to int16: none in modes other than int8. Fails with `Invalid` if one is
/// not there, is kept float, too, or has no int16 kernel.
pub(super) fn int16(main: &Subgraph, recipe: &Recipe, kept: &[bool]) -> Result<Vec<bool>> {
    let mut chosen = named(main, &recipe.int16, SET_TO_INT16)?;
    for (i, node) in main.nodes.iter().enumerate().filter(|(i, _)| chosen[*i]) {
        let name = node.op.name();
        if kept[i] {
            return crate::invalid!(
                "Operator {i} ({name}) is both {KEPT_FLOAT} and {SET_TO_INT16}: choose one."
            );
        }
        if recipe.mode != Mode::Int8 || computes_no_reals(&node.op) {
            continue;
        }
        if let Err(why) = static_rule(&node.op, Width::Int16) {
            return crate::invalid!("Operator {i} ({name}) cannot be {SET_TO_INT16}: {why}.");
        }
    }
    if recipe.mode != Mode::Int8 {
        chosen.fill(false);
    }
    Ok(chosen)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::{DType, Node, Op, Tensor};

    fn chain(names: &[&str]) -> Subgraph {
        let tensor = |name: &&str| Tensor::new((*name).to_owned(), DType::Float32, vec![1]);
        let relu = |i: usize| Node::new(Op::Relu, vec![Some(i)], vec![i + 1]);
        Subgraph {
            tensors: names.iter().map(tensor).collect(),
            nodes: (0..names.len() - 1).map(relu).collect(),
            ..Subgraph::default()
        }
    }

    #[test]
    fn operators_are_found_by_index_name_or_both() {
        let main = chain(&["x", "a", "b", "a"]);
        let both = |index, name: &str| OperatorRef::Both {
            index,
            name: name.into(),
        };
        for (operator, found) in [
            (OperatorRef::parse("1"), Ok(1)),
            (OperatorRef::parse("b"), Ok(1)),
            (both(2, "a"), Ok(2)),
            (both(0, "b"), Ok(1)),
            (both(7, "b"), Ok(1)),
            (OperatorRef::parse("3"), Err("has 3 operators")),
            (OperatorRef::parse("a"), Err("Operators 0 and 2")),
            (both(1, "c"), Err("named \"c\"")),
            (OperatorRef::parse("x"), Err("named \"x\"")),
            (OperatorRef::parse("conv2d_1"), Err("named \"conv2d_1\"")),
        ] {
            match (operator.find(&main, KEPT_FLOAT), found) {
                (Ok(i), Ok(expected)) => assert_eq!(i, expected),
                (Err(e), Err(words)) => assert!(e.to_string().contains(words), "{e}"),
                other => panic!("{operator}: {other:?}"),
            }
        }
        let layer = both(4, "sequential/conv2d_1/Relu;sequential/conv2d_1/BiasAdd");
        let words = |all: &[OperatorRef]| kept_words(all);
        assert_eq!(words(&[]), None);
        let one = std::slice::from_ref(&layer);
        assert_eq!(words(one).as_deref(), Some("conv2d_1 kept float"));
        let three = [layer, OperatorRef::Index(0), both(1, "a")];
        let all = words(&three);
        assert_eq!(all.as_deref(), Some("conv2d_1 and 2 more kept float"));
        let named = chain(&[
            "x",
            "net/conv_1/Relu;net/conv_1/BiasAdd",
            "net/dense/MatMul",
            "net/dense/Add",
        ]);
        assert_eq!(OperatorRef::parse("conv_1").find(&named, KEPT_FLOAT), Ok(0));
        let twice = OperatorRef::parse("dense")
            .find(&named, SET_TO_INT16)
            .unwrap_err();
        assert!(twice.to_string().contains("Operators 1 and 2"), "{twice}");
        assert_eq!(OperatorRef::of(&main, 2), Some(both(2, "a")));
        assert_eq!(OperatorRef::of(&main, 3), None);
    }
}
