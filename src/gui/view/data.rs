//! Chosen data in words: what the model will see of it, how it was made so, and what looks wrong.

use super::format;
use crate::data::{
    Colour, Fit, Original, Preprocess, PreviewSample, Resize, Scale, Selection, ValueRange,
};
use crate::workbench::{ClassSource, DataChoice, Loaded, Role, Source, Workbench, files};

/// Names of classes that are listed one by one.
const LISTED_CLASSES: usize = 200;
/// An image enlarged more than this is blurred by it.
const ENLARGED: f64 = 2.0;
/// Proportions that differ more than this are seen to be stretched.
const STRETCHED: f64 = 1.25;

/// The choice of one role.
pub fn choice(bench: &Workbench, role: Role) -> &DataChoice {
    match role {
        Role::Calibration => &bench.calibration,
        Role::Evaluation => &bench.evaluation,
    }
}

/// `calibration` or `evaluation`.
pub fn role_name(role: Role) -> &'static str {
    match role {
        Role::Calibration => "calibration",
        Role::Evaluation => "evaluation",
    }
}

/// `0.00 to 1.00, mean 0.13`.
pub fn range_words(values: &ValueRange) -> String {
    let figure = |x: f32| {
        let x = f64::from(x);
        let decimals = if x.abs() >= 100.0 { 0 } else { 2 };
        format::fixed(x, decimals)
    };
    format!(
        "{} to {}, mean {}",
        figure(values.min),
        figure(values.max),
        figure(values.mean)
    )
}

/// One previewed sample in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SampleLines {
    /// Its file without the folder, or its number.
    pub name: String,
    /// The file's path, or the number again.
    pub full: String,
    /// Its class; empty where it is not known.
    pub class: String,
    /// `640 × 480 to 224 × 224`, or what the model sees of it.
    pub size: String,
    /// Range and mean of its values.
    pub values: String,
}

/// A previewed sample in words; `sees` are the pixels (width, height) that the model takes.
pub fn sample_lines(
    sample: &PreviewSample,
    classes: &[String],
    sees: Option<(usize, usize)>,
) -> SampleLines {
    let number = format!("#{}", format::count(sample.sample));
    let full = sample.file.clone().unwrap_or_else(|| number.clone());
    let name = full.rsplit('/').next().unwrap_or(&full).to_owned();
    let class = sample.label.map_or_else(String::new, |label| {
        match classes.get(label as usize).filter(|n| !n.is_empty()) {
            Some(name) if *name == label.to_string() => name.clone(),
            Some(name) => format!("{label} {name}"),
            None => label.to_string(),
        }
    });
    let taken = sees.map(|(w, h)| format!("{w} × {h}"));
    let size = match (sample.original, taken) {
        (Some(Original::Image { width, height }), Some(taken)) => {
            let held = format!("{width} × {height}");
            match held == taken {
                true => held,
                false => format!("{held} to {taken}"),
            }
        }
        (Some(Original::Image { width, height }), None) => format!("{width} × {height}"),
        (Some(Original::Sound { rate, seconds }), _) => {
            format!(
                "{} s at {} Hz",
                format::fixed(seconds, 2),
                format::count(rate as usize)
            )
        }
        (None, Some(taken)) => taken,
        (None, None) => String::new(),
    };
    SampleLines {
        name,
        full,
        class,
        size,
        values: range_words(&sample.values),
    }
}

/// Pixels (width, height) that the model's first input takes, where it takes images.
pub fn input_pixels(bench: &Workbench) -> Option<(usize, usize)> {
    let main = bench.model.as_ref()?.graph.main();
    let tensor = main.tensors.get(*main.inputs.first()?)?;
    match tensor.shape.get(1..)? {
        [height, width] | [height, width, 1 | 3] | [1 | 3, height, width] => {
            Some((*width, *height)).filter(|&(w, h)| w > 1 && h > 1)
        }
        _ => None,
    }
}

/// What looks wrong before anything runs, one sentence each.
pub fn cautions(loaded: &Loaded, sees: Option<(usize, usize)>) -> Vec<String> {
    let mut all = loaded.warnings.clone();
    let images: Vec<(f64, f64)> = loaded
        .preview
        .samples
        .iter()
        .filter_map(|s| match s.original {
            Some(Original::Image { width, height }) => Some((width.into(), height.into())),
            Some(Original::Sound { .. }) | None => None,
        })
        .collect();
    if let (Some((width, height)), false) = (sees, images.is_empty()) {
        let (width, height) = (width as f64, height as f64);
        let enlarged = |&(w, h): &(f64, f64)| (width / w).max(height / h);
        let least = images.iter().map(enlarged).fold(f64::INFINITY, f64::min);
        if least > ENLARGED {
            all.push(format!(
                "Every image is enlarged at least {} times to {width} × {height}, choose larger ones if there are any",
                format::fixed(least, 1)
            ));
        }
        let fit = loaded.preprocess.as_ref().map(|p| p.fit);
        let odd = |&&(w, h): &&(f64, f64)| {
            let ratio = (w / h) / (width / height);
            ratio.max(1.0 / ratio) > STRETCHED
        };
        let odd = images.iter().filter(odd).count();
        if fit == Some(Fit::Stretch) && odd > 0 {
            all.push(format!(
                "{odd} of the {} images below have other proportions and are stretched, Centre crop or Letterbox keeps them",
                images.len()
            ));
        }
    }
    let values = loaded.preview.values;
    if values.min == values.max && !loaded.preview.samples.is_empty() {
        all.push(format!(
            "Every value is {}, nothing can be learned from such samples",
            format::fixed(values.min.into(), 2)
        ));
    }
    if loaded.synthetic {
        all.push("Random values stand in for data, the figures say nothing of accuracy".into());
    }
    all
}

/// The presets of the values, as the window names them.
pub const SCALES: [&str; 5] = [
    "0 to 1",
    "−1 to 1",
    "0 to 255",
    "ImageNet mean and deviation",
    "Own mean and deviation",
];

/// Which of [`SCALES`] it is.
pub fn scale_index(scale: &Scale) -> usize {
    match scale {
        Scale::Unit => 0,
        Scale::Signed => 1,
        Scale::Raw => 2,
        Scale::Imagenet => 3,
        Scale::Own { .. } => 4,
    }
}

/// The scale of that index of [`SCALES`]; own figures begin as those of `before`.
pub fn scale_at(index: usize, before: &Preprocess) -> Scale {
    match index {
        0 => Scale::Unit,
        1 => Scale::Signed,
        2 => Scale::Raw,
        3 => Scale::Imagenet,
        _ => {
            let channels = if before.scale == Scale::Imagenet {
                3
            } else {
                1
            };
            let lines = before.lines(channels).unwrap_or_default();
            let figures = |of: fn(&(f64, f64)) -> f64| lines.iter().map(of).collect();
            Scale::Own {
                mean: figures(|l| l.0),
                deviation: figures(|l| l.1),
            }
        }
    }
}

/// Ways to resize, to fit and to see colour: what they are called, and the setting.
pub const RESIZES: [(&str, Resize); 3] = [
    ("Bilinear", Resize::Bilinear),
    ("Nearest", Resize::Nearest),
    ("Area", Resize::Area),
];
/// See [`RESIZES`].
pub const FITS: [(&str, Fit); 3] = [
    ("Stretch", Fit::Stretch),
    ("Centre crop", Fit::CentreCrop),
    ("Letterbox", Fit::Letterbox),
];
/// See [`RESIZES`].
pub const COLOURS: [(&str, Colour); 4] = [
    ("As the model has channels", Colour::Auto),
    ("RGB", Colour::Rgb),
    ("BGR", Colour::Bgr),
    ("Grey", Colour::Grey),
];

/// `103.9, 116.8, 123.7`.
pub fn figures_text(figures: &[f64]) -> String {
    let words: Vec<String> = figures.iter().map(f64::to_string).collect();
    words.join(", ")
}

/// Figures that were typed, between commas or blanks; says what is wrong with them.
pub fn parse_figures(typed: &str) -> Result<Vec<f64>, String> {
    let parts = typed
        .split(|c: char| c == ',' || c.is_whitespace())
        .filter(|p| !p.is_empty());
    let figures: Result<Vec<f64>, _> = parts.map(|p| p.replace('−', "-").parse()).collect();
    match figures {
        Ok(f) if !f.is_empty() && f.len() <= 16 && f.iter().all(|x| x.is_finite()) => Ok(f),
        _ => Err(format!(
            "{:?} is no list of figures, type one for all channels or one a channel such as 123.7, 116.3, 103.5",
            typed.trim()
        )),
    }
}

/// Which samples, as the window names it.
pub const PICKS: [&str; 4] = ["All", "First", "Random", "Of each class"];

/// Which of [`PICKS`] it is.
pub fn pick_index(selection: &Selection) -> usize {
    match selection {
        Selection::All => 0,
        Selection::First { .. } => 1,
        Selection::Random { .. } => 2,
        Selection::PerClass { .. } => 3,
    }
}

/// The selection of that index of [`PICKS`], with the figures of `before` where it has them; `total` samples there are.
pub fn pick_at(index: usize, before: &Selection, total: usize) -> Selection {
    let samples = before.samples().unwrap_or(100).min(total.max(1));
    match index {
        0 => Selection::All,
        1 => Selection::First { samples },
        2 => Selection::Random { samples, seed: 0 },
        _ => Selection::PerClass {
            samples: before.samples().unwrap_or(10).min(10),
        },
    }
}

/// How classes get their outputs, as the window names it.
pub const ORDERS: [&str; 4] = [
    "Automatic",
    "Names in order",
    "The model's own labels",
    "A file of names…",
];

/// Which of [`ORDERS`] it is.
pub fn order_index(classes: &ClassSource) -> usize {
    match classes {
        ClassSource::Auto => 0,
        ClassSource::Sorted => 1,
        ClassSource::Model => 2,
        ClassSource::File(_) => 3,
    }
}

/// `0 cat`, `1 dog`, one a line, and how many more there are.
pub fn class_lines(classes: &[String]) -> (Vec<String>, usize) {
    let named = |(i, name): (usize, &String)| match name.as_str() {
        "" => format!("{i} –"),
        name if name == i.to_string() => name.to_owned(),
        name => format!("{i}  {name}"),
    };
    let lines: Vec<String> = classes
        .iter()
        .take(LISTED_CLASSES)
        .enumerate()
        .map(named)
        .collect();
    let more = classes.len() - lines.len();
    (lines, more)
}

/// What the data is called in full.
pub fn source_name(choice: &DataChoice) -> String {
    match (&choice.source, &choice.loaded) {
        (Some(Source::File { path, .. }), _) => files::file_name(path),
        (Some(Source::Demo), Some(loaded)) => loaded.name.clone(),
        (Some(Source::Demo), None) => "MNIST digits".into(),
        (Some(Source::Synthetic), _) => "Random values".into(),
        (None, _) => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_typed_with_commas_or_blanks() {
        assert_eq!(parse_figures("127.5"), Ok(vec![127.5]));
        assert_eq!(parse_figures("1, 2 −3"), Ok(vec![1.0, 2.0, -3.0]));
        for typed in ["", "a", "1,,b", "nan"] {
            assert!(parse_figures(typed).is_err(), "{typed}");
        }
    }

    #[test]
    fn every_choice_is_found_again() {
        let before = Preprocess::default();
        for i in 0..SCALES.len() {
            assert_eq!(scale_index(&scale_at(i, &before)), i);
        }
        for i in 0..PICKS.len() {
            assert_eq!(pick_index(&pick_at(i, &Selection::All, 50)), i);
        }
        // Own figures begin as those that were in force.
        let own = scale_at(4, &Preprocess::preset("signed").unwrap());
        assert_eq!(
            own,
            Scale::Own {
                mean: vec![127.5],
                deviation: vec![127.5]
            }
        );
    }

    #[test]
    fn ranges_have_decimals_where_they_matter() {
        let values = |min, max, mean| range_words(&ValueRange { min, max, mean });
        assert_eq!(values(-1.0, 1.0, -0.125), "−1.00 to 1.00, mean −0.12");
        assert_eq!(values(0.0, 255.0, 33.25), "0.00 to 255, mean 33.25");
    }

    #[test]
    fn a_sample_is_told_by_file_class_size_and_values() {
        let sample = PreviewSample {
            sample: 3,
            file: Some("dog/17.png".into()),
            original: Some(Original::Image {
                width: 640,
                height: 480,
            }),
            label: Some(1),
            picture: crate::data::Picture::Curve(vec![]),
            values: ValueRange {
                min: 0.0,
                max: 1.0,
                mean: 0.5,
            },
        };
        let classes = ["cat".to_owned(), "dog".to_owned()];
        let lines = sample_lines(&sample, &classes, Some((224, 224)));
        assert_eq!(
            (lines.name.as_str(), lines.class.as_str()),
            ("17.png", "1 dog")
        );
        assert_eq!(lines.size, "640 × 480 to 224 × 224");
        assert_eq!(lines.values, "0.00 to 1.00, mean 0.50");
    }
}
