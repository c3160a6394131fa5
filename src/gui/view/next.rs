//! The next experiment that the Layers tab makes: operators kept float, on top of another experiment's recipe.

use crate::quantize::{Mode, OperatorRef, Recipe};
use crate::workbench::{Experiment, ExperimentId, Workbench};

/// What the user has chosen so far.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Next {
    /// Operators to keep float.
    pub kept: Vec<OperatorRef>,
    /// Whose recipe it starts from; `None` for the chosen experiment, or int8.
    pub from: Option<ExperimentId>,
}

impl Next {
    /// Whether this operator is in it.
    pub fn keeps(&self, operator: &OperatorRef) -> bool {
        self.kept.contains(operator)
    }

    /// Takes an operator out.
    pub fn remove(&mut self, operator: &OperatorRef) {
        self.kept.retain(|k| k != operator);
    }

    /// The recipe of the new experiment.
    pub fn recipe(&self, from: &Recipe) -> Recipe {
        let mut recipe = from.clone();
        for operator in &self.kept {
            if !recipe.keep_float.contains(operator) {
                recipe.keep_float.push(operator.clone());
            }
        }
        recipe
    }
}

/// Experiments that keeping operators float can start from.
pub fn bases(bench: &Workbench) -> Vec<&Experiment> {
    let all = bench.experiments.iter();
    all.filter(|e| e.mode() != Mode::Float32).collect()
}

/// The one it starts from: chosen for it, else the chosen experiment, else int8, else the first.
pub fn base<'a>(
    bench: &'a Workbench,
    next: &Next,
    selected: Option<ExperimentId>,
) -> Option<&'a Experiment> {
    let possible = bases(bench);
    let wanted = |id: Option<ExperimentId>| possible.iter().find(|e| Some(e.id) == id);
    wanted(next.from)
        .or_else(|| wanted(selected))
        .or_else(|| possible.iter().find(|e| e.mode() == Mode::Int8))
        .or(possible.first())
        .copied()
}

/// `4 conv2d_1`.
pub fn words(operator: &OperatorRef) -> String {
    match operator {
        OperatorRef::Both { index, .. } => format!("{index} {}", operator.layer()),
        OperatorRef::Index(_) | OperatorRef::Name(_) => operator.layer(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operators_are_added_to_those_of_the_recipe_once() {
        let operator = |index| OperatorRef::Both {
            index,
            name: format!("net/layer_{index}/Relu"),
        };
        let mut next = Next {
            kept: vec![operator(1), operator(4)],
            from: None,
        };
        let from = Recipe {
            keep_float: vec![operator(4), operator(2)],
            ..Recipe::default()
        };
        let kept = next.recipe(&from).keep_float;
        assert_eq!(kept, [operator(4), operator(2), operator(1)]);
        assert_eq!(words(&operator(4)), "4 layer_4");
        next.remove(&operator(1));
        assert!(!next.keeps(&operator(1)) && next.keeps(&operator(4)));
    }
}
