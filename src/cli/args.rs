//! Flags of every command (design, section 4).

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::quantize::{Io, Mode};
use crate::workbench::litert::Engine;

/// Quantize trained networks and compare what came of it. Without a command the window opens.
#[derive(Debug, Parser)]
#[command(name = "zeropoint", version, args_conflicts_with_subcommands = true)]
pub struct Cli {
    /// Model to open in the window (.tflite, .keras, .h5)
    pub model: Option<PathBuf>,
    /// What to do instead of opening the window
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// One command.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Show inputs, outputs, operators and tensors of a model
    Inspect(Inspect),
    /// Convert a Keras model to a float .tflite file
    Convert(Convert),
    /// Quantize a model in one mode
    Quantize(Quantize),
    /// Run a model on .npy inputs and keep its outputs
    Run(Run),
    /// Measure accuracy on a dataset
    Evaluate(Evaluate),
    /// Measure latency
    Bench(Bench),
    /// Quantize in every mode and compare; without MODEL the built-in MNIST experiment
    Compare(Compare),
    /// Train the reference network on labelled images (in builds with the feature `train`)
    Train(Train),
    /// The process that runs LiteRT; started by Zeropoint itself
    #[command(hide = true)]
    LitertChild {
        /// LiteRT's library
        library: PathBuf,
    },
}

/// Which part of a model is meant.
#[derive(Debug, Clone, Default, Args)]
pub struct Entry {
    /// Work on the subgraph that this signature enters; `inspect` lists them [default: serving_default, or the only one]
    #[arg(long, value_name = "NAME", conflicts_with = "subgraph")]
    pub signature: Option<String>,
    /// Work on this subgraph, counted from 0
    #[arg(long, value_name = "N")]
    pub subgraph: Option<usize>,
    /// Shape of an input, where the file leaves it open or another is wanted; once for each input
    #[arg(long, value_name = "NAME=1,16,16,3", value_parser = input_shape)]
    pub shape: Vec<(String, Vec<usize>)>,
}

/// How data becomes inputs, and which of it.
#[derive(Debug, Clone, Default, Args)]
pub struct DataFlags {
    /// How images become inputs: unit (0..1), signed (-1..1), raw (0..255), imagenet, or a JSON file [default: what the model says, or unit]
    #[arg(long, value_name = "PRESET|FILE.json")]
    pub preprocess: Option<String>,
    /// Which class of a folder or table is which output: sorted (by name), model (by its metadata), or a file with a name a line [default: model's where they fit, or sorted]
    #[arg(long, value_name = "sorted|model|FILE")]
    pub classes: Option<String>,
    /// Label column of a .csv or .tsv file: its name, or without a header its number from 1 [default: label, class or target]
    #[arg(long, value_name = "NAME")]
    pub label_column: Option<String>,
    /// How N samples are chosen: the first, at random, or N of each class
    #[arg(long, value_enum, default_value_t = PickArg::First)]
    pub pick: PickArg,
    /// Which random choice
    #[arg(long, value_name = "SEED", default_value_t = 0)]
    pub seed: u64,
}

/// How a number of samples is chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum PickArg {
    /// The first N
    #[default]
    First,
    /// N at random, the same for the same --seed
    Random,
    /// The first N of each class
    PerClass,
}

/// Flags of `inspect`.
#[derive(Debug, Args)]
pub struct Inspect {
    /// Model file
    #[arg(required_unless_present = "operators")]
    pub model: Option<PathBuf>,
    /// Show what this version does with every builtin operator instead
    #[arg(long, conflicts_with = "model")]
    pub operators: bool,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
    /// Which part of the model
    #[command(flatten)]
    pub entry: Entry,
}

/// Flags of `convert`.
#[derive(Debug, Args)]
pub struct Convert {
    /// Keras model, .h5 or .keras
    pub model: PathBuf,
    /// File to write
    #[arg(short, long, value_name = "OUT.tflite")]
    pub output: PathBuf,
}

/// Flags of `quantize`.
#[derive(Debug, Args)]
pub struct Quantize {
    /// Float model file
    pub model: PathBuf,
    /// Quantization mode
    #[arg(long, value_enum, required_unless_present = "recipe")]
    pub mode: Option<ModeArg>,
    /// File to write
    #[arg(short, long, value_name = "OUT.tflite")]
    pub output: PathBuf,
    /// Type of inputs and outputs [default: float32]
    #[arg(long, value_enum)]
    pub io: Option<IoArg>,
    /// Representative dataset: IDX, .npy, .npz, .csv, .wav, or a folder of images or sounds
    #[arg(long, value_name = "DATA")]
    pub calibration: Option<PathBuf>,
    /// Calibrate on N samples
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..))]
    pub samples: u64,
    /// Settings as JSON; flags given beside it win
    #[arg(long, value_name = "RECIPE.json")]
    pub recipe: Option<PathBuf>,
    /// Keep these operators float: by index, or by the name of a tensor they make (see `inspect`), separated by commas
    #[arg(long, value_delimiter = ',', value_name = "NAME|INDEX,…")]
    pub keep_float: Vec<String>,
    /// In mode int8, let these operators compute on int16 activations: named as for --keep-float
    #[arg(long, value_delimiter = ',', value_name = "NAME|INDEX,…")]
    pub int16: Vec<String>,
    /// Fail, with a list, if an operator would stay float
    #[arg(long)]
    pub strict: bool,
    /// Print what was done as JSON
    #[arg(long)]
    pub json: bool,
    /// How data becomes inputs
    #[command(flatten)]
    pub data_flags: DataFlags,
    /// Which part of the model
    #[command(flatten)]
    pub entry: Entry,
}

/// Flags of `run`.
#[derive(Debug, Args)]
pub struct Run {
    /// Model file
    pub model: PathBuf,
    /// One per model input, in order, in the model's own type and shape; random values without
    #[arg(long, value_name = "X.npy")]
    pub input: Vec<PathBuf>,
    /// Folder for output_<i>.npy
    #[arg(long, value_name = "DIR")]
    pub output_dir: PathBuf,
    /// Which of Zeropoint's kernels compute
    #[arg(long, value_enum, default_value_t = KernelsArg::Fast)]
    pub kernels: KernelsArg,
    /// Threads
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = threads)]
    pub threads: usize,
    /// Which engine
    #[command(flatten)]
    pub engine: EngineArgs,
    /// Which part of the model
    #[command(flatten)]
    pub entry: Entry,
}

/// Flags of `evaluate`.
#[derive(Debug, Args)]
pub struct Evaluate {
    /// Model file
    pub model: PathBuf,
    /// Samples: IDX, .npy, .npz, .csv, .wav, or a folder of images or sounds
    #[arg(long, value_name = "DATA")]
    pub data: PathBuf,
    /// Labels, where they do not lie beside the data
    #[arg(long, value_name = "FILE")]
    pub labels: Option<PathBuf>,
    /// Evaluate on N samples [default: all]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub samples: Option<u64>,
    /// Threads [default: all cores]
    #[arg(long, value_name = "N", value_parser = threads)]
    pub threads: Option<usize>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
    /// How data becomes inputs
    #[command(flatten)]
    pub data_flags: DataFlags,
    /// Which engine
    #[command(flatten)]
    pub engine: EngineArgs,
    /// Which part of the model
    #[command(flatten)]
    pub entry: Entry,
}

/// Flags of `bench`.
#[derive(Debug, Args)]
pub struct Bench {
    /// Model files
    #[arg(required = true)]
    pub models: Vec<PathBuf>,
    /// Threads
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = threads)]
    pub threads: usize,
    /// How long to measure each model
    #[arg(long, value_name = "S", default_value_t = 2.0, value_parser = seconds)]
    pub seconds: f64,
    /// Time each operator too, in as many runs again
    #[arg(long)]
    pub profile: bool,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
    /// Which engine
    #[command(flatten)]
    pub engine: EngineArgs,
    /// Which part of the model
    #[command(flatten)]
    pub entry: Entry,
}

/// Flags of `compare`.
#[derive(Debug, Args)]
pub struct Compare {
    /// Float model files, compared with one another; the built-in MNIST experiment without
    pub models: Vec<PathBuf>,
    /// Representative dataset: IDX, .npy, .npz, .csv, .wav, or a folder of images or sounds
    #[arg(long, value_name = "DATA")]
    pub calibration: Option<PathBuf>,
    /// Evaluation samples: IDX, .npy, .npz, .csv or .wav, labels beside them, or a folder of images or sounds
    #[arg(long, value_name = "DATA")]
    pub data: Option<PathBuf>,
    /// Labels of the evaluation samples, where they do not lie beside them
    #[arg(long, value_name = "FILE")]
    pub labels: Option<PathBuf>,
    /// Modes, separated by commas [default: all]
    #[arg(long, value_enum, value_delimiter = ',', value_name = "M,M,…")]
    pub modes: Vec<ModeArg>,
    /// Calibrate on N samples
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..))]
    pub samples: u64,
    /// Type of inputs and outputs in modes that can have it, float32 in the others
    #[arg(long, value_enum, default_value_t = IoArg::Float32)]
    pub io: IoArg,
    /// Settings of every mode as JSON; its own mode and input/output type are not used
    #[arg(long, value_name = "RECIPE.json")]
    pub recipe: Option<PathBuf>,
    /// Keep these operators float: by index, or by the name of a tensor they make (see `inspect`), separated by commas
    #[arg(long, value_delimiter = ',', value_name = "NAME|INDEX,…")]
    pub keep_float: Vec<String>,
    /// In mode int8, let these operators compute on int16 activations: named as for --keep-float
    #[arg(long, value_delimiter = ',', value_name = "NAME|INDEX,…")]
    pub int16: Vec<String>,
    /// Variant that agreement, SQNR and deltas are taken against: its name or its mode [default: the float model, of several the first]
    #[arg(long, value_name = "NAME|MODE")]
    pub baseline: Option<String>,
    /// Threads that latency is measured with
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = threads)]
    pub threads: usize,
    /// Folder for the quantized files
    #[arg(long, value_name = "DIR")]
    pub output_dir: Option<PathBuf>,
    /// File for the figures
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// Evaluate on N samples [default: all]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub data_samples: Option<u64>,
    /// How data becomes inputs
    #[command(flatten)]
    pub data_flags: DataFlags,
    /// Which engine
    #[command(flatten)]
    pub engine: EngineArgs,
    /// File for a report, .html, .csv or .json; may be given several times
    #[arg(long, value_name = "FILE")]
    pub report: Vec<PathBuf>,
    /// Which part of the model
    #[command(flatten)]
    pub entry: Entry,
}

/// Flags of `train`.
#[derive(Debug, Args)]
pub struct Train {
    /// Training images: IDX, labels beside them
    #[arg(long, value_name = "TRAIN_IMAGES")]
    pub data: PathBuf,
    /// Images to test each epoch on: IDX, labels beside them
    #[arg(long, value_name = "TEST_IMAGES")]
    pub test: Option<PathBuf>,
    /// How often every image is seen
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=10_000))]
    pub epochs: u64,
    /// Draws the first weights and the order of the images: the same seed, the same network
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub seed: u64,
    /// File to write
    #[arg(short, long, value_name = "OUT.tflite|OUT.h5|OUT.keras")]
    pub output: PathBuf,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// Which engine computes.
#[derive(Debug, Clone, Copy, Default, Args)]
pub struct EngineArgs {
    /// Zeropoint's engine, LiteRT's library (found through ZEROPOINT_LITERT or a Python environment with ai-edge-litert), or both and
    /// how far their outputs differ
    #[arg(long, value_enum, default_value_t = EngineArg::Zeropoint)]
    pub engine: EngineArg,
    /// Whether LiteRT may use its XNNPACK delegate
    #[arg(long, value_enum, default_value_t = DelegateArg::Xnnpack)]
    pub delegate: DelegateArg,
}

/// An engine as written on the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
#[allow(missing_docs)] // the names say it
pub enum EngineArg {
    #[default]
    Zeropoint,
    Litert,
    Both,
}

impl From<EngineArg> for Engine {
    fn from(e: EngineArg) -> Self {
        match e {
            EngineArg::Zeropoint => Engine::Zeropoint,
            EngineArg::Litert => Engine::Litert,
            EngineArg::Both => Engine::Both,
        }
    }
}

/// LiteRT's delegate as written on the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum DelegateArg {
    /// What users of LiteRT get
    #[default]
    Xnnpack,
    /// LiteRT's own kernels alone
    None,
}

/// A mode as written on the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[allow(missing_docs)] // the names say it
pub enum ModeArg {
    Float32,
    Float16,
    Dynamic,
    Int8,
    Int16x8,
}

impl From<ModeArg> for Mode {
    fn from(m: ModeArg) -> Self {
        match m {
            ModeArg::Float32 => Mode::Float32,
            ModeArg::Float16 => Mode::Float16,
            ModeArg::Dynamic => Mode::Dynamic,
            ModeArg::Int8 => Mode::Int8,
            ModeArg::Int16x8 => Mode::Int16x8,
        }
    }
}

/// An input/output type as written on the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[allow(missing_docs)] // the names say it
pub enum IoArg {
    Float32,
    Int8,
    Uint8,
    Int16,
}

impl From<IoArg> for Io {
    fn from(io: IoArg) -> Self {
        match io {
            IoArg::Float32 => Io::Float32,
            IoArg::Int8 => Io::Int8,
            IoArg::Uint8 => Io::Uint8,
            IoArg::Int16 => Io::Int16,
        }
    }
}

/// Which kernels compute.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum KernelsArg {
    /// Naive, the specification
    Reference,
    /// Vectorised
    Fast,
}

/// `NAME=1,16,16,3`; the name may hold further equals signs.
fn input_shape(text: &str) -> Result<(String, Vec<usize>), String> {
    let form = "give it as NAME=1,16,16,3";
    let (name, extents) = text.rsplit_once('=').ok_or(form)?;
    let extents = extents.split(',').map(|d| d.trim().parse());
    match extents.collect() {
        Ok(shape) if !name.is_empty() => Ok((name.to_owned(), shape)),
        _ => Err(form.into()),
    }
}

fn threads(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(n @ 1..=256) => Ok(n),
        _ => Err("give a whole number from 1 to 256".into()),
    }
}

fn seconds(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(s) if s > 0.0 && s <= 3600.0 => Ok(s),
        _ => Err("give seconds above 0, at most 3600".into()),
    }
}
