//! Everything a user can do, as data: the window and the tests speak to the workbench only through these.

use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;

use super::jobs::JobId;
use super::litert::Engine;
use super::{ClassSource, ExperimentId, ModelId, Role};
use crate::data::{Drawing, Preprocess, Selection};
use crate::quantize::{Io, Mode, Recipe};

/// One action of the user, carried out by [`Workbench::apply`](super::Workbench::apply).
#[derive(Debug, Clone, PartialEq)]
pub enum Command {
    /// Open the model of this file beside those that are open, and make it the current one; of a file that is open already just the
    /// latter.
    OpenModel(PathBuf),
    /// Open the built-in MNIST experiment: model, calibration data and test data.
    OpenDemo,
    /// Make this open model the current one.
    SelectModel(ModelId),
    /// Close this model and stop its jobs; [`Command::Undo`] brings it back as long as its message stands.
    CloseModel(ModelId),
    /// Work on this subgraph of the open file (as numbered in it); results of the one before wait for it to come back.
    ChooseEntry(usize),
    /// Give the main input of that name this shape; `None` for what the file declares.
    SetInputShape(String, Option<Vec<usize>>),
    /// Take this file or folder as calibration or evaluation data.
    ChooseData(Role, PathBuf),
    /// Take the labels of this file for the data of that role.
    ChooseLabels(Role, PathBuf),
    /// Calibrate on random values (marked as such wherever its figures appear).
    UseRandomValues,
    /// Use no data for that role.
    ClearData(Role),
    /// How many of the samples to use, chosen as before (from the first where all were used); `None` for all.
    SetSamples(Role, Option<usize>),
    /// Which of the samples to use.
    SetSelection(Role, Selection),
    /// How files of folders become inputs, for both roles; `None` for what the model says, or the default.
    SetPreprocess(Option<Preprocess>),
    /// Which class of a folder is which output of the model.
    SetClasses(ClassSource),
    /// The label column of tables: its name, or without a header its number from 1; `None` for a usual name.
    SetLabelColumn(Option<String>),
    /// Make pictures of these samples of the evaluation data, as the model sees them.
    ShowSamples(Vec<usize>),
    /// Put this picture on the pad (of any size: it is fitted to the model's input) and ask every experiment; `None` empties it.
    Draw(Option<Arc<Drawing>>),
    /// Put the picture of this file on the pad.
    DrawImage(PathBuf),
    /// Switch a mode on or off.
    SetMode(Mode, bool),
    /// Switch one input/output type of a mode on or off; each gives a file of its own.
    SetIo(Mode, Io, bool),
    /// Make operators that would stay float an error.
    SetStrict(bool),
    /// Threads that latency is measured with and jobs may use.
    SetThreads(usize),
    /// Choose the engine that figures come from.
    SetEngine(Engine),
    /// Look for LiteRT there: its library, its folder or a Python environment; `None` for the usual places.
    SetLitertPlace(Option<PathBuf>),
    /// Look whether the files of model and data changed since they were read, and read those again; Run does so by itself.
    Recheck,
    /// Run every chosen experiment that has no result yet for this model, recipe and data.
    Run,
    /// Stop this job, running or queued; finished results stay.
    Cancel(JobId),
    /// Stop every job.
    CancelAll,
    /// Run this experiment again, whether or not its figures are still valid.
    Rerun(ExperimentId),
    /// Add an experiment with this recipe to the list; Run computes it.
    Add(Box<Recipe>),
    /// Add another experiment with the recipe (and the figures) of this one.
    Duplicate(ExperimentId),
    /// Give an experiment another recipe; its figures stay, marked as older, until it is run.
    SetRecipe(ExperimentId, Box<Recipe>),
    /// Call an experiment so; an empty name gives it back the words of its recipe.
    Rename(ExperimentId, String),
    /// Put an experiment above the others, or back to its place.
    Pin(ExperimentId, bool),
    /// Take deltas against this experiment; `None` for the first float32 one.
    SetBaseline(Option<ExperimentId>),
    /// Remove an experiment from the list; [`Command::Undo`] brings it back with its figures.
    Delete(ExperimentId),
    /// Take back the last change to the list of experiments or the chosen modes.
    Undo,
    /// Make the change again that was taken back last.
    Redo,
    /// Write an experiment's file there, whole or not at all.
    Save(ExperimentId, PathBuf),
    /// Write a report of everything that has run there, in the form that the name's ending asks for.
    SaveReport(PathBuf),
    /// Write these bytes there, whole or not at all.
    WriteFile(PathBuf, Bytes),
    /// Write the session there: everything that is open and everything that came of it.
    SaveSession(PathBuf),
    /// Open the session of this file; what is open stays until it is read.
    OpenSession(PathBuf),
    /// Forget a file of the recent list.
    ForgetRecent(PathBuf),
    /// Close the message of that number.
    Dismiss(u64),
}

impl Command {
    /// The experiment that it changes or runs.
    pub(super) fn subject(&self) -> Option<ExperimentId> {
        let (Self::Rerun(id)
        | Self::Duplicate(id)
        | Self::SetRecipe(id, _)
        | Self::Rename(id, _)
        | Self::Pin(id, _)
        | Self::Delete(id)) = self
        else {
            return None;
        };
        Some(*id)
    }
}
