//! What a model answers to one sample, prepared once and asked as often as wanted.

use std::sync::Arc;
use std::time::Instant;

use super::answers::{best, margin, shares};
use super::outputs::{Output, outputs, reals};
use crate::calibrate::Feed;
use crate::data::Dataset;
use crate::engine::Options;
use crate::error::Result;
use crate::graph::Graph;
use crate::invalid;

/// A classifier that is asked sample by sample.
pub struct Single {
    feed: Feed,
    /// Which output answers, and how it is read.
    classifier: (usize, Output),
}

/// What it said.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// The class of the highest score, the first on a tie.
    pub class: u32,
    /// The best minus the second-best share, 0..1; 0 is a tie.
    pub margin: f32,
    /// The softmax score of every class, 0..1.
    pub shares: Vec<f32>,
    /// Time of the run alone, seconds.
    pub seconds: f64,
}

impl Single {
    /// Prepares a model for one sample on one thread.
    ///
    /// # Errors
    /// A model that cannot run, or none of whose outputs is a list of classes.
    pub fn new(graph: &Arc<Graph>) -> Result<Self> {
        let found = outputs(graph)?.into_iter().enumerate();
        let Some(classifier) = found.into_iter().find(|(_, o)| o.classes.is_some()) else {
            return invalid!("The output is not a list of classes");
        };
        let feed = Feed::new(graph, Options::default(), 1)?;
        Ok(Self { feed, classifier })
    }

    /// Its answer to the first sample of `data`.
    pub fn answer(&mut self, data: &dyn Dataset) -> Result<Answer> {
        let inputs = self.feed.inputs(data, 0..1)?;
        let start = Instant::now();
        let values = self.feed.run_inputs(&inputs, None)?;
        let seconds = start.elapsed().as_secs_f64();
        let (at, output) = &self.classifier;
        let Some(value) = values.get(*at) else {
            return invalid!(
                "The model gave {} outputs, {} are declared",
                values.len(),
                at + 1
            );
        };
        let scores = reals(output, value, 1)?;
        Ok(Answer {
            class: best(&scores),
            margin: margin(&scores),
            shares: shares(&scores),
            seconds,
        })
    }
}
