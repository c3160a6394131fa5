"""What the generators of operator goldens share: models of one operator, LiteRT's reference run, random pieces, packing.

    from ops_common import *        then a table OPERATORS and, at the end, main(OPERATORS, REFUSED, "refused_<topic>.json")

Each archive ops_<op>.bin.gz is gzip over: length of an index (8 bytes, little-endian), the index (JSON), blobs. The index is a
list of cases {"name", "model": [offset, length], "inputs": [array], "outputs": [array]} with array = {"dtype", "shape", "at":
[offset, length]}, offsets counted from the first blob. A name begins with the case's kind (its types), then what was drawn.

What LiteRT refuses or does not survive goes into refused_<topic>.json: {operator: {kind: {"why", "refused", "tried", "first"}}},
"why" its message or "crashed". A kind with refused = tried has no kernel there, the others have gaps. Operators without a
reference kernel (CEIL, ELU, ROUND) are taken from the only kernels there are.
"""

import gzip
import json
import os
import pathlib
import pickle
import sys

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as s
from ai_edge_litert.interpreter import Interpreter, OpResolverType

HERE = pathlib.Path(__file__).parent
TYPES = {
    "float32": s.TensorType.FLOAT32, "float16": s.TensorType.FLOAT16, "float64": s.TensorType.FLOAT64,
    "int8": s.TensorType.INT8, "uint8": s.TensorType.UINT8, "int16": s.TensorType.INT16,
    "uint16": s.TensorType.UINT16, "int32": s.TensorType.INT32, "uint32": s.TensorType.UINT32,
    "int64": s.TensorType.INT64, "uint64": s.TensorType.UINT64, "bool": s.TensorType.BOOL,
    "complex64": s.TensorType.COMPLEX64, "complex128": s.TensorType.COMPLEX128,
}
OP = s.BuiltinOperator
ACT = s.ActivationFunctionType
# Operators that the runtime does not know in version 1.
VERSIONS = {OP.BROADCAST_TO: 2}
CLIPS = [ACT.NONE, ACT.RELU, ACT.RELU6, ACT.RELU_N1_TO_1]


class T:
    """A tensor of a case: data for constants, feed for inputs, neither for outputs; variable for state.

    Among the inputs, one that is hidden is an intermediate tensor of the node.
    """

    def __init__(self, dtype, shape, data=None, feed=None, scale=None, zero=0, axis=0, variable=False, hidden=False):
        self.variable, self.hidden = variable, hidden
        self.dtype, self.shape, self.data, self.feed = dtype, tuple(shape), data, feed
        self.scale, self.zero, self.axis = scale, zero, axis


def feed(x, **q):
    x = np.asarray(x)
    return T(x.dtype.name, x.shape, feed=x, **q)


def const(x, **q):
    x = np.asarray(x)
    return T(x.dtype.name, x.shape, data=x, **q)


def build(op, version, options_type, options, inputs, output):
    """Bytes of a model of one operator, and what is fed; None stands for an absent input, a list for several outputs."""
    model, sub = s.ModelT(), s.SubGraphT()
    model.version, model.buffers, sub.tensors = 3, [s.BufferT()], []
    outputs = output if isinstance(output, list) else [output]
    tensors = [t for t in inputs if t is not None] + outputs
    for i, t in enumerate(tensors):
        x = s.TensorT()
        x.name, x.shape, x.type, x.hasRank = f"t{i}", list(t.shape), TYPES[t.dtype], True
        x.isVariable = t.variable
        if t.data is not None:
            b = s.BufferT()
            b.data = np.frombuffer(np.ascontiguousarray(t.data).tobytes(), np.uint8)
            model.buffers.append(b)
            x.buffer = len(model.buffers) - 1
        else:
            x.buffer = 0
        if t.scale is not None:
            q = s.QuantizationParametersT()
            q.scale = np.atleast_1d(np.asarray(t.scale, np.float32))
            q.zeroPoint = np.broadcast_to(np.asarray(t.zero, np.int64), q.scale.shape).copy()
            q.quantizedDimension = t.axis
            x.quantization = q
        sub.tensors.append(x)
    ids, hidden, at = [], [], 0
    for t in inputs:
        (hidden if t is not None and t.hidden else ids).append(-1 if t is None else at)
        at += t is not None
    node = s.OperatorT()
    node.intermediates = hidden or None
    outs = list(range(len(tensors) - len(outputs), len(tensors)))
    node.inputs, node.outputs = ids, outs
    node.builtinOptionsType, node.builtinOptions = options_type, options
    sub.operators = [node]
    sub.inputs = [i for i, t in enumerate(tensors) if t.feed is not None]
    sub.outputs = outs
    code = s.OperatorCodeT()
    code.builtinCode, code.deprecatedBuiltinCode, code.version = op, min(op, 127), version
    model.operatorCodes, model.subgraphs = [code], [sub]
    b = flatbuffers.Builder(1024)
    b.Finish(model.Pack(b), b"TFL3")
    return bytes(b.Output()), [t.feed for t in inputs if t is not None and t.feed is not None]


def run(model, inputs, broken=False):
    """Outputs of LiteRT's reference kernels, or of its others where it has no reference or that is broken; or why there are none."""
    result = "Didn't find op" if broken else run_with(model, inputs, OpResolverType.BUILTIN_REF)
    if isinstance(result, str) and result.startswith("Didn't find op"):
        result = run_with(model, inputs, OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES)
    return result


def run_with(model, inputs, resolver):
    """Outputs of these kernels, or why there are none; in a process of its own, since some cases abort."""
    r, w = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(r)
        try:
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, 2)
            it = Interpreter(model_content=model, experimental_op_resolver_type=resolver)
            it.allocate_tensors()
            for d, x in zip(it.get_input_details(), inputs, strict=True):
                it.set_tensor(d["index"], x)
            it.invoke()
            result = [it.get_tensor(d["index"]) for d in it.get_output_details()]
        except Exception as e:
            result = str(e).split("\n")[0][:200]
        with os.fdopen(w, "wb") as f:
            pickle.dump(result, f)
        os._exit(0)
    os.close(w)
    with os.fdopen(r, "rb") as f:
        data = f.read()
    os.waitpid(pid, 0)
    return pickle.loads(data) if data else "crashed"


# ---- random pieces -------------------------------------------------------------------------------------------------

rng = np.random.default_rng(0)


def pick(*of):
    return of[rng.integers(len(of))]


def dims(n, low=1, high=5):
    return tuple(int(v) for v in rng.integers(low, high + 1, n))


def reals(shape, spread=2.0):
    return (rng.standard_normal(shape) * spread).astype(np.float32)


def ints(dtype, shape, low=None, high=None):
    i = np.iinfo(dtype)
    return rng.integers(i.min if low is None else low, i.max if high is None else high, shape, dtype=dtype, endpoint=True)


def any_data(dtype, shape):
    if dtype == "bool":
        return rng.integers(0, 2, shape).astype(bool)
    return reals(shape).astype(dtype) if dtype.startswith("float") else ints(dtype, shape)


def scale(low=-7.0, high=-3.0):
    return np.float32(2.0 ** rng.uniform(low, high))


def zero(dtype):
    return 0 if dtype == "int16" else int(ints(dtype, ()))


def quantized(dtype, shape, **kw):
    """A fed quantized tensor."""
    return feed(ints(dtype, shape), scale=scale(**kw), zero=zero(dtype))


def broadcast_pair():
    shape = dims(int(rng.integers(0, 6)), 1, 4)
    def thin(n):
        part = shape[int(rng.integers(0, len(shape) + 1)):] if rng.random() < 0.4 else shape
        return tuple(1 if rng.random() < 0.3 else d for d in part)
    a, b = (shape, thin(0)) if rng.random() < 0.5 else (thin(0), shape)
    if rng.random() < 0.3:
        a, b = shape, shape
    return a, b, np.broadcast_shapes(a, b)


def moved(dtype, shape):
    """A fed tensor of any type, quantized if the type is; and what its output shares with it."""
    if dtype in ("int8", "uint8", "int16") and rng.random() < 0.7:
        x = quantized(dtype, shape)
        return x, {"scale": x.scale, "zero": x.zero}
    return feed(any_data(dtype, shape)), {}


def of(f, *kinds, **fixed):
    """A table row: the function called with the fixed arguments and each kind."""
    return {k: (lambda k=k: f(*fixed.values(), k)) for k in kinds}


def make(op, kinds, broken=(), cases=22):
    """Writes ops_<op>.bin.gz with `cases` cases of each kind; returns what LiteRT refused, by kind."""
    rng.bit_generator.state = np.random.default_rng(sum(op.encode())).bit_generator.state
    index, blobs, refused = [], bytearray(), {}

    def blob(data):
        blobs.extend(data)
        return [len(blobs) - len(data), len(data)]

    def array(x):
        x = np.asarray(x)
        return {"dtype": x.dtype.name, "shape": list(x.shape), "at": blob(x.tobytes())}

    for kind, draw in kinds.items():
        done = tries = 0
        while done < cases and tries < (3 * cases if done else 12):
            tries += 1
            name, code, opt, o, inputs, output = draw()
            model, fed = build(code, VERSIONS.get(code, 1), opt, o, inputs, output)
            result = run(model, fed, kind in broken)
            if isinstance(result, str):
                r = refused.setdefault(kind, {"why": result, "refused": 0, "tried": 0, "first": name})
                r["refused"] += 1
                continue
            done += 1
            index.append({"name": f"{kind} {name}", "model": blob(model), "inputs": [array(x) for x in fed], "outputs": [array(x) for x in result]})
        if kind in refused:
            refused[kind]["tried"] = tries
            print(f"  {op} {kind}: {refused[kind]}")
    head = json.dumps(index).encode()
    data = gzip.compress(len(head).to_bytes(8, "little") + head + bytes(blobs), 9, mtime=0)
    if index:
        (HERE / f"ops_{op}.bin.gz").write_bytes(data)
    print(f"{op}: {len(index)} cases, {len(data)} bytes", flush=True)
    return refused


def main(operators, tried, refused_file, wrong={}, broken={}):
    """Makes the operators named on the command line, or all; `tried` holds kinds known to be refused, tried to keep that true.

    `wrong` holds what LiteRT computes wrongly and no case is made of: {operator: {kind: why}}; `broken` the kinds of each
    operator whose reference kernel gives garbage, so that the optimised one is asked.
    """
    path = HERE / refused_file
    refused = json.loads(path.read_text()) if path.exists() else {}
    for op in sys.argv[1:] or operators:
        refused.pop(op, None)
        said = make(op, operators[op] | tried.get(op, {}), broken.get(op, ()))
        for kind, why in wrong.get(op, {}).items():
            said[f"{kind} (wrong)"] = {"why": why, "refused": 0, "tried": 0, "first": ""}
        if said:
            refused[op] = said
    lines = [f'  {json.dumps(op)}: {json.dumps(refused[op], sort_keys=True)}' for op in sorted(refused)]
    path.write_text("{\n" + ",\n".join(lines) + "\n}\n")
