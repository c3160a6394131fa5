//! The headless face: the same core for scripts and CI. Commands, flags and JSON keys are a contract.

mod args;
mod compare;
mod engine;
mod inspect;
mod measure;
mod operators;
mod report;
#[cfg(feature = "train")]
mod train;
mod transform;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;

use crate::data::{self, Preprocess, Selection};
use crate::error::{Error, Result};
use crate::progress::Progress;
use crate::workbench::{ClassSource, Entry, Loaded, OpenModel, Role, Source, files, steps};

pub use args::Cli;
use args::Command;

/// What a build without the feature `train` says.
#[cfg(not(feature = "train"))]
const NO_TRAINING: &str =
    "This build cannot train; build it with cargo build --release --features train";

/// What `main` does next.
pub enum Outcome {
    /// Open the window, with this model.
    Window(Option<PathBuf>),
    /// Everything is done; exit with this code.
    Exit(ExitCode),
}

/// Parses the process's arguments and carries out the command. Errors go to stderr as one line: exit code 1, or 2 for bad usage.
pub fn run() -> Outcome {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(e) => {
            let code = if e.use_stderr() { 2 } else { 0 };
            // Nothing more can be done if the terminal is gone.
            let _ = e.print();
            return Outcome::Exit(ExitCode::from(code));
        }
    };
    let Some(command) = cli.command else {
        return Outcome::Window(cli.model);
    };
    let done = match command {
        Command::Inspect(a) => inspect::inspect(&a),
        Command::Convert(a) => transform::convert(&a),
        Command::Quantize(a) => transform::quantize(&a),
        Command::Run(a) => transform::run(&a),
        Command::Evaluate(a) => measure::evaluate(&a),
        Command::Bench(a) => measure::bench(&a),
        Command::Compare(a) => compare::compare(&a),
        #[cfg(feature = "train")]
        Command::Train(a) => train::train(&a),
        #[cfg(not(feature = "train"))]
        Command::Train(_) => Err(Error::Unsupported(NO_TRAINING.into()).into()),
        Command::LitertChild { library } => {
            crate::workbench::litert::serve(&library).map_err(Failure::Core)
        }
    };
    Outcome::Exit(match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure::Usage(message)) => fail(&message, 2),
        Err(Failure::Core(e)) => fail(&e.to_string(), 1),
    })
}

fn fail(message: &str, code: u8) -> ExitCode {
    eprintln!("zeropoint: {}", message.replace('\n', " "));
    ExitCode::from(code)
}

/// Why a command could not be carried out.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The flags do not fit together: exit code 2.
    Usage(String),
    /// Anything else: exit code 1.
    Core(Error),
}

impl From<Error> for Failure {
    fn from(e: Error) -> Self {
        Failure::Core(e)
    }
}

/// Opens a model file at the entry and input shapes that were asked for, or the file's default ones. Axes that the file leaves
/// open are taken from `data` where nobody says what they are.
fn open(path: &Path, entry: &args::Entry, data: Option<&DataArgument<'_>>) -> Result<OpenModel> {
    let model = steps::open_model(path)?;
    let subgraph = match (&entry.signature, entry.subgraph) {
        (Some(key), _) => model.file.signature_entry(key),
        (None, Some(index)) => Ok(index),
        (None, None) => Ok(model.entry.subgraph),
    };
    let subgraph = subgraph.map_err(|e| e.at(&model.name))?;
    let mut shapes = entry.shape.clone();
    let model = model.enter(Entry {
        subgraph,
        shapes: vec![],
    })?;
    if let (true, Some(data)) = (shapes.is_empty(), data) {
        shapes = data.request(&model, |r| steps::shapes_from(r, &Progress::new()))?;
    }
    match shapes.is_empty() {
        true => Ok(model),
        false => model.enter(Entry { subgraph, shapes }),
    }
}

/// A failed step of a model some of whose inputs have open axes asks for their shapes.
fn asking_for_shapes<T>(model: &OpenModel, entry: &args::Entry, done: Result<T>) -> Result<T> {
    let open = model.graph.open_inputs();
    let Some((name, shape)) = open.first().filter(|_| entry.shape.is_empty()) else {
        return done;
    };
    let ask = format!("; input {name} is open ({shape}), give its shape as --shape {name}=1,…");
    done.map_err(|e| match e {
        Error::Malformed(what) => Error::Malformed(what + &ask),
        Error::Unsupported(what) => Error::Unsupported(what + &ask),
        Error::Invalid(what) => Error::Invalid(what + &ask),
        Error::Cancelled => Error::Cancelled,
    })
}

/// What a command line says of data.
struct DataArgument<'a> {
    source: Source,
    role: Role,
    samples: Option<u64>,
    flags: &'a args::DataFlags,
}

impl<'a> DataArgument<'a> {
    /// A file or folder, with the labels that were given for it; random values for `synthetic`, if no file is called so.
    fn file(path: &Path, labels: Option<&Path>, role: Role, flags: &'a args::DataFlags) -> Self {
        let source = match path == Path::new("synthetic") && !path.exists() {
            true => Source::Synthetic,
            false => Source::File {
                path: path.to_owned(),
                labels: labels.map(Path::to_owned),
            },
        };
        Self {
            source,
            role,
            samples: None,
            flags,
        }
    }

    /// So many samples of it.
    fn samples(self, samples: Option<u64>) -> Self {
        Self { samples, ..self }
    }

    /// Reads it, checked against the model.
    fn open(&self, model: &OpenModel) -> Result<Loaded> {
        self.request(model, |r| steps::open_data(r, &Progress::new()))
    }

    /// Does something with what the flags ask for.
    fn request<T>(
        &self,
        model: &OpenModel,
        then: impl FnOnce(&steps::DataRequest<'_>) -> Result<T>,
    ) -> Result<T> {
        let flags = self.flags;
        let preprocess = match &flags.preprocess {
            None => None,
            Some(preset) => Some(match Preprocess::preset(preset) {
                Some(preset) => preset,
                None => preprocess_file(preset)?,
            }),
        };
        let classes = match flags.classes.as_deref() {
            None => ClassSource::Auto,
            Some("sorted") => ClassSource::Sorted,
            Some("model") => ClassSource::Model,
            Some(file) => ClassSource::File(file.into()),
        };
        let samples = self
            .samples
            .map(|n| usize::try_from(n).unwrap_or(usize::MAX));
        let selection = match (samples, flags.pick) {
            (None, _) => Selection::All,
            (Some(samples), args::PickArg::First) => Selection::First { samples },
            (Some(samples), args::PickArg::Random) => Selection::Random {
                samples,
                seed: flags.seed,
            },
            (Some(samples), args::PickArg::PerClass) => Selection::PerClass { samples },
        };
        let request = steps::DataRequest {
            source: &self.source,
            role: self.role,
            model: &model.graph,
            selection,
            preprocess: preprocess.as_ref(),
            classes: &classes,
            label_column: flags.label_column.as_deref(),
        };
        then(&request)
    }
}

/// What the model will see of folders, and what looks wrong with any of the data, goes to stderr.
///
/// # Errors
/// Preprocessing was asked for and none of the data takes any: figures would be of other inputs than the user thinks.
fn tell_of(flags: &args::DataFlags, data: &[&Loaded]) -> Result<()> {
    let used = data.iter().any(|l| l.preprocess.is_some());
    if let (Some(asked), Some(first), false) = (&flags.preprocess, data.first(), used) {
        return crate::invalid!(
            "--preprocess {asked} is for images and sounds; {} is fed as it is, leave the flag away or convert the data",
            first.name
        );
    }
    for line in data.iter().flat_map(|l| described(l)) {
        eprintln!("{line}");
    }
    Ok(())
}

/// Preprocessing from a JSON file.
fn preprocess_file(path: &str) -> Result<Preprocess> {
    let presets = data::PRESETS.join(", ");
    let file = Path::new(path);
    if !file.exists() {
        return crate::invalid!(
            "--preprocess {path} is neither a preset ({presets}) nor a file that exists"
        );
    }
    let bytes = files::read(file)?;
    let text = String::from_utf8_lossy(&bytes);
    Preprocess::from_json(&text).map_err(|e| e.at(files::file_name(file)))
}

/// What must be said of figures that come from random values.
fn synthetic(loaded: &Loaded) -> Option<String> {
    let what = &loaded.name;
    let says = format!("Made with {what}: it says nothing of accuracy on real inputs");
    loaded.synthetic.then_some(says)
}

/// What the model will see of a folder, and what looks wrong with any data, a line each.
fn described(loaded: &Loaded) -> Vec<String> {
    let mut lines = vec![];
    lines.extend(synthetic(loaded));
    if let (Some(kind), Some(preprocess)) = (loaded.folder, &loaded.preprocess) {
        let values = loaded.preview.values;
        let mut line = format!(
            "{}: {} of {} {} ({}), {} ({}), values {:.3} to {:.3}, mean {:.3}",
            loaded.name,
            loaded.dataset.len(),
            loaded.total,
            kind.noun(),
            loaded.selection,
            preprocess.scale_name(),
            loaded.preprocess_from,
            values.min,
            values.max,
            values.mean,
        );
        if !loaded.classes.is_empty() {
            let order = &loaded.class_order;
            line += &format!(", {} classes {order}", loaded.classes.len());
        }
        lines.push(line);
    }
    if let Some(first) = loaded.skipped.first() {
        lines.push(format!(
            "{}: {} left out, cannot be read: {} ({})",
            loaded.name,
            loaded.skipped.len(),
            first.file,
            first.reason
        ));
    }
    let warned = loaded.warnings.iter();
    lines.extend(warned.map(|w| format!("{}: {w}", loaded.name)));
    lines
}

/// Prints to stdout. A reader that went away (`| head`) ends the program quietly.
fn print(text: &str) {
    use std::io::Write;
    if writeln!(std::io::stdout(), "{text}").is_err() {
        std::process::exit(0);
    }
}

/// Prints pretty JSON to stdout.
fn print_json(value: &serde_json::Value) {
    print(&format!("{value:#}"));
}

/// Writes pretty JSON to a file.
fn write_json(path: &Path, value: &serde_json::Value) -> Result<()> {
    files::write(path, format!("{value:#}\n").as_bytes())
}
