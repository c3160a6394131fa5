//! Tensor by tensor: what the grid does to the float model's values, and how far the quantized model strays from them.

use std::sync::Arc;

use super::constants;
use super::outputs::Noise;
use super::report::{TensorKind, TensorReport};
use super::scale_error::{Sample, scale_error};
use super::tally::{Line, Tally};
use super::twins::{Grid, Twin, twins};
use crate::calibrate::{Calibration, Feed, Range, batch_size, ranges};
use crate::data::Dataset;
use crate::engine::{self, Observer, Options, Slice, View};
use crate::error::Result;
use crate::graph::{DType, Graph, Tensor, TensorId};
use crate::invalid;
use crate::progress::Progress;
use crate::quantize::corrected_bias;

/// Activation elements of one batch: counting them takes some 20 ms on a slow core.
const BATCH_ELEMENTS: usize = 400_000;

/// Reports on every quantized tensor of a written and re-read file that stands for a float tensor of the model it was made
/// from, in the file's order. Twins are found by name and shape, or through the QUANTIZE or DEQUANTIZE beside the tensor;
/// tensors without a twin, and activations quantized per channel, are left out.
///
/// Activations: both models run side by side over the first `samples` samples of `data`, in two passes (ranges, then counts),
/// in memory that does not grow with the samples. The values of the report are the float model's; dequantized, step error,
/// clipped share and local SQNR are these values put on the tensor's own grid; cumulative SQNR compares them with what
/// the quantized model computed. Constants: the float constant against the file's integers; both SQNRs agree.
///
/// A value is clipped if the integer it rounds to lies outside the type. float16 weights have no scale: their step is the
/// distance of neighbouring float16 values. The zero-point error takes the range that `calibration` (of the float model) saw, or
/// else the observed one. The module `scale_error` says how s* is found.
///
/// # Errors
/// No or too few samples, a model that cannot run, a float model that becomes NaN (named), cancellation.
pub fn tensors(
    float: &Arc<Graph>,
    quantized: &Arc<Graph>,
    calibration: Option<&Calibration>,
    data: &dyn Dataset,
    samples: usize,
    progress: &Progress,
) -> Result<Vec<TensorReport>> {
    if samples == 0 || samples > data.len() {
        return invalid!(
            "{samples} samples were asked for, {} has {}",
            data.name(),
            data.len()
        );
    }
    progress.report(0, 2 * samples)?;
    let mut reports = vec![];
    let mut activations = vec![];
    for twin in twins(float.main(), quantized.main()) {
        progress.check()?;
        if twin.kind == TensorKind::Activation {
            activations.push(twin);
        } else {
            let moved = moved(float, quantized, &twin, calibration, progress)?;
            let original = &float.main().tensors[twin.float];
            let written = &quantized.main().tensors[twin.quantized];
            let original = moved.as_ref().unwrap_or(original);
            reports.extend(constants::report(&twin, original, written, progress)?);
        }
    }
    if activations.is_empty() {
        progress.report(2 * samples, 2 * samples)?;
        return Ok(reports);
    }

    // As many threads as the pool that the caller runs us in has.
    let threads = rayon::current_num_threads();
    let rows = rows(float, quantized);
    let report = |done| progress.report(done, 2 * samples);
    let observed = ranges(float, data, samples, (threads, rows), progress, report)?;
    let mut watched: Vec<Watched> = activations
        .into_iter()
        .filter_map(|twin| {
            let observed = observed.get(twin.float).copied().flatten()?;
            Watched::new(twin, observed)
        })
        .collect();

    let options = Options {
        threads,
        ..Options::default()
    };
    let mut float_feed = Feed::new(float, options, rows)?;
    let mut quantized_feed = Feed::new(quantized, options, float_feed.rows())?;
    if quantized_feed.rows() != float_feed.rows() {
        float_feed = Feed::new(float, options, quantized_feed.rows())?;
    }
    if quantized_feed.rows() != float_feed.rows() {
        return invalid!("The two models take batches of different sizes");
    }
    float_feed.stop_with(progress);
    quantized_feed.stop_with(progress);
    let mut copies = Copies::new(float.main().tensors.len(), &watched);
    for range in float_feed.batches(samples) {
        progress.report(samples + range.start, 2 * samples)?;
        float_feed.run(data, range.clone(), Some(&mut copies))?;
        for one in &mut watched {
            let values = copies.of(one.twin.float);
            for part in values.chunks(BATCH_ELEMENTS) {
                progress.check()?;
                part.iter().for_each(|&x| one.add(x));
            }
        }
        let mut comparison = Comparison::new(quantized, &copies, &mut watched);
        quantized_feed.run(data, range, Some(&mut comparison))?;
    }
    let calibrated = |id: TensorId| calibration?.ranges.get(id).copied().flatten();
    for one in watched {
        progress.check()?;
        let tensor = &quantized.main().tensors[one.twin.quantized];
        let asked = calibrated(one.twin.float).unwrap_or(one.observed);
        reports.push(one.report(
            tensor.name.clone(),
            tensor.dtype,
            tensor.shape.clone(),
            asked,
        ));
    }
    reports.sort_by_key(|r| r.tensor);
    progress.report(2 * samples, 2 * samples)?;
    Ok(reports)
}

/// A corrected bias as it should be; `None` for all other constants.
fn moved(
    float: &Graph,
    quantized: &Graph,
    twin: &Twin,
    calibration: Option<&Calibration>,
    progress: &Progress,
) -> Result<Option<Tensor>> {
    let (TensorKind::Bias, Some(node), Some(calibration)) = (twin.kind, twin.node, calibration)
    else {
        return Ok(None);
    };
    let (float, quantized) = (float.main(), quantized.main());
    corrected_bias(
        (float, twin.float),
        (quantized, node),
        calibration,
        progress,
    )
}

/// Samples a run: what both models take, and no more than can be counted quickly.
fn rows(float: &Graph, quantized: &Graph) -> usize {
    let main = float.main();
    let made = main.nodes.iter().flat_map(|n| &n.outputs);
    let elements: usize = made
        .filter_map(|&id| main.tensors.get(id)?.elements())
        .fold(1, usize::saturating_add);
    let first = main.inputs.first().and_then(|&id| main.tensors.get(id));
    let declared = first.and_then(|t| t.shape.first().copied()).unwrap_or(1);
    let each = (elements / declared.max(1)).max(1);
    let countable = (BATCH_ELEMENTS / each).max(1);
    let of = |graph| {
        if engine::batchable(graph, 0) {
            batch_size(graph, 0).min(countable)
        } else {
            batch_size(graph, 0)
        }
    };
    match (engine::batchable(float, 0), engine::batchable(quantized, 0)) {
        (true, false) => of(quantized),
        (false, _) => of(float),
        (true, true) => of(float).min(of(quantized)),
    }
}

/// A quantized activation under observation.
struct Watched {
    twin: Twin,
    line: Line,
    observed: Range,
    tally: Tally,
    sample: Sample,
    cumulative: Noise,
    compared: bool,
}

impl Watched {
    /// `None` for an activation without a single usable scale.
    fn new(twin: Twin, observed: Range) -> Option<Self> {
        let Grid::Integers {
            quantization,
            low,
            high,
        } = &twin.grid
        else {
            return None;
        };
        let ([scale], [zero_point]) = (
            quantization.scales.as_slice(),
            quantization.zero_points.as_slice(),
        ) else {
            return None;
        };
        if *scale <= 0.0 {
            return None;
        }
        let line = Line {
            scale: *scale,
            zero_point: *zero_point,
            low: *low,
            high: *high,
        };
        Some(Self {
            tally: Tally::new(&twin.grid, observed.min, observed.max, *scale),
            sample: Sample::new(observed.min, observed.max),
            cumulative: Noise::default(),
            compared: false,
            twin,
            line,
            observed,
        })
    }

    fn add(&mut self, x: f32) {
        let (q, clipped) = self.line.quantize(x);
        let step = self.line.scale.into();
        self.tally.add(x, self.line.real(q), step, clipped);
        self.sample.add(x);
    }

    fn report(self, name: String, dtype: DType, shape: Vec<usize>, asked: Range) -> TensorReport {
        let Line {
            scale,
            zero_point,
            low,
            high,
        } = self.line;
        let symmetric = !matches!(dtype, DType::Int8 | DType::UInt8);
        // The range always includes 0, so that 0 is exact.
        let min = f64::from(asked.min.min(0.0));
        let wanted = low as f64 - min / f64::from(scale);
        TensorReport {
            tensor: self.twin.quantized,
            name,
            op: self.twin.op,
            node: self.twin.node,
            kind: self.twin.kind,
            dtype: dtype.name().to_string(),
            shape,
            range: (self.observed.min, self.observed.max),
            scale,
            zero_point,
            q_range: (low, high),
            scale_error: scale_error(
                &self.sample.weighted(),
                scale,
                low.saturating_sub(zero_point),
                high.saturating_sub(zero_point),
            ),
            zero_point_error: (!symmetric).then_some(zero_point as f64 - wanted),
            clipped: self.tally.clipped(),
            sqnr_local_db: self.tally.local.db(),
            sqnr_cumulative_db: self.cumulative.db().filter(|_| self.compared),
            step_rms: self.tally.step_rms(),
            values: self.tally.values,
            dequantized: self.tally.dequantized,
            step_error: self.tally.step_error,
            channels: vec![],
        }
    }
}

/// Copies of the float activations of one batch, for those that have a quantized twin.
struct Copies {
    /// Per tensor of the float model: where its copy lies.
    slots: Vec<Option<usize>>,
    values: Vec<Vec<f32>>,
}

impl Copies {
    fn new(tensors: usize, watched: &[Watched]) -> Self {
        let mut copies = Self {
            slots: vec![None; tensors],
            values: vec![],
        };
        for one in watched {
            let next = copies.values.len();
            if let Some(slot @ None) = copies.slots.get_mut(one.twin.float) {
                *slot = Some(next);
                copies.values.push(vec![]);
            }
        }
        copies
    }

    /// The copy of a float tensor.
    fn of(&self, id: TensorId) -> &[f32] {
        let slot = self.slots.get(id).copied().flatten();
        slot.and_then(|s| self.values.get(s))
            .map_or(&[], Vec::as_slice)
    }
}

impl Observer for Copies {
    fn tensor(&mut self, id: TensorId, value: View<'_>) {
        let slot = self.slots.get(id).copied().flatten();
        let (Some(slot), Slice::F32(values)) = (slot, value.data) else {
            return;
        };
        if let Some(copy) = self.values.get_mut(slot) {
            copy.clear();
            copy.extend_from_slice(values);
        }
    }
}

/// Adds up how far the quantized model's activations are from the float copies.
struct Comparison<'a> {
    /// Per tensor of the quantized model: its place in `watched`.
    places: Vec<Option<usize>>,
    copies: &'a Copies,
    watched: &'a mut [Watched],
}

impl<'a> Comparison<'a> {
    fn new(quantized: &Graph, copies: &'a Copies, watched: &'a mut [Watched]) -> Self {
        let mut places = vec![None; quantized.main().tensors.len()];
        for (place, one) in watched.iter().enumerate() {
            if let Some(slot) = places.get_mut(one.twin.quantized) {
                *slot = Some(place);
            }
        }
        Self {
            places,
            copies,
            watched,
        }
    }
}

impl Observer for Comparison<'_> {
    fn tensor(&mut self, id: TensorId, value: View<'_>) {
        let place = self.places.get(id).copied().flatten();
        let Some(one) = place.and_then(|p| self.watched.get_mut(p)) else {
            return;
        };
        let float = self.copies.of(one.twin.float);
        let line = one.line;
        let noise = &mut one.cumulative;
        let mut compare = |integers: &mut dyn Iterator<Item = i64>| {
            for (&x, q) in float.iter().zip(integers) {
                noise.add(x.into(), line.real(q));
            }
        };
        match value.data {
            Slice::I8(q) => compare(&mut q.iter().map(|&q| q.into())),
            Slice::U8(q) => compare(&mut q.iter().map(|&q| q.into())),
            Slice::I16(q) => compare(&mut q.iter().map(|&q| q.into())),
            Slice::I32(q) => compare(&mut q.iter().map(|&q| q.into())),
            Slice::I64(q) => compare(&mut q.iter().copied()),
            Slice::U16(q) => compare(&mut q.iter().map(|&q| q.into())),
            Slice::U32(q) => compare(&mut q.iter().map(|&q| q.into())),
            Slice::F32(_) | Slice::F16(_) | Slice::F64(_) | Slice::U64(_) | Slice::Bool(_) => {
                return;
            }
        }
        one.compared = true;
    }
}
