//! The parts of a file and the shapes of its inputs, in words.

use crate::workbench::{OpenInput, Workbench};

/// What the model card offers besides what it says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct EntryLines {
    /// Names of the signatures or subgraphs to choose from; empty where there is only one.
    pub names: Vec<String>,
    /// Index of the one that is worked on.
    pub chosen: usize,
    /// Inputs whose shape can be typed.
    pub shapes: Vec<ShapeLine>,
    /// Whether another choice is being prepared.
    pub pending: bool,
    /// Why the last choice could not be taken.
    pub error: Option<String>,
}

/// An input whose shape can be typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShapeLine {
    /// The input's name.
    pub name: String,
    /// The shape as it was given, ready to be changed; empty where none was.
    pub typed: String,
    /// What to type, such as `1, ?, ?, 3`.
    pub hint: String,
    /// What the file says of it, and what can be done, for the tooltip.
    pub tooltip: String,
    /// Why a shape must be typed before anything runs, in one sentence.
    pub ask: Option<String>,
}

/// The extents joined by `, `.
pub fn typed_shape(shape: &[usize]) -> String {
    let extents: Vec<_> = shape.iter().map(usize::to_string).collect();
    extents.join(", ")
}

/// What can be chosen of the open model.
pub fn entry_lines(bench: &Workbench) -> EntryLines {
    let Some(model) = &bench.model else {
        return EntryLines::default();
    };
    let chosen = |e: &crate::workbench::EntryCard| e.subgraph == model.entry.subgraph;
    let several = model.entries.len() > 1;
    EntryLines {
        names: match several {
            true => model.entries.iter().map(|e| e.name.clone()).collect(),
            false => vec![],
        },
        chosen: model.entries.iter().position(chosen).unwrap_or(0),
        shapes: model
            .open_inputs()
            .iter()
            .map(|i| line(i, model.shape_obstacle.is_some()))
            .collect(),
        pending: bench.entry_pending.is_some(),
        error: bench.entry_error.clone(),
    }
}

fn line(input: &OpenInput, stuck: bool) -> ShapeLine {
    let extents: Vec<_> = input.shape.iter().map(usize::to_string).collect();
    let example = match input.shape.len() {
        4 => "1, 224, 224, 3",
        3 => "1, 100, 40",
        2 => "1, 128",
        _ => "1, 16",
    };
    let hint = match input.declared.trim_matches(['[', ']']) {
        "any shape" | "fixed" => example.to_owned(),
        declared => declared.to_owned(),
    };
    ShapeLine {
        typed: match input.given {
            true => typed_shape(&input.shape),
            false => String::new(),
        },
        tooltip: format!(
            "The file declares {} for {}; it runs as {} now. Type another shape such as {example}, or clear the field for what \
             the file says",
            input.declared,
            input.name,
            extents.join(" × "),
        ),
        hint,
        ask: (stuck && !input.given).then(|| {
            format!(
                "Input {} has open axes and cannot run as {}, type its shape such as {example}",
                input.name,
                extents.join(" × ")
            )
        }),
        name: input.name.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_open_input_asks_only_where_it_must() {
        let input = OpenInput {
            name: "image".into(),
            declared: "[?, ?, ?, 3]".into(),
            shape: vec![1, 1, 1, 3],
            given: false,
        };
        let relaxed = line(&input, false);
        assert_eq!((relaxed.hint.as_str(), relaxed.ask), ("?, ?, ?, 3", None));
        let stuck = line(&input, true).ask.unwrap();
        assert_eq!(
            stuck,
            "Input image has open axes and cannot run as 1 × 1 × 1 × 3, type its shape such as 1, 224, 224, 3"
        );
        let given = OpenInput {
            given: true,
            shape: vec![1, 96, 96, 3],
            ..input
        };
        let line = line(&given, true);
        assert_eq!((line.typed.as_str(), line.ask), ("1, 96, 96, 3", None));
    }
}
