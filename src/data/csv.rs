//! Tables of comma-, semicolon- or tab-separated values: one sample a row, read row by row in bounded memory.

use std::collections::HashMap;
use std::io::Read;
use std::sync::Arc;

use bytes::Bytes;
use csv::{ByteRecord, ReaderBuilder, Trim};

use super::array::{Array, Column};
use super::csv_columns::{self, Columns, shortened};
use super::folder::{Assigned, ClassOrder, Classes, assign};
use super::open::Arrays;
use super::spec::{InputSpec, Open};
use super::words::count;
use super::{Dataset, labels};
use crate::error::{Error, Result};
use crate::graph::DType;
use crate::progress::Progress;
use crate::{invalid, malformed, unsupported};

/// Bytes of a row for each value that the model takes.
const ROW_PER_VALUE: usize = 64;
/// Bytes of a row beside the values: labels and columns that are not read.
const ROW_SPARE: usize = 1 << 20;
/// Longest row where the model takes as many values as there are.
const ROW_OPEN: usize = 16 << 20;
/// First bytes that the separator is looked for in.
const HEAD: usize = 1 << 16;
/// Separators, the surest first.
const SEPARATORS: [u8; 3] = *b"\t;,";
/// Rows between two looks at whether to stop.
const ROWS: usize = 256;
/// Different class names at most.
const CLASSES: usize = 100_000;

/// What [`read_table`] needs to know.
#[derive(Debug, Clone)]
pub struct TableRequest<'a> {
    /// What to call it in messages and figures.
    pub name: &'a str,
    /// What the model takes.
    pub specs: &'a [InputSpec],
    /// Name of the label column, or its number from 1 where the table has no header; without, a column called `label`,
    /// `class` or `target`.
    pub label_column: Option<&'a str>,
    /// Name and bytes of a file of labels that takes the column's place.
    pub labels: Option<(String, Bytes)>,
    /// Which class name is which output of the model.
    pub order: ClassOrder,
    /// Classes that the model tells apart; `None` where it is no classifier.
    pub classes: Option<usize>,
    /// Whether classes that do not fit the model are an error, rather than a warning and samples without labels.
    pub needs_labels: bool,
}

/// A table that was read.
pub struct TableData {
    /// Its rows.
    pub dataset: Arc<dyn Dataset>,
    /// Names of the classes by index of the model's output; empty where they are not known.
    pub classes: Vec<String>,
    /// How the classes got their indices; empty without classes.
    pub class_order: String,
    /// What is odd but no error, one sentence each.
    pub warnings: Vec<String>,
}

/// Whether a file of this name is read as a table.
pub fn is_table(file_name: &str) -> bool {
    let lower = file_name.to_ascii_lowercase();
    lower.ends_with(".csv") || lower.ends_with(".tsv")
}

/// Reads a table: UTF-8, values separated by tabs, semicolons or commas (the first of these that the first line holds), with a
/// header or without, one sample a row. With semicolons numbers may have a decimal comma.
///
/// A model with one input takes all columns but the label's, in their order, as one sample's values, row-major. Columns that
/// are named `NAME[i]` are element i of the input NAME (its name in the model, with or without the `serving_default_` that
/// TensorFlow adds, or `input_<n>`), counted row-major from 0; then other columns are left alone. Models with several inputs
/// need such names, plain `NAME` for an input of one value. A label column of whole numbers holds outputs of the model, one of
/// anything else class names.
///
/// Memory is that of the values read, as float32 or the input's integer type, and one row.
///
/// # Errors
/// Everything that would spoil the figures later, with line and column; a row too long for the model; cancellation.
pub fn read_table(
    input: &mut dyn Read,
    request: TableRequest<'_>,
    progress: &Progress,
) -> Result<TableData> {
    let name = request.name;
    if request.specs.is_empty() {
        return invalid!("The model has no inputs to feed {name} to");
    }
    let given = match request.labels {
        Some((from, bytes)) => Some(labels::read(&from, bytes)?),
        None => None,
    };
    // Shapes are decided by now, whatever the file left open.
    let settled = |s: &InputSpec| InputSpec {
        open: Open::None,
        ..s.clone()
    };
    let specs: Vec<InputSpec> = request.specs.iter().map(settled).collect();
    let mut rows = Rows::open(name, input, &specs)?;
    let mut record = ByteRecord::new();
    if !rows.next(&mut record)? {
        return malformed!("{name} holds no rows");
    }
    let columns = csv_columns::columns(name, &record, request.label_column, &specs)?;
    let mut values: Vec<Vec<u8>> = vec![vec![]; specs.len()];
    let mut names = Labels::default();
    let mut samples = 0usize;
    let mut more = columns.names.is_none() || rows.next(&mut record)?;
    while more {
        let row = Row {
            name,
            columns: &columns,
            record: &record,
            line: rows.line,
            decimal_comma: rows.separator == b';',
        };
        row.check_width()?;
        for ((spec, cells), out) in specs.iter().zip(&columns.inputs).zip(&mut values) {
            for &column in cells {
                row.push(column, spec, out)?;
            }
        }
        if let (Some(column), None) = (columns.label, &given) {
            names.add(&row, column)?;
        }
        samples += 1;
        if samples % ROWS == 0 {
            progress.check()?;
        }
        more = rows.next(&mut record)?;
    }
    if samples == 0 {
        return invalid!("{name} holds no samples, only a header");
    }
    let mut warnings = vec![];
    let mut assigned = None;
    let labels = match (given, columns.label) {
        (Some(given), _) => {
            labels::check_count(&given, samples, "rows")?;
            Some(given)
        }
        (None, Some(column)) => {
            let found = names.classes(name, &columns, column, &request.order, request.classes);
            match found {
                Ok(Some((labels, classes))) => {
                    assigned = Some(classes);
                    Some(labels)
                }
                Ok(None) => None,
                Err(e) if !request.needs_labels => {
                    warnings.push(format!("{e}; its rows are used without labels"));
                    None
                }
                Err(e) => return Err(e),
            }
        }
        (None, None) => None,
    };
    let whole = |(spec, mut bytes): (&InputSpec, Vec<u8>)| {
        bytes.shrink_to_fit();
        let array = Array {
            dtype: stored(spec),
            shape: [&[samples], spec.sample_shape()].concat(),
            bytes: bytes.into(),
            pixels: false,
        };
        Column::new(array, spec, name, "samples")
    };
    let columns = specs.iter().zip(values).map(whole);
    let dataset = Arc::new(Arrays {
        name: name.into(),
        samples,
        columns: columns.collect::<Result<_>>()?,
        labels,
    });
    let (classes, class_order) = assigned.map_or_else(Default::default, |a| (a.names, a.how));
    Ok(TableData {
        dataset,
        classes,
        class_order,
        warnings,
    })
}

/// Values of one sample for each input, as the header or the first row tells: the number of its columns.
///
/// # Errors
/// A first row that cannot be read, or whose columns fit no input.
pub(super) fn values_a_row(
    name: &str,
    input: &mut dyn Read,
    specs: &[InputSpec],
    label_column: Option<&str>,
) -> Result<Vec<usize>> {
    let mut rows = Rows::open(name, input, specs)?;
    let mut record = ByteRecord::new();
    if !rows.next(&mut record)? {
        return malformed!("{name} holds no rows");
    }
    let columns = csv_columns::columns(name, &record, label_column, specs)?;
    Ok(columns.inputs.iter().map(Vec::len).collect())
}

/// How values of an input are kept.
fn stored(spec: &InputSpec) -> DType {
    match spec.is_real() {
        true => DType::Float32,
        false => spec.dtype,
    }
}

/// The rows of a table; none longer than the model can need.
struct Rows<'a> {
    name: &'a str,
    separator: u8,
    /// Whether lines end with a carriage return and a line feed.
    carriage_returns: bool,
    longest: usize,
    /// The line that the row read last ends on, from 1; 0 before the first.
    line: usize,
    reader: csv::Reader<Bounded<'a>>,
}

/// Hands on what it reads until a row is over its length.
struct Bounded<'a> {
    input: std::io::Chain<std::io::Cursor<Vec<u8>>, &'a mut dyn Read>,
    left: usize,
    /// Bytes handed on so far, and the last of them.
    given: u64,
    last: u8,
}

impl Read for Bounded<'_> {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        if self.left == 0 {
            return Err(std::io::ErrorKind::FileTooLarge.into());
        }
        let end = out.len().min(self.left);
        let n = self.input.read(&mut out[..end])?;
        self.left -= n;
        self.given += n as u64;
        self.last = out[..n].last().copied().unwrap_or(self.last);
        Ok(n)
    }
}

impl<'a> Rows<'a> {
    fn open(name: &'a str, input: &'a mut dyn Read, specs: &[InputSpec]) -> Result<Self> {
        let mut head = vec![];
        let begun = (&mut *input).take(HEAD as u64).read_to_end(&mut head);
        begun.map_err(|e| Error::Invalid(format!("{name} cannot be read: {e}")))?;
        if head.is_empty() {
            return malformed!("{name} is empty");
        }
        if head.starts_with(b"\xff\xfe") || head.starts_with(b"\xfe\xff") {
            return unsupported!("{name} is UTF-16 text; save it as UTF-8");
        }
        if head.contains(&0) {
            return malformed!("{name} is no table of text: it holds binary data");
        }
        let (separator, carriage_returns) = separator(&head);
        let longest = longest(specs);
        let input = std::io::Cursor::new(head).chain(input);
        let reader = ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .delimiter(separator)
            .trim(Trim::All)
            .from_reader(Bounded {
                input,
                left: longest,
                given: 0,
                last: 0,
            });
        Ok(Self {
            name,
            separator,
            carriage_returns,
            longest,
            line: 0,
            reader,
        })
    }

    /// Reads the next row; `false` after the last.
    fn next(&mut self, record: &mut ByteRecord) -> Result<bool> {
        self.reader.get_mut().left = self.longest;
        let more = self.reader.read_byte_record(record).map_err(|e| {
            let which = match self.line {
                0 => "the first row".to_owned(),
                line => format!("the row after line {}", count(line)),
            };
            let name = self.name;
            match e.kind() {
                csv::ErrorKind::Io(e) if e.kind() == std::io::ErrorKind::FileTooLarge => {
                    Error::Malformed(format!(
                        "{name}: {which} is longer than {} bytes, more than this model can need",
                        count(self.longest)
                    ))
                }
                _ => Error::Invalid(format!("{name}: {which} cannot be read: {e}")),
            }
        })?;
        // The reader counts line feeds; it has consumed that of this row unless a carriage return or the file's end came first.
        let (here, input) = (self.reader.position(), self.reader.get_ref());
        let ends_the_file = here.byte() == input.given && input.last != b'\n';
        let behind = u64::from(!self.carriage_returns && !ends_the_file);
        self.line = here.line().saturating_sub(behind) as usize;
        Ok(more)
    }
}

/// The separator: the first of tab, semicolon and comma that the first line holds outside quotes (numbers hold no tabs and
/// semicolons, but with semicolons they may hold commas). And whether that line ends with a carriage return.
fn separator(head: &[u8]) -> (u8, bool) {
    let mut quoted = false;
    let mut outside = head.iter().copied().filter(|&b| {
        quoted ^= b == b'"';
        !quoted
    });
    let mut held = [false; 3];
    let end = outside.by_ref().find(|&b| {
        for (held, separator) in held.iter_mut().zip(SEPARATORS) {
            *held |= b == separator;
        }
        b == b'\n' || b == b'\r'
    });
    let found = SEPARATORS.iter().zip(held).find(|(_, held)| *held);
    (found.map_or(b',', |(&b, _)| b), end == Some(b'\r'))
}

/// Bytes of a row at most.
fn longest(specs: &[InputSpec]) -> usize {
    if specs.iter().any(|s| s.open != Open::None) {
        return ROW_OPEN;
    }
    let values = specs.iter().map(|s| {
        let shape = s.sample_shape();
        shape.iter().fold(1usize, |n, &d| n.saturating_mul(d))
    });
    let values = values.fold(0usize, usize::saturating_add);
    values
        .saturating_mul(ROW_PER_VALUE)
        .saturating_add(ROW_SPARE)
}

/// One row and what its columns mean.
struct Row<'a> {
    name: &'a str,
    columns: &'a Columns,
    record: &'a ByteRecord,
    line: usize,
    decimal_comma: bool,
}

impl Row<'_> {
    fn line(&self) -> String {
        count(self.line)
    }

    /// `x.csv, line 3, column 'age'`.
    fn place(&self, column: usize) -> String {
        let column = self.columns.called(column);
        format!("{}, line {}, column {column}", self.name, self.line())
    }

    fn check_width(&self) -> Result<()> {
        let (held, first) = (self.record.len(), self.columns.width);
        if held == first {
            return Ok(());
        }
        let (name, line) = (self.name, self.line());
        malformed!(
            "{name}, line {line} has {} columns, the first line has {}",
            count(held),
            count(first)
        )
    }

    fn text(&self, column: usize) -> &[u8] {
        self.record.get(column).unwrap_or_default()
    }

    /// Appends a cell's value as the input keeps it.
    fn push(&self, column: usize, spec: &InputSpec, out: &mut Vec<u8>) -> Result<()> {
        let cell = self.text(column);
        let cell = std::str::from_utf8(cell).unwrap_or("?");
        if cell.is_empty() {
            let place = self.place(column);
            return malformed!("{place} is empty; fill such cells or leave the row out");
        }
        let comma = self.decimal_comma && cell.contains(',');
        let swapped = comma.then(|| cell.replacen(',', ".", 1));
        let number = swapped.as_deref().unwrap_or(cell);
        if spec.is_real() {
            let x = self.real(column, number)?;
            out.extend(x.to_le_bytes());
            return Ok(());
        }
        let whole = match number.parse::<i128>() {
            Ok(x) => x,
            Err(_) => {
                let x = self.real(column, number)?;
                if x.fract() != 0.0 || x.abs() > 1e18 {
                    let (place, dtype) = (self.place(column), spec.dtype);
                    return invalid!(
                        "{place} holds '{}', not a whole number; the model's input '{}' takes {dtype}",
                        shortened(cell),
                        spec.name
                    );
                }
                x as i128
            }
        };
        if append(whole, spec.dtype, out) {
            return Ok(());
        }
        let (place, dtype) = (self.place(column), spec.dtype);
        invalid!(
            "{place} holds {whole}, outside {dtype}, which the model's input '{}' takes",
            spec.name
        )
    }

    fn real(&self, column: usize, number: &str) -> Result<f32> {
        let Ok(x) = number.parse::<f32>() else {
            return malformed!(
                "{} holds '{}', not a number",
                self.place(column),
                shortened(number)
            );
        };
        if x.is_finite() {
            return Ok(x);
        }
        let place = self.place(column);
        if x.is_nan() {
            malformed!("{place} holds NaN; remove or replace such values")
        } else if number.bytes().any(|b| b.is_ascii_digit()) {
            malformed!("{place} holds {}, too large for float32", shortened(number))
        } else {
            malformed!("{place} holds an infinity; remove or replace such values")
        }
    }
}

/// Appends a whole number in that type; `false` if the type does not hold it or no table fills it.
fn append(x: i128, dtype: DType, out: &mut Vec<u8>) -> bool {
    macro_rules! le {
        ($t:ty) => {
            <$t>::try_from(x)
                .map(|x| out.extend(x.to_le_bytes()))
                .is_ok()
        };
    }
    match dtype {
        DType::Int8 => le!(i8),
        DType::Int16 => le!(i16),
        DType::Int32 => le!(i32),
        DType::Int64 => le!(i64),
        DType::UInt8 => le!(u8),
        DType::UInt16 => le!(u16),
        DType::UInt32 => le!(u32),
        DType::UInt64 => le!(u64),
        DType::Bool if x == 0 || x == 1 => {
            out.push(x as u8);
            true
        }
        _ => false,
    }
}

/// The cells of the label column: their different texts, and for each sample which.
#[derive(Default)]
struct Labels {
    texts: HashMap<Vec<u8>, u32>,
    /// Line on which each text first stands.
    lines: Vec<String>,
    of_samples: Vec<u32>,
    /// Whether they turned out to be no classes, in a column that nobody called the label.
    none: bool,
}

impl Labels {
    fn add(&mut self, row: &Row, column: usize) -> Result<()> {
        if self.none {
            return Ok(());
        }
        let cell = row.text(column);
        if cell.is_empty() {
            let place = row.place(column);
            return malformed!(
                "{place}, the label, is empty; fill such cells or leave the row out"
            );
        }
        let index = match self.texts.get(cell) {
            Some(&index) => index,
            None => {
                let index = self.texts.len();
                // A column of reals has as many texts as rows.
                if index == CLASSES && !row.columns.label_asked {
                    self.none = true;
                    return Ok(());
                }
                if index == CLASSES {
                    return invalid!(
                        "{}, column {} holds more than {} different labels, so it names no classes",
                        row.name,
                        row.columns.called(column),
                        count(CLASSES)
                    );
                }
                self.texts.insert(cell.to_vec(), index as u32);
                self.lines.push(row.line());
                index as u32
            }
        };
        self.of_samples.push(index);
        Ok(())
    }

    /// The class of each sample, and the classes. `None` for a column of reals that nobody called the label.
    fn classes(
        self,
        name: &str,
        columns: &Columns,
        column: usize,
        order: &ClassOrder,
        outputs: Option<usize>,
    ) -> Result<Option<(Vec<u32>, Assigned)>> {
        if self.none {
            return Ok(None);
        }
        let mut texts = vec![String::new(); self.texts.len()];
        for (text, &index) in &self.texts {
            if let Some(slot) = texts.get_mut(index as usize) {
                *slot = String::from_utf8_lossy(text).into_owned();
            }
        }
        let reals: Option<Vec<f64>> = texts.iter().map(|t| t.parse().ok()).collect();
        let is_class = |x: &f64| x.fract() == 0.0 && (0.0..=u32::MAX.into()).contains(x);
        let called = columns.called(column);
        let (found, ranks): (Classes, Vec<usize>) = match reals {
            Some(reals) => match reals.iter().position(|x| !is_class(x)) {
                None => {
                    let numbers = reals.into_iter().map(|x| x as u32).collect();
                    (Classes::Numbered(numbers), (0..texts.len()).collect())
                }
                Some(_) if !columns.label_asked => return Ok(None),
                Some(odd) => {
                    return invalid!(
                        "{name}, line {}, column {called}: label {} is no class; classes are names or whole numbers from 0",
                        self.lines[odd],
                        shortened(&texts[odd])
                    );
                }
            },
            None => {
                let mut sorted = texts.clone();
                sorted.sort_unstable();
                let rank = |t: &String| sorted.binary_search(t).unwrap_or(0);
                let ranks = texts.iter().map(rank).collect();
                (Classes::Named(sorted), ranks)
            }
        };
        let Some(mut assigned) = assign(name, &found, order, outputs)? else {
            return Ok(None);
        };
        if let Classes::Numbered(_) = found {
            assigned.how = format!("by the numbers in column {called}");
        }
        let of = |&i: &u32| {
            let rank = ranks.get(i as usize)?;
            assigned.index.get(*rank).copied()
        };
        let labels: Option<Vec<u32>> = self.of_samples.iter().map(of).collect();
        match labels {
            Some(labels) => Ok(Some((labels, assigned))),
            None => invalid!("{name}, column {called}: its classes cannot be counted"),
        }
    }
}
