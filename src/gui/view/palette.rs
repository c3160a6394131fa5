//! The one list of what can be done now, for the palette: names, and what each does.

use super::side::io_words;
use crate::gui::actions::Action;
use crate::gui::dialogs::Ask;
use crate::gui::panels::usage::Of;
use crate::quantize::Mode;
use crate::workbench::litert::Engine;
use crate::workbench::{Command, Experiment, Role, Workbench, files};

/// What an entry does.
#[derive(Debug, Clone, PartialEq)]
pub enum What {
    /// As its shortcut.
    Action(Action),
    /// Commands of the workbench.
    Commands(Vec<Command>),
    /// Asks for a file or folder.
    Ask(Ask),
    /// Shows the data of that role.
    Data(Role),
    /// Explains how to use a file.
    Usage(Of),
    /// Shows the table of operators.
    Operators,
    /// The other of dark and light.
    Theme,
}

/// One thing that can be done.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// In words, beginning with a verb.
    pub name: String,
    /// What it does.
    pub what: What,
}

/// Everything that can be done now.
pub fn entries(bench: &Workbench) -> Vec<Entry> {
    let mut all = vec![];
    let mut add = |name: String, what: What| all.push(Entry { name, what });
    let open = bench.model.is_some();
    for action in Action::ALL {
        let possible = match action {
            Action::Escape | Action::Palette | Action::NextPart | Action::PartBefore => false,
            Action::Open | Action::Help | Action::Larger | Action::Smaller | Action::NormalSize => {
                true
            }
            Action::Run => open && super::side::run_button(bench).enabled,
            Action::Cancel => !bench.jobs().is_idle(),
            Action::Report => bench.experiments.iter().any(|e| e.file.is_some()),
            Action::Save => open,
            // With the name of what they take back, below.
            Action::Undo | Action::Redo => false,
            Action::Side | Action::Tab(_) => open,
        };
        if possible {
            add(action.name(), What::Action(action));
        }
    }
    add(
        "Open the MNIST demo".into(),
        What::Commands(vec![Command::OpenDemo]),
    );
    add("Open a session…".into(), What::Ask(Ask::OpenSession));
    for model in bench.models() {
        let name = model.name();
        if model.id != bench.id {
            let select = Command::SelectModel(model.id);
            add(format!("Show {name}"), What::Commands(vec![select]));
        }
        let close = Command::CloseModel(model.id);
        add(format!("Close {name}"), What::Commands(vec![close]));
    }
    for path in &bench.recent {
        let open = Command::OpenModel(path.clone());
        add(
            format!("Open {}", files::file_name(path)),
            What::Commands(vec![open]),
        );
    }
    add("Show the table of operators".into(), What::Operators);
    add("Switch between dark and light".into(), What::Theme);
    if !open {
        return all;
    }
    if let Some(model) = &bench.model {
        let name = super::session::file_name(model);
        add(
            "Save the session as…".into(),
            What::Ask(Ask::SaveSession(name)),
        );
    }
    for (verb, what, command) in [
        ("Undo", bench.undo_name(), Command::Undo),
        ("Redo", bench.redo_name().map(str::to_owned), Command::Redo),
    ] {
        if let Some(what) = what {
            add(format!("{verb} {what}"), What::Commands(vec![command]));
        }
    }
    add(
        "Look for files that changed".into(),
        What::Commands(vec![Command::Recheck]),
    );
    for (role, name) in [
        (Role::Calibration, "calibration"),
        (Role::Evaluation, "evaluation"),
    ] {
        add(format!("Preview {name} data"), What::Data(role));
        add(format!("Choose {name} file…"), What::Ask(Ask::Data(role)));
        add(
            format!("Choose {name} folder…"),
            What::Ask(Ask::Folder(role)),
        );
        let clear = Command::ClearData(role);
        add(format!("Use no {name} data"), What::Commands(vec![clear]));
    }
    add(
        "Calibrate on random values".into(),
        What::Commands(vec![Command::UseRandomValues]),
    );
    for choice in &bench.modes {
        let (verb, on) = match choice.chosen {
            true => ("Leave out", false),
            false => ("Include", true),
        };
        let name = format!("{verb} {}", choice.mode.name());
        add(
            name,
            What::Commands(vec![Command::SetMode(choice.mode, on)]),
        );
        for &io in choice
            .mode
            .ios()
            .iter()
            .filter(|_| choice.mode.ios().len() > 1)
        {
            let on = !choice.ios.contains(&io);
            let verb = if on { "Add" } else { "Drop" };
            let meaning = io_words(io).1.to_lowercase();
            let name = format!(
                "{verb} {} with {} I/O: {meaning}",
                choice.mode.name(),
                io.name()
            );
            add(
                name,
                What::Commands(vec![Command::SetIo(choice.mode, io, on)]),
            );
        }
    }
    let only = |mode: Mode| Mode::ALL.map(|m| Command::SetMode(m, m == mode || m == Mode::Float32));
    for mode in Mode::ALL.into_iter().filter(|&m| m != Mode::Float32) {
        let name = format!("Choose only float32 and {}", mode.name());
        add(name, What::Commands(only(mode).to_vec()));
    }
    for engine in Engine::ALL.into_iter().filter(|&e| e != bench.engine) {
        let by = match engine {
            Engine::Zeropoint | Engine::Litert => engine.name(),
            Engine::Both => "both engines",
        };
        let set = Command::SetEngine(engine);
        add(format!("Measure by {by}"), What::Commands(vec![set]));
    }
    let strict = match bench.strict {
        true => "Let operators stay float",
        false => "Let no operator stay float",
    };
    add(
        strict.into(),
        What::Commands(vec![Command::SetStrict(!bench.strict)]),
    );
    if let Some(model) = &bench.model {
        for entry in model.entries.iter() {
            if entry.subgraph != model.entry.subgraph {
                let enter = Command::ChooseEntry(entry.subgraph);
                add(
                    format!("Work on signature {}", entry.name),
                    What::Commands(vec![enter]),
                );
            }
        }
        add(format!("How to use {}", model.name), What::Usage(Of::Model));
    }
    for e in bench.experiments.iter().filter(|e| e.file.is_some()) {
        let name = e.name();
        add(
            format!("How to use {name}"),
            What::Usage(Of::Experiment(e.id)),
        );
    }
    let baseline = bench.baseline().map(|e| e.id);
    for (model, e) in other_experiments(bench) {
        let baseline = Command::SetBaseline(Some(e.id));
        let name = format!("Compare with {} of {model} as baseline", e.name());
        add(name, What::Commands(vec![baseline]));
    }
    for e in &bench.experiments {
        let name = e.name();
        let mut one = |words: String, command| add(words, What::Commands(vec![command]));
        one(format!("Run {name} again"), Command::Rerun(e.id));
        one(format!("Duplicate {name}"), Command::Duplicate(e.id));
        let verb = if e.intent.pinned { "Unpin" } else { "Pin" };
        one(
            format!("{verb} {name}"),
            Command::Pin(e.id, !e.intent.pinned),
        );
        if baseline != Some(e.id) {
            let command = Command::SetBaseline(Some(e.id));
            one(format!("Compare with {name} as baseline"), command);
        }
        one(format!("Delete {name}"), Command::Delete(e.id));
    }
    all
}

/// The experiments of the models that are not current, each with its model's name.
fn other_experiments(bench: &Workbench) -> Vec<(&str, &Experiment)> {
    let others = bench.models().into_iter().filter(|d| d.id != bench.id);
    others
        .flat_map(|d| d.experiments.iter().map(|e| (d.name(), e)))
        .collect()
}

/// The entries whose names hold every typed word, those that begin with the text first.
pub fn matching(entries: Vec<Entry>, typed: &str) -> Vec<Entry> {
    let typed = typed.trim().to_lowercase();
    let words: Vec<&str> = typed.split_whitespace().collect();
    let mut found: Vec<(bool, Entry)> = entries
        .into_iter()
        .map(|e| (e.name.to_lowercase(), e))
        .filter(|(name, _)| words.iter().all(|w| name.contains(w)))
        .map(|(name, e)| (!name.starts_with(&typed), e))
        .collect();
    // Stable: within both groups the list's own order.
    found.sort_by_key(|(later, _)| *later);
    found.into_iter().map(|(_, e)| e).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    #[test]
    fn without_a_model_only_opening_and_looks_are_offered() {
        let bench = Workbench::new(Arc::new(|| {}));
        let names: Vec<String> = entries(&bench).into_iter().map(|e| e.name).collect();
        assert_eq!(
            names,
            [
                "Open a model…",
                "Help",
                "Larger",
                "Smaller",
                "Normal size",
                "Open the MNIST demo",
                "Open a session…",
                "Show the table of operators",
                "Switch between dark and light"
            ]
        );
    }

    #[test]
    fn every_word_must_occur_and_beginnings_come_first() {
        let entry = |name: &str| Entry {
            name: name.into(),
            what: What::Theme,
        };
        let all = vec![
            entry("Use no evaluation data"),
            entry("Evaluation data"),
            entry("Run"),
        ];
        let found: Vec<_> = matching(all, " evaluation DATA ")
            .into_iter()
            .map(|e| e.name)
            .collect();
        assert_eq!(found, ["Evaluation data", "Use no evaluation data"]);
    }
}
