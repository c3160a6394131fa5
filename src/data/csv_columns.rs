//! What the columns of a table mean: a header or none, the label, and which cell is which element of which model input.

use csv::ByteRecord;

use super::spec::{InputSpec, Open};
use super::words::{count, extents};
use crate::error::Result;
use crate::invalid;

/// Names of a label column if nobody names one, best first.
const LABELS: [&str; 3] = ["label", "class", "target"];
/// Names that are listed in a message at most.
const LISTED: usize = 8;
/// From this many columns on a first row of 0, 1, 2, … is taken for the header that pandas writes for an unnamed array.
const COUNTED: usize = 4;

/// The columns of a table, as a model reads them.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Columns {
    /// Names, where the first row is a header.
    pub(super) names: Option<Vec<String>>,
    /// Cells in a row.
    pub(super) width: usize,
    /// The label's column.
    pub(super) label: Option<usize>,
    /// Whether the user named the label's column.
    pub(super) label_asked: bool,
    /// For each model input the column of each element, row-major.
    pub(super) inputs: Vec<Vec<usize>>,
}

impl Columns {
    /// How a message calls a column: its name in quotes, or its number from 1.
    pub(super) fn called(&self, column: usize) -> String {
        match self.names.as_ref().and_then(|n| n.get(column)) {
            Some(name) if !name.is_empty() => format!("'{}'", shortened(name)),
            _ => (column + 1).to_string(),
        }
    }
}

/// A text of the user's file as it may stand in a message.
pub(super) fn shortened(text: &str) -> String {
    let mut out: String = text.chars().take(40).collect();
    if out.len() < text.len() {
        out.push('…');
    }
    out
}

fn text(cell: &[u8]) -> String {
    String::from_utf8_lossy(cell).trim().to_owned()
}

fn is_number(cell: &str) -> bool {
    cell.replace(',', ".").parse::<f64>().is_ok()
}

/// The element `i` of `NAME[i]`, and NAME.
fn element(cell: &str) -> Option<(&str, usize)> {
    let (name, index) = cell.strip_suffix(']')?.rsplit_once('[')?;
    Some((name, index.trim().parse().ok()?))
}

/// Whether the first row names the columns: it holds the label column's name, a usual name of one, a name of a model input, no
/// number at all, or the numbers 0, 1, 2, … that pandas gives to columns without names.
fn is_header(cells: &[String], asked: Option<&str>, specs: &[InputSpec]) -> bool {
    let of_input = |cell: &String| {
        let name = element(cell).map_or(cell.as_str(), |(name, _)| name);
        let mut inputs = specs.iter().enumerate();
        inputs.any(|(i, spec)| spec.is_called(name, i))
    };
    let usual = |cell: &String| LABELS.iter().any(|l| cell.eq_ignore_ascii_case(l));
    let asked = |cell: &String| asked.is_some_and(|a| a == cell && !is_number(a));
    if cells.iter().any(|c| asked(c) || usual(c) || of_input(c)) {
        return true;
    }
    if cells.iter().all(|c| !is_number(c)) {
        return cells.iter().any(|c| !c.is_empty());
    }
    let unnamed = usize::from(cells.first().is_some_and(String::is_empty));
    let counted = cells.iter().skip(unnamed).enumerate();
    let counted = counted.map(|(i, c)| c.parse() == Ok(i)).all(|same| same);
    counted && (unnamed == 1 || cells.len() >= COUNTED)
}

/// Reads the first row. `asked` is the label column that the user named: a name, or without a header its number from 1.
///
/// The values of a model with one input are all columns but the label's, in their order, unless some are named `NAME[i]`. A
/// column `NAME[i]` is element i of the input NAME (its name in the model, with or without the `serving_default_` that
/// TensorFlow adds, or `input_<n>`), counted row-major from 0; a column `NAME` is the only element of such an input.
/// Other columns are then left alone. Models with several inputs need such names.
pub(super) fn columns(
    name: &str,
    first: &ByteRecord,
    asked: Option<&str>,
    specs: &[InputSpec],
) -> Result<Columns> {
    let cells: Vec<String> = first.iter().map(text).collect();
    let width = cells.len();
    let names = is_header(&cells, asked, specs).then_some(cells);
    let label = label(name, names.as_deref(), width, asked)?;
    let mut columns = Columns {
        names,
        width,
        label,
        label_asked: asked.is_some(),
        inputs: vec![],
    };
    columns.inputs = match named(name, &columns, specs)? {
        Some(inputs) => inputs,
        None => vec![in_order(name, &columns, specs)?],
    };
    Ok(columns)
}

/// The first few names of a header.
fn listed(names: &[String]) -> String {
    let quoted = names.iter().filter(|n| !n.is_empty()).map(|n| shortened(n));
    let mut out: Vec<String> = quoted.take(LISTED).collect();
    if names.len() > LISTED {
        out.push(format!("… ({} in all)", count(names.len())));
    }
    out.join(", ")
}

fn label(
    name: &str,
    names: Option<&[String]>,
    width: usize,
    asked: Option<&str>,
) -> Result<Option<usize>> {
    let Some(names) = names else {
        let Some(asked) = asked else { return Ok(None) };
        return match asked.parse::<usize>() {
            Ok(n) if (1..=width).contains(&n) => Ok(Some(n - 1)),
            _ => invalid!(
                "{name} has {} columns and no header, so there is no column '{asked}'; give the label column's number, counted from 1",
                count(width)
            ),
        };
    };
    let find = |wanted: &str| {
        let exact = names.iter().position(|n| n == wanted);
        exact.or_else(|| names.iter().position(|n| n.eq_ignore_ascii_case(wanted)))
    };
    match asked {
        None => Ok(LABELS.iter().find_map(|l| find(l))),
        Some(asked) => match find(asked) {
            Some(column) => Ok(Some(column)),
            None => invalid!(
                "{name} has no column '{}'; it has {}",
                shortened(asked),
                listed(names)
            ),
        },
    }
}

/// The columns that are named after model inputs; `None` if the header names none.
fn named(name: &str, columns: &Columns, specs: &[InputSpec]) -> Result<Option<Vec<Vec<usize>>>> {
    let mut found: Vec<Vec<(usize, usize)>> = vec![vec![]; specs.len()];
    for (column, cell) in columns.names.iter().flatten().enumerate() {
        if columns.label == Some(column) {
            continue;
        }
        for (i, spec) in specs.iter().enumerate() {
            let whole = spec.is_called(cell, i).then_some(0);
            let part = element(cell).filter(|(n, _)| spec.is_called(n, i));
            if let Some(at) = whole.or(part.map(|(_, at)| at)) {
                found[i].push((at, column));
            }
        }
    }
    if found.iter().all(Vec::is_empty) {
        return Ok(None);
    }
    let mut inputs = vec![];
    for (i, (spec, mut cells)) in specs.iter().zip(found).enumerate() {
        let input = spec.short_name();
        let all = size(name, spec, cells.len())?;
        cells.sort_unstable();
        if let Some(pair) = cells.windows(2).find(|p| p[0].0 == p[1].0) {
            return invalid!(
                "{name} has two columns for element {} of the model's input '{input}': {} and {}",
                pair[0].0,
                columns.called(pair[0].1),
                columns.called(pair[1].1)
            );
        }
        if cells.is_empty() {
            return invalid!(
                "{name} has no columns '{input}[0]', … or 'input_{i}[0]', … for the model's input '{input}', which takes {} values",
                count(all)
            );
        }
        // Sorted and all different: the first gap is the first that is missing.
        let gap = (0..all).zip(&cells).position(|(at, cell)| at != cell.0);
        if let Some(at) = gap.or((cells.len() < all).then_some(cells.len())) {
            return invalid!(
                "{name} has no column '{input}[{at}]'; the model's input '{input}' takes {} values, '{input}[0]' to '{input}[{}]'",
                count(all),
                all - 1
            );
        }
        if let Some((_, extra)) = cells.get(all) {
            return invalid!(
                "{name} has the column {}, the model's input '{input}' takes {} values, '{input}[0]' to '{input}[{}]'",
                columns.called(*extra),
                count(all),
                all - 1
            );
        }
        inputs.push(cells.into_iter().map(|(_, column)| column).collect());
    }
    Ok(Some(inputs))
}

/// Elements of one sample of an input; where axes are open, as many as there are columns.
fn size(name: &str, spec: &InputSpec, columns: usize) -> Result<usize> {
    if spec.open != Open::None {
        return Ok(columns.max(1));
    }
    let shape = spec.sample_shape();
    match shape.iter().try_fold(1usize, |n, &d| n.checked_mul(d)) {
        Some(n) if n > 0 => Ok(n),
        _ => invalid!(
            "{name} cannot fill the model's input '{}' of shape {:?}",
            spec.name,
            spec.shape
        ),
    }
}

/// All columns but the label's and the unnamed index that pandas writes in front, for the only input.
fn in_order(name: &str, columns: &Columns, specs: &[InputSpec]) -> Result<Vec<usize>> {
    let [spec] = specs else {
        let inputs: Vec<_> = specs.iter().map(InputSpec::short_name).collect();
        let first = inputs.first().copied().unwrap_or_default();
        return invalid!(
            "{name} does not say which columns belong to which of the model's {} inputs ({}); name them '{first}[0]', '{first}[1]', … in a header",
            specs.len(),
            inputs.join(", ")
        );
    };
    let is_index = |column: usize| {
        let first = columns.names.as_ref().and_then(|n| n.first());
        column == 0 && first.is_some_and(|n| n.is_empty() || n == "Unnamed: 0")
    };
    let values: Vec<usize> = (0..columns.width)
        .filter(|&c| columns.label != Some(c) && !is_index(c))
        .collect();
    let all = size(name, spec, values.len())?;
    if values.len() == all {
        return Ok(values);
    }
    let held = match values.len() {
        1 => "1 column of values".to_owned(),
        n => format!("{} columns of values", count(n)),
    };
    let shape = spec.sample_shape();
    let takes = match shape {
        [] | [_] => count(all),
        _ => format!("{} ({})", count(all), extents(shape)),
    };
    let hint = match (&columns.names, columns.label) {
        (None, None) if values.len() == all + 1 => {
            "; if one of them is the label, give its number from 1 as the label column (--label-column)"
        }
        (Some(_), None) if values.len() == all + 1 => {
            "; if one of them is the label, name it as the label column (--label-column)"
        }
        _ => "",
    };
    invalid!("{name} has {held}, the model takes {takes} a sample{hint}")
}
