//! How experiments are told apart beside their colour: marker by mode, filling by the recipe's place in its mode.

use crate::quantize::{Io, Mode};
use crate::workbench::Experiment;

/// The filling of markers and bars: the first recipe of a mode solid, the second hatched, the third dotted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Texture {
    /// Filled marker, solid bar.
    #[default]
    Solid,
    /// Hollow marker, diagonal hatch.
    Hatch,
    /// Hollow marker with a dot, dotted bar.
    Dots,
}

impl Texture {
    /// The texture of the recipe that is `rank`th (from 0) of its mode; they repeat from the fourth on.
    pub fn of_rank(rank: usize) -> Self {
        match rank % 3 {
            0 => Texture::Solid,
            1 => Texture::Hatch,
            _ => Texture::Dots,
        }
    }
}

/// How an experiment looks in every table and plot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Look {
    /// Decides hue and marker.
    pub mode: Mode,
    /// Decides filling.
    pub texture: Texture,
}

impl Look {
    /// The solid look of a mode.
    pub fn mode(mode: Mode) -> Self {
        Self {
            mode,
            texture: Texture::Solid,
        }
    }

    /// The look of an experiment: by its place among those of its mode, which it keeps when others come and go.
    pub fn of(experiment: &Experiment) -> Self {
        Self {
            mode: experiment.mode(),
            texture: Texture::of_rank(experiment.intent.rank),
        }
    }
}

/// The words of an experiment: its mode or what the user calls it, and what sets it apart (`int8 I/O`; empty where the mode has
/// one I/O only), random calibration values first.
pub fn words(experiment: &Experiment) -> (String, String) {
    let mode = experiment.mode();
    let mut detail = vec![];
    if experiment.random {
        detail.push("random values".to_owned());
    }
    let name = match &experiment.intent.name {
        Some(name) => {
            detail.push(mode.name().to_owned());
            name.clone()
        }
        // Beyond the third the marks repeat.
        None if experiment.intent.rank > 2 => {
            format!("{} #{}", mode.name(), experiment.intent.rank + 1)
        }
        None => mode.name().to_owned(),
    };
    let apart = experiment.apart();
    // The usual I/O is named where nothing else is to be said, and left off where it would only repeat the mode.
    let alone = detail.is_empty() && apart.is_empty() && mode != Mode::Float32;
    if experiment.io() != Io::Float32 || alone {
        detail.push(format!("{} I/O", experiment.io().name()));
    }
    detail.extend(apart);
    (name, detail.join(", "))
}
