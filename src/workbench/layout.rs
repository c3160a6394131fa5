//! How the window was left: size, scale, theme, side panel; kept as JSON in the user's configuration folder.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::litert::Engine;
use super::{Workbench, files, recent};
use crate::workbench::jobs::JobKind;

/// What the window remembers from one start to the next. An unreadable or senseless one is the default.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Layout {
    /// Width and height in points at scale 1.
    pub size: Option<(f32, f32)>,
    /// Scale of everything, 1 to 3.
    pub scale: Option<f32>,
    /// Dark or light; `None` follows the system.
    pub dark: Option<bool>,
    /// Whether the side panel is open; `None` follows the width.
    pub side_open: Option<bool>,
    /// Engine of the last comparison.
    pub engine: Engine,
    /// Where LiteRT is, if not in a usual place.
    pub litert_place: Option<PathBuf>,
}

impl Layout {
    /// The layout kept in that file.
    pub fn load(file: &Path) -> Self {
        let bytes = files::read(file).unwrap_or_default();
        let mut layout: Self = serde_json::from_slice(&bytes).unwrap_or_default();
        let sane = |x: &f32| (200.0..=20_000.0).contains(x);
        layout.size = layout.size.filter(|(w, h)| sane(w) && sane(h));
        layout.scale = layout.scale.filter(|s| (1.0..=3.0).contains(s));
        layout
    }
}

impl Workbench {
    /// Keeps the layout in that file, as a job.
    pub fn remember_layout(&mut self, file: &Path, layout: Layout) {
        let file = file.to_owned();
        self.jobs
            .start(JobKind::Recent, move |_| recent::store(&file, &layout));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_layout_comes_back_and_nonsense_does_not() {
        let folder = std::env::temp_dir().join(format!("zeropoint-layout-{}", std::process::id()));
        let file = folder.join("layout.json");
        assert_eq!(Layout::load(&file), Layout::default());
        let kept = Layout {
            size: Some((1280.0, 800.0)),
            scale: Some(1.5),
            dark: Some(false),
            side_open: Some(true),
            engine: Engine::Both,
            litert_place: Some("env".into()),
        };
        recent::store(&file, &kept).unwrap();
        assert_eq!(Layout::load(&file), kept);
        std::fs::write(&file, r#"{"size": [1e30, 3], "scale": 90, "dark": true}"#).unwrap();
        let sane = Layout {
            dark: Some(true),
            ..Layout::default()
        };
        assert_eq!(Layout::load(&file), sane);
        std::fs::write(&file, "[1, 2").unwrap();
        assert_eq!(Layout::load(&file), Layout::default());
        std::fs::remove_dir_all(folder).unwrap();
    }
}
