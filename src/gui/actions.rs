//! What the keyboard can do everywhere in the window.

use egui::{Key, KeyboardShortcut, Modifiers};

use super::Tab;

/// Scales that keys step through.
pub const SCALES: [f32; 8] = [1.0, 1.1, 1.25, 1.5, 1.75, 2.0, 2.5, 3.0];

/// Something that a shortcut triggers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Choose a model.
    Open,
    /// Run what is chosen.
    Run,
    /// Cancel the running job.
    Cancel,
    /// Write a report of everything that has run.
    Report,
    /// Show or hide the side panel.
    Side,
    /// Show a tab.
    Tab(Tab),
    /// Find anything that can be done by typing.
    Palette,
    /// Help, where nothing has the keyboard whose tooltip F1 could show.
    Help,
    /// Give the keyboard to the next part of the window.
    NextPart,
    /// Give the keyboard to the part before.
    PartBefore,
    /// Show everything larger.
    Larger,
    /// Show everything smaller.
    Smaller,
    /// Show everything in its normal size.
    NormalSize,
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
    pub const ALL: [Action; 20] = [
        Action::Open,
        Action::Run,
        Action::Cancel,
        Action::Report,
        Action::Side,
        Action::Tab(Tab::Compare),
        Action::Tab(Tab::Tensors),
        Action::Tab(Tab::Layers),
        Action::Tab(Tab::Samples),
        Action::Palette,
        Action::Help,
        Action::NextPart,
        Action::PartBefore,
        Action::Larger,
        Action::Smaller,
        Action::NormalSize,
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
            Action::Report => Key::E,
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
            Action::Larger => Key::Plus,
            Action::Smaller => Key::Minus,
            Action::NormalSize => Key::Num0,
            Action::Help => return KeyboardShortcut::new(Modifiers::NONE, Key::F1),
            Action::NextPart => return KeyboardShortcut::new(Modifiers::NONE, Key::F6),
            Action::PartBefore => return KeyboardShortcut::new(Modifiers::SHIFT, Key::F6),
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
            Action::Report => "Export report…".into(),
            Action::Side => "Show or hide the side panel".into(),
            Action::Tab(tab) => format!("Show {}", tab.name()),
            Action::Palette => "Find a command".into(),
            Action::Help => "Help".into(),
            Action::NextPart => "Next part of the window".into(),
            Action::PartBefore => "Part of the window before".into(),
            Action::Larger => "Larger".into(),
            Action::Smaller => "Smaller".into(),
            Action::NormalSize => "Normal size".into(),
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
    let mut found: Vec<Action> = Action::ALL
        .into_iter()
        // With Shift first: the keys without it would take them.
        .rev()
        .filter(|&a| !(menu && a == Action::Escape))
        // A field that is typed into takes back its own changes.
        .filter(|&a| !(typing && matches!(a, Action::Undo | Action::Redo)))
        .filter(|a| ctx.input_mut(|i| i.consume_shortcut(&a.shortcut())))
        .collect();
    // Plus without Shift, where it shares a key with the equals sign.
    let equals = KeyboardShortcut::new(Modifiers::COMMAND, Key::Equals);
    if ctx.input_mut(|i| i.consume_shortcut(&equals)) {
        found.push(Action::Larger);
    }
    found
}
