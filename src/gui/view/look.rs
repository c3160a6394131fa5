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

    /// The look of an experiment: it depends on the recipe alone, so that it stays when others come and go.
    pub fn of(experiment: &Experiment) -> Self {
        let mode = experiment.mode();
        let rank = mode
            .ios()
            .iter()
            .position(|&io| io == experiment.io())
            .unwrap_or(0);
        Self {
            mode,
            texture: Texture::of_rank(rank),
        }
    }
}

/// The words of an experiment: its mode, and what sets it apart (`int8 I/O`; empty where the mode has one I/O only), random
/// calibration values first.
pub fn words(experiment: &Experiment) -> (&'static str, String) {
    let mode = experiment.mode();
    let detail = if mode == Mode::Float32 {
        String::new()
    } else {
        format!("{} I/O", experiment.io().name())
    };
    let detail = match (experiment.random, experiment.io()) {
        (true, Io::Float32) => "random values".to_owned(),
        (true, _) => format!("random values, {detail}"),
        (false, _) => detail,
    };
    (mode.name(), detail)
}
