//! Builders of control flow and variables: IF, WHILE, CALL_ONCE, STABLEHLO_COMPOSITE, VAR_HANDLE, READ_VARIABLE, ASSIGN_VARIABLE.
//!
//! Where a called subgraph gives shapes that follow from the shapes it is called with, so does the node; else the node finds its
//! shapes while running.

use bytemuck::pod_read_unaligned;

use crate::engine::built::{Inputs, Made, Work};
use crate::engine::call::{Callee, hand_over, split};
use crate::engine::node::{Built, NodeCx, Operand, label};
use crate::engine::state::{State, Variable};
use crate::error::Result;
use crate::graph::{DType, Op};
use crate::{malformed, unsupported};

/// Rounds of one WHILE; far beyond what networks need, so that a file whose loop never ends does not run for ever.
const MOST_ROUNDS: usize = 1 << 18;

/// All inputs from `first` on.
fn arguments<'a>(cx: &NodeCx<'a>, first: usize) -> Result<Vec<Operand<'a>>> {
    (first..cx.node.inputs.len()).map(|i| cx.input(i)).collect()
}

fn types(operands: &[Operand<'_>]) -> Vec<DType> {
    operands.iter().map(Operand::dtype).collect()
}

fn shapes(operands: &[Operand<'_>]) -> Vec<Vec<usize>> {
    operands.iter().map(|o| o.shape.to_vec()).collect()
}

fn output_types(cx: &NodeCx<'_>) -> Result<Vec<DType>> {
    let outputs = 0..cx.node.outputs.len();
    outputs.map(|i| Ok(cx.output_at(i)?.1.dtype)).collect()
}

/// Bytes of `count` inputs from `first` on.
fn bytes<'a>(io: &Inputs<'a>, first: usize, count: usize) -> Vec<&'a [u8]> {
    (first..first + count).map(|i| io.bytes(i)).collect()
}

/// A node of known shapes, or one that finds them, around a call that fills what it is given.
fn calling(
    known: Option<Vec<Vec<usize>>>,
    mut call: impl FnMut(&Inputs<'_>, &mut State, &mut Vec<Made>) -> Result<()> + Send + 'static,
) -> Result<Built> {
    let built = match known {
        Some(shapes) => {
            let mut made = vec![];
            Built::several(shapes, move |io, outs, work| {
                call(io, work.state, &mut made)?;
                hand_over(&made, outs)
            })
        }
        None => Built::sizing(move |io, work| {
            let mut made = vec![];
            call(io, work.state, &mut made)?;
            Ok(made)
        }),
    };
    built.map(Built::impure)
}

/// The truth of a condition of one element.
fn is_true(condition: &[u8]) -> Result<bool> {
    match condition {
        [b] => Ok(*b != 0),
        _ => malformed!("its condition has {} elements, not 1", condition.len()),
    }
}

pub(super) fn branch(cx: &NodeCx<'_>, then: usize, otherwise: usize) -> Result<Built> {
    cx.input(0)?.expect(DType::Bool)?;
    let operands = arguments(cx, 1)?;
    let (takes, gives, called) = (types(&operands), output_types(cx)?, shapes(&operands));
    let mut callees = vec![];
    let mut results = vec![];
    for (what, index) in [("its first branch", then), ("its second branch", otherwise)] {
        let mut callee = Callee::new(cx, index, what)?;
        callee.expect(what, &takes, &gives)?;
        results.push(callee.prepare(&called)?.output_shapes());
        callees.push(callee);
    }
    let known = results.pop().flatten();
    let known = known.filter(|k| results.first() == Some(&Some(k.clone())));
    calling(known, move |io, state, made| {
        let chosen = usize::from(!is_true(io.bytes(0))?);
        match callees.get_mut(chosen) {
            Some(callee) => callee.run(&called, &bytes(io, 1, called.len()), state, made),
            None => malformed!("it has no branch"),
        }
    })
}

pub(super) fn repeat(cx: &NodeCx<'_>, condition: usize, body: usize) -> Result<Built> {
    let operands = arguments(cx, 0)?;
    let (carried, first) = (types(&operands), shapes(&operands));
    if output_types(cx)? != carried {
        return malformed!("its inputs and outputs have different types");
    }
    let mut test = Callee::new(cx, condition, "its condition")?;
    let mut round = Callee::new(cx, body, "its body")?;
    test.expect("its condition", &carried, &[DType::Bool])?;
    round.expect("its body", &carried, &carried)?;
    test.prepare(&first)?;
    let steady = round
        .prepare(&first)?
        .output_shapes()
        .filter(|s| *s == first);
    let mut truth = vec![];
    let mut next = vec![];
    calling(steady, move |io, state, made| {
        made.resize_with(first.len(), Made::default);
        for (i, (made, shape)) in made.iter_mut().zip(&first).enumerate() {
            made.shape.clone_from(shape);
            made.data.become_copy_of(io.bytes(i))?;
        }
        for _ in 0..MOST_ROUNDS {
            state.check()?;
            let (shapes, given) = split(made);
            test.run(&shapes, &given, state, &mut truth)?;
            let [truth] = &truth[..] else {
                return malformed!("its condition gives {} tensors, not 1", truth.len());
            };
            if !is_true(truth.data.bytes())? {
                return Ok(());
            }
            round.run(&shapes, &given, state, &mut next)?;
            std::mem::swap(made, &mut next);
        }
        unsupported!("it did not end within {MOST_ROUNDS} rounds")
    })
}

pub(super) fn composite(cx: &NodeCx<'_>, decomposition: usize) -> Result<Built> {
    let operands = arguments(cx, 0)?;
    let (takes, gives, called) = (types(&operands), output_types(cx)?, shapes(&operands));
    let what = "its decomposition";
    let mut callee = Callee::new(cx, decomposition, what)?;
    callee.expect(what, &takes, &gives)?;
    let known = callee.prepare(&called)?.output_shapes();
    calling(known, move |io, state, made| {
        callee.run(&called, &bytes(io, 0, called.len()), state, made)
    })
}

pub(super) fn call_once(cx: &NodeCx<'_>, subgraph: usize) -> Result<Built> {
    let what = "the subgraph it calls";
    let mut callee = Callee::new(cx, subgraph, what)?;
    callee.expect(what, &[], &[])?;
    callee.prepare(&[])?;
    calling(Some(vec![]), move |_, state, made| {
        match state.first_call(subgraph) {
            true => callee.run(&[], &[], state, made),
            false => Ok(()),
        }
    })
}

/// The number of a variable: the position of the first node of the file that names it.
pub(super) fn variable_handle(cx: &NodeCx<'_>) -> Result<Built> {
    let (id, tensor) = cx.output()?;
    if tensor.dtype != DType::Resource {
        return malformed!("{} is {}, not a resource", label(id, tensor), tensor.dtype);
    }
    let nodes = cx.shared.graph.subgraphs.iter().flat_map(|s| &s.nodes);
    let named = |op: &Op| matches!(op, Op::VarHandle { .. }) && *op == cx.node.op;
    let number = nodes.map(|n| &n.op).position(named).unwrap_or(0) as u64;
    Built::known(vec![], number.to_le_bytes().to_vec())
}

/// The handle in input 0.
fn handle(io: &Inputs<'_>) -> Result<u64> {
    match io.bytes(0) {
        bytes if bytes.len() == 8 => Ok(pod_read_unaligned(bytes)),
        bytes => malformed!("its handle has {} bytes, not 8", bytes.len()),
    }
}

fn read<'a>(io: &Inputs<'_>, work: &'a Work<'_>, dtype: DType) -> Result<&'a Variable> {
    match work.state.variable(handle(io)?) {
        Some(variable) if variable.dtype == dtype => Ok(variable),
        Some(variable) => malformed!("the variable holds {}, not {dtype}", variable.dtype),
        None => malformed!("the variable is read before anything was assigned to it"),
    }
}

pub(super) fn read_variable(cx: &NodeCx<'_>) -> Result<Built> {
    cx.input(0)?.expect(DType::Resource)?;
    let (_, tensor) = cx.output()?;
    let dtype = tensor.dtype;
    let open = tensor
        .shape_signature
        .as_ref()
        .is_some_and(|s| s.contains(&-1));
    if open || !tensor.has_rank {
        return Ok(Built::sizing(move |io, work| {
            let value = read(io, &work, dtype)?;
            Ok(vec![Made {
                shape: value.shape.clone(),
                data: value.data.clone(),
            }])
        })?
        .impure());
    }
    let declared = tensor.shape.clone();
    let built = Built::working(tensor.shape.clone(), move |io, out, work| {
        let value = read(io, &work, dtype)?;
        if value.shape != declared {
            return malformed!("the variable has shape {:?}, not {declared:?}", value.shape);
        }
        out.copy_from_slice(value.data.bytes());
        Ok(())
    })?;
    Ok(built.impure())
}

pub(super) fn assign_variable(cx: &NodeCx<'_>) -> Result<Built> {
    cx.input(0)?.expect(DType::Resource)?;
    let value = cx.input(1)?;
    let (dtype, shape) = (value.dtype(), value.shape.to_vec());
    let built = Built::several(vec![], move |io, _, work| {
        let mut data = work.state.take_variable(handle(io)?);
        data.become_copy_of(io.bytes(1))?;
        let shape = shape.clone();
        work.state
            .assign(handle(io)?, Variable { dtype, shape, data });
        Ok(())
    })?;
    Ok(built.impure())
}
