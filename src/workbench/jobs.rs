//! The only place that spawns threads: named background jobs with stage, progress, time left and cancel.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU8, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::{ExperimentId, ModelId};
use crate::error::{Error, Result};
use crate::progress::{Pause, Progress};

/// Number of a job, never reused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct JobId(pub u64);

/// What a job is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JobKind {
    /// Reading the model of this name.
    OpenModel(String),
    /// Entering the open model of this name elsewhere, or at other shapes.
    Entry(String),
    /// Reading the open model of this name again.
    ModelAgain(String),
    /// Reading the data of this name.
    OpenData(String),
    /// Looking whether files changed; not worth showing.
    Recheck,
    /// One experiment: quantize, write, read back, evaluate, measure.
    Experiment(ExperimentId),
    /// Making pictures of samples; not worth showing.
    Pictures,
    /// Asking every experiment about the picture on the pad; not worth showing.
    Answers,
    /// Writing a file.
    Save(String),
    /// Writing the session of this name.
    SaveSession(String),
    /// Reading the session of this name.
    OpenSession(String),
    /// Looking for a session that was kept; not worth showing.
    Restore,
    /// Waiting before the session is kept; not worth showing.
    AutosavePause,
    /// Keeping the session; not worth showing.
    Autosave,
    /// Reading or writing the list of recent files; not worth showing.
    Recent,
    /// Comparing answers and outputs with the chosen baseline's; not worth showing.
    Contrasts,
    /// Looking for LiteRT's library; not worth showing.
    FindLitert,
}

impl JobKind {
    /// Whether its result belongs to an open model, so that nobody wants it once that is closed.
    pub fn is_of_model(&self) -> bool {
        match self {
            JobKind::Entry(_)
            | JobKind::ModelAgain(_)
            | JobKind::OpenData(_)
            | JobKind::Recheck
            | JobKind::Experiment(_)
            | JobKind::Pictures
            | JobKind::Answers => true,
            JobKind::OpenModel(_)
            | JobKind::AutosavePause
            | JobKind::Save(_)
            | JobKind::SaveSession(_)
            | JobKind::OpenSession(_)
            | JobKind::Restore
            | JobKind::Autosave
            | JobKind::Recent
            | JobKind::Contrasts
            | JobKind::FindLitert => false,
        }
    }
}

/// What a job is doing now. The order is the order of an experiment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Stage {
    /// Not started.
    Waiting,
    /// Reading or writing a file.
    File,
    /// Running calibration samples.
    Calibrating,
    /// Planning, quantizing, writing and reading back.
    Quantizing,
    /// Running evaluation samples.
    Evaluating,
    /// Comparing tensor by tensor.
    Measuring,
    /// Timing single runs.
    Timing,
}

impl Stage {
    const ALL: [Stage; 7] = [
        Stage::Waiting,
        Stage::File,
        Stage::Calibrating,
        Stage::Quantizing,
        Stage::Evaluating,
        Stage::Measuring,
        Stage::Timing,
    ];

    /// Where in its job this stage begins and ends, as fractions of the whole.
    fn span(self) -> (f32, f32) {
        match self {
            Stage::Waiting => (0.0, 0.0),
            Stage::File => (0.0, 1.0),
            Stage::Calibrating => (0.0, 0.1),
            Stage::Quantizing => (0.1, 0.15),
            Stage::Evaluating => (0.15, 0.6),
            Stage::Measuring => (0.6, 0.8),
            Stage::Timing => (0.8, 1.0),
        }
    }
}

/// How a job ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ended {
    /// With its result.
    Done,
    /// By the user.
    Cancelled,
    /// With this message.
    Failed(String),
}

/// A job as the window shows it.
#[derive(Debug, Clone)]
pub struct JobView {
    /// Its number.
    pub id: JobId,
    /// What it is about.
    pub kind: JobKind,
    /// What it is doing.
    pub stage: Stage,
    /// Units done and in all within the stage; (0, 0) while unknown.
    pub counts: (usize, usize),
    /// Share of the whole job, 0..1.
    pub fraction: f32,
    /// Estimate, from 2 s of running on.
    pub time_left: Option<Duration>,
}

/// A finished job.
#[derive(Debug, Clone)]
pub struct FinishedJob {
    /// Its number.
    pub id: JobId,
    /// What it was about.
    pub kind: JobKind,
    /// How it ended.
    pub ended: Ended,
    /// How long it ran.
    pub took: Duration,
}

/// What a job's work holds: where to report, and how to hand over partial results.
pub struct JobHandle<E> {
    id: JobId,
    shared: Arc<Shared>,
    sender: Sender<Message<E>>,
    wake: Wake,
}

impl<E> JobHandle<E> {
    /// Progress within the stage; fails the work once the job is cancelled.
    pub fn progress(&self) -> &Progress {
        &self.shared.progress
    }

    /// Begins a stage; its counts start at 0.
    pub fn stage(&self, stage: Stage) -> Result<()> {
        self.shared.stage.store(stage as u8, Relaxed);
        self.shared.progress.report(0, 0)
    }

    /// Hands over a partial result now.
    pub fn send(&self, event: E) {
        // The receiver is gone only when the workbench is: nobody waits for the result then.
        let _ = self.sender.send(Message::Event(self.id, event));
        (self.wake)();
    }
}

/// Called, from any thread, when there is something to [`Jobs::poll`].
pub type Wake = Arc<dyn Fn() + Send + Sync>;

type Work<E> = Box<dyn FnOnce(&JobHandle<E>) -> Result<()> + Send>;

enum Message<E> {
    Event(JobId, E),
    Ended(JobId, Ended),
}

#[derive(Debug)]
struct Shared {
    progress: Progress,
    stage: AtomicU8,
}

struct Job {
    id: JobId,
    kind: JobKind,
    /// The open model that its result belongs to.
    model: Option<ModelId>,
    shared: Arc<Shared>,
    started: Option<Instant>,
}

struct Queued<E> {
    job: Job,
    work: Work<E>,
}

/// Jobs of one workbench. Short ones ([`Jobs::start`]) run at once, each on its thread; long ones ([`Jobs::enqueue`]) one after the
/// other, so that each has the whole machine and its latency is not disturbed by the next.
pub struct Jobs<E> {
    next: u64,
    /// What jobs belong to that are started now.
    model: ModelId,
    short: Vec<Job>,
    long: Option<Job>,
    queue: VecDeque<Queued<E>>,
    finished: Vec<FinishedJob>,
    sender: Sender<Message<E>>,
    receiver: Receiver<Message<E>>,
    wake: Wake,
    pause: Pause,
}

/// What [`Jobs::poll`] hands out.
#[derive(Debug)]
pub enum Update<E> {
    /// A result, perhaps partial, of a job that somebody still waits for.
    Event(JobId, E),
    /// The job is over.
    Ended(JobId, JobKind, Ended),
}

impl<E: Send + 'static> Jobs<E> {
    /// No jobs yet; `wake` is called whenever a job has something to say.
    pub fn new(wake: Wake) -> Self {
        let (sender, receiver) = channel();
        Self {
            next: 1,
            model: ModelId::default(),
            short: vec![],
            long: None,
            queue: VecDeque::new(),
            finished: vec![],
            sender,
            receiver,
            wake,
            pause: Pause::default(),
        }
    }

    /// For `time`, all jobs stand back as soon as they look up, so that the window has the cores.
    pub fn pause(&self, time: Duration) {
        self.pause.ask(time);
    }

    fn new_job(&mut self, kind: JobKind) -> Job {
        let id = JobId(self.next);
        self.next += 1;
        let shared = Arc::new(Shared {
            progress: Progress::with_pause(&self.pause),
            stage: AtomicU8::new(Stage::Waiting as u8),
        });
        Job {
            id,
            model: kind.is_of_model().then_some(self.model),
            kind,
            shared,
            started: None,
        }
    }

    /// Runs short work now, on a thread of its own.
    pub fn start(
        &mut self,
        kind: JobKind,
        work: impl FnOnce(&JobHandle<E>) -> Result<()> + Send + 'static,
    ) -> JobId {
        let mut job = self.new_job(kind);
        let id = job.id;
        self.spawn(&mut job, Box::new(work));
        self.short.push(job);
        id
    }

    /// Runs long work when the long jobs before it are over.
    pub fn enqueue(
        &mut self,
        kind: JobKind,
        work: impl FnOnce(&JobHandle<E>) -> Result<()> + Send + 'static,
    ) -> JobId {
        let job = self.new_job(kind);
        let id = job.id;
        self.queue.push_back(Queued {
            job,
            work: Box::new(work),
        });
        self.advance();
        id
    }

    fn advance(&mut self) {
        if self.long.is_none()
            && let Some(Queued { mut job, work }) = self.queue.pop_front()
        {
            self.spawn(&mut job, work);
            self.long = Some(job);
        }
    }

    fn spawn(&self, job: &mut Job, work: Work<E>) {
        job.started = Some(Instant::now());
        let handle = JobHandle {
            id: job.id,
            shared: job.shared.clone(),
            sender: self.sender.clone(),
            wake: self.wake.clone(),
        };
        let work = Mutex::new(Some(work));
        let body = move || {
            lower_priority();
            let outcome = catch_unwind(AssertUnwindSafe(|| {
                let work = work.lock().ok().and_then(|mut w| w.take());
                work.map_or(Ok(()), |work| work(&handle))
            }));
            let ended = match outcome {
                Ok(Ok(())) => Ended::Done,
                Ok(Err(Error::Cancelled)) => Ended::Cancelled,
                Ok(Err(e)) => Ended::Failed(e.to_string()),
                Err(panic) => Ended::Failed(panic_message(panic.as_ref())),
            };
            let _ = handle.sender.send(Message::Ended(handle.id, ended));
            (handle.wake)();
        };
        let name = match &job.kind {
            JobKind::OpenModel(_) => "open model",
            JobKind::Entry(_) => "enter model",
            JobKind::ModelAgain(_) => "open model",
            JobKind::OpenData(_) => "open data",
            JobKind::Recheck => "look at files",
            JobKind::Experiment(_) => "experiment",
            JobKind::Save(_) => "save",
            JobKind::SaveSession(_) => "save session",
            JobKind::OpenSession(_) => "open session",
            JobKind::Restore => "restore session",
            JobKind::AutosavePause => "wait to keep session",
            JobKind::Autosave => "keep session",
            JobKind::Pictures => "pictures",
            JobKind::Answers => "answers",
            JobKind::Recent => "recent files",
            JobKind::Contrasts => "compare",
            JobKind::FindLitert => "find LiteRT",
        };
        if let Err(e) = std::thread::Builder::new().name(name.into()).spawn(body) {
            let message = format!("The system gave no thread for this job: {e}");
            let _ = self
                .sender
                .send(Message::Ended(job.id, Ended::Failed(message)));
            (self.wake)();
        }
    }

    /// Stops a job: a queued one never starts, a running one stops at its next report.
    pub fn cancel(&mut self, id: JobId) {
        if let Some(at) = self.queue.iter().position(|q| q.job.id == id) {
            if let Some(queued) = self.queue.remove(at) {
                let _ = self
                    .sender
                    .send(Message::Ended(queued.job.id, Ended::Cancelled));
                self.short.push(queued.job);
                (self.wake)();
            }
        } else if let Some(job) = self.short.iter().chain(&self.long).find(|j| j.id == id) {
            job.shared.progress.cancel();
        }
    }

    /// Stops every job.
    pub fn cancel_all(&mut self) {
        self.cancel_those(|_| true);
    }

    /// Jobs about a model that are started from now on are about this one.
    pub fn belong_to(&mut self, model: ModelId) {
        self.model = model;
    }

    /// Stops every job about that model.
    pub fn cancel_of(&mut self, model: ModelId) {
        self.cancel_those(|job| job.model == Some(model));
    }

    fn cancel_those(&mut self, which: impl Fn(&Job) -> bool) {
        let ids: Vec<_> = self
            .short
            .iter()
            .chain(&self.long)
            .chain(self.queue.iter().map(|q| &q.job))
            .filter(|j| which(j))
            .map(|j| j.id)
            .collect();
        ids.into_iter().for_each(|id| self.cancel(id));
    }

    /// Everything that happened since the last call; never waits. Results of cancelled jobs are dropped.
    pub fn poll(&mut self) -> Vec<Update<E>> {
        self.poll_by_model().into_iter().map(|(_, u)| u).collect()
    }

    /// The same, each with the open model that it belongs to; `None` for what belongs to none.
    pub fn poll_by_model(&mut self) -> Vec<(Option<ModelId>, Update<E>)> {
        let mut updates = vec![];
        while let Ok(message) = self.receiver.try_recv() {
            match message {
                Message::Event(id, event) => {
                    let mut running = self.short.iter().chain(&self.long);
                    let waited_for =
                        running.find(|j| j.id == id && !j.shared.progress.is_cancelled());
                    if let Some(job) = waited_for {
                        updates.push((job.model, Update::Event(id, event)));
                    }
                }
                Message::Ended(id, ended) => {
                    let job = if self.long.as_ref().is_some_and(|j| j.id == id) {
                        self.long.take()
                    } else {
                        self.short
                            .iter()
                            .position(|j| j.id == id)
                            .map(|at| self.short.remove(at))
                    };
                    let Some(job) = job else { continue };
                    // Work that was past its last report when the user cancelled has thrown its result away above.
                    let ended = if job.shared.progress.is_cancelled() {
                        Ended::Cancelled
                    } else {
                        ended
                    };
                    let took = job.started.map_or(Duration::ZERO, |s| s.elapsed());
                    // A pen makes twenty a second.
                    if job.kind != JobKind::Answers {
                        self.finished.push(FinishedJob {
                            id,
                            kind: job.kind.clone(),
                            ended: ended.clone(),
                            took,
                        });
                    }
                    updates.push((job.model, Update::Ended(id, job.kind, ended)));
                }
            }
        }
        self.advance();
        updates
    }

    /// Running jobs first, then the queue in order.
    pub fn active(&self) -> Vec<JobView> {
        self.long
            .iter()
            .chain(&self.short)
            .chain(self.queue.iter().map(|q| &q.job))
            .map(view)
            .collect()
    }

    /// Whether nothing runs or waits.
    pub fn is_idle(&self) -> bool {
        self.long.is_none() && self.short.is_empty() && self.queue.is_empty()
    }

    /// Jobs that are over, oldest first.
    pub fn finished(&self) -> &[FinishedJob] {
        &self.finished
    }
}

impl<E> Drop for Jobs<E> {
    fn drop(&mut self) {
        self.short
            .iter()
            .chain(&self.long)
            .for_each(|j| j.shared.progress.cancel());
    }
}

fn view(job: &Job) -> JobView {
    let stage = Stage::ALL[usize::from(job.shared.stage.load(Relaxed)).min(Stage::ALL.len() - 1)];
    let counts = job.shared.progress.counts();
    let (begin, end) = stage.span();
    let within = if counts.1 == 0 {
        0.0
    } else {
        (counts.0 as f32 / counts.1 as f32).min(1.0)
    };
    let fraction = begin + (end - begin) * within;
    let elapsed = job.started.map_or(Duration::ZERO, |s| s.elapsed());
    let time_left = (elapsed.as_secs_f32() >= 2.0 && fraction > 0.02)
        .then(|| Duration::from_secs_f32(elapsed.as_secs_f32() * (1.0 - fraction) / fraction));
    JobView {
        id: job.id,
        kind: job.kind.clone(),
        stage,
        counts,
        fraction,
        time_left,
    }
}

fn panic_message(panic: &(dyn std::any::Any + Send)) -> String {
    let what = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied());
    format!(
        "Zeropoint made a mistake here, please report it: {}",
        what.unwrap_or("no details")
    )
}

/// Lets the window go first: on Linux a thread, and those it starts, can be nicer than the rest of the process.
fn lower_priority() {
    #[cfg(target_os = "linux")]
    {
        // Without the right to change it the job simply runs at the usual priority.
        let _ = rustix::process::setpriority_process(None, 19);
    }
}
