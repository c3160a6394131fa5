//! `zeropoint train`: the reference network on labelled images, to a file that Zeropoint, LiteRT and Keras open.

use std::path::Path;
use std::time::Instant;

use bytes::Bytes;
use serde_json::json;

use super::transform::all_cores;
use super::{Failure, args, data, print, print_json};
use crate::error::{Error, Result};
use crate::evaluate;
use crate::keras::{Container, Sequential};
use crate::progress::Progress;
use crate::tflite;
use crate::train::{Epoch, Settings};
use crate::workbench::{Role, files, steps};

/// Exit code of a program that Ctrl-C ended, as shells have it.
const INTERRUPTED: i32 = 130;

/// Carries out `train`. The file is begun when training is over, so an interrupted run leaves none.
pub(super) fn train(a: &args::Train) -> Result<(), Failure> {
    let format = Format::of(&a.output)?;
    files::check_folder(&a.output)?;
    let images = steps::labelled_images(&a.data)?;
    let test = a.test.as_deref().map(steps::labelled_images).transpose()?;
    let settings = Settings {
        epochs: a.epochs as usize,
        seed: a.seed,
    };
    let progress = interruptible()?;
    let start = Instant::now();
    let mut epochs = vec![];
    let mut tell = |epoch: &Epoch| {
        let seconds = start.elapsed().as_secs_f64();
        eprintln!("{}", line(epoch, settings.epochs, seconds));
        epochs.push(json!({
            "epoch": epoch.number, "loss": epoch.loss, "accuracy": epoch.accuracy, "test_accuracy": epoch.test_accuracy,
            "seconds": seconds,
        }));
    };
    let network = crate::train::train(&images, test.as_ref(), &settings, &mut tell, &progress)?;
    let seconds = start.elapsed().as_secs_f64();
    let bytes = format.write(&network)?;
    let top1 = match &a.test {
        Some(path) => written_accuracy(&a.output, bytes.clone(), path, &progress)?,
        None => None,
    };
    progress.check()?;
    files::write(&a.output, &bytes)?;
    if a.json {
        print_json(&json!({
            "output": a.output, "bytes": bytes.len(), "data": images.name(), "images": images.len(), "seed": a.seed,
            "seconds": seconds, "epochs": epochs, "test": test.as_ref().map(|t| t.name()), "top1": top1,
        }));
        return Ok(());
    }
    let accuracy = top1.map_or(String::new(), |a| format!(", top-1 {:.2} %", a * 100.0));
    print(&format!(
        "{}: {} bytes{accuracy}, trained in {seconds:.1} s",
        a.output.display(),
        bytes.len()
    ));
    Ok(())
}

/// Which file the name asks for.
enum Format {
    TfLite,
    Keras(Container),
}

impl Format {
    fn of(path: &Path) -> Result<Self, Failure> {
        let extension = path.extension().unwrap_or_default().to_ascii_lowercase();
        match extension.to_str() {
            Some("tflite") => Ok(Format::TfLite),
            Some("keras") => Ok(Format::Keras(Container::Archive)),
            Some("h5" | "hdf5") => Ok(Format::Keras(Container::Hdf5)),
            _ => Err(Failure::Usage(format!(
                "{}: the ending says what is written, give -o a name with .tflite, .keras or .h5",
                path.display()
            ))),
        }
    }

    fn write(&self, network: &Sequential) -> Result<Bytes> {
        match self {
            Format::TfLite => tflite::write(&network.graph()?).map(Bytes::from),
            Format::Keras(container) => network.write(*container),
        }
    }
}

/// Top-1 of the file's own bytes, read back and run by the engine.
fn written_accuracy(
    output: &Path,
    bytes: Bytes,
    test: &Path,
    progress: &Progress,
) -> Result<Option<f64>> {
    let model = steps::read_model(&files::file_name(output), None, bytes)?;
    let loaded = data(test, None, Role::Evaluation, &model)?;
    let samples = loaded.dataset.as_ref();
    let e = evaluate::evaluate(&model.graph, samples, None, all_cores(), progress)?;
    Ok(e.top1)
}

/// `epoch 2 of 5: loss 0.1043, training accuracy 96.97 %, test accuracy 97.31 %, 9 s, about 13 s left`.
fn line(epoch: &Epoch, epochs: usize, seconds: f64) -> String {
    let test = epoch.test_accuracy.map_or(String::new(), |a| {
        format!(", test accuracy {:.2} %", a * 100.0)
    });
    let left = match epochs - epoch.number {
        0 => String::new(),
        more => format!(
            ", about {:.0} s left",
            seconds / epoch.number as f64 * more as f64
        ),
    };
    format!(
        "epoch {} of {epochs}: loss {:.4}, training accuracy {:.2} %{test}, {seconds:.0} s{left}",
        epoch.number,
        epoch.loss,
        epoch.accuracy * 100.0
    )
}

/// A handle that the first Ctrl-C cancels; the second ends the program at once.
fn interruptible() -> Result<Progress> {
    let progress = Progress::new();
    let shared = progress.clone();
    let handler = move || {
        if shared.is_cancelled() {
            std::process::exit(INTERRUPTED);
        }
        shared.cancel();
    };
    match ctrlc::set_handler(handler) {
        Ok(()) => Ok(progress),
        Err(e) => Err(Error::Invalid(format!("Ctrl-C cannot be heard: {e}"))),
    }
}
