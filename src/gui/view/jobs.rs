//! Jobs in words: what runs, how far it is, what is over.

use super::format;
use super::look::Look;
use crate::workbench::Workbench;
use crate::workbench::jobs::{Ended, FinishedJob, JobId, JobKind, JobView, Stage};

/// A job that runs or waits.
#[derive(Debug, Clone, PartialEq)]
pub struct JobLine {
    /// Its number, for Cancel.
    pub id: JobId,
    /// Marker of its experiment, if it is about one.
    pub look: Option<Look>,
    /// `Evaluating`.
    pub verb: &'static str,
    /// `int8, int8 I/O`.
    pub subject: String,
    /// `6,200 of 10,000 samples`; empty while unknown.
    pub counts: String,
    /// Share of the whole job, 0..1.
    pub fraction: f32,
    /// `4 s left`; empty while unknown.
    pub left: String,
}

/// A job that is over.
#[derive(Debug, Clone, PartialEq)]
pub struct PastJob {
    /// Marker of its experiment, if it is about one.
    pub look: Option<Look>,
    /// `int8, int8 I/O`.
    pub subject: String,
    /// `Done in 1.2 s`, or what went wrong.
    pub outcome: String,
    /// Whether it failed.
    pub failed: bool,
}

/// The jobs strip.
#[derive(Debug, Clone, PartialEq)]
pub struct JobsStrip {
    /// Running jobs first, then those that wait.
    pub active: Vec<JobLine>,
    /// Newest first.
    pub past: Vec<PastJob>,
    /// `7 done, 0 waiting` or `8 done in 21.4 s`; empty before the first job.
    pub summary: String,
}

/// What a stage is called while it runs.
pub fn verb(stage: Stage, kind: &JobKind) -> &'static str {
    match (stage, kind) {
        (Stage::Waiting, _) => "Waiting",
        (Stage::File, JobKind::Save(_) | JobKind::SaveSession(_)) => "Saving",
        (Stage::File, JobKind::Entry(_)) => "Preparing",
        (Stage::File, _) => "Reading",
        (Stage::Calibrating, _) => "Calibrating",
        (Stage::Quantizing, _) => "Quantizing",
        (Stage::Evaluating, _) => "Evaluating",
        (Stage::Measuring, _) => "Measuring tensors",
        (Stage::Timing, _) => "Timing",
    }
}

/// `6,200 of 10,000 samples`; empty while the total is unknown.
pub fn counts(job: &JobView) -> String {
    let (done, total) = job.counts;
    let unit = match job.stage {
        Stage::Calibrating | Stage::Evaluating => " samples",
        Stage::Waiting | Stage::File | Stage::Quantizing | Stage::Measuring | Stage::Timing => "",
    };
    match (job.stage, total) {
        (_, 0) => String::new(),
        // Timing counts milliseconds or runs, which nobody wants to read.
        (Stage::Timing, _) => String::new(),
        _ => format!("{} of {}{unit}", format::count(done), format::count(total)),
    }
}

fn subject(bench: &Workbench, kind: &JobKind) -> (Option<Look>, String) {
    match kind {
        JobKind::Experiment(id) => match bench.experiment(*id) {
            Some(e) => (Some(Look::of(e)), e.name()),
            None => (None, "deleted experiment".into()),
        },
        JobKind::OpenModel(name)
        | JobKind::ModelAgain(name)
        | JobKind::Entry(name)
        | JobKind::OpenData(name)
        | JobKind::Save(name)
        | JobKind::SaveSession(name)
        | JobKind::OpenSession(name) => (None, name.clone()),
        JobKind::Restore | JobKind::AutosavePause | JobKind::Autosave => (None, "session".into()),
        JobKind::Recent | JobKind::Pictures => (None, "pictures".into()),
        JobKind::Answers => (None, "the pad".into()),
        JobKind::Contrasts => (None, "baseline".into()),
        JobKind::FindLitert => (None, "LiteRT".into()),
        JobKind::Recheck => (None, "files".into()),
    }
}

/// Whether a job is worth a line.
fn is_shown(kind: &JobKind) -> bool {
    !matches!(
        kind,
        JobKind::Recent
            | JobKind::Pictures
            | JobKind::Answers
            | JobKind::Contrasts
            | JobKind::FindLitert
            | JobKind::Recheck
            | JobKind::Restore
            | JobKind::AutosavePause
            | JobKind::Autosave
    )
}

/// Everything the strip shows.
pub fn strip(bench: &Workbench) -> JobsStrip {
    let jobs = bench.jobs();
    let active: Vec<JobLine> = jobs
        .active()
        .into_iter()
        .filter(|j| is_shown(&j.kind))
        .map(|j| line(bench, &j))
        .collect();
    let shown: Vec<&FinishedJob> = jobs
        .finished()
        .iter()
        .filter(|j| is_shown(&j.kind))
        .collect();
    let past = shown.iter().rev().map(|j| past(bench, j)).collect();
    let experiments = |j: &&&FinishedJob| matches!(j.kind, JobKind::Experiment(_));
    let done = shown
        .iter()
        .filter(experiments)
        .filter(|j| j.ended == Ended::Done);
    let count = done.clone().count();
    let seconds: f64 = done.map(|j| j.took.as_secs_f64()).sum();
    let waiting = active.iter().filter(|j| j.verb == "Waiting").count();
    let summary = if !active.is_empty() {
        format!("{count} done, {waiting} waiting")
    } else if count > 0 {
        format!("{count} done in {} s", format::fixed(seconds, 1))
    } else {
        String::new()
    };
    JobsStrip {
        active,
        past,
        summary,
    }
}

/// What a screen reader says of the jobs: when one starts, when it is half done, when all are over. Changes at no other time.
pub fn announcement(bench: &Workbench, jobs: &JobsStrip) -> String {
    match (jobs.active.first(), jobs.past.first()) {
        (Some(job), _) if job.fraction < 0.5 => format!("{} started", job.subject),
        (Some(job), _) => format!("{} half done", job.subject),
        // The message stands where it belongs, and is said there.
        (None, Some(last)) if last.failed => "A job failed".into(),
        (None, Some(last)) => match jobs.summary.is_empty() {
            true => format!("{}: {}", last.subject, last.outcome),
            false => jobs.summary.clone(),
        },
        (None, None) if bench.model.is_none() => String::new(),
        (None, None) => "No jobs running".into(),
    }
}

fn line(bench: &Workbench, job: &JobView) -> JobLine {
    let (look, subject) = subject(bench, &job.kind);
    JobLine {
        id: job.id,
        look,
        verb: verb(job.stage, &job.kind),
        subject,
        counts: counts(job),
        fraction: job.fraction,
        left: job.time_left.map(format::time_left).unwrap_or_default(),
    }
}

fn past(bench: &Workbench, job: &FinishedJob) -> PastJob {
    let (look, subject) = subject(bench, &job.kind);
    let seconds = format::fixed(job.took.as_secs_f64(), 1);
    let (outcome, failed) = match &job.ended {
        Ended::Done => (format!("Done in {seconds} s"), false),
        Ended::Cancelled => ("Cancelled, earlier results kept".into(), false),
        Ended::Failed(message) => (message.clone(), true),
    };
    PastJob {
        look,
        subject,
        outcome,
        failed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_told_only_where_they_mean_something() {
        let job = |stage, counts| JobView {
            id: JobId(1),
            kind: JobKind::Save("x".into()),
            stage,
            counts,
            fraction: 0.5,
            time_left: None,
        };
        assert_eq!(
            counts(&job(Stage::Evaluating, (6_200, 10_000))),
            "6,200 of 10,000 samples"
        );
        assert_eq!(counts(&job(Stage::Evaluating, (0, 0))), "");
        assert_eq!(counts(&job(Stage::Timing, (40, 400))), "");
        assert_eq!(verb(Stage::File, &JobKind::Save("x".into())), "Saving");
        assert_eq!(
            verb(Stage::File, &JobKind::OpenModel("x".into())),
            "Reading"
        );
    }
}
