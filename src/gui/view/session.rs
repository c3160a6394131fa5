//! How the session stands, in words.

use crate::workbench::{EXTENSION, OpenModel, SaveStatus, Session};

/// What the top bar says, and whether it is a failure.
pub fn words(session: &Session) -> (String, bool) {
    let later = |text: String| match session.changed {
        true => format!("{text}, changed since"),
        false => text,
    };
    match &session.status {
        SaveStatus::NotSaved => ("Not saved yet".into(), false),
        SaveStatus::Saving => ("Saving".into(), false),
        SaveStatus::Saved(at) => (later(format!("Saved {at}")), false),
        SaveStatus::Failed(_) => ("Could not save".into(), true),
        SaveStatus::Restored(0) => ("Restored, nothing had finished".into(), false),
        SaveStatus::Restored(1) => ("Restored 1 finished experiment".into(), false),
        SaveStatus::Restored(n) => (format!("Restored {n} finished experiments"), false),
    }
}

/// The name that a session's file starts from.
pub fn file_name(model: &OpenModel) -> String {
    let stem = match model.path.as_deref().and_then(std::path::Path::file_stem) {
        Some(stem) => stem.to_string_lossy().into_owned(),
        None => model.name.to_lowercase().replace(' ', "_"),
    };
    format!("{stem}.{EXTENSION}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_state_has_its_words() {
        let mut session = Session::default();
        assert_eq!(words(&session), ("Not saved yet".into(), false));
        session.status = SaveStatus::Saved("09:41 UTC".into());
        assert_eq!(words(&session).0, "Saved 09:41 UTC");
        session.changed = true;
        assert_eq!(words(&session).0, "Saved 09:41 UTC, changed since");
        session.status = SaveStatus::Restored(7);
        assert_eq!(words(&session).0, "Restored 7 finished experiments");
        session.status = SaveStatus::Failed("the disk is full".into());
        assert!(words(&session).1);
    }
}
