//! The forms of a report, told apart by the ending of the file's name.

use std::path::Path;

use super::{Report, csv, html, json};
use crate::error::Result;
use crate::invalid;

/// A form of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// One page that needs nothing else.
    Html,
    /// One line an experiment.
    Csv,
    /// Everything, for programs.
    Json,
}

impl Form {
    /// The form that a file's name asks for.
    ///
    /// # Errors
    /// An ending that is none of a report's.
    pub fn of(path: &Path) -> Result<Self> {
        let end = path.extension().map(|e| e.to_string_lossy().to_lowercase());
        match end.as_deref() {
            Some("html" | "htm") => Ok(Form::Html),
            Some("csv") => Ok(Form::Csv),
            Some("json") => Ok(Form::Json),
            _ => invalid!(
                "{}: a report is .html, .csv or .json, give it such a name",
                path.display()
            ),
        }
    }

    /// The report in this form.
    pub fn write(self, report: &Report) -> String {
        match self {
            Form::Html => html(report),
            Form::Csv => csv(report),
            Form::Json => json(report),
        }
    }
}
