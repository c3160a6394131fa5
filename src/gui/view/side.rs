//! The side panel in words: the model card, the data, the modes, and what Run will do.

use super::format;
use crate::data::Selection;
use crate::quantize::{Io, Mode};
use crate::workbench::{OpenModel, Role, Source, Workbench, files};

/// A label and its value.
pub type Line = (String, String);

/// The model card's lines below the name: one per input and output while they are few, then operators, parameters and size.
pub fn model_lines(model: &OpenModel) -> Vec<Line> {
    let card = &model.card;
    let mut lines = vec![];
    for (label, ports) in [("Input", &card.inputs), ("Output", &card.outputs)] {
        for (i, port) in ports.iter().take(3).enumerate() {
            let label = if ports.len() == 1 {
                label.to_owned()
            } else {
                format!("{label} {i}")
            };
            lines.push((label, format!("{}, {}", port.shape, port.dtype.name())));
        }
        if ports.len() > 3 {
            lines.push((String::new(), format!("and {} more", ports.len() - 3)));
        }
    }
    lines.push(("Operators".into(), format::count(card.operator_count())));
    lines.push((
        "Size".into(),
        format!(
            "{} parameters, {}",
            format::count(card.parameters),
            format::size(card.bytes)
        ),
    ));
    lines
}

/// `2 × CONV_2D`, one line each, for the tooltip of the operator count.
pub fn operator_list(model: &OpenModel) -> String {
    let lines: Vec<String> = model
        .card
        .operators
        .iter()
        .map(|(name, n)| format!("{n} × {name}"))
        .collect();
    lines.join("\n")
}

/// What the card says of a model whose operators are not float any more.
pub fn extension(model: &OpenModel) -> String {
    match &model.path {
        None => "Demo".into(),
        Some(path) => path
            .extension()
            .map_or_else(|| "File".into(), |e| e.to_string_lossy().into_owned()),
    }
}

/// One dataset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataLines {
    /// Its file's name, or what belongs here.
    pub title: String,
    /// The name in full, for the tooltip.
    pub full: String,
    /// Whether there is data (else `title` is an invitation).
    pub chosen: bool,
    /// Whether it is being read.
    pub reading: bool,
    /// `Calibrate on` or `Evaluate on`, before the number of samples.
    pub verb: &'static str,
    /// `of 60,000 samples`, after the number; empty while nothing is read.
    pub rest: String,
    /// Samples that a run uses, of each class where they are chosen so.
    pub used: usize,
    /// Samples there are.
    pub total: usize,
    /// Whether the number keeps its meaning when it reaches `total`: chosen at random, or of each class.
    pub keeps_number: bool,
    /// What else is good to know, such as that labels were found.
    pub note: Option<&'static str>,
    /// A caution, such as that labels are missing.
    pub caution: Option<String>,
    /// Why it could not be read.
    pub error: Option<String>,
    /// Whether labels of their own can be chosen (data from a file).
    pub takes_labels: bool,
}

/// What looks wrong with the data of that role, at most two sentences, for the side panel.
pub fn data_cautions(bench: &Workbench, role: Role) -> Vec<String> {
    let Some(loaded) = &super::data::choice(bench, role).loaded else {
        return vec![];
    };
    let mut all = super::data::cautions(loaded, super::data::input_pixels(bench));
    // That they are random is said where they are chosen.
    all.retain(|_| !loaded.synthetic);
    all.truncate(2);
    all
}

/// The dataset of that role.
pub fn data_lines(bench: &Workbench, role: Role) -> DataLines {
    let choice = match role {
        Role::Calibration => &bench.calibration,
        Role::Evaluation => &bench.evaluation,
    };
    let full = match (&choice.source, &choice.loaded) {
        (Some(Source::File { path, .. }), _) => files::file_name(path),
        (Some(Source::Demo), Some(loaded)) => loaded.name.clone(),
        (Some(Source::Demo), None) => "MNIST digits".into(),
        (Some(Source::Synthetic), _) => "Random values".into(),
        (None, _) => match role {
            Role::Calibration => "No calibration data".into(),
            Role::Evaluation => "No evaluation data".into(),
        },
    };
    let total = choice.total();
    let labelled = choice
        .loaded
        .as_ref()
        .is_some_and(|l| l.dataset.labels().is_some());
    // The noun gives way to long figures and to how they are chosen.
    let rest = match (total, choice.selection) {
        (0, _) => String::new(),
        (_, Selection::PerClass { .. }) => "of each class".to_owned(),
        (_, Selection::Random { .. }) => format!("of {}, random", format::count(total)),
        (1..10_000, Selection::All | Selection::First { .. }) => {
            format!("of {} samples", format::count(total))
        }
        (_, Selection::All | Selection::First { .. }) => format!("of {}", format::count(total)),
    };
    let used = match choice.selection {
        Selection::PerClass { samples } => samples,
        Selection::All | Selection::First { .. } | Selection::Random { .. } => choice.used(),
    };
    let caution = match role {
        Role::Calibration if choice.source.is_none() => {
            Some("int8 and int16x8 need about 100 typical samples".to_owned())
        }
        Role::Calibration if choice.loaded.as_ref().is_some_and(|l| l.synthetic) => {
            Some("Random values, accuracy may suffer".to_owned())
        }
        Role::Evaluation if choice.source.is_none() => {
            Some("Without it there is no accuracy, agreement or SQNR".to_owned())
        }
        Role::Evaluation if total > 0 && !labelled => {
            Some("No labels found, agreement and SQNR only".to_owned())
        }
        Role::Calibration | Role::Evaluation => None,
    };
    DataLines {
        // The button that shows the samples takes some of the room.
        title: format::elide(&full, if total > 0 { 18 } else { 21 }),
        full,
        chosen: choice.source.is_some(),
        reading: choice.pending.is_some(),
        verb: match role {
            Role::Calibration => "Calibrate on",
            Role::Evaluation => "Evaluate on",
        },
        rest,
        used,
        total,
        keeps_number: matches!(
            choice.selection,
            Selection::Random { .. } | Selection::PerClass { .. }
        ),
        note: (role == Role::Evaluation && labelled)
            .then_some("Labels found, accuracy is measured"),
        caution,
        error: choice.error.clone(),
        takes_labels: role == Role::Evaluation
            && matches!(choice.source, Some(Source::File { .. })),
    }
}

/// When to choose a mode, in one line, and with more words for the tooltip.
pub fn when(mode: Mode) -> (&'static str, &'static str) {
    match mode {
        Mode::Float32 => (
            "Reference for every delta",
            "The model as it is, the baseline for size, speed and accuracy",
        ),
        Mode::Float16 => (
            "Half the size, same accuracy",
            "Choose it for GPUs, or when only the download must shrink; CPUs compute in float32 and gain no speed",
        ),
        Mode::Dynamic => (
            "Small, no calibration data",
            "Choose it when you have no sample data, or for networks made of large dense layers",
        ),
        Mode::Int8 => (
            "Fastest on CPUs, needs data",
            "Choose it for CPUs, microcontrollers and accelerators; needs about 100 typical samples to calibrate",
        ),
        Mode::Int16x8 => (
            "When int8 loses too much",
            "Choose it when activations need more than 256 levels; weights stay int8, speed lies between float32 and int8, \
             and it may not be accelerated",
        ),
    }
}

/// Label of an input/output type in a segment, and what it means.
pub fn io_words(io: Io) -> (&'static str, &'static str) {
    match io {
        Io::Float32 => ("f32", "Reals in and out; the file converts at its ends"),
        Io::Int8 => ("i8", "Signed bytes in and out"),
        Io::Uint8 => ("u8", "Unsigned bytes in and out"),
        Io::Int16 => ("i16", "16-bit integers in and out"),
    }
}

/// What the Run button says, whether it can be pressed, and the hint below it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunButton {
    /// `Run 3 experiments`.
    pub label: String,
    /// Whether pressing it does anything.
    pub enabled: bool,
    /// Why it cannot, or what it reuses; empty when there is nothing to say.
    pub hint: String,
}

/// The Run button.
pub fn run_button(bench: &Workbench) -> RunButton {
    let wanted = bench.wanted().len();
    let new = bench.new_work();
    if let Some(obstacle) = bench.run_obstacle() {
        return RunButton {
            label: "Run".into(),
            enabled: false,
            hint: obstacle,
        };
    }
    let pending = bench.experiments.iter().filter(|e| e.is_pending()).count();
    let plural = |n: usize| if n == 1 { "experiment" } else { "experiments" };
    if new == 0 {
        let hint = if pending > 0 {
            format!("{pending} on the way")
        } else {
            let results = if wanted == 1 { "result" } else { "results" };
            format!("Nothing new to run, {wanted} {results} reused")
        };
        return RunButton {
            label: "Run".into(),
            enabled: false,
            hint,
        };
    }
    let reused = wanted - new;
    let all_new = bench.experiments.is_empty();
    RunButton {
        label: if all_new {
            format!("Run {new} {}", plural(new))
        } else {
            format!("Run {new} new {}", plural(new))
        },
        enabled: true,
        hint: match (reused, pending) {
            (0, 0) => String::new(),
            (0, p) => format!("Starts after {p} on the way"),
            (r, _) => format!("{r} of {wanted} unchanged and reused"),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workbench::Command;
    use std::sync::Arc;

    fn bench() -> Workbench {
        Workbench::new(Arc::new(|| {}))
    }

    #[test]
    fn run_says_why_it_cannot() {
        let mut bench = bench();
        let button = run_button(&bench);
        assert!(!button.enabled);
        assert_eq!(button.hint, "Open a model first");
        for mode in Mode::ALL {
            bench.apply(Command::SetMode(mode, false));
        }
        assert!(!run_button(&bench).enabled);
    }

    #[test]
    fn empty_data_invites() {
        let lines = data_lines(&bench(), Role::Calibration);
        assert_eq!(lines.title, "No calibration data");
        assert!(!lines.chosen && lines.caution.is_some() && lines.rest.is_empty());
    }

    #[test]
    fn every_io_of_every_mode_has_its_own_label() {
        for mode in Mode::ALL {
            let labels: Vec<_> = mode.ios().iter().map(|&io| io_words(io).0).collect();
            let mut unique = labels.clone();
            unique.dedup();
            assert_eq!(labels, unique);
        }
    }
}
