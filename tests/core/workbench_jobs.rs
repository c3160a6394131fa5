//! Jobs: order, cancel, panic and late results.

use std::sync::Arc;
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use zeropoint::error::Error;
use zeropoint::workbench::jobs::{Ended, JobKind, Jobs, Stage, Update};

fn jobs() -> Jobs<u32> {
    Jobs::new(Arc::new(|| {}))
}

fn kind() -> JobKind {
    JobKind::Save("x".into())
}

/// Polls until nothing runs or waits; panics after a minute.
fn drain(jobs: &mut Jobs<u32>) -> Vec<Update<u32>> {
    let (mut all, start) = (vec![], Instant::now());
    while !jobs.is_idle() {
        assert!(
            start.elapsed() < Duration::from_secs(60),
            "the jobs never ended"
        );
        all.extend(jobs.poll());
        std::thread::sleep(Duration::from_millis(1));
    }
    all
}

fn events(updates: &[Update<u32>]) -> Vec<u32> {
    updates
        .iter()
        .filter_map(|u| {
            if let Update::Event(_, n) = u {
                Some(*n)
            } else {
                None
            }
        })
        .collect()
}

fn endings(updates: &[Update<u32>]) -> Vec<Ended> {
    updates
        .iter()
        .filter_map(|u| {
            if let Update::Ended(_, _, e) = u {
                Some(e.clone())
            } else {
                None
            }
        })
        .collect()
}

#[test]
fn long_jobs_run_one_after_the_other() {
    let mut jobs = jobs();
    for n in 0..5 {
        jobs.enqueue(kind(), move |job| {
            job.send(2 * n);
            std::thread::yield_now();
            job.send(2 * n + 1);
            Ok(())
        });
    }
    assert_eq!(events(&drain(&mut jobs)), (0..10).collect::<Vec<_>>());
    assert_eq!(jobs.finished().len(), 5);
}

#[test]
fn a_cancelled_job_stops_and_its_late_results_are_dropped() {
    let mut jobs = jobs();
    let (started, has_started) = channel();
    let (release, released) = channel();
    let id = jobs.enqueue(kind(), move |job| {
        job.stage(Stage::Evaluating)?;
        started.send(()).unwrap();
        released.recv().unwrap();
        job.send(1);
        job.progress().report(1, 2)?;
        unreachable!("a cancelled job went on");
    });
    has_started.recv().unwrap();
    jobs.cancel(id);
    release.send(()).unwrap();
    let updates = drain(&mut jobs);
    assert!(events(&updates).is_empty());
    assert_eq!(endings(&updates), [Ended::Cancelled]);
}

#[test]
fn a_queued_job_that_is_cancelled_never_starts() {
    let mut jobs = jobs();
    let (release, released) = channel();
    jobs.enqueue(kind(), move |_| {
        released.recv().unwrap();
        Ok(())
    });
    let second = jobs.enqueue(kind(), |_| {
        unreachable!("it was cancelled before it started")
    });
    jobs.cancel(second);
    release.send(()).unwrap();
    let mut ended = endings(&drain(&mut jobs));
    ended.sort_by_key(|e| *e == Ended::Done);
    assert_eq!(ended, [Ended::Cancelled, Ended::Done]);
}

#[test]
fn a_panic_becomes_a_message_and_the_next_job_runs() {
    let mut jobs = jobs();
    jobs.enqueue(kind(), |_| panic!("index 7 of 3"));
    jobs.enqueue(kind(), |job| {
        job.send(5);
        Ok(())
    });
    let updates = drain(&mut jobs);
    assert_eq!(events(&updates), [5]);
    let ended = endings(&updates);
    assert!(
        matches!(&ended[0], Ended::Failed(m) if m.contains("index 7 of 3")),
        "{ended:?}"
    );
    assert_eq!(ended[1], Ended::Done);
}

#[test]
fn an_error_is_the_jobs_ending() {
    let mut jobs = jobs();
    jobs.start(kind(), |_| {
        Err(Error::Malformed("tensor 3 has no shape".into()))
    });
    assert_eq!(
        endings(&drain(&mut jobs)),
        [Ended::Failed("tensor 3 has no shape".into())]
    );
}

#[test]
fn a_running_job_shows_stage_and_share() {
    let mut jobs = jobs();
    let (started, has_started) = channel();
    let (release, released) = channel::<()>();
    jobs.enqueue(kind(), move |job| {
        job.stage(Stage::Evaluating)?;
        job.progress().report(50, 100)?;
        started.send(()).unwrap();
        let _ = released.recv();
        Ok(())
    });
    jobs.enqueue(kind(), |_| Ok(()));
    has_started.recv().unwrap();
    let active = jobs.active();
    assert_eq!(active.len(), 2);
    assert_eq!(
        (active[0].stage, active[0].counts),
        (Stage::Evaluating, (50, 100))
    );
    assert!(
        (0.3..0.4).contains(&active[0].fraction),
        "{}",
        active[0].fraction
    );
    assert_eq!(active[1].stage, Stage::Waiting);
    drop(release);
    drain(&mut jobs);
}
