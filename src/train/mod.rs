//! Trains the network of the reference experiment on labelled images: Reshape, Conv2D 12 × 3 × 3 with ReLU, MaxPool 2 × 2, Dense to
//! logits.
//!
//! candle keeps the gradients, multiplies the matrices and takes Adam's steps; the network's first half is one operation of ours
//! whose forward pass is the engine's own convolution. The same images, settings and instruction set give the same weights to the
//! bit, on any number of threads.

mod features;
mod network;

use candle_core::{D, Device, Tensor};
use candle_nn::optim::{AdamW, Optimizer, ParamsAdamW};

use crate::data::{LabelledImages, word};
use crate::error::{Error, Result};
use crate::invalid;
use crate::keras::Sequential;
use crate::progress::Progress;
use network::Network;

/// Images that one step of the optimizer sees.
const BATCH: usize = 32;
/// Images that are tested at once.
const TEST_BATCH: usize = 128;

/// What may be chosen; the rest is the reference experiment's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// How often every image is seen, from 1.
    pub epochs: usize,
    /// Draws the first weights and the order of the images.
    pub seed: u64,
}

/// How one epoch went.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Epoch {
    /// From 1.
    pub number: usize,
    /// Mean cross-entropy of the training images, each as its batch saw it, in nats.
    pub loss: f64,
    /// Share of training images that were right, each as its batch saw it, 0..1.
    pub accuracy: f64,
    /// Share of test images that are right after the epoch, 0..1.
    pub test_accuracy: Option<f64>,
}

/// Trains on `images` with Adam (learning rate 0.001, β 0.9 and 0.999, ε 1e-7 as in Keras) on batches of 32 in an order drawn anew
/// each epoch, against the cross-entropy of the logits. `after` hears of every epoch when it is over; `progress` counts images.
///
/// # Errors
/// `Invalid` or `Unsupported` where the data does not make a network (images too small or too large, one class, test images of
/// another size or with labels beyond the training images'); `Cancelled` within one batch.
pub fn train(
    images: &LabelledImages,
    test: Option<&LabelledImages>,
    settings: &Settings,
    after: &mut dyn FnMut(&Epoch),
    progress: &Progress,
) -> Result<Sequential> {
    if settings.epochs == 0 {
        return invalid!("No epochs were asked for; at least 1 is needed");
    }
    let network = Network::new(images, settings.seed)?;
    if let Some(test) = test {
        network.check(test)?;
    }
    let adam = ParamsAdamW {
        lr: 0.001,
        beta1: 0.9,
        beta2: 0.999,
        eps: 1e-7,
        weight_decay: 0.0,
    };
    let mut optimizer = AdamW::new(network.variables(), adam).map_err(failed)?;
    let tested = test.map_or(0, LabelledImages::len);
    let total = settings.epochs.saturating_mul(images.len() + tested);
    let mut done = 0;
    let mut order: Vec<usize> = (0..images.len()).collect();
    for number in 1..=settings.epochs {
        // 0 and 1 draw the weights.
        shuffle(&mut order, word(settings.seed, number as u64 + 1));
        let (mut loss, mut right) = (0.0, 0);
        for batch in order.chunks(BATCH) {
            progress.report(done, total)?;
            let step = step(&network, &mut optimizer, images, batch).map_err(failed)?;
            loss += step.0 * batch.len() as f64;
            right += step.1;
            done += batch.len();
        }
        let mut tested_right = 0;
        if let Some(test) = test {
            let numbers: Vec<usize> = (0..test.len()).collect();
            for batch in numbers.chunks(TEST_BATCH) {
                progress.report(done, total)?;
                let logits = network.logits(test, batch).map_err(failed)?;
                tested_right += count_right(&logits, &labels(test, batch)).map_err(failed)?;
                done += batch.len();
            }
        }
        after(&Epoch {
            number,
            loss: loss / images.len() as f64,
            accuracy: right as f64 / images.len() as f64,
            test_accuracy: test.map(|t| tested_right as f64 / t.len() as f64),
        });
    }
    progress.report(total, total)?;
    network.sequential()
}

/// One step of the optimizer: the loss before it, and how many images of the batch were right.
fn step(
    network: &Network,
    optimizer: &mut AdamW,
    images: &LabelledImages,
    batch: &[usize],
) -> candle_core::Result<(f64, usize)> {
    let labels = labels(images, batch);
    let logits = network.logits(images, batch)?;
    let right = count_right(&logits, &labels)?;
    let labels = Tensor::from_vec(labels, batch.len(), &Device::Cpu)?;
    let loss = candle_nn::loss::cross_entropy(&logits, &labels)?;
    optimizer.backward_step(&loss)?;
    Ok((f64::from(loss.to_scalar::<f32>()?), right))
}

fn labels(images: &LabelledImages, batch: &[usize]) -> Vec<u32> {
    batch.iter().map(|&i| images.labels()[i]).collect()
}

fn count_right(logits: &Tensor, labels: &[u32]) -> candle_core::Result<usize> {
    let answers = logits.argmax(D::Minus1)?.to_vec1::<u32>()?;
    let pairs = answers.iter().zip(labels);
    Ok(pairs.filter(|(answer, label)| answer == label).count())
}

/// Every order is as likely (Fisher and Yates).
fn shuffle(order: &mut [usize], seed: u64) {
    for i in (1..order.len()).rev() {
        // The modulo prefers small numbers by less than one in 2^40 for any data set that fits in memory.
        let j = word(seed, i as u64) % (i as u64 + 1);
        order.swap(i, j as usize);
    }
}

/// What the library could not do, in our words.
fn failed(e: candle_core::Error) -> Error {
    Error::Invalid(format!("The training step failed: {e}"))
}
