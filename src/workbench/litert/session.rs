//! The parent's side: one child process with one model, watched while it works, ended when it is silent, cancelled or done.

use std::io::{BufReader, Read};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::Setup;
use crate::error::{Error, Result};
use crate::litert::{Reply, Request, read_reply, write_request};
use crate::progress::Progress;
use crate::{invalid, unsupported};

/// How often a waiting parent looks up.
const LOOK: Duration = Duration::from_millis(20);
/// Bytes of LiteRT's own words that are kept.
const WORDS: usize = 16 << 10;

/// A child process that serves requests; it ends with this value.
pub struct Session {
    child: Child,
    requests: Sender<Request>,
    replies: Receiver<std::io::Result<Option<Reply>>>,
    /// The last of what LiteRT printed.
    words: Arc<Mutex<Vec<u8>>>,
    limit: Duration,
    progress: Progress,
}

impl Session {
    /// Starts the child.
    ///
    /// # Errors
    /// The program cannot be started.
    pub fn start(setup: &Setup, progress: &Progress) -> Result<Self> {
        progress.check()?;
        let cannot =
            |e: std::io::Error| Error::Invalid(format!("LiteRT's process cannot be started: {e}"));
        let mut child = Command::new(&setup.program)
            .arg("litert-child")
            .arg(&setup.library)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(cannot)?;
        let streams = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let (requests, to_send) = channel();
        let (to_receive, replies) = channel();
        let words = Arc::new(Mutex::new(vec![]));
        let heard = words.clone();
        let session = Self {
            child,
            requests,
            replies,
            words,
            limit: setup.limit,
            progress: progress.clone(),
        };
        let (Some(mut input), Some(output), Some(errors)) = streams else {
            return invalid!("LiteRT's process has no streams");
        };
        // The pipes get threads of their own: a child that neither reads nor writes must not hold up its parent.
        spawn("litert-send", move || {
            while let Ok(request) = to_send.recv() {
                if write_request(&mut input, &request).is_err() {
                    break;
                }
            }
        })
        .and_then(|()| {
            spawn("litert-receive", move || {
                let mut output = BufReader::new(output);
                loop {
                    let reply = read_reply(&mut output);
                    let more = matches!(reply, Ok(Some(_)));
                    if to_receive.send(reply).is_err() || !more {
                        break;
                    }
                }
            })
        })
        .and_then(|()| spawn("litert-words", move || listen(errors, &heard)))
        .map_err(cannot)?;
        Ok(session)
    }

    /// Sends a request and waits for the answer; `extra` is time that the request itself takes. `doing` completes "while …" in
    /// messages. After an error the child is gone or of no use.
    ///
    /// # Errors
    /// What LiteRT says; the end of its process, by itself or after too long a silence; cancellation.
    pub fn ask(&mut self, request: Request, extra: Duration, doing: &str) -> Result<Reply> {
        // A child that is gone is noticed below.
        let _ = self.requests.send(request);
        let start = Instant::now();
        loop {
            if self.progress.is_cancelled() {
                self.end();
                return Err(Error::Cancelled);
            }
            match self.replies.recv_timeout(LOOK) {
                Ok(Ok(Some(Reply::Failed { message }))) => {
                    return unsupported!("{message} (while {doing}){}", self.last_words());
                }
                Ok(Ok(Some(reply))) => return Ok(reply),
                Ok(Ok(None)) | Err(RecvTimeoutError::Disconnected) => {
                    let status = self.end();
                    return unsupported!(
                        "LiteRT's process ended{} while {doing}; Zeropoint goes on without it{}",
                        how(status),
                        self.last_words()
                    );
                }
                Ok(Err(e)) => {
                    self.end();
                    return unsupported!(
                        "LiteRT's process gave an answer that cannot be read while {doing}: {e}{}",
                        self.last_words()
                    );
                }
                Err(RecvTimeoutError::Timeout) if start.elapsed() > self.limit + extra => {
                    self.end();
                    return unsupported!(
                        "LiteRT did not answer for {} s while {doing}, its process was ended (ZEROPOINT_LITERT_LIMIT sets the seconds){}",
                        (self.limit + extra).as_secs(),
                        self.last_words()
                    );
                }
                Err(RecvTimeoutError::Timeout) => {}
            }
        }
    }

    /// Process number of the child.
    pub fn child_id(&self) -> u32 {
        self.child.id()
    }

    /// Ends the child and says how it ended.
    fn end(&mut self) -> Option<ExitStatus> {
        // A child that closed its output ends by itself; give it the moment that takes, so that its own status is seen.
        for _ in 0..5 {
            if let Ok(Some(status)) = self.child.try_wait() {
                return Some(status);
            }
            if self.progress.is_cancelled() {
                break;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        // It may have ended just now.
        let _ = self.child.kill();
        self.child.wait().ok()
    }

    /// The last line in which LiteRT complains, ready to be appended.
    fn last_words(&self) -> String {
        // What was written before the end may still be on its way.
        std::thread::sleep(LOOK);
        let words = self.words.lock().unwrap_or_else(PoisonError::into_inner);
        let words = String::from_utf8_lossy(&words);
        // What it says in passing, such as accelerators that it looks for and does not find, explains nothing.
        let passing = |l: &&str| l.starts_with("INFO") || l.starts_with("WARNING");
        let lines = words.lines().map(str::trim).filter(|l| !passing(l));
        let lines: Vec<&str> = lines.collect();
        let complains = |l: &&&str| {
            let l = l.to_ascii_lowercase();
            ["error", "fatal", "fail", "abort", "panic", "unsupported"]
                .iter()
                .any(|word| l.contains(word))
        };
        match lines.iter().rev().find(complains) {
            Some(line) => {
                let short: String = line.chars().take(300).collect();
                format!("; LiteRT says: {short}")
            }
            None => String::new(),
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // It may be gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> std::io::Result<()> {
    std::thread::Builder::new()
        .name(name.into())
        .spawn(work)
        .map(|_| ())
}

/// Keeps the last of what comes.
fn listen(mut from: impl Read, words: &Mutex<Vec<u8>>) {
    let mut buffer = [0u8; 4096];
    while let Ok(n @ 1..) = from.read(&mut buffer) {
        let mut words = words.lock().unwrap_or_else(PoisonError::into_inner);
        words.extend_from_slice(&buffer[..n]);
        let surplus = words.len().saturating_sub(WORDS);
        words.drain(..surplus);
    }
}

/// ` (signal 6, abort)`, ` (exit code 3)`, or nothing.
fn how(status: Option<ExitStatus>) -> String {
    let Some(status) = status else {
        return String::new();
    };
    #[cfg(unix)]
    if let Some(signal) = std::os::unix::process::ExitStatusExt::signal(&status) {
        let name = match signal {
            4 => ", illegal instruction",
            6 => ", abort",
            7 | 10 => ", bus error",
            8 => ", arithmetic error",
            9 => ", killed, perhaps for want of memory",
            11 => ", segmentation fault",
            _ => "",
        };
        return format!(" (signal {signal}{name})");
    }
    match status.code() {
        Some(code) => format!(" (exit code {code})"),
        None => String::new(),
    }
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Session({})", self.child.id())
    }
}
