//! What the keyboard can do everywhere in the window.

use egui::{Key, KeyboardShortcut, Modifiers};

use super::Tab;

/// Something that a shortcut triggers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Choose a model.
    Open,
    /// Run what is chosen.
    Run,
    /// Cancel the running job.
    Cancel,
    /// Show or hide the side panel.
    Side,
    /// Show a tab.
    Tab(Tab),
    /// Find anything that can be done by typing.
    Palette,
    /// Write the session to its file.
    Save,
    /// Make the change again that was taken back last.
    Redo,
    /// Take back the last change.
    Undo,
    /// Close the innermost thing: a typed path, the selection.
    Escape,
}

impl Action {
    /// All of them.
    pub const ALL: [Action; 13] = [
        Action::Open,
        Action::Run,
        Action::Cancel,
        Action::Side,
        Action::Tab(Tab::Compare),
        Action::Tab(Tab::Tensors),
        Action::Tab(Tab::Layers),
        Action::Tab(Tab::Samples),
        Action::Palette,
        Action::Save,
        // Before Undo, whose keys these hold.
        Action::Redo,
        Action::Undo,
        Action::Escape,
    ];

    /// Its keys.
    pub fn shortcut(self) -> KeyboardShortcut {
        let key = match self {
            Action::Open => Key::O,
            Action::Run => Key::Enter,
            Action::Cancel => Key::Period,
            Action::Side => Key::B,
            Action::Palette => Key::K,
            Action::Save => Key::S,
            Action::Undo => Key::Z,
            Action::Redo => {
                return KeyboardShortcut::new(Modifiers::COMMAND | Modifiers::SHIFT, Key::Z);
            }
            Action::Tab(Tab::Compare) => Key::Num1,
            Action::Tab(Tab::Tensors) => Key::Num2,
            Action::Tab(Tab::Layers) => Key::Num3,
            Action::Tab(Tab::Samples) => Key::Num4,
            Action::Escape => return KeyboardShortcut::new(Modifiers::NONE, Key::Escape),
        };
        KeyboardShortcut::new(Modifiers::COMMAND, key)
    }

    /// What it does, for the palette.
    pub fn name(self) -> String {
        match self {
            Action::Open => "Open a model…".into(),
            Action::Run => "Run what is chosen".into(),
            Action::Cancel => "Cancel the running job".into(),
            Action::Side => "Show or hide the side panel".into(),
            Action::Tab(tab) => format!("Show {}", tab.name()),
            Action::Palette => "Find a command".into(),
            Action::Save => "Save the session".into(),
            Action::Undo => "Undo".into(),
            Action::Redo => "Redo".into(),
            Action::Escape => "Close".into(),
        }
    }

    /// Its keys in words, such as `Ctrl+O`.
    pub fn keys(self, ctx: &egui::Context) -> String {
        ctx.format_shortcut(&self.shortcut())
    }
}

/// The actions whose keys were pressed since the last frame.
pub fn pressed(ctx: &egui::Context) -> Vec<Action> {
    // An open menu closes on Escape by itself.
    let menu = egui::Popup::is_any_open(ctx);
    let typing = ctx.text_edit_focused();
    Action::ALL
        .into_iter()
        .filter(|&a| !(menu && a == Action::Escape))
        // A field that is typed into takes back its own changes.
        .filter(|&a| !(typing && matches!(a, Action::Undo | Action::Redo)))
        .filter(|a| ctx.input_mut(|i| i.consume_shortcut(&a.shortcut())))
        .collect()
}
