//! The columns of the table of tensors, and what is left out where there is no room.

use crate::gui::view::tensors::Column;
use crate::gui::view::words::Word;

/// Width of a thumbnail.
pub const THUMBNAIL: f32 = 66.0;

/// A column as it is laid out.
#[derive(Clone, Copy)]
pub struct Place {
    /// What it shows.
    pub column: Shows,
    /// Left edge.
    pub left: f32,
    /// Right edge.
    pub right: f32,
}

/// What a column shows: a figure that sorts, or the little histogram.
#[derive(Clone, Copy, PartialEq)]
pub enum Shows {
    /// A figure that sorts.
    Figure(Column),
    /// The little histogram.
    Values,
}

/// Column, head, width and explanation, from left to right. The name takes what the others leave.
const COLUMNS: [(Shows, &str, f32, &str); 14] = [
    (
        Shows::Figure(Column::Experiment),
        "",
        28.0,
        "Order of the experiments",
    ),
    (
        Shows::Figure(Column::Tensor),
        "Tensor",
        0.0,
        "Name of the tensor in the quantized file",
    ),
    (
        Shows::Figure(Column::Operator),
        "Operator",
        134.0,
        "The operator that makes it, or reads it",
    ),
    (
        Shows::Figure(Column::Kind),
        "Kind",
        66.0,
        "Weights, bias or activation",
    ),
    (
        Shows::Figure(Column::Type),
        "Type",
        46.0,
        "Type of the stored values",
    ),
    (
        Shows::Figure(Column::Shape),
        "Shape",
        112.0,
        "Extents of the tensor; sorts by the number of elements",
    ),
    (
        Shows::Values,
        "Values",
        THUMBNAIL + 14.0,
        "Histogram of the float values, count on a log scale",
    ),
    (
        Shows::Figure(Column::Range),
        "Range seen",
        118.0,
        "Smallest and largest float value; sorts by the distance between them",
    ),
    (
        Shows::Figure(Column::Scale),
        "Scale",
        92.0,
        Word::Scale.meaning(),
    ),
    (
        Shows::Figure(Column::ZeroPoint),
        "Zero",
        48.0,
        Word::ZeroPoint.meaning(),
    ),
    (
        Shows::Figure(Column::ScaleError),
        "Scale err",
        64.0,
        Word::ScaleError.meaning(),
    ),
    (
        Shows::Figure(Column::ZeroPointError),
        "Zero err",
        60.0,
        Word::ZeroPointError.meaning(),
    ),
    (
        Shows::Figure(Column::Clipped),
        "Clipped",
        70.0,
        Word::Clipped.meaning(),
    ),
    (
        Shows::Figure(Column::Local),
        "Local",
        66.0,
        Word::LocalCumulative.meaning(),
    ),
];
const CUMULATIVE: (Shows, &str, f32, &str) = (
    Shows::Figure(Column::Cumulative),
    "Cumul.",
    66.0,
    Word::LocalCumulative.meaning(),
);
/// What goes first when there is no room.
const EXPENDABLE: [Shows; 8] = [
    Shows::Figure(Column::Shape),
    Shows::Figure(Column::Operator),
    Shows::Figure(Column::Range),
    Shows::Figure(Column::Kind),
    Shows::Figure(Column::ZeroPoint),
    Shows::Figure(Column::Type),
    Shows::Figure(Column::Clipped),
    Shows::Values,
];
/// Room that a name needs.
const NAME: f32 = 132.0;

/// All columns: what they show, head, width, explanation.
pub fn columns() -> impl Iterator<Item = (Shows, &'static str, f32, &'static str)> {
    COLUMNS.into_iter().chain([CUMULATIVE])
}

/// Where the columns stand in this width; what there is no room for is left out.
pub fn places(left: f32, width: f32) -> Vec<Place> {
    const END: f32 = 16.0;
    let fixed = |gone: &[Shows]| -> f32 {
        columns()
            .filter(|c| !gone.contains(&c.0))
            .map(|c| c.2)
            .sum::<f32>()
            + END
    };
    let gone = (0..EXPENDABLE.len()).find(|&n| width - fixed(&EXPENDABLE[..n]) >= NAME);
    let gone = &EXPENDABLE[..gone.unwrap_or(EXPENDABLE.len())];
    let name = (width - fixed(gone)).max(40.0);
    let mut x = left;
    let mut found = vec![];
    for (column, _, width, _) in columns().filter(|c| !gone.contains(&c.0)) {
        let width = if width == 0.0 { name } else { width };
        found.push(Place {
            column,
            left: x,
            right: x + width,
        });
        x += width;
    }
    found
}

/// Whether texts of the column start at its left edge; figures end at the right.
pub fn is_left_aligned(column: Shows) -> bool {
    match column {
        Shows::Values => true,
        Shows::Figure(c) => matches!(
            c,
            Column::Experiment
                | Column::Tensor
                | Column::Operator
                | Column::Kind
                | Column::Type
                | Column::Shape
        ),
    }
}
