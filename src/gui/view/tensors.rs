//! What the Tensors tab shows, computed from the experiments without egui.

use std::cmp::Ordering;
use std::sync::Arc;

use super::look::Look;
use crate::evaluate::{ChannelReport, Histogram, TensorKind, TensorReport};
use crate::graph::TensorId;
use crate::workbench::{ExperimentId, Workbench};

/// Steps that the zero point may be off by rounding alone.
pub const ROUNDING: f64 = 0.5;
/// Root mean square of an error that is uniform over one step, 1/√12.
pub const IDEAL_RMS: f64 = 0.288_675_134_594_812_9;
/// Scale errors from here down are shown as damage: the range clips.
const CLIPS: f64 = -0.25;
/// Scale errors from here up are shown as damage: a whole bit is wasted.
const WASTES: f64 = 1.0;
/// Clipped shares from here up are shown as damage.
const CLIPPED: f64 = 0.001;
/// Bin widths of the scale error, in powers of two.
const SCALE_STEPS: [f64; 7] = [0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0];
/// Bins an error histogram has at most, about.
const MOST_BINS: f64 = 48.0;

/// An experiment whose tensors were measured.
#[derive(Debug, Clone)]
pub struct Source {
    /// Its number.
    pub id: ExperimentId,
    /// How it is told apart.
    pub look: Look,
    /// Its name.
    pub name: String,
    /// Its tensors.
    pub reports: Arc<Vec<TensorReport>>,
}

impl PartialEq for Source {
    /// Equal if they would show the same: same experiment, same measurement.
    fn eq(&self, other: &Self) -> bool {
        (self.id, self.look) == (other.id, other.look) && Arc::ptr_eq(&self.reports, &other.reports)
    }
}

/// The experiments that have measured tensors, in their order.
pub fn sources(workbench: &Workbench) -> Vec<Source> {
    let measured = workbench.experiments.iter().filter_map(|e| {
        let reports = e.tensors.clone().filter(|t| !t.is_empty())?;
        Some(Source {
            id: e.id,
            look: Look::of(e),
            name: e.name(),
            reports,
        })
    });
    measured.collect()
}

/// One tensor of one experiment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TensorKey {
    /// Whose file.
    pub experiment: ExperimentId,
    /// Which tensor of its main subgraph.
    pub tensor: TensorId,
}

/// The report of that tensor and the experiment it belongs to.
pub fn find(sources: &[Source], key: TensorKey) -> Option<(&Source, &TensorReport)> {
    let source = sources.iter().find(|s| s.id == key.experiment)?;
    let report = source.reports.iter().find(|r| r.tensor == key.tensor)?;
    Some((source, report))
}

/// The tensors of the other shown experiments that stand for the same tensor of the model: equal name and kind, the form behind
/// the name aside.
pub fn twins(sources: &[Source], filter: &Filter, key: TensorKey) -> Vec<TensorKey> {
    fn stem(name: &str) -> &str {
        let forms = ["_int8", "_uint8", "_int16", "_float32", "_float16"];
        let cut = forms.iter().find_map(|form| name.strip_suffix(form));
        cut.unwrap_or(name)
    }
    let Some((_, own)) = find(sources, key) else {
        return vec![];
    };
    let others = sources
        .iter()
        .filter(|s| s.id != key.experiment && filter.shows(s));
    let same = |r: &&TensorReport| r.kind == own.kind && stem(&r.name) == stem(&own.name);
    others
        .filter_map(|s| {
            let tensor = s.reports.iter().find(same)?.tensor;
            let experiment = s.id;
            Some(TensorKey { experiment, tensor })
        })
        .collect()
}

/// Values from `from` up to but not including `to`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Span {
    /// Smallest value.
    pub from: f64,
    /// First value beyond.
    pub to: f64,
}

impl Span {
    fn holds(self, x: f64) -> bool {
        (self.from..self.to).contains(&x)
    }
}

/// Which tensors the table lists.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Filter {
    /// Part of the name or of the operator, in any case; empty for all.
    pub text: String,
    /// Only this kind.
    pub kind: Option<TensorKind>,
    /// Only tensors with a scale error (own or of a channel) in there: a bar of the first histogram.
    pub scale_error: Option<Span>,
    /// Only tensors with a zero-point error in there: a bar of the second histogram.
    pub zero_point_error: Option<Span>,
    /// Experiments that are not shown.
    pub hidden: Vec<ExperimentId>,
}

impl Filter {
    /// Whether the experiment is shown.
    pub fn shows(&self, source: &Source) -> bool {
        !self.hidden.contains(&source.id)
    }

    /// Whether anything but the choice of experiments restricts the list.
    pub fn narrows(&self) -> bool {
        !self.text.trim().is_empty()
            || self.kind.is_some()
            || self.scale_error.is_some()
            || self.zero_point_error.is_some()
    }

    /// Lets every tensor of the shown experiments pass.
    pub fn clear(&mut self) {
        *self = Self {
            hidden: std::mem::take(&mut self.hidden),
            ..Self::default()
        };
    }

    /// `text` is trimmed and in lower case.
    fn passes(&self, report: &TensorReport, text: &str) -> bool {
        let found = |s: &str| s.to_lowercase().contains(text);
        let in_span = |span: Option<Span>, mut errors: Vec<f64>| {
            span.is_none_or(|span| errors.drain(..).any(|x| span.holds(x)))
        };
        self.kind.is_none_or(|kind| kind == report.kind)
            && (text.is_empty() || found(&report.name) || found(&report.op))
            && in_span(self.scale_error, scale_errors_of(report))
            && in_span(
                self.zero_point_error,
                report.zero_point_error.into_iter().collect(),
            )
    }
}

/// What the table can be sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)] // the names say it
pub enum Column {
    Experiment,
    Tensor,
    Operator,
    Kind,
    Type,
    Shape,
    Range,
    Scale,
    ZeroPoint,
    ScaleError,
    ZeroPointError,
    Clipped,
    Local,
    Cumulative,
}

/// Order of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sort {
    /// By what.
    pub column: Column,
    /// Largest first.
    pub descending: bool,
}

impl Default for Sort {
    /// Worst tensor first.
    fn default() -> Self {
        Self {
            column: Column::Local,
            descending: false,
        }
    }
}

/// A row of the table: indices into the sources and their reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row {
    /// Which source.
    pub source: usize,
    /// Which of its reports.
    pub report: usize,
}

impl Row {
    /// What the row stands for.
    pub fn of(self, sources: &[Source]) -> (&Source, &TensorReport) {
        let source = &sources[self.source];
        (source, &source.reports[self.report])
    }

    /// The same as a key that outlives the list.
    pub fn key(self, sources: &[Source]) -> TensorKey {
        let (source, report) = self.of(sources);
        TensorKey {
            experiment: source.id,
            tensor: report.tensor,
        }
    }
}

/// The rows that pass the filter, sorted; what a tensor has no figure for stands last either way.
pub fn rows(sources: &[Source], filter: &Filter, sort: Sort) -> Vec<Row> {
    let text = filter.text.trim().to_lowercase();
    let mut rows = vec![];
    for (source, s) in sources.iter().enumerate().filter(|(_, s)| filter.shows(s)) {
        let passing = s.reports.iter().enumerate();
        rows.extend(
            passing
                .filter(|(_, r)| filter.passes(r, &text))
                .map(|(report, _)| Row { source, report }),
        );
    }
    rows.sort_by(|&a, &b| {
        let ((_, x), (_, y)) = (a.of(sources), b.of(sources));
        let turn = |o: Ordering| if sort.descending { o.reverse() } else { o };
        match figure(x, sort.column).zip(figure(y, sort.column)) {
            Some((p, q)) => last_if_none(p, q, turn),
            None => turn(match sort.column {
                Column::Tensor => short_name(&x.name).cmp(short_name(&y.name)),
                Column::Operator => x.op.cmp(&y.op),
                Column::Kind => x.kind.cmp(&y.kind),
                Column::Type => x.dtype.cmp(&y.dtype),
                _ => a.source.cmp(&b.source),
            }),
        }
        .then(a.source.cmp(&b.source))
        .then(a.report.cmp(&b.report))
    });
    rows
}

/// The figure of a column of figures (itself perhaps absent); `None` for the others.
fn figure(r: &TensorReport, column: Column) -> Option<Option<f64>> {
    Some(match column {
        // By what it holds, and by how far its values reach.
        Column::Shape => Some(r.shape.iter().map(|&d| d as f64).product()),
        Column::Range => Some(f64::from(r.range.1) - f64::from(r.range.0)),
        Column::Scale => Some(r.scale.into()),
        Column::ZeroPoint => Some(r.zero_point as f64),
        Column::ScaleError => r.scale_error,
        Column::ZeroPointError => r.zero_point_error,
        Column::Clipped => Some(r.clipped),
        Column::Local => r.sqnr_local_db,
        Column::Cumulative => r.sqnr_cumulative_db,
        Column::Experiment | Column::Tensor | Column::Operator | Column::Kind | Column::Type => {
            return None;
        }
    })
}

fn last_if_none(a: Option<f64>, b: Option<f64>, turn: impl Fn(Ordering) -> Ordering) -> Ordering {
    match (a, b) {
        (Some(a), Some(b)) => turn(a.total_cmp(&b)),
        (Some(_), None) => Ordering::Less,
        (None, Some(_)) => Ordering::Greater,
        (None, None) => Ordering::Equal,
    }
}

/// Of a per-channel tensor every channel's, else the tensor's own.
fn scale_errors_of(report: &TensorReport) -> Vec<f64> {
    let errors: Vec<f64> = match report.channels.as_slice() {
        [] => report.scale_error.into_iter().collect(),
        channels => channels.iter().filter_map(|c| c.scale_error).collect(),
    };
    errors.into_iter().filter(|e| e.is_finite()).collect()
}

/// How often an error occurs over all tensors, one stack of counts a bin.
#[derive(Debug, Clone, PartialEq)]
pub struct ErrorHistogram {
    /// Left edge of the first bin.
    pub start: f64,
    /// Width of each bin.
    pub step: f64,
    /// For each bin the count of each source, in their order.
    pub bins: Vec<Vec<u32>>,
    /// Errors counted.
    pub total: usize,
    /// Tensors that are off by more than rounding, worst first (zero points only).
    pub outliers: Vec<Outlier>,
}

/// A tensor worth naming beside its bar.
#[derive(Debug, Clone, PartialEq)]
pub struct Outlier {
    /// Which.
    pub key: TensorKey,
    /// Its short name.
    pub name: String,
    /// Its error in the unit of the histogram.
    pub error: f64,
    /// The error in real units (times the scale).
    pub real: f64,
}

impl ErrorHistogram {
    /// The values of a bin.
    pub fn span(&self, bin: usize) -> Span {
        let edge = |i: usize| self.start + i as f64 * self.step;
        Span {
            from: edge(bin),
            to: edge(bin + 1),
        }
    }

    /// Height of the highest stack.
    pub fn highest(&self) -> u32 {
        self.bins.iter().map(|b| b.iter().sum()).max().unwrap_or(0)
    }

    /// The bin of an error; what lies outside counts to the outer bins.
    pub fn bin_of(&self, error: f64) -> usize {
        let last = self.bins.len().saturating_sub(1) as f64;
        ((error - self.start) / self.step).floor().clamp(0.0, last) as usize
    }

    /// Height of the stack that an error belongs to.
    pub fn count_at(&self, error: f64) -> u32 {
        self.bins
            .get(self.bin_of(error))
            .map_or(0, |b| b.iter().sum())
    }

    /// Right edge of the last bin.
    pub fn end(&self) -> f64 {
        self.start + self.bins.len() as f64 * self.step
    }

    /// Bins centred on 0 and as many on either side, at least as far as `reach`.
    fn count(errors: &[Vec<f64>], reach: f64, step: f64) -> Self {
        let all = || errors.iter().flatten().copied();
        let most = all().fold(reach, |m, e| m.max(e.abs()));
        let sides = (most / step + 0.5).floor();
        let start = -(sides + 0.5) * step;
        let last = 2.0 * sides;
        let mut found = Self {
            start,
            step,
            bins: vec![vec![0; errors.len()]; last as usize + 1],
            total: all().count(),
            outliers: vec![],
        };
        for (source, errors) in errors.iter().enumerate() {
            for error in errors {
                let bin = found.bin_of(*error);
                found.bins[bin][source] += 1;
            }
        }
        found
    }
}

/// Scale errors of all tensors and channels of the shown experiments, in powers of two.
pub fn scale_errors(sources: &[Source], filter: &Filter) -> ErrorHistogram {
    let errors = of_shown(sources, filter, scale_errors_of);
    let step = bin_width(&errors, 0.35, |i| SCALE_STEPS.get(i).copied());
    ErrorHistogram::count(&errors, 0.35, step)
}

/// The first of these widths that needs no more than [`MOST_BINS`], or what that takes.
fn bin_width(errors: &[Vec<f64>], reach: f64, widths: impl Fn(usize) -> Option<f64>) -> f64 {
    let most = errors.iter().flatten().fold(reach, |m, e| m.max(e.abs()));
    let fits = |step: &f64| 2.0 * most / step <= MOST_BINS;
    let mut candidates = (0..).map_while(widths);
    candidates.find(fits).unwrap_or(2.0 * most / MOST_BINS)
}

/// Zero-point errors of all asymmetric tensors of the shown experiments, in steps. The middle bin is what rounding explains.
pub fn zero_point_errors(sources: &[Source], filter: &Filter) -> ErrorHistogram {
    let of = |r: &TensorReport| r.zero_point_error.filter(|e| e.is_finite());
    let errors = of_shown(sources, filter, |r| of(r).into_iter().collect());
    let step = bin_width(&errors, 5.0, |i| (i < 1000).then_some(i as f64 + 1.0));
    let mut found = ErrorHistogram::count(&errors, 5.0, step);
    for source in sources.iter().filter(|s| filter.shows(s)) {
        for r in source.reports.iter() {
            if let Some(error) = of(r).filter(|&e| is_bad_zero_point(e)) {
                found.outliers.push(Outlier {
                    key: TensorKey {
                        experiment: source.id,
                        tensor: r.tensor,
                    },
                    name: short_name(&r.name).to_owned(),
                    error,
                    real: error * f64::from(r.scale),
                });
            }
        }
    }
    found
        .outliers
        .sort_by(|a, b| b.error.abs().total_cmp(&a.error.abs()));
    found
}

/// One list a source, empty for hidden ones.
fn of_shown(
    sources: &[Source],
    filter: &Filter,
    errors: impl Fn(&TensorReport) -> Vec<f64>,
) -> Vec<Vec<f64>> {
    let all = |s: &Source| s.reports.iter().flat_map(&errors).collect();
    sources
        .iter()
        .map(|s| if filter.shows(s) { all(s) } else { vec![] })
        .collect()
}

/// Whether a scale error is damage: it clips, or a bit is wasted.
pub fn is_bad_scale(error: f64) -> bool {
    error <= CLIPS || error >= WASTES
}

/// Whether a zero-point error is more than rounding.
pub fn is_bad_zero_point(error: f64) -> bool {
    error.abs() > ROUNDING + 1e-6
}

/// Whether so much is clipped that it is damage.
pub fn is_bad_clipping(share: f64) -> bool {
    share >= CLIPPED
}

/// The last two parts of the path of the first of several fused names.
pub fn short_name(name: &str) -> &str {
    let first = name.split(';').next().unwrap_or(name);
    let mut cuts = first.rmatch_indices('/').map(|(at, _)| at);
    cuts.nth(1).map_or(first, |at| &first[at + 1..])
}

/// The ends of what the integers can represent, in real units; `None` if the scale is no positive number.
pub fn representable(r: &TensorReport) -> Option<(f64, f64)> {
    let scale = f64::from(r.scale);
    let real = |q: i64| (q as f64 - r.zero_point as f64) * scale;
    (scale.is_finite() && scale > 0.0).then(|| (real(r.q_range.0), real(r.q_range.1)))
}

/// Integers of the type that no value of the tensor uses.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct NeverUsed {
    /// Below the smallest value.
    pub below: f64,
    /// Above the largest value.
    pub above: f64,
    /// All integers of the range.
    pub steps: f64,
}

/// How much of the range lies idle; `None` if the scale is no positive number or the range of values none.
pub fn never_used(r: &TensorReport) -> Option<NeverUsed> {
    representable(r)?;
    let (low, high) = (r.q_range.0 as f64, r.q_range.1 as f64);
    let q = |x: f32| {
        (f64::from(x) / f64::from(r.scale) + r.zero_point as f64)
            .round()
            .clamp(low, high)
    };
    let (from, to) = (q(r.range.0), q(r.range.1));
    (from <= to).then_some(NeverUsed {
        below: from - low,
        above: high - to,
        steps: high - low + 1.0,
    })
}

/// The part of the real axis that the values plot shows: the values, and all that is representable unless that would squeeze
/// the values into less than a twentieth of the width.
pub fn window(r: &TensorReport) -> (f64, f64) {
    let h = &r.values;
    let end = h.start + h.step * h.counts.len() as f64;
    let (mut low, mut high) = match (f64::from(r.range.0), f64::from(r.range.1)) {
        (a, b) if a.is_finite() && b.is_finite() && a <= b => (a.min(h.start), b.max(end)),
        _ => (h.start, end),
    };
    if !(low.is_finite() && high.is_finite() && low < high) {
        (low, high) = (-1.0, 1.0);
    }
    if let Some((a, b)) = representable(r)
        && b.max(high) - a.min(low) <= 20.0 * (high - low)
    {
        (low, high) = (a.min(low), b.max(high));
    }
    let margin = 0.035 * (high - low);
    (low - margin, high + margin)
}

/// Where the ruler of quantized values has its ticks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ruler {
    /// Integers between two ticks.
    pub tick: i64,
    /// Integers between two figures; a multiple of `tick`.
    pub label: i64,
}

/// A ruler with at most `labels` figures and eight ticks to a figure where single steps are finer.
pub fn ruler(r: &TensorReport, window: (f64, f64), labels: usize) -> Option<Ruler> {
    representable(r)?;
    let steps = (window.1 - window.0) / f64::from(r.scale);
    let mut label = 1i64;
    while steps / label as f64 > labels.max(1) as f64 && label < 1 << 61 {
        label *= 2;
    }
    Some(Ruler {
        tick: (label / 8).max(1),
        label,
    })
}

/// The channel with the lowest SQNR.
pub fn worst_channel(channels: &[ChannelReport]) -> Option<usize> {
    let known = |(i, c): (usize, &ChannelReport)| c.sqnr_db.map(|db| (i, db));
    let by_db = |a: &(usize, f64), b: &(usize, f64)| a.1.total_cmp(&b.1);
    channels
        .iter()
        .enumerate()
        .filter_map(known)
        .min_by(by_db)
        .map(|(i, _)| i)
}

/// The same counts in at most `most` bins: neighbours are added up.
pub fn regroup(h: &Histogram, most: usize) -> Histogram {
    let group = h.counts.len().div_ceil(most.max(1)).max(1);
    Histogram {
        start: h.start,
        step: h.step * group as f64,
        counts: h.counts.chunks(group).map(|c| c.iter().sum()).collect(),
    }
}

/// Heights 0..1 for a thumbnail of at most `bins` bars, logarithmic; a bin with anything in it is never flat.
pub fn thumbnail(h: &Histogram, bins: usize) -> Vec<f32> {
    let h = regroup(h, bins);
    let most = h.counts.iter().copied().max().unwrap_or(0);
    h.counts.iter().map(|&c| log_height(c, most)).collect()
}

/// Height 0..1 of a count on a log scale that ends at `most`; 1 stands clearly above 0.
pub fn log_height(count: u64, most: u64) -> f32 {
    const BELOW_ONE: f64 = 0.4;
    let decades = |n: u64| (n as f64).log10() + BELOW_ONE;
    if count == 0 {
        0.0
    } else {
        (decades(count) / decades(most.max(count))) as f32
    }
}
