//! What the child process does with a request: load the library and a model, run it, time it.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::ffi::Model;
use super::{Reply, Request};
use crate::error::Result;
use crate::invalid;

/// One library and at most one model, for the life of the process.
pub struct Server {
    library: PathBuf,
    model: Option<Model>,
}

impl Server {
    /// Nothing is loaded before the first request.
    pub fn new(library: PathBuf) -> Self {
        Self {
            library,
            model: None,
        }
    }

    /// Carries out a request; what goes wrong becomes [`Reply::Failed`].
    pub fn answer(&mut self, request: Request) -> Reply {
        self.carry_out(request).unwrap_or_else(|e| Reply::Failed {
            message: e.to_string(),
        })
    }

    fn carry_out(&mut self, request: Request) -> Result<Reply> {
        match request {
            Request::Load {
                model,
                threads,
                delegate,
                signature,
            } => {
                if self.model.is_some() {
                    return invalid!("This process has a model already");
                }
                let model = Model::load(
                    &self.library,
                    model,
                    threads,
                    delegate,
                    signature.as_deref(),
                )?;
                let loaded = model.describe()?;
                self.model = Some(model);
                Ok(Reply::Loaded(loaded))
            }
            Request::Resize { shapes } => Ok(Reply::Resized {
                outputs: self.model()?.resize(&shapes)?,
            }),
            Request::Run { inputs } => {
                let model = self.model()?;
                model.feed(&inputs)?;
                model.run()?;
                Ok(Reply::Ran {
                    outputs: model.outputs()?,
                })
            }
            Request::Time {
                inputs,
                warm_up,
                least,
                most,
                seconds,
            } => {
                let model = self.model()?;
                model.feed(&inputs)?;
                for _ in 0..warm_up {
                    model.run()?;
                }
                let wanted = Duration::try_from_secs_f64(seconds).unwrap_or_default();
                let mut nanoseconds = vec![];
                let start = Instant::now();
                while nanoseconds.len() < least
                    || (start.elapsed() < wanted && nanoseconds.len() < most)
                {
                    let run = Instant::now();
                    model.run()?;
                    nanoseconds.push(run.elapsed().as_nanos() as u64);
                }
                Ok(Reply::Timed { nanoseconds })
            }
        }
    }

    fn model(&mut self) -> Result<&mut Model> {
        match &mut self.model {
            Some(model) => Ok(model),
            None => invalid!("No model is loaded"),
        }
    }
}
