//! The child process: reads requests from its parent, lets LiteRT work, answers, and ends with its parent.

use std::io::{BufReader, BufWriter, Write};
use std::path::Path;
use std::sync::mpsc;

use crate::error::{Error, Result};
use crate::litert::{Reply, Server, read_request, write_reply};

/// Serves one parent over stdin and stdout until it goes away. LiteRT's own words go to stderr.
///
/// # Errors
/// Streams that cannot be set up.
pub fn serve(library: &Path) -> Result<()> {
    let mut answers = BufWriter::new(private_output()?);
    let (sender, requests) = mpsc::channel();
    let reader = std::thread::Builder::new()
        .name("litert-requests".into())
        .spawn(move || {
            let mut input = BufReader::new(std::io::stdin());
            while let Ok(Some(request)) = read_request(&mut input) {
                if sender.send(request).is_err() {
                    break;
                }
            }
            // The parent is gone or talks nonsense: end at once, whatever LiteRT is doing.
            end_now();
        });
    reader.map_err(|e| Error::Invalid(format!("Cannot start a thread: {e}")))?;
    let mut server = Server::new(library.to_owned());
    for request in requests {
        let reply: Reply = server.answer(request);
        if write_reply(&mut answers, &reply)
            .and_then(|()| answers.flush())
            .is_err()
        {
            break;
        }
    }
    Ok(())
}

/// What was stdout, for answers alone; stdout itself becomes stderr, as LiteRT prints where it likes. No core files either: a
/// crash is expected here and would write LiteRT's whole memory.
#[cfg(unix)]
fn private_output() -> Result<impl Write> {
    use std::os::fd::AsFd;
    let explain = |e: &dyn std::fmt::Display| {
        Error::Invalid(format!("LiteRT's process cannot set up its output: {e}"))
    };
    let own = std::io::stdout().as_fd().try_clone_to_owned();
    let own = own.map_err(|e| explain(&e))?;
    rustix::stdio::dup2_stdout(std::io::stderr().as_fd()).map_err(|e| explain(&e))?;
    let none = rustix::process::Rlimit {
        current: Some(0),
        maximum: Some(0),
    };
    // Without it a crash merely takes longer.
    let _ = rustix::process::setrlimit(rustix::process::Resource::Core, none);
    Ok(std::fs::File::from(own))
}

/// Elsewhere the marker in front of every frame keeps answers and noise apart.
#[cfg(not(unix))]
fn private_output() -> Result<impl Write> {
    Ok(std::io::stdout())
}

/// Ends the process without the library's destructors, which may wait for threads that compute.
fn end_now() -> ! {
    #[cfg(unix)]
    {
        // If even that fails, the ordinary way follows.
        let _ =
            rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
    }
    std::process::exit(0)
}
