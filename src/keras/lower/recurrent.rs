//! Recurrent layers and Bidirectional: one fused operator where the runtime has it, a loop over the steps otherwise.

use serde_json::Value;

use super::super::config::{Config, short};
use super::super::hdf5::Array;
use super::super::weights::Weights;
use super::builder::Builder;
use super::call::{Arg, Call};
use super::cell::{Cell, Kind};
use super::functions::times;
use super::line::line;
use super::loops::{StepMask, over_steps};
use super::masks;
use super::merge::{add, mul};
use super::ops::{Part, concatenate, reverse, slice};
use crate::error::Result;
use crate::graph::{Activation, Op, SequenceRnn, TensorId, UnidirectionalSequenceLstm};
use crate::{malformed, unsupported};

/// What a recurrent layer gives back.
#[derive(Clone, Copy)]
struct Options {
    sequences: bool,
    state: bool,
    backwards: bool,
    zeros_for_masked: bool,
}

impl Options {
    fn of(c: &Config) -> Result<Self> {
        if c.flag("stateful", false) {
            return unsupported!(
                "it keeps its state from one call to the next (stateful); save the model with stateful=False, its state as inputs and outputs"
            );
        }
        if c.flag("time_major", false) {
            return unsupported!(
                "its input has the steps in front (time_major); use batches in front"
            );
        }
        Ok(Self {
            sequences: c.flag("return_sequences", false),
            state: c.flag("return_state", false),
            backwards: c.flag("go_backwards", false),
            zeros_for_masked: c.flag("zero_output_for_mask", false),
        })
    }
}

/// The cell's kind and settings: of the layer itself, or of the `cell` in RNN.
fn kind_of(class: &str, c: &Config) -> Result<(Kind, Config)> {
    if class != "RNN" {
        return match Kind::of(class) {
            Some(kind) => Ok((kind, c.clone())),
            None => {
                unsupported!("this recurrent layer is not known here; use LSTM, GRU or SimpleRNN")
            }
        };
    }
    let cell = c.get("cell").and_then(Value::as_object);
    let name = cell
        .and_then(|o| o.get("class_name"))
        .and_then(Value::as_str)
        .unwrap_or("");
    let name = name.rsplit('>').next().unwrap_or(name);
    let settings = cell
        .and_then(|o| o.get("config"))
        .and_then(Value::as_object);
    match (Kind::of(name), settings) {
        (Some(kind), Some(settings)) => Ok((kind, Config(settings.clone()))),
        _ => unsupported!(
            "its cell is a {}; LSTMCell, GRUCell and SimpleRNNCell are known",
            name.escape_debug()
        ),
    }
}

/// The sequence and the initial states a call gives.
fn arguments(call: &Call, kind: Kind) -> Result<(TensorId, Option<Vec<TensorId>>)> {
    let x = call.tensor()?;
    let mut states = vec![];
    let given = |a: Option<&Arg>, states: &mut Vec<TensorId>| {
        if let Some(a) = a {
            let call = Call {
                args: vec![a.clone()],
                kwargs: vec![],
            };
            states.extend(call.tensors());
        }
    };
    // Keras 2 lists the states after the sequence.
    if let Some(Arg::List(items)) = call.args.first() {
        items
            .iter()
            .skip(1)
            .for_each(|a| given(Some(a), &mut states));
    }
    given(call.argument(1, "initial_state"), &mut states);
    if call
        .kwargs
        .iter()
        .any(|(k, a)| k == "mask" && matches!(a, Arg::Tensor(_)))
    {
        return unsupported!("it is called with a mask of its own, which is not known here");
    }
    match states.len() {
        0 => Ok((x, None)),
        n if n == kind.states() => Ok((x, Some(states))),
        n => malformed!("it is given {n} states, but takes {}", kind.states()),
    }
}

fn features(b: &Builder, x: TensorId) -> Result<usize> {
    match line(b, x)? {
        [_, _, Some(c)] => Ok(c),
        _ => malformed!("it takes a known number of features"),
    }
}

/// LSTM, GRU, SimpleRNN, and RNN with one of their cells.
pub(super) fn layer(
    b: &mut Builder,
    class: &str,
    c: &Config,
    weights: &Weights<'_>,
    call: &Call,
) -> Result<Vec<TensorId>> {
    let (kind, settings) = kind_of(class, c)?;
    let (x, initial) = arguments(call, kind)?;
    let mut arrays = weights.arrays(&["cell"])?.into_iter();
    let cell = Cell::read(kind, &settings, &mut arrays, features(b, x)?)?;
    run(b, &cell, Options::of(c)?, x, initial)
}

/// One pass over a sequence: the output, then the states if they are asked for.
fn run(
    b: &mut Builder,
    cell: &Cell,
    options: Options,
    x: TensorId,
    initial: Option<Vec<TensorId>>,
) -> Result<Vec<TensorId>> {
    let mask = masks::of_steps(b, x)?;
    let turned = |b: &mut Builder, id| match options.backwards {
        true => reverse(b, id, 1),
        false => id,
    };
    let x = turned(b, x);
    let mask = mask.map(|counts| StepMask {
        counts: turned(b, counts),
        zeros: options.zeros_for_masked,
    });
    if mask.is_none()
        && initial.is_none()
        && let Some(all) = fused(b, cell, options, x)?
    {
        let last = |b: &mut Builder| slice(b, all, &[Part::ALL, Part::at(-1), Part::ALL]);
        return Ok(match (options.sequences, options.state) {
            (true, false) => vec![all],
            (false, false) => vec![last(b)],
            (true, true) => vec![all, last(b)],
            (false, true) => {
                let last = last(b);
                vec![last, last]
            }
        });
    }
    let [n, _, _] = line(b, x)?;
    let initial = match (initial, n) {
        (Some(initial), _) => {
            let fits = |&id: &TensorId| matches!(*b.shape(id), [_, Some(k)] if k == cell.units);
            if !initial.iter().all(fits) {
                return malformed!("its initial states are not [batch, {}]", cell.units);
            }
            initial
        }
        (None, Some(n)) => {
            let size = n.checked_mul(cell.units).filter(|&n| n <= 1 << 24);
            let Some(size) = size else {
                return malformed!("its state for a batch of {n} is impossibly large");
            };
            let zeros = vec![0.0; size];
            let zero = b.f32s("initial_state", &[n, cell.units], &zeros);
            vec![zero; cell.kind.states()]
        }
        (None, None) => return unsupported!("it takes a known batch"),
    };
    let x = cell.project(b, x);
    let (states, all) = over_steps(b, x, &initial, mask, options.sequences, |b, x, states| {
        cell.step(b, x, states)
    })?;
    let mut results = vec![all.unwrap_or(states[0])];
    if options.state {
        results.extend(states);
    }
    Ok(results)
}

/// The activation as the runtime's fused operators have it.
fn fused_activation(value: &Value) -> Option<Activation> {
    match value.as_str()? {
        "tanh" => Some(Activation::Tanh),
        "relu" => Some(Activation::Relu),
        "relu6" => Some(Activation::Relu6),
        "linear" => Some(Activation::None),
        _ => None,
    }
}

/// All outputs as one operator, if the runtime has it: LSTM with logistic gates whose memory nobody reads, and SimpleRNN.
fn fused(b: &mut Builder, cell: &Cell, options: Options, x: TensorId) -> Result<Option<TensorId>> {
    let activation = match fused_activation(&cell.activation) {
        // The LSTM operator knows no missing activation.
        Some(Activation::None) if cell.kind == Kind::Lstm => return Ok(None),
        Some(activation) => activation,
        None => return Ok(None),
    };
    let [Some(n), t, Some(inputs)] = line(b, x)? else {
        return Ok(None);
    };
    let units = cell.units;
    let shape = vec![Some(n), t, Some(units)];
    let mut tensors = vec![Some(x)];
    let op = match cell.kind {
        Kind::Simple => {
            tensors.push(Some(b.f32s("kernel", &[units, inputs], &cell.kernel)));
            tensors.push(Some(b.f32s(
                "recurrent_kernel",
                &[units, units],
                &cell.recurrent,
            )));
            tensors.push(Some(b.f32s("bias", &[units], &cell.bias)));
            tensors.push(Some(b.variable("state", &[n, units])));
            Op::UnidirectionalSequenceRnn(SequenceRnn {
                time_major: false,
                activation,
                asymmetric_quantize_inputs: false,
            })
        }
        Kind::Lstm if cell.gate == "sigmoid" && !options.state => {
            let part = |v: &[f32], gate: usize| {
                let size = v.len() / 4;
                v[gate * size..(gate + 1) * size].to_vec()
            };
            // Keras keeps input, forget, cell and output in this order, and so does the operator.
            let names = ["input", "forget", "cell", "output"];
            for (i, name) in names.iter().enumerate() {
                let name = format!("{name}_kernel");
                tensors.push(Some(b.f32s(
                    &name,
                    &[units, inputs],
                    &part(&cell.kernel, i),
                )));
            }
            for (i, name) in names.iter().enumerate() {
                let name = format!("{name}_recurrent_kernel");
                tensors.push(Some(b.f32s(
                    &name,
                    &[units, units],
                    &part(&cell.recurrent, i),
                )));
            }
            // No peepholes.
            tensors.extend([None; 3]);
            for (i, name) in names.iter().enumerate() {
                let name = format!("{name}_bias");
                tensors.push(Some(b.f32s(&name, &[units], &part(&cell.bias, i))));
            }
            // No projection.
            tensors.extend([None; 2]);
            tensors.push(Some(b.variable("output_state", &[n, units])));
            tensors.push(Some(b.variable("cell_state", &[n, units])));
            // No layer normalization.
            tensors.extend([None; 4]);
            Op::UnidirectionalSequenceLstm(UnidirectionalSequenceLstm {
                activation,
                cell_clip: 0.0,
                projection_clip: 0.0,
                time_major: false,
                asymmetric_quantize_inputs: false,
                diagonal_recurrent_tensors: false,
            })
        }
        Kind::Lstm | Kind::Gru => return Ok(None),
    };
    let dtype = b.dtype(x);
    Ok(Some(b.typed(op, tensors, dtype, shape)))
}

/// Class and settings of a wrapped layer.
fn wrapped(c: &Config, key: &str) -> Result<Option<(String, Config)>> {
    let Some(value) = c.get(key) else {
        return Ok(None);
    };
    let class = value.get("class_name").and_then(Value::as_str);
    let settings = value.get("config").and_then(Value::as_object);
    match (class, settings) {
        (Some(class), Some(settings)) => {
            let class = class.rsplit('>').next().unwrap_or(class);
            Ok(Some((class.to_owned(), Config(settings.clone()))))
        }
        _ => malformed!("its {key} is {}", short(value)),
    }
}

/// Bidirectional: forwards and backwards, merged.
pub(super) fn bidirectional(
    b: &mut Builder,
    c: &Config,
    weights: &Weights<'_>,
    call: &Call,
) -> Result<Vec<TensorId>> {
    let Some((class, forward)) = wrapped(c, "layer")? else {
        return malformed!("it wraps no layer");
    };
    let (back_class, backward) = match wrapped(c, "backward_layer")? {
        Some(own) => own,
        None => (class.clone(), forward.clone()),
    };
    let x = call.tensor()?;
    let inputs = features(b, x)?;
    let mut arrays = weights
        .arrays(&[
            "forward_layer",
            "forward_layer/cell",
            "backward_layer",
            "backward_layer/cell",
        ])?
        .into_iter();
    let arrays: &mut std::vec::IntoIter<Array> = &mut arrays;
    let mut read = |class: &str, c: &Config| {
        let (kind, settings) = kind_of(class, c)?;
        Cell::read(kind, &settings, arrays, inputs)
    };
    let (ahead, back) = (read(&class, &forward)?, read(&back_class, &backward)?);
    let states = arguments(call, ahead.kind);
    let (_, initial) = match states {
        Ok((x, None)) => (x, None),
        _ => {
            let all = call.tensors();
            let want = ahead.kind.states() + back.kind.states();
            match all.len().checked_sub(1) {
                Some(n) if n == want => (x, Some(all[1..].to_vec())),
                _ => return malformed!("it is given {} tensors", all.len()),
            }
        }
    };
    let (first, second) = match initial {
        Some(all) => {
            let (a, b) = all.split_at(ahead.kind.states());
            (Some(a.to_vec()), Some(b.to_vec()))
        }
        None => (None, None),
    };
    let options = Options {
        // Both directions give 0 for masked steps, whatever their own setting (Keras 2 does not write it down).
        zeros_for_masked: true,
        ..Options::of(&forward)?
    };
    let back_options = Options {
        backwards: !options.backwards,
        ..options
    };
    let outer = b.scope.clone();
    b.scope = format!("{outer}/forward");
    let mut ahead = run(b, &ahead, options, x, first)?;
    b.scope = format!("{outer}/backward");
    let mut back = run(b, &back, back_options, x, second)?;
    b.scope = outer;
    let (y, mut z) = (ahead.remove(0), back.remove(0));
    if options.sequences {
        z = reverse(b, z, 1);
    }
    let last = b.shape(y).len() - 1;
    let mut results = match c.0.get("merge_mode") {
        Some(Value::Null) => vec![y, z],
        None => vec![concatenate(b, &[y, z], last)],
        Some(mode) => match mode.as_str() {
            Some("concat") => vec![concatenate(b, &[y, z], last)],
            Some("sum") => vec![add(b, y, z)],
            Some("mul") => vec![mul(b, y, z)],
            Some("ave") => {
                let sum = add(b, y, z);
                vec![times(b, sum, 0.5)]
            }
            _ => return unsupported!("its merge_mode is {}", short(mode)),
        },
    };
    results.extend(ahead);
    results.extend(back);
    Ok(results)
}
