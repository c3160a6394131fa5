//! Which class is which output of the model: by the order of names, by a list of names, or by numbers.

use super::labels::Classes;
use crate::data::words::count;
use crate::error::Result;
use crate::{invalid, malformed};

/// Most classes that are read from a list.
const MAX_CLASSES: usize = 100_000;

/// Names of a model's classes, in the order of its outputs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClassNames {
    /// Where they come from, such as `labels.txt`, for messages.
    pub from: String,
    /// One for each output.
    pub names: Vec<String>,
}

/// Which class is which output of the model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClassOrder {
    /// By the names that the model itself carries, if it does and they fit, else as [`ClassOrder::Sorted`].
    Auto(Option<ClassNames>),
    /// Names in alphabetical order (by code point, as Keras sorts folders); where all are whole numbers, by their value. If
    /// there are fewer numbers than outputs and all are below their count, the number itself is the output.
    Sorted,
    /// In the order of this list.
    Names(ClassNames),
}

/// Classes with their outputs.
#[derive(Debug)]
pub(in crate::data) struct Assigned {
    /// For each class that was found, its output.
    pub(in crate::data) index: Vec<u32>,
    /// Names by output.
    pub(in crate::data) names: Vec<String>,
    /// How, for people.
    pub(in crate::data) how: String,
}

impl ClassNames {
    /// Reads one name a line; empty lines at the end do not count.
    ///
    /// # Errors
    /// Bytes that are no text, no names, a name that occurs twice, or more than 100,000.
    pub fn read(from: &str, bytes: &[u8]) -> Result<Self> {
        let Ok(text) = std::str::from_utf8(bytes) else {
            return malformed!("{from} is no text file of class names");
        };
        let text = text.trim_start_matches('\u{feff}').trim_end();
        let names: Vec<String> = text
            .lines()
            .take(MAX_CLASSES + 1)
            .map(|l| l.trim().to_owned())
            .collect();
        if text.is_empty() {
            return malformed!("{from} holds no class names");
        }
        if names.len() > MAX_CLASSES {
            return invalid!(
                "{from} holds more than {} lines; it should hold a class name a line",
                count(MAX_CLASSES)
            );
        }
        Ok(Self {
            from: from.to_owned(),
            names,
        })
    }

    /// The output of a class: its name's place, or else the only place where the names are equal but for case, `_` and `-` for
    /// spaces, and what follows a comma or the first word (`n01440764 tench`).
    fn place(&self, class: &str) -> Option<u32> {
        let find = |same: &dyn Fn(&str) -> bool| {
            let mut places = self.names.iter().enumerate().filter(|(_, n)| same(n));
            let (first, more) = (places.next()?, places.next());
            more.is_none().then_some(first.0 as u32)
        };
        let plain = plain(class);
        find(&|n| n == class)
            .or_else(|| find(&|n| self::plain(n) == plain))
            .or_else(|| find(&|n| n.split([',', ' ']).next() == Some(class)))
            .or_else(|| find(&|n| n.split(',').next().map(self::plain) == Some(plain.clone())))
    }
}

fn plain(name: &str) -> String {
    name.trim().to_lowercase().replace(['_', '-'], " ")
}

/// Gives each class its output; `None` where there are no classes or the model is no classifier.
pub(in crate::data) fn assign(
    folder: &str,
    found: &Classes,
    order: &ClassOrder,
    outputs: Option<usize>,
) -> Result<Option<Assigned>> {
    let (found, listed) = match found {
        Classes::Unknown => return Ok(None),
        Classes::Named(names) => (names, None),
        Classes::Listed(names, list) => (names, Some(list)),
        Classes::Numbered(numbers) => return numbered(folder, numbers, order, outputs).map(Some),
    };
    let assigned = match (order, listed) {
        (ClassOrder::Names(names), _) => by_names(folder, found, names, outputs)?,
        (ClassOrder::Auto(_), Some(names)) => by_names(folder, found, names, outputs)?,
        (ClassOrder::Auto(Some(names)), None) => match by_names(folder, found, names, outputs) {
            Ok(assigned) => assigned,
            // The model's own names need not be those of the folders.
            Err(_) => sorted(folder, found, outputs)?,
        },
        (ClassOrder::Auto(None), None) | (ClassOrder::Sorted, _) => sorted(folder, found, outputs)?,
    };
    Ok(Some(assigned))
}

fn by_names(
    folder: &str,
    found: &[String],
    names: &ClassNames,
    outputs: Option<usize>,
) -> Result<Assigned> {
    if let Some(outputs) = outputs
        && outputs != names.names.len()
    {
        return invalid!(
            "{} names {} classes, the model tells {} apart",
            names.from,
            count(names.names.len()),
            count(outputs)
        );
    }
    let mut index = vec![];
    for class in found {
        let Some(place) = names.place(class) else {
            return invalid!(
                "The class {class} of {folder} is not one of the {} names in {}, such as {}",
                count(names.names.len()),
                names.from,
                names.names.first().map_or("", String::as_str)
            );
        };
        index.push(place);
    }
    Ok(Assigned {
        index,
        names: names.names.clone(),
        how: format!("by the names in {}", names.from),
    })
}

fn sorted(folder: &str, found: &[String], outputs: Option<usize>) -> Result<Assigned> {
    let numbers: Option<Vec<u32>> = found
        .iter()
        .map(|n| {
            n.bytes()
                .all(|b| b.is_ascii_digit())
                .then(|| n.parse().ok())?
        })
        .collect();
    let fits = |numbers: &Vec<u32>, outputs: usize| {
        found.len() != outputs && numbers.iter().all(|&n| (n as usize) < outputs)
    };
    if let (Some(numbers), Some(outputs)) = (&numbers, outputs)
        && fits(numbers, outputs)
    {
        return Ok(Assigned {
            index: numbers.clone(),
            names: (0..outputs).map(|i| i.to_string()).collect(),
            how: "by the numbers that name them".into(),
        });
    }
    if let Some(outputs) = outputs
        && outputs != found.len()
    {
        return invalid!(
            "{folder} holds {} ({}), the model tells {} apart; give their names in the order of its outputs, one a line",
            match found.len() {
                1 => "one class".to_owned(),
                n => format!("{} classes", count(n)),
            },
            examples(found),
            count(outputs)
        );
    }
    let mut places: Vec<usize> = (0..found.len()).collect();
    match &numbers {
        Some(numbers) => places.sort_by_key(|&i| numbers.get(i)),
        None => places.sort_by_key(|&i| found.get(i)),
    }
    let mut index = vec![0; found.len()];
    let mut names = vec![];
    for (output, &place) in places.iter().enumerate() {
        if let Some(slot) = index.get_mut(place) {
            *slot = output as u32;
        }
        names.extend(found.get(place).cloned());
    }
    Ok(Assigned {
        index,
        names,
        how: match numbers {
            Some(_) => "in numerical order".into(),
            None => "in alphabetical order".into(),
        },
    })
}

/// Classes that a label file gives as outputs.
fn numbered(
    folder: &str,
    numbers: &[u32],
    order: &ClassOrder,
    outputs: Option<usize>,
) -> Result<Assigned> {
    if let (Some(outputs), Some(&odd)) = (
        outputs,
        numbers
            .iter()
            .find(|&&n| outputs.is_some_and(|o| n as usize >= o)),
    ) {
        return invalid!(
            "{folder} has the label {odd}, the model tells {} classes apart (0 to {})",
            count(outputs),
            count(outputs.saturating_sub(1))
        );
    }
    let highest = numbers.iter().max().map_or(0, |&n| n as usize + 1);
    let names = match order {
        ClassOrder::Auto(Some(names)) | ClassOrder::Names(names)
            if names.names.len() >= highest && outputs.is_none_or(|o| o == names.names.len()) =>
        {
            names.names.clone()
        }
        ClassOrder::Auto(_) | ClassOrder::Names(_) | ClassOrder::Sorted => {
            let classes = outputs.unwrap_or(highest.min(MAX_CLASSES));
            (0..classes).map(|i| i.to_string()).collect()
        }
    };
    Ok(Assigned {
        index: numbers.to_vec(),
        names,
        how: "by the numbers in the label file".into(),
    })
}

/// The first few names.
fn examples(names: &[String]) -> String {
    let mut shown: Vec<&str> = names.iter().take(3).map(String::as_str).collect();
    if names.len() > 3 {
        shown.push("…");
    }
    shown.join(", ")
}
