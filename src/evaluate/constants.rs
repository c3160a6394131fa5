//! Reports on quantized constants: weights, biases and other operands, channel by channel.

use super::outputs::Noise;
use super::report::{ChannelReport, TensorKind, TensorReport};
use super::scale_error::{Sample, scale_error};
use super::tally::{Line, Tally, half_step};
use super::twins::{Grid, Twin};
use crate::error::Result;
use crate::graph::{DType, Tensor};
use crate::progress::Progress;

/// Values of a channel that the search for its best scale looks at; of more, evenly spaced ones.
const CHANNEL_VALUES: usize = 4096;
/// Values counted between two looks at the progress.
const CHUNK: usize = 1 << 18;

/// What quantization did to a constant; `None` if its values cannot be read.
pub(super) fn report(
    twin: &Twin,
    float: &Tensor,
    file: &Tensor,
    progress: &Progress,
) -> Result<Option<TensorReport>> {
    let Some(values) = float.f32s() else {
        return Ok(None);
    };
    let Some(copy_at) = stored(file, values.len()) else {
        return Ok(None);
    };
    if values.iter().any(|x| !x.is_finite()) {
        return Ok(None);
    }
    let (min, max) = values
        .iter()
        .fold((f32::INFINITY, f32::NEG_INFINITY), |(low, high), &x| {
            (low.min(x), high.max(x))
        });
    if values.is_empty() {
        return Ok(None);
    }
    let (lines, stride) = lines(twin, file);
    let widest = lines.iter().map(|l| l.scale).fold(0f32, f32::max);
    let mut tally = Tally::new(&twin.grid, min, max, widest);
    let mut channels = vec![Noise::default(); lines.len()];
    for (at, &x) in values.iter().enumerate() {
        if at % CHUNK == 0 {
            progress.check()?;
        }
        let stored = copy_at(at);
        let (copy, step, clipped) = match lines.get(at / stride % lines.len().max(1)) {
            Some(line) => {
                // A dead channel may have the scale 0, on which nothing can be put.
                let clipped = line.scale > 0.0 && line.quantize(x).1;
                (line.real(stored as i64), line.scale.into(), clipped)
            }
            None => (stored, half_step(x), x.abs() > 65504.0),
        };
        tally.add(x, copy, step, clipped);
        if let Some(noise) = channels.get_mut(at / stride % lines.len().max(1)) {
            noise.add(x.into(), copy);
        }
    }

    let per_channel = lines.len() > 1;
    let mut reports = vec![];
    for (channel, (line, noise)) in lines.iter().zip(&channels).enumerate() {
        progress.check()?;
        let own = || {
            let every = (values.len() / lines.len()).div_ceil(CHANNEL_VALUES).max(1);
            channel_values(&values, stride, lines.len(), channel)
                .step_by(every)
                .map(|x| (x, 1.0))
                .collect::<Vec<_>>()
        };
        let dead = !channel_values(&values, stride, lines.len(), channel).any(|x| x != 0.0);
        let error = match (twin.kind, per_channel) {
            (TensorKind::Bias, _) => None,
            (_, true) => best(line, &own()),
            (_, false) => {
                let mut sample = Sample::new(min, max);
                for part in values.chunks(CHUNK) {
                    progress.check()?;
                    part.iter().for_each(|&x| sample.add(x));
                }
                best(line, &sample.weighted())
            }
        };
        reports.push(ChannelReport {
            scale: line.scale,
            scale_error: error,
            sqnr_db: noise.db().filter(|_| !dead),
        });
    }
    let worst = reports
        .iter()
        .filter_map(|c| c.scale_error)
        .max_by(|a, b| a.abs().total_cmp(&b.abs()));
    let (q_range, zero_point) = match lines.first() {
        Some(line) => ((line.low, line.high), line.zero_point),
        None => ((-65504, 65504), 0),
    };
    let symmetric = lines.iter().all(|l| l.zero_point == 0);
    let zero_point_error = lines
        .first()
        .filter(|l| !symmetric && l.scale > 0.0)
        .map(|l| {
            l.zero_point as f64 - (l.low as f64 - f64::from(min.min(0.0)) / f64::from(l.scale))
        });
    let sqnr = tally.local.db();
    Ok(Some(TensorReport {
        tensor: twin.quantized,
        name: file.name.clone(),
        op: twin.op.clone(),
        node: twin.node,
        kind: twin.kind,
        dtype: file.dtype.name().to_string(),
        shape: file.shape.clone(),
        range: (min, max),
        scale: match lines.is_empty() {
            true => half_step(min.abs().max(max.abs())) as f32,
            false => widest,
        },
        zero_point,
        q_range,
        scale_error: worst,
        zero_point_error,
        clipped: tally.clipped(),
        sqnr_local_db: sqnr,
        sqnr_cumulative_db: sqnr,
        step_rms: tally.step_rms(),
        values: tally.values,
        dequantized: tally.dequantized,
        step_error: tally.step_error,
        channels: if per_channel { reports } else { vec![] },
    }))
}

fn best(line: &Line, values: &[(f32, f32)]) -> Option<f64> {
    let low = line.low.saturating_sub(line.zero_point);
    let high = line.high.saturating_sub(line.zero_point);
    scale_error(values, line.scale, low, high)
}

/// The values of one channel.
fn channel_values(
    values: &[f32],
    stride: usize,
    channels: usize,
    channel: usize,
) -> impl Iterator<Item = f32> + '_ {
    let block = stride.saturating_mul(channels).max(1);
    values.chunks(block).flat_map(move |block| {
        let start = (channel * stride).min(block.len());
        let end = (start + stride).min(block.len());
        block[start..end].iter().copied()
    })
}

/// One line a channel (none for float16), and how many neighbouring elements belong to the same channel.
fn lines(twin: &Twin, file: &Tensor) -> (Vec<Line>, usize) {
    let Grid::Integers {
        quantization: q,
        low,
        high,
    } = &twin.grid
    else {
        return (vec![], 1);
    };
    let lines: Vec<Line> = q
        .scales
        .iter()
        .zip(&q.zero_points)
        .map(|(&scale, &zero_point)| Line {
            scale,
            zero_point,
            low: *low,
            high: *high,
        })
        .collect();
    let stride = match lines.len() {
        1 => file.elements().unwrap_or(1),
        _ => file.shape.iter().skip(q.axis + 1).product(),
    };
    (lines, stride.max(1))
}

/// How the elements of a constant are read where the file stores them: integers, or float16 as reals. `None` for other types
/// and for a constant of another size.
fn stored(file: &Tensor, elements: usize) -> Option<impl Fn(usize) -> f64 + '_> {
    let data = file.data.as_ref()?;
    let width = file.dtype.bits() / 8;
    let read: fn(&[u8]) -> f64 = match file.dtype {
        DType::Int8 => |b| f64::from(i8::from_le_bytes(array(b))),
        DType::UInt8 => |b| f64::from(u8::from_le_bytes(array(b))),
        DType::Int16 => |b| f64::from(i16::from_le_bytes(array(b))),
        DType::Int32 => |b| f64::from(i32::from_le_bytes(array(b))),
        DType::Int64 => |b| i64::from_le_bytes(array(b)) as f64,
        DType::Float16 => |b| half::f16::from_le_bytes(array(b)).to_f64(),
        _ => return None,
    };
    if elements.checked_mul(width) != Some(data.len()) {
        return None;
    }
    Some(move |at: usize| read(&data[at * width..(at + 1) * width]))
}

/// The first bytes of a slice, zeros where it is too short.
fn array<const N: usize>(bytes: &[u8]) -> [u8; N] {
    let mut out = [0; N];
    out.iter_mut().zip(bytes).for_each(|(o, b)| *o = *b);
    out
}
