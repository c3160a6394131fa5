//! The draw pad: what every experiment answers to a picture, newest picture only.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::experiment::{ExperimentId, QuantizedFile};
use super::jobs::{JobHandle, JobId, JobKind};
use super::{Event, Workbench, files};
use crate::data::{self, Drawing, ImageInput, Preprocess};
use crate::error::Result;
use crate::evaluate::{Answer, Single};

/// Least time between two jobs.
const PACE: Duration = Duration::from_millis(50);

/// What is on the pad and what came of it.
#[derive(Debug, Default)]
pub struct Pad {
    /// The picture, at the size of the model's input; `None` for a blank pad.
    pub drawing: Option<Arc<Drawing>>,
    /// Answers to `drawing`, or to the one before while a job runs, in the order of the experiments.
    pub answers: Vec<PadAnswer>,
    /// Why a picture could not be taken, in a sentence.
    pub error: Option<String>,
    /// Counts pictures and lists of experiments.
    asked: u64,
    /// Which of them `answers` are of.
    answered: u64,
    pending: Option<JobId>,
    reading: Option<JobId>,
    started: Option<Instant>,
    prepared: Arc<Mutex<Prepared>>,
}

/// Models that were asked before, each with the address of its file.
#[derive(Default)]
struct Prepared(Vec<(usize, Single)>);

impl std::fmt::Debug for Prepared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Prepared({})", self.0.len())
    }
}

/// What one experiment says of the picture.
#[derive(Debug, Clone, PartialEq)]
pub struct PadAnswer {
    /// Whose answer.
    pub experiment: ExperimentId,
    /// The answer, or why there is none.
    pub answer: Result<Answer, String>,
}

/// What a job found.
#[derive(Debug)]
pub struct PadAnswers {
    asked: u64,
    answers: Vec<PadAnswer>,
}

impl Pad {
    /// Waits for no job any more.
    pub(super) fn stop(&mut self) {
        (self.pending, self.reading) = (None, None);
    }

    /// Whether `answers` are those to what is on the pad now.
    pub fn is_current(&self) -> bool {
        self.drawing.is_some() && self.answered == self.asked
    }
}

impl Workbench {
    /// The image that the open model takes, or why nothing can be drawn.
    pub fn image_input(&self) -> Result<ImageInput> {
        match &self.model {
            Some(model) => ImageInput::of(&data::input_specs(&model.graph, 0)),
            None => crate::invalid!("Open a model to draw for it"),
        }
    }

    /// How pictures become its inputs: as the evaluation data does, else as the user says, else 0 to 1.
    pub fn pad_preprocess(&self) -> Preprocess {
        let of_data = self.evaluation.loaded.as_ref();
        let of_data = of_data.and_then(|l| l.preprocess.clone());
        of_data
            .or_else(|| self.reading.preprocess.clone())
            .unwrap_or_default()
    }

    /// Takes the picture; one of another size is fitted first, as a job.
    pub(super) fn draw(&mut self, drawing: Option<Arc<Drawing>>) {
        self.pad.error = None;
        let Some(drawing) = drawing else {
            self.pad.drawing = None;
            self.pad.answers.clear();
            self.pad.asked += 1;
            return;
        };
        match self.image_input() {
            Err(e) => self.pad.error = Some(e.to_string()),
            Ok(input) if (drawing.width, drawing.height) == (input.width, input.height) => {
                self.drawn(drawing);
            }
            Ok(input) => self.fit_drawing(input, move || Ok((*drawing).clone())),
        }
    }

    /// Takes the picture of this file.
    pub(super) fn draw_image(&mut self, path: PathBuf) {
        match self.image_input() {
            Err(e) => self.pad.error = Some(e.to_string()),
            Ok(input) => self.fit_drawing(input, move || {
                let picture = Drawing::decode(&files::read(&path)?);
                picture.map_err(|e| e.at(files::file_name(&path)))
            }),
        }
    }

    fn fit_drawing(
        &mut self,
        input: ImageInput,
        read: impl FnOnce() -> Result<Drawing> + Send + 'static,
    ) {
        if let Some(earlier) = self.pad.reading.take() {
            self.jobs.cancel(earlier);
        }
        self.pad.error = None;
        let preprocess = self.pad_preprocess();
        let id = self.jobs.start(JobKind::Answers, move |job| {
            let fitted = read()?.fitted(input, &preprocess)?;
            job.send(Event::Drawn(Arc::new(fitted)));
            Ok(())
        });
        self.pad.reading = Some(id);
    }

    /// A picture of the right size is on the pad.
    pub(super) fn drawn(&mut self, drawing: Arc<Drawing>) {
        self.pad.drawing = Some(drawing);
        self.ask_pad();
    }

    /// Asks every experiment that has a file, as soon as the job before is over.
    pub(super) fn ask_pad(&mut self) {
        self.pad.asked += 1;
        self.start_pad();
    }

    fn start_pad(&mut self) {
        let preprocess = self.pad_preprocess();
        let open = &mut self.open;
        let pad = &mut open.pad;
        let (Some(drawing), None, Some(model)) = (&pad.drawing, pad.pending, &open.model) else {
            return;
        };
        let files: Vec<(ExperimentId, Arc<QuantizedFile>)> = open
            .experiments
            .iter()
            .filter_map(|e| Some((e.id, e.file.clone()?)))
            .collect();
        let specs = data::input_specs(&model.graph, 0);
        let (drawing, asked) = (drawing.clone(), pad.asked);
        let prepared = pad.prepared.clone();
        let wait = pad
            .started
            .map_or(Duration::ZERO, |s| PACE.saturating_sub(s.elapsed()));
        pad.started = Some(Instant::now() + wait);
        let work = move |job: &JobHandle<Event>| {
            std::thread::sleep(wait);
            let sample = drawing.sample(&specs, &preprocess)?;
            let mut prepared = prepared.lock().unwrap_or_else(PoisonError::into_inner);
            let address = |file: &Arc<QuantizedFile>| Arc::as_ptr(&file.graph) as usize;
            prepared
                .0
                .retain(|(of, _)| files.iter().any(|(_, f)| address(f) == *of));
            let mut answers = vec![];
            for (experiment, file) in &files {
                job.progress().check()?;
                let known = prepared.0.iter().position(|(of, _)| *of == address(file));
                let at = match known {
                    Some(at) => Ok(at),
                    None => Single::new(&file.graph).map(|single| {
                        prepared.0.push((address(file), single));
                        prepared.0.len() - 1
                    }),
                };
                let answer = at.and_then(|at| prepared.0[at].1.answer(sample.as_ref()));
                answers.push(PadAnswer {
                    experiment: *experiment,
                    answer: answer.map_err(|e| e.to_string()),
                });
            }
            job.send(Event::Answers(PadAnswers { asked, answers }));
            Ok(())
        };
        self.pad.pending = Some(self.jobs.start(JobKind::Answers, work));
    }

    /// Takes in what a job found.
    pub(super) fn pad_answered(&mut self, found: PadAnswers) {
        // What was cleared meanwhile stays cleared.
        if self.pad.drawing.is_some() {
            self.pad.answers = found.answers;
            self.pad.answered = found.asked;
        }
    }

    /// A job of the pad is over: the next picture's turn, if there is one.
    pub(super) fn pad_ended(&mut self, id: JobId, failed: Option<String>) {
        if self.pad.reading == Some(id) {
            self.pad.reading = None;
            self.pad.error = failed;
        } else if self.pad.pending == Some(id) {
            self.pad.pending = None;
            if failed.is_some() {
                // Asking again would fail again.
                self.pad.answered = self.pad.asked;
                self.pad.answers.clear();
                self.pad.error = failed;
            } else if self.pad.answered != self.pad.asked {
                self.start_pad();
            }
        }
    }

    /// Another model or another entry: what was drawn for it may not fit.
    pub(super) fn reset_pad(&mut self) {
        for job in [self.pad.pending, self.pad.reading].into_iter().flatten() {
            self.jobs.cancel(job);
        }
        self.pad = Pad::default();
    }
}
