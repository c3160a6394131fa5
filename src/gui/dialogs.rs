//! File dialogs: asked for by panels, shown on a thread of their own, with a typed path where the system has none.

use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, TryRecvError, channel};
use std::time::{Duration, Instant};

use bytes::Bytes;

use crate::workbench::{ClassSource, Command, EXTENSION, ExperimentId, Role, files};

/// rfd answers a missing dialog as if the user had cancelled, only faster than anybody could.
const NOBODY_CANCELS_FASTER: Duration = Duration::from_millis(250);

/// What a file is wanted for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ask {
    /// A model to open.
    Model,
    /// Samples.
    Data(Role),
    /// A folder of samples.
    Folder(Role),
    /// Labels of these samples.
    Labels(Role),
    /// Class names in the order of the model's outputs.
    Classes,
    /// A Python environment with LiteRT, or the folder of its library.
    Litert,
    /// Where to write a report, with a name to start from.
    Report(String),
    /// Where to write a picture of a plot, with a name to start from, and its bytes.
    Picture(String, Bytes),
    /// Where to write an experiment's file, with a name to start from.
    Save(ExperimentId, String),
    /// Where to write the session, with a name to start from.
    SaveSession(String),
    /// A session to open.
    OpenSession,
}

impl Ask {
    /// What to do with the path.
    pub fn command(&self, path: PathBuf) -> Command {
        match self {
            Ask::Model => Command::OpenModel(path),
            Ask::Data(role) | Ask::Folder(role) => Command::ChooseData(*role, path),
            Ask::Classes => Command::SetClasses(ClassSource::File(path)),
            Ask::Labels(role) => Command::ChooseLabels(*role, path),
            Ask::Litert => Command::SetLitertPlace(Some(path)),
            Ask::Report(_) => Command::SaveReport(path),
            Ask::Picture(_, bytes) => Command::WriteFile(path, bytes.clone()),
            Ask::Save(id, _) => Command::Save(*id, path),
            Ask::SaveSession(_) => Command::SaveSession(match path.extension() {
                Some(_) => path,
                None => path.with_extension(EXTENSION),
            }),
            Ask::OpenSession => Command::OpenSession(path),
        }
    }

    /// Name of the field that a path is typed into.
    pub fn field_name(&self) -> &'static str {
        match self {
            Ask::Model => "Model path",
            Ask::Data(Role::Calibration) => "Calibration data path",
            Ask::Data(Role::Evaluation) => "Evaluation data path",
            Ask::Folder(Role::Calibration) => "Calibration folder path",
            Ask::Folder(Role::Evaluation) => "Evaluation folder path",
            Ask::Labels(_) => "Labels path",
            Ask::Classes => "Class names path",
            Ask::Litert => "LiteRT path",
            Ask::Report(_) => "Report path",
            Ask::Picture(..) => "Picture path",
            Ask::Save(..) => "Save as path",
            Ask::SaveSession(_) => "Save session as path",
            Ask::OpenSession => "Session path",
        }
    }

    /// Label of the button that confirms a typed path.
    pub fn verb(&self) -> &'static str {
        match self {
            Ask::Model | Ask::OpenSession => "Open",
            Ask::Data(_) | Ask::Folder(_) | Ask::Labels(_) | Ask::Classes => "Read",
            Ask::Litert => "Use",
            Ask::Report(_) | Ask::Picture(..) | Ask::Save(..) | Ask::SaveSession(_) => "Save",
        }
    }
}

/// A path being typed because there is no dialog, or because the user prefers to.
#[derive(Debug, Clone)]
pub struct Typing {
    /// What for.
    pub ask: Ask,
    /// The text so far.
    pub text: String,
    /// Whether the field shall take the keyboard now.
    pub take_focus: bool,
    /// Whether a dialog was tried in vain.
    pub no_dialog: bool,
}

impl Typing {
    /// An empty field for this, or one that starts from a proposed name.
    pub fn new(ask: Ask, folder: Option<&Path>, no_dialog: bool) -> Self {
        let text = match &ask {
            Ask::Report(name)
            | Ask::Picture(name, _)
            | Ask::Save(_, name)
            | Ask::SaveSession(name) => folder
                .map(Path::to_owned)
                .or_else(|| std::env::current_dir().ok())
                .map_or_else(|| PathBuf::from(name), |f| f.join(name))
                .display()
                .to_string(),
            Ask::Model
            | Ask::Data(_)
            | Ask::Folder(_)
            | Ask::Labels(_)
            | Ask::Classes
            | Ask::Litert
            | Ask::OpenSession => String::new(),
        };
        Self {
            ask,
            text,
            take_focus: true,
            no_dialog,
        }
    }
}

/// At most one open dialog.
#[derive(Debug, Default)]
pub struct Dialogs {
    open: Option<Open>,
    /// Never shows a native dialog: every question is answered by typing (tests).
    pub typed_only: bool,
}

#[derive(Debug)]
struct Open {
    ask: Ask,
    answer: Receiver<Option<PathBuf>>,
    since: Instant,
}

/// What became of a dialog.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// The user chose this file.
    Chosen(Ask, PathBuf),
    /// The system has no dialog to show.
    NoDialog(Ask),
}

impl Dialogs {
    /// Shows a dialog (unless one is open); `wake` is called when it is answered. Starts in `folder` where that is known.
    pub fn show(
        &mut self,
        ask: Ask,
        folder: Option<PathBuf>,
        wake: impl Fn() + Send + 'static,
    ) -> Option<Answer> {
        if self.typed_only {
            return Some(Answer::NoDialog(ask));
        }
        if self.open.is_some() {
            return None;
        }
        let (sender, answer) = channel();
        let question = ask.clone();
        let body = move || {
            let path = native(&question, folder);
            // The receiver is gone only when the window is.
            let _ = sender.send(path);
            wake();
        };
        let thread = std::thread::Builder::new().name("file dialog".into());
        match thread.spawn(body) {
            Ok(_) => {
                let since = Instant::now();
                self.open = Some(Open { ask, answer, since });
                None
            }
            Err(_) => Some(Answer::NoDialog(ask)),
        }
    }

    /// The answer, once it is there; never waits.
    pub fn poll(&mut self) -> Option<Answer> {
        let open = self.open.as_ref()?;
        let path = match open.answer.try_recv() {
            Ok(path) => path,
            Err(TryRecvError::Empty) => return None,
            Err(TryRecvError::Disconnected) => None,
        };
        let Open { ask, since, .. } = self.open.take()?;
        match path {
            Some(path) => Some(Answer::Chosen(ask, path)),
            None if since.elapsed() < NOBODY_CANCELS_FASTER => Some(Answer::NoDialog(ask)),
            None => None,
        }
    }
}

/// Blocks until the user answers.
fn native(ask: &Ask, folder: Option<PathBuf>) -> Option<PathBuf> {
    let mut dialog = rfd::FileDialog::new();
    if let Some(folder) = folder {
        dialog = dialog.set_directory(folder);
    }
    match ask {
        Ask::Model => dialog
            .set_title("Open model")
            .add_filter(
                "Models and sessions",
                &["tflite", "keras", "h5", "hdf5", EXTENSION],
            )
            .add_filter("All files", &["*"])
            .pick_file(),
        Ask::Data(_) => dialog
            .set_title("Choose data")
            .add_filter("All files", &["*"])
            .add_filter("Arrays and images", &["npy", "npz", "gz", "idx3-ubyte"])
            .pick_file(),
        Ask::Folder(_) => dialog.set_title("Choose folder").pick_folder(),
        Ask::Litert => dialog
            .set_title("Choose LiteRT's Python environment")
            .pick_folder(),
        Ask::Classes => dialog
            .set_title("Choose class names")
            .add_filter("All files", &["*"])
            .add_filter("Names, one a line", &["txt", "csv"])
            .pick_file(),
        Ask::Labels(_) => dialog
            .set_title("Choose labels")
            .add_filter("All files", &["*"])
            .add_filter("Labels", &["npy", "gz", "idx1-ubyte"])
            .pick_file(),
        Ask::Report(name) => dialog
            .set_title("Export report")
            .set_file_name(name)
            .add_filter("Report", &["html", "csv", "json"])
            .save_file(),
        Ask::Picture(name, _) => dialog
            .set_title("Save picture")
            .set_file_name(name)
            .add_filter("Picture", &["png", "svg"])
            .save_file(),
        Ask::SaveSession(name) => dialog
            .set_title("Save session")
            .set_file_name(name)
            .add_filter("Zeropoint session", &[EXTENSION])
            .save_file(),
        Ask::OpenSession => dialog
            .set_title("Open session")
            .add_filter("Zeropoint session", &[EXTENSION])
            .pick_file(),
        Ask::Save(_, name) => dialog
            .set_title("Save file")
            .set_file_name(name)
            .add_filter("TensorFlow Lite", &["tflite"])
            .save_file(),
    }
}

/// What a dropped file is for: a model by its ending, labels by their name (with an ending: folders have none), else the data that
/// is missing.
pub fn dropped(path: &Path, model_open: bool, calibration_chosen: bool) -> Command {
    let name = files::file_name(path).to_lowercase();
    // Opening a session is opening its model.
    let is_model = [".tflite", ".keras", ".h5", ".hdf5", ".lite", ".zps"]
        .iter()
        .any(|end| name.ends_with(end));
    if is_model || !model_open {
        Command::OpenModel(path.to_owned())
    } else if name.contains("idx1") || (name.contains("label") && path.extension().is_some()) {
        Command::ChooseLabels(Role::Evaluation, path.to_owned())
    } else if calibration_chosen {
        Command::ChooseData(Role::Evaluation, path.to_owned())
    } else {
        Command::ChooseData(Role::Calibration, path.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dropped_files_go_where_they_are_missing() {
        let at = |name: &str, model, calibration| dropped(Path::new(name), model, calibration);
        assert_eq!(
            at("a/m.TFLITE", true, true),
            Command::OpenModel("a/m.TFLITE".into())
        );
        assert_eq!(
            at("x.bin", false, false),
            Command::OpenModel("x.bin".into())
        );
        assert_eq!(
            at("x.npy", true, false),
            Command::ChooseData(Role::Calibration, "x.npy".into())
        );
        assert_eq!(
            at("x.npy", true, true),
            Command::ChooseData(Role::Evaluation, "x.npy".into())
        );
        assert_eq!(
            at("t10k-labels-idx1-ubyte.gz", true, true),
            Command::ChooseLabels(Role::Evaluation, "t10k-labels-idx1-ubyte.gz".into())
        );
        assert_eq!(
            at("data/labelled flowers", true, true),
            Command::ChooseData(Role::Evaluation, "data/labelled flowers".into())
        );
    }

    #[test]
    fn without_dialogs_every_question_is_typed() {
        let mut dialogs = Dialogs {
            typed_only: true,
            ..Dialogs::default()
        };
        let answer = dialogs.show(Ask::Model, None, || {});
        assert_eq!(answer, Some(Answer::NoDialog(Ask::Model)));
        assert_eq!(dialogs.poll(), None);
    }

    #[test]
    fn saving_starts_from_the_models_folder() {
        let ask = Ask::Save(ExperimentId(1), "m_int8.tflite".into());
        let typing = Typing::new(ask, Some(Path::new("models")), true);
        assert_eq!(
            PathBuf::from(typing.text),
            Path::new("models").join("m_int8.tflite")
        );
    }
}
