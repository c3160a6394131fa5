//! The session that is kept while working, so that a crash or a kill loses nothing that had finished.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::pack::Folder;
use super::{Restored, restore};
use crate::error::{Error, Result};
use crate::progress::Progress;
use crate::workbench::jobs::{Ended, JobId, JobKind, Stage};
use crate::workbench::{Event, Workbench};

/// Name of the file whose lock says that a window uses the folder.
const LOCK: &str = "lock";
/// Most windows that keep a session at the same time.
const MOST_WINDOWS: usize = 100;

/// Where the session is kept, and whether it is.
#[derive(Debug, Default)]
pub(crate) struct Autosave {
    /// The folder of this window alone; `None` keeps nothing.
    folder: Option<PathBuf>,
    /// Held as long as the window lives; the system lets go of it after a crash, too.
    _lock: Option<File>,
    /// Whether something changed since it was written.
    dirty: bool,
    /// The job that waits for more changes.
    waiting: Option<JobId>,
    /// The job that writes.
    writing: Option<JobId>,
}

/// A folder that this window keeps its session in, and what was there.
#[derive(Debug)]
pub struct Claimed {
    folder: PathBuf,
    lock: File,
    restored: Option<Result<Box<Restored>>>,
}

/// Takes the folder within `root` that was written last and that no window uses; with `back`, reads the session in it.
fn claim(root: &Path, back: bool, progress: &Progress) -> Result<Claimed> {
    let explain = |path: &Path, e: std::io::Error| {
        Error::Invalid(format!(
            "{}: the session cannot be kept there: {e}",
            path.display()
        ))
    };
    std::fs::create_dir_all(root).map_err(|e| explain(root, e))?;
    let mut all: Vec<(Option<_>, PathBuf)> = vec![];
    for entry in std::fs::read_dir(root)
        .map_err(|e| explain(root, e))?
        .flatten()
    {
        let folder = entry.path();
        if folder.is_dir() {
            all.push((Folder::written(&folder), folder));
        }
    }
    // The newest session first, folders without one last.
    all.sort_by(|a, b| b.cmp(a));
    let mut restored = None;
    for (written, folder) in &all {
        progress.check()?;
        let Some(lock) = lock(folder).map_err(|e| explain(folder, e))? else {
            continue;
        };
        if written.is_some() && back && restored.is_none() {
            let read = restore(&mut Folder::new(folder, progress), None, progress);
            let failed = read.is_err();
            restored = Some(read.map(Box::new));
            if failed {
                // It stays for when what it lacks is back.
                continue;
            }
        } else if written.is_some() && restored.is_some() {
            continue;
        }
        return Ok(Claimed {
            folder: folder.clone(),
            lock,
            restored,
        });
    }
    for number in 1..=MOST_WINDOWS {
        let folder = root.join(number.to_string());
        match std::fs::create_dir(&folder) {
            Ok(()) => {}
            Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => continue,
            Err(e) => return Err(explain(&folder, e)),
        }
        if let Some(lock) = lock(&folder).map_err(|e| explain(&folder, e))? {
            return Ok(Claimed {
                folder,
                lock,
                restored,
            });
        }
    }
    crate::invalid!(
        "{}: the sessions of {MOST_WINDOWS} windows are kept there already",
        root.display()
    )
}

/// The lock of a folder; `None` if another window has it.
fn lock(folder: &Path) -> std::io::Result<Option<File>> {
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(folder.join(LOCK))?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        // A file system without locks: two windows at once would share the folder.
        Err(TryLockError::Error(_)) => Ok(Some(file)),
    }
}

impl Workbench {
    /// Keeps the session in a folder within `root` from now on; with `restore`, brings back what the last window had that ended
    /// without a chance to say so.
    pub fn keep_session_in(&mut self, root: &Path, restore: bool) {
        let root = root.to_owned();
        self.jobs.start(JobKind::Restore, move |job| {
            job.stage(Stage::File)?;
            let claimed = claim(&root, restore, job.progress())?;
            job.send(Event::Claimed(Box::new(claimed)));
            Ok(())
        });
    }

    pub(crate) fn session_claimed(&mut self, claimed: Claimed) {
        self.autosave.folder = Some(claimed.folder);
        self.autosave._lock = Some(claimed.lock);
        // Whoever was quick enough to open something wants that.
        let busy = self.model.is_some() || self.model_pending.is_some();
        match claimed.restored {
            // Before anything has finished a new start is as good.
            Some(Ok(restored)) if !busy && restored.finished() > 0 => {
                self.session_read(*restored);
            }
            // The start screen tells why it does not come back.
            Some(Err(e)) if !busy => {
                self.model_error = Some(e.at("The last session did not come back").to_string());
            }
            _ => {}
        }
        if self.autosave.dirty {
            self.autosave_later();
        }
    }

    /// Writes the session in a while, with what changes until then.
    pub(super) fn autosave_later(&mut self) {
        self.autosave.dirty = true;
        let busy = self.autosave.waiting.is_some() || self.autosave.writing.is_some();
        if self.autosave.folder.is_none() || busy {
            return;
        }
        let pause = self.autosave_pause;
        let id = self.jobs.start(JobKind::AutosavePause, move |job| {
            let step = Duration::from_millis(50).min(pause);
            let start = std::time::Instant::now();
            while start.elapsed() < pause {
                job.progress().check()?;
                std::thread::sleep(step);
            }
            job.send(Event::AutosaveDue);
            Ok(())
        });
        self.autosave.waiting = Some(id);
    }

    /// Writes the session now, unless that is being done.
    pub(crate) fn autosave_now(&mut self) {
        self.autosave.dirty = true;
        let Some(folder) = self.autosave.folder.clone() else {
            return;
        };
        if self.autosave.writing.is_some() {
            return;
        }
        let Some(snapshot) = self.snapshot() else {
            return;
        };
        if let Some(waiting) = self.autosave.waiting.take() {
            self.jobs.cancel(waiting);
        }
        self.autosave.dirty = false;
        let id = self.jobs.start(JobKind::Autosave, move |job| {
            let mut sink = Folder::new(&folder, job.progress());
            let document = snapshot.write(&mut sink)?;
            sink.finish(&document)
        });
        self.autosave.writing = Some(id);
    }

    pub(crate) fn autosave_ended(&mut self, id: JobId, ended: Ended) {
        if self.autosave.waiting == Some(id) {
            self.autosave.waiting = None;
        }
        if self.autosave.writing == Some(id) {
            self.autosave.writing = None;
            match ended {
                Ended::Done => {}
                // What stopped it may stop the next one: told once, tried at the next change.
                Ended::Cancelled => self.autosave.dirty = true,
                Ended::Failed(message) => {
                    let text = format!("The session is not kept: {message}");
                    if self.notices.iter().all(|n| n.text != text) {
                        self.notice(true, text);
                    }
                    return;
                }
            }
            if self.autosave.dirty {
                self.autosave_later();
            }
        }
    }
}
