"""Makes tflite_*.tflite: synthetic models that use every operator and every field of the format.

Needs ai-edge-litert (for the schema's Python classes) and flatbuffers; run it in this folder:  python tflite_make.py
"""

import inspect
import io
import re
import zipfile

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as s

# Options of operators whose table is not called after them.
TABLES = {
    "AVERAGE_POOL_2D": "Pool2DOptions", "L2_POOL_2D": "Pool2DOptions", "MAX_POOL_2D": "Pool2DOptions",
    "L2_NORMALIZATION": "L2NormOptions", "RESHAPE": "ReshapeOptions", "SVDF": "SVDFOptions", "RNN": "RNNOptions",
    "UNIDIRECTIONAL_SEQUENCE_RNN": "SequenceRNNOptions", "MEAN": "ReducerOptions", "SUM": "ReducerOptions",
    "REDUCE_PROD": "ReducerOptions", "REDUCE_MAX": "ReducerOptions", "REDUCE_MIN": "ReducerOptions",
    "REDUCE_ANY": "ReducerOptions", "REDUCE_ALL": "ReducerOptions", "MAXIMUM": "MaximumMinimumOptions",
    "MINIMUM": "MaximumMinimumOptions", "CONV_3D_TRANSPOSE": "Conv3DOptions", "RANDOM_UNIFORM": "RandomOptions",
    "RANDOM_STANDARD_NORMAL": "RandomOptions", "MULTINOMIAL": "RandomOptions", "ATAN2": "ATan2Options",
    "BATCH_MATMUL": "BatchMatMulOptions", "STABLEHLO_COMPOSITE": "StableHLOCompositeOptions",
    "TOPK_V2": "TopKV2Options", "DELEGATE": None, "CUSTOM": None, "PLACEHOLDER_FOR_GREATER_OP_CODES": None,
}
UNIONS = [n for n in dir(s.BuiltinOptions) if n.endswith("Options")]
UNIONS_2 = [n for n in dir(s.BuiltinOptions2) if n.endswith("Options")]
FOLDED = {n.replace("_", "").lower(): n for n in UNIONS + UNIONS_2}
# Operators that take just so many inputs; everything else gets five, as many as any other requires.
FIXED = {"PACK": 2, "STRIDED_SLICE": 4, "CONV_2D": 3, "DEPTHWISE_CONV_2D": 3, "FULLY_CONNECTED": 3, "ADD": 2, "SUB": 2,
         "MUL": 2, "MEAN": 2, "PAD": 2, "TRANSPOSE": 2, "RESHAPE": 2, "CONCATENATION": 3, "NON_MAX_SUPPRESSION_V5": 6}


def table_of(op):
    if op in TABLES:
        return TABLES[op]
    return FOLDED.get(op.replace("_", "").lower() + "options")


def fill(table, number):
    """An options object with a value other than the default in every field."""
    cls = getattr(s, table + "T")
    obj = cls()
    kinds = dict(re.findall(r"self\.(\w+) = \w+  # type: (.*)", inspect.getsource(cls.__init__)))
    for i, (field, kind) in enumerate(kinds.items()):
        default, low = getattr(obj, field), field.lower()
        if "subgraph" in low or low == "calledcomputations":
            value = [1, 2] if "List" in kind else 1 + i % 2
        elif kind == "bool":
            value = not default
        elif kind == "float":
            value = 0.5 + number + i
        elif kind == "Optional[str]":
            value = f"text {number}.{i}"
        elif "List[float]" in kind:
            value = [0.25 * number, -1.5]
        elif "List[bool]" in kind:
            value = [True, False, True]
        elif "List" in kind:
            value = [i + 1, 0, number % 100]
        elif low == "fusedactivationfunction":
            value = 1 + number % 5
        elif low == "axis":
            value = 1
        elif low == "valuescount":
            value = 2
        elif any(word in low for word in ("padding", "format", "combiner", "kerneltype", "mode")):
            value = 1
        elif any(word in low for word in ("type", "algorithm", "function", "direction", "seqdim")):
            value = 3 if table == "UniqueOptions" else 2 if low in ("outtype", "algorithm", "type") else 4
        else:
            value = 3 + number + i
        assert value != default, (table, field)
        setattr(obj, field, value)
    return obj


class Model:
    def __init__(self):
        self.m = s.ModelT()
        self.m.version = 3
        self.m.buffers = [s.BufferT()]
        self.m.operatorCodes, self.m.subgraphs, self.m.metadata, self.m.signatureDefs = [], [], [], []
        self.codes = {}

    def buffer(self, data):
        b = s.BufferT()
        b.data = list(data)
        self.m.buffers.append(b)
        return len(self.m.buffers) - 1

    def code(self, op, version=1, custom=None, only_old=False):
        key = (op, custom)
        if key not in self.codes:
            c = s.OperatorCodeT()
            c.builtinCode = 0 if only_old else op
            c.deprecatedBuiltinCode, c.version, c.customCode = min(op, 127), version, custom
            self.codes[key] = len(self.m.operatorCodes)
            self.m.operatorCodes.append(c)
        return self.codes[key]

    def subgraph(self, name):
        g = s.SubGraphT()
        g.name, g.tensors, g.inputs, g.outputs, g.operators = name, [], [], [], []
        self.m.subgraphs.append(g)
        return Graph(self, g)

    def metadata(self, name, data):
        e = s.MetadataT()
        e.name, e.buffer = name, self.buffer(data)
        self.m.metadata.append(e)

    def signature(self, key, subgraph, inputs, outputs):
        def maps(pairs):
            out = []
            for name, index in pairs:
                t = s.TensorMapT()
                t.name, t.tensorIndex = name, index
                out.append(t)
            return out
        d = s.SignatureDefT()
        d.signatureKey, d.subgraphIndex, d.inputs, d.outputs = key, subgraph, maps(inputs), maps(outputs)
        self.m.signatureDefs.append(d)

    def bytes(self):
        b = flatbuffers.Builder(1024)
        b.Finish(self.m.Pack(b), b"TFL3")
        return bytes(b.Output())


class Graph:
    def __init__(self, model, graph):
        self.model, self.g = model, graph

    def tensor(self, name, shape, kind=s.TensorType.FLOAT32, data=None, **fields):
        t = s.TensorT()
        t.name, t.shape, t.type, t.hasRank = name, shape, kind, True
        if data is not None:
            t.buffer = self.model.buffer(data)
        for key, value in fields.items():
            assert hasattr(t, key)
            setattr(t, key, value)
        self.g.tensors.append(t)
        return len(self.g.tensors) - 1

    def node(self, code, inputs, outputs, options=None, **fields):
        o = s.OperatorT()
        o.opcodeIndex, o.inputs, o.outputs = code, inputs, outputs
        if options is not None:
            table = type(options).__name__[:-1]
            if table in UNIONS_2:
                o.builtinOptions2, o.builtinOptions2Type = options, getattr(s.BuiltinOptions2, table)
            else:
                o.builtinOptions, o.builtinOptionsType = options, getattr(s.BuiltinOptions, table)
        for key, value in fields.items():
            assert hasattr(o, key)
            setattr(o, key, value)
        self.g.operators.append(o)


def every_operator():
    """Every builtin operator once, each with other than default options in every field."""
    m = Model()
    g = m.subgraph("main")
    x = g.tensor("x", [1, 4, 4, 2])
    const = g.tensor("const", [4], s.TensorType.INT32, np.arange(4, dtype=np.int32).tobytes())
    g.g.inputs = [x]
    ops = sorted((v, k) for k, v in vars(s.BuiltinOperator).items() if isinstance(v, int))
    used = set()
    for number, op in ops:
        if op in ("CUSTOM", "PLACEHOLDER_FOR_GREATER_OP_CODES"):
            continue
        out = g.tensor(f"{op.lower()}", [1, 4, 4, 2])
        table = table_of(op)
        used.add(table)
        count = FIXED.get(op, 5)
        inputs = [x] * count if op in ("PACK", "CONCATENATION") else [x] + [const] * (count - 1)
        options = fill(table, number) if table else None
        if op == "FULLY_CONNECTED":
            # With a quant_spec and without: the former is kept whole, the latter understood.
            second = g.tensor("fully_connected with quant_spec", [1, 4, 4, 2])
            g.node(m.code(number, 1 + number % 3), inputs, [second], fill(table, number))
            g.g.outputs.append(second)
            options.quantSpec = None
        g.node(m.code(number, 1 + number % 3), inputs, [out], options)
        g.g.outputs.append(out)
    unused = set(UNIONS + UNIONS_2) - used
    assert not unused, unused
    for name in ("first called", "second called"):
        called = m.subgraph(name)
        called.g.inputs = called.g.outputs = [called.tensor("through", [1])]
    return m.bytes()


def quantization(scale=None, zero_point=None, axis=0, details=None, **more):
    q = s.QuantizationParametersT()
    q.scale, q.zeroPoint, q.quantizedDimension = scale, zero_point, axis
    if details is not None:
        q.details, q.detailsType = details, getattr(s.QuantizationDetails, type(details).__name__[:-1])
    for key, value in more.items():
        assert hasattr(q, key)
        setattr(q, key, value)
    return q


def features():
    """All that is not an operator: quantization, sparsity, variants, control flow, signatures, metadata, old fields."""
    T, B = s.TensorType, s.BuiltinOperator
    m = Model()
    m.m.description = "every field"
    g = m.subgraph("main")
    g.g.debugMetadataIndex = 3
    x = g.tensor("x", [1, 4], shapeSignature=[-1, 4], quantization=quantization(min=[-1.0], max=[2.0]))
    condition = g.tensor("condition", [], T.BOOL)
    state = g.tensor("state", [1, 4], isVariable=True)
    int4 = g.tensor("int4 weights", [3, 3], T.INT4, bytes(5), quantization=quantization([0.5, 0.25, 0.0], [0, 1, -1], 0))
    custom = s.CustomQuantizationT()
    custom.custom = [1, 2, 3]
    a = g.tensor("custom quantized", [2], T.INT8, bytes(2), quantization=quantization(details=custom))
    blocks = s.BlockwiseQuantizationT()
    blocks.scales, blocks.zeroPoints, blocks.blockSize = int4, -1, 32
    b = g.tensor("blockwise", [2], T.INT8, bytes([1, 2]), quantization=quantization([1.0], [3], 1, blocks))
    axes = s.MultiAxisQuantizationT()
    axes.scales, axes.zeroPoints, axes.blockSize, axes.quantizedDimensions = int4, a, 16, [0, 1]
    c = g.tensor("multi axis", [2], T.INT8, bytes([3, 4]), quantization=quantization(details=axes))
    dims = []
    for i, (vector, kind) in enumerate([("Uint8Vector", [0, 1]), ("Uint16Vector", [0, 300]), ("Int32Vector", [0, 70000])]):
        d = s.DimensionMetadataT()
        d.format, d.denseSize = s.DimensionType.SPARSE_CSR, 5 + i
        for field in ("arraySegments", "arrayIndices"):
            v = getattr(s, vector + "T")()
            v.values = kind
            setattr(d, field, v)
            setattr(d, field + "Type", getattr(s.SparseIndexVector, vector))
        dims.append(d)
    sparsity = s.SparsityParametersT()
    sparsity.traversalOrder, sparsity.blockMap, sparsity.dimMetadata = [1, 0, 2], [1], dims
    sparse = g.tensor("sparse", [8, 8], T.FLOAT32, np.ones(3, np.float32).tobytes(), sparsity=sparsity)
    sub = s.VariantSubTypeT()
    sub.shape, sub.type, sub.hasRank = [2, 3], T.FLOAT16, True
    variant = g.tensor("variant", [], T.VARIANT, hasRank=False, variantTensors=[sub])
    words = g.tensor("words", [2], T.STRING, np.array([2, 12, 13, 14], np.int32).tobytes() + b"ab")
    empty = g.tensor("no elements", [0], T.INT32)
    shared = [g.tensor(f"shared {i}", [2, 2], T.INT32, np.arange(4, dtype=np.int32).tobytes()) for i in range(2)]
    floats8 = [g.tensor(f"float8 {k}", [2], k, bytes([1, 2])) for k in (T.FLOAT8_E4M3FN, T.FLOAT8_E5M2)]
    u4 = g.tensor("uint4", [3], T.UINT4, bytes(2))
    i2 = g.tensor("int2", [5], T.INT2, bytes(2))
    unranked = g.tensor("unranked", [], hasRank=False)
    g.g.inputs = [x, condition]
    out = [g.tensor(f"out {i}", [1, 4]) for i in range(6)]
    extra = g.tensor("scratch", [1, 4])
    g.node(m.code(B.IF), [condition, x], [out[0]], make("IfOptionsT", thenSubgraphIndex=1, elseSubgraphIndex=2))
    g.node(m.code(B.WHILE), [x], [out[1]], make("WhileOptionsT", condSubgraphIndex=2, bodySubgraphIndex=1), debugMetadataIndex=7)
    g.node(m.code(B.CUSTOM, 4, "Made.Up"), [x, -1, a, b, c, sparse, int4, words, u4, i2, *floats8], [out[2], variant],
           customOptions=list(range(20)), mutatingVariableInputs=[False] * 12)
    g.node(m.code(B.CUSTOM, 2, "Another"), [empty, shared[0], shared[1]], [out[3], unranked])
    # A recurrent operator with scratch tensors and state, of which the file only has the old code.
    g.node(m.code(B.UNIDIRECTIONAL_SEQUENCE_LSTM, 3, only_old=True), [x, state], [out[4]],
           make("UnidirectionalSequenceLSTMOptionsT", cellClip=1.5, timeMajor=True), intermediates=[extra],
           mutatingVariableInputs=[False, True])
    # A builtin operator that carries custom options as well.
    g.node(m.code(B.RELU), [x], [out[5]], customOptions=[9, 8, 7])
    g.g.outputs = out
    for name in ("then", "else"):
        branch = m.subgraph(name)
        i = branch.tensor("in", [1, 4])
        o = branch.tensor("out", [1, 4])
        branch.g.inputs, branch.g.outputs = [i], [o]
        branch.node(m.code(B.LOGISTIC), [i], [o])
    m.signature("serving_default", 0, [("features", x), ("which", condition)], [("result", out[0])])
    m.signature("branch", 2, [("features", 0)], [("result", 1)])
    m.metadata("min_runtime_version", b"1.5.0".ljust(16, b"\0"))
    m.metadata("labels", b"cat\ndog\n")
    m.metadata("empty", b"")
    m.m.metadataBuffer = [m.buffer(b"old metadata"), m.buffer(b"more of it")]
    # TFLite Metadata appends a zip archive of label files to the model.
    packed = io.BytesIO(m.bytes())
    with zipfile.ZipFile(packed, "a") as archive:
        for name, text in (("labels.txt", "cat\ndog\n"), ("more/vocabulary.txt", "a b c")):
            archive.writestr(zipfile.ZipInfo(name), text)
    return packed.getvalue()


def make(table, **fields):
    obj = getattr(s, table)()
    for key, value in fields.items():
        assert hasattr(obj, key)
        setattr(obj, key, value)
    return obj


def outside():
    """A constant, metadata and custom options that stand in the file behind the FlatBuffer, as in models above 2 GiB."""
    constant = np.linspace(-1, 1, 32, dtype=np.float32).tobytes()
    note, options = b"note outside of the buffer", bytes(range(50))

    def build(start):
        m = Model()
        g = m.subgraph("main")
        x, out = g.tensor("x", [32]), g.tensor("out", [32])
        w = g.tensor("w", [32], data=b"")
        m.metadata("note", b"")
        places = []
        for part in (constant, note, options):
            places.append((start, len(part)))
            start += (len(part) + 15) // 16 * 16
        for index, (offset, size) in zip((1, 2), places):
            m.m.buffers[index].data, m.m.buffers[index].offset, m.m.buffers[index].size = None, offset, size
        g.node(m.code(s.BuiltinOperator.CUSTOM, 1, "Outside"), [x, w], [out],
               largeCustomOptionsOffset=places[2][0], largeCustomOptionsSize=places[2][1])
        g.g.inputs, g.g.outputs = [x], [out]
        return m.bytes()

    flat = build((len(build(16)) + 15) // 16 * 16)
    flat += bytes(-len(flat) % 16)
    assert flat[:len(build(len(flat)))] == build(len(flat))
    return flat + b"".join(p + bytes(-len(p) % 16) for p in (constant, note, options))


if __name__ == "__main__":
    for name, data in (("operators", every_operator()), ("features", features()), ("outside", outside())):
        open(f"tflite_{name}.tflite", "wb").write(data)
        print(name, len(data))
