//! The bundled IBM Plex fonts (OFL 1.1, licence beside them) and the sizes text is set in.

use std::sync::Arc;

use egui::{FontData, FontDefinitions, FontFamily, FontId};

const SANS: &[u8] = include_bytes!("../../assets/fonts/IBMPlexSans_400Regular.ttf");
const SANS_STRONG: &[u8] = include_bytes!("../../assets/fonts/IBMPlexSans_600SemiBold.ttf");
const MONO: &[u8] = include_bytes!("../../assets/fonts/IBMPlexMono_400Regular.ttf");

/// Name of the semi-bold family.
const STRONG: &str = "ui-strong";

/// Plex Sans for text, its semi-bold for names and headings, Plex Mono for code; egui's own fonts fill the gaps.
pub fn definitions() -> FontDefinitions {
    let mut fonts = FontDefinitions::default();
    let fallbacks: Vec<String> = fonts
        .families
        .get(&FontFamily::Proportional)
        .into_iter()
        .chain(fonts.families.get(&FontFamily::Monospace))
        .flatten()
        .cloned()
        .collect();
    for (name, bytes) in [
        ("plex", SANS),
        ("plex-strong", SANS_STRONG),
        ("plex-mono", MONO),
    ] {
        fonts
            .font_data
            .insert(name.into(), Arc::new(FontData::from_static(bytes)));
    }
    let family = |first: &[&str]| {
        let mut names: Vec<String> = first.iter().map(|&n| n.to_owned()).collect();
        for name in &fallbacks {
            if !names.contains(name) {
                names.push(name.clone());
            }
        }
        names
    };
    fonts.families = [
        (FontFamily::Proportional, family(&["plex"])),
        (
            FontFamily::Name(STRONG.into()),
            family(&["plex-strong", "plex"]),
        ),
        (FontFamily::Monospace, family(&["plex-mono", "plex"])),
    ]
    .into_iter()
    .collect();
    fonts
}

fn regular(size: f32) -> FontId {
    FontId::new(size, FontFamily::Proportional)
}

fn semi_bold(size: f32) -> FontId {
    FontId::new(size, FontFamily::Name(STRONG.into()))
}

/// 26, the start screen's title.
pub fn display() -> FontId {
    semi_bold(26.0)
}

/// 17, key figures.
pub fn number() -> FontId {
    semi_bold(17.0)
}

/// 15, the answer line.
pub fn verdict() -> FontId {
    regular(15.0)
}

/// 15 semi-bold, the answer line's subject, an inspector's name.
pub fn verdict_strong() -> FontId {
    semi_bold(15.0)
}

/// 13, tables, buttons, tabs.
pub fn body() -> FontId {
    regular(13.0)
}

/// 13 semi-bold, names and headings.
pub fn strong() -> FontId {
    semi_bold(13.0)
}

/// 12, hints, column heads, secondary columns.
pub fn small() -> FontId {
    regular(12.0)
}

/// 12 semi-bold.
pub fn small_strong() -> FontId {
    semi_bold(12.0)
}

/// 11, axis figures and chips; nothing is smaller.
pub fn caption() -> FontId {
    regular(11.0)
}

/// 12, tensor names and paths.
pub fn code() -> FontId {
    FontId::new(12.0, FontFamily::Monospace)
}
