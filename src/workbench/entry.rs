//! Which part of a file is worked on: a signature or subgraph, and the shapes of inputs whose axes the file leaves open.

use std::sync::Arc;

use super::jobs::{JobKind, Stage};
use super::model::{ModelCard, OpenModel};
use super::{DataChoice, Event, Experiment, Reading, Role, State, Workbench};
use crate::engine::{self, Options};
use crate::error::Result;
use crate::graph::Graph;
use crate::invalid;

/// Most elements of one input whose shape is typed, 1 GB as float32.
const MOST_ELEMENTS: usize = 1 << 28;

/// What a user picked of a file.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
pub struct Entry {
    /// Which subgraph, as numbered in the file.
    pub subgraph: usize,
    /// Shapes of inputs, where they are not those that the file declares.
    pub shapes: Vec<(String, Vec<usize>)>,
}

/// A part of a file that can be picked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntryCard {
    /// The signature's key, else the subgraph's name and number.
    pub name: String,
    /// Which subgraph it enters, as numbered in the file.
    pub subgraph: usize,
}

/// An input whose shape a user can or must give.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenInput {
    /// Its name.
    pub name: String,
    /// What the file says, such as `[?, ?, ?, 3]`.
    pub declared: String,
    /// The shape it has now.
    pub shape: Vec<usize>,
    /// Whether that shape was given, by the user or by data.
    pub given: bool,
}

/// What was there of another entry of the open file; it comes back with the entry.
#[derive(Debug)]
pub(super) struct Aside {
    pub entry: Entry,
    pub version: u64,
    pub experiments: Vec<Experiment>,
    pub calibration: DataChoice,
    pub evaluation: DataChoice,
    pub reading: Reading,
}

/// The parts of a file in the order of its signatures, then of those subgraphs that no signature enters and no node calls.
pub fn entries(file: &Graph) -> Vec<EntryCard> {
    let mut cards: Vec<EntryCard> = vec![];
    for signature in &file.signatures {
        // Several keys may enter one subgraph: the first is enough to pick it.
        if cards.iter().all(|c| c.subgraph != signature.subgraph) {
            cards.push(EntryCard {
                name: signature.key.clone(),
                subgraph: signature.subgraph,
            });
        }
    }
    let called = file.called_subgraphs();
    for (i, subgraph) in file.subgraphs.iter().enumerate() {
        if called.contains(&i) || cards.iter().any(|c| c.subgraph == i) {
            continue;
        }
        let name = match subgraph.name.as_deref().filter(|n| !n.is_empty()) {
            Some(name) => format!("{name} (subgraph {i})"),
            None => format!("Subgraph {i}"),
        };
        cards.push(EntryCard { name, subgraph: i });
    }
    cards
}

impl OpenModel {
    /// The same file with this part of it to work on.
    ///
    /// # Errors
    /// Invalid for a subgraph or an input that is not there, or a shape that the input cannot take.
    pub fn enter(&self, entry: Entry) -> Result<Self> {
        if entry == self.entry {
            return Ok(self.clone());
        }
        for (name, shape) in &entry.shapes {
            let elements = shape.iter().try_fold(1usize, |n, &d| n.checked_mul(d));
            if elements.is_none_or(|n| n > MOST_ELEMENTS) {
                return invalid!(
                    "{}: input {name:?} would hold more than {MOST_ELEMENTS} elements in the shape {shape:?}, choose a smaller one",
                    self.name
                );
            }
        }
        let graph = Graph::clone(&self.file)
            .with_main(entry.subgraph)
            .and_then(|g| g.with_input_shapes(&entry.shapes))
            .map_err(|e| e.at(&self.name))?;
        Ok(Self {
            card: ModelCard::of(&graph, self.bytes.len()),
            graph: Arc::new(graph),
            entry,
            shape_obstacle: None,
            ..self.clone()
        })
    }

    /// Notes why the model cannot run at the shapes that it has, if some of its inputs have open axes; looks at nothing else.
    pub fn check_shapes(&mut self) {
        self.shape_obstacle = match self.graph.open_inputs().is_empty() {
            true => None,
            false => engine::prepare(self.graph.clone(), None, &Options::default())
                .err()
                .map(|e| e.to_string()),
        };
    }

    /// Inputs whose axes the file leaves open (the batch aside), and those that were given another shape.
    pub fn open_inputs(&self) -> Vec<OpenInput> {
        let main = self.graph.main();
        let open = self.graph.open_inputs();
        let tensors = main.inputs.iter().filter_map(|&id| main.tensors.get(id));
        tensors
            .filter_map(|t| {
                let given = self.entry.shapes.iter().any(|(n, _)| *n == t.name);
                let declared = open.iter().find(|(name, _)| *name == t.name);
                (given || declared.is_some()).then(|| OpenInput {
                    name: t.name.clone(),
                    declared: declared.map_or_else(|| "fixed".to_owned(), |d| d.1.clone()),
                    shape: t.shape.clone(),
                    given,
                })
            })
            .collect()
    }
}

impl Workbench {
    /// The input that needs a shape before the model can run.
    pub fn wanted_shape(&self) -> Option<String> {
        let model = self.model.as_ref()?;
        model.shape_obstacle.as_ref()?;
        let open = model.open_inputs();
        open.into_iter().find(|i| !i.given).map(|i| i.name)
    }

    /// The same entry with another shape of one input; `None` for what the file declares.
    pub(super) fn set_input_shape(&mut self, name: String, shape: Option<Vec<usize>>) {
        let Some(model) = &self.model else { return };
        let mut entry = model.entry.clone();
        entry.shapes.retain(|(n, _)| *n != name);
        entry.shapes.extend(shape.map(|s| (name, s)));
        self.enter(entry);
    }

    /// The same entry with other shapes of these inputs.
    pub(super) fn set_input_shapes(&mut self, shapes: Vec<(String, Vec<usize>)>) {
        let Some(model) = &self.model else { return };
        let mut entry = model.entry.clone();
        let given = |name: &String| shapes.iter().any(|(n, _)| n == name);
        entry.shapes.retain(|(n, _)| !given(n));
        entry.shapes.extend(shapes);
        self.enter(entry);
    }

    /// Prepares another entry of the open file; the one that is open stays until it is ready.
    pub(super) fn enter(&mut self, entry: Entry) {
        let Some(model) = self.model.clone() else {
            return;
        };
        if let Some(earlier) = self.entry_pending.take() {
            self.jobs.cancel(earlier);
        }
        self.entry_error = None;
        if model.entry == entry {
            return;
        }
        let name = model.name.clone();
        let id = self.jobs.start(JobKind::Entry(name), move |job| {
            job.stage(Stage::File)?;
            let given = !entry.shapes.is_empty();
            let mut model = model.enter(entry)?;
            model.check_shapes();
            // A shape that was asked for must run; an entry may still wait for its shape.
            if let (true, Some(why)) = (given, &model.shape_obstacle) {
                return invalid!("The model cannot run at this shape: {why}");
            }
            job.send(Event::Entry(Box::new(model)));
            Ok(())
        });
        self.entry_pending = Some(id);
    }

    /// Puts aside what belongs to the entry before, and brings back what was there of this one.
    pub(super) fn entered(&mut self, model: OpenModel) {
        for e in &mut self.open.experiments {
            if let State::Pending(job) = e.state {
                self.jobs.cancel(job);
                // What the job still says goes nowhere.
                e.state = State::Cancelled;
            }
        }
        let entry = model.entry.clone();
        let Some(before) = self.model.replace(model) else {
            return;
        };
        let back = self.asides.iter().position(|a| a.entry == entry);
        let back = back.map(|at| self.asides.remove(at));
        let open = &mut self.open;
        open.asides.push(Aside {
            entry: before.entry,
            version: open.model_version,
            experiments: std::mem::take(&mut open.experiments),
            calibration: open.calibration.clone(),
            evaluation: open.evaluation.clone(),
            reading: open.reading.clone(),
        });
        let (mut calibration, mut evaluation) = (None, None);
        let mut read_alike = true;
        match back {
            Some(aside) => {
                read_alike = aside.reading == self.reading;
                self.model_version = aside.version;
                self.experiments = aside.experiments;
                (calibration, evaluation) = (Some(aside.calibration), Some(aside.evaluation));
            }
            None => self.new_model_version(),
        }
        for (role, held) in [
            (Role::Calibration, calibration),
            (Role::Evaluation, evaluation),
        ] {
            let now = self.choice_mut(role);
            let source = now.source.clone();
            match held {
                // The samples that its results were made with.
                Some(held)
                    if read_alike
                        && held.is_same_choice(now)
                        && held.loaded.is_some() == held.source.is_some() =>
                {
                    let reading = std::mem::replace(now, held).pending;
                    now.pending = None;
                    reading.into_iter().for_each(|job| self.jobs.cancel(job));
                }
                _ => self.choose(role, source),
            }
        }
    }
}

/// The extents of a typed shape: whole numbers between commas, blanks or ×, perhaps in brackets.
///
/// # Errors
/// Invalid, saying what to type.
pub fn parse_shape(typed: &str) -> Result<Vec<usize>> {
    let bare = typed.trim().trim_matches(|c| "[]()".contains(c));
    let parts = bare
        .split(|c: char| c == ',' || c == '×' || c == 'x' || c.is_whitespace())
        .filter(|p| !p.is_empty());
    let extents: std::result::Result<Vec<usize>, _> = parts.map(str::parse).collect();
    match extents {
        Ok(shape) if !shape.is_empty() && !shape.contains(&0) => Ok(shape),
        _ => invalid!(
            "{:?} is no shape, type whole numbers from 1 such as 1, 224, 224, 3",
            typed.trim()
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_are_typed_in_many_ways() {
        for typed in [
            "1,16,16,3",
            " [1, 16, 16, 3] ",
            "1 × 16 × 16 × 3",
            "(1x16x16x3)",
        ] {
            assert_eq!(parse_shape(typed).unwrap(), [1, 16, 16, 3], "{typed}");
        }
        for typed in ["", "1,?,3", "1,0,3", "1,-1", "99999999999999999999999"] {
            let error = parse_shape(typed).expect_err(typed).to_string();
            assert!(error.contains("type whole numbers"), "{error}");
        }
    }
}
