"""Makes the golden files of operators that slide, multiply and resize, and of DENSIFY: what LiteRT's reference kernels compute.

    python ops_windows.py [OP ...]       format, tools and how refusals are recorded: see ops_common.py
"""

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as s

import ops_common as c
import ops_make as m
from ops_common import CLIPS, OP, T, const, dims, feed, ints, moved, of, pick, quantized, reals, zero
from ops_layout import case, number, yes

BIAS = {"int8": "int32", "uint8": "int32", "int16": "int64", "int16_bias32": "int32"}


def same_or_valid():
    return pick(s.Padding.SAME, s.Padding.VALID)


def spread_of(dtype, depth):
    """How large sums of `depth` products of steps become, and the output steps they should fill."""
    return 74 * (19000 if dtype == "int16" else 74) * np.sqrt(depth), (12000 if dtype == "int16" else 60)


# ---- convolutions --------------------------------------------------------------------------------------------------

def transpose_conv(kind):
    o = s.TransposeConvOptionsT()
    o.padding, o.fusedActivationFunction = same_or_valid(), pick(*CLIPS)
    o.strideH, o.strideW = dims(2, 1, 3)
    b, h, w, in_c, out_c, (kh, kw) = number(1, 2), *dims(2, 1, 5), number(1, 7), number(1, 6), dims(2, 1, 4)

    def out_of(n, k, stride):
        # What frameworks ask for, and sometimes a little more or less.
        n = n * stride if o.padding == s.Padding.SAME else (n - 1) * stride + k
        return max(1, n + (pick(-1, 1) if yes(0.15) else 0))
    out = (b, out_of(h, kh, o.strideH), out_of(w, kw, o.strideW), out_c)
    fshape, shape = (out_c, kh, kw, in_c), (b, h, w, in_c)
    name = f"{shape}_k{kh}x{kw}_{out}_s{o.strideH}{o.strideW}_p{o.padding}_a{o.fusedActivationFunction}"
    size = const(np.array(out, np.int32))
    with_bias = yes(0.7)
    channels = out_c if kind.endswith("channel") or kind in ("int8", "int16", "int16_bias32") and yes(0.8) else 1
    ws = np.float32(2.0 ** c.rng.uniform(-9, -6, channels))
    if kind == "float32":
        return case(name, OP.TRANSPOSE_CONV, o, [size, const(reals(fshape, 0.4)), feed(reals(shape))] + [const(reals(out_c))] * with_bias, T("float32", out))
    if kind.startswith("hybrid"):
        filt = const(ints("int8", fshape, -127, 127), scale=ws)
        return case(name, OP.TRANSPOSE_CONV, o, [size, filt, feed(reals(shape))] + [const(reals(out_c))] * with_bias, T("float32", out))
    dtype = kind.split("_")[0]
    x = quantized(dtype, shape)
    spread, fill = spread_of(dtype, in_c * kh * kw / o.strideH / o.strideW)
    bias = const(c.rng.integers(-int(spread), int(spread) + 1, out_c).astype(BIAS[kind]), scale=x.scale * ws)
    filt = const(ints("uint8", fshape), scale=ws, zero=zero("uint8")) if dtype == "uint8" else const(ints("int8", fshape, -127, 127), scale=ws)
    if dtype == "int16":
        o.quantizedBiasType = c.TYPES[BIAS[kind]]
    y = T(dtype, out, scale=np.float32(x.scale * float(np.mean(ws)) * spread / fill), zero=zero(dtype))
    return case(name, OP.TRANSPOSE_CONV, o, [size, filt, x] + [bias] * with_bias, y)


def old_convolution(depthwise):
    """The uint8 quantization of old files: one scale and a zero point for the filter."""
    def draw(_):
        o = s.DepthwiseConv2DOptionsT() if depthwise else s.Conv2DOptionsT()
        m.geometry(o)
        b, (kh, kw), (h, w) = number(1, 2), dims(2, 1, 3), dims(2, 8, 9)
        in_c, out_c = number(1, 5), number(1, 5)
        if depthwise:
            o.depthMultiplier = number(1, 2)
            out_c = in_c * o.depthMultiplier
        x = quantized("uint8", (b, h, w, in_c))
        filt = const(ints("uint8", (1, kh, kw, out_c) if depthwise else (out_c, kh, kw, in_c)), scale=c.scale(-9, -6), zero=zero("uint8"))
        spread, fill = spread_of("uint8", kh * kw * (1 if depthwise else in_c))
        bias = const(c.rng.integers(-int(spread), int(spread) + 1, out_c).astype(np.int32), scale=x.scale * filt.scale)
        y = T("uint8", (b, *m.conv_out(o, h, w, kh, kw), out_c), scale=np.float32(x.scale * filt.scale * spread / fill), zero=zero("uint8"))
        name = f"{x.shape}_{filt.shape}_s{o.strideH}{o.strideW}_d{o.dilationHFactor}{o.dilationWFactor}_p{o.padding}_a{o.fusedActivationFunction}"
        return case(name, OP.DEPTHWISE_CONV_2D if depthwise else OP.CONV_2D, o, [x, filt, bias], y)
    return draw


def old_fully_connected(_):
    o = s.FullyConnectedOptionsT()
    o.fusedActivationFunction = pick(*CLIPS)
    rows, depth, units = number(1, 4), number(1, 30), number(1, 9)
    x = quantized("uint8", (rows, depth))
    w = const(ints("uint8", (units, depth)), scale=c.scale(-9, -6), zero=zero("uint8"))
    spread, fill = spread_of("uint8", depth)
    bias = const(c.rng.integers(-int(spread), int(spread) + 1, units).astype(np.int32), scale=x.scale * w.scale)
    y = T("uint8", (rows, units), scale=np.float32(x.scale * w.scale * spread / fill), zero=zero("uint8"))
    return case(f"{x.shape}_{units}_a{o.fusedActivationFunction}", OP.FULLY_CONNECTED, o, [x, w] + [bias] * yes(0.7), y)


def conv_3d(_):
    o = s.Conv3DOptionsT()
    o.padding, o.fusedActivationFunction = same_or_valid(), pick(*CLIPS)
    strides, dilations = (dims(3, 1, 2), (1, 1, 1)) if yes() else ((1, 1, 1), dims(3, 1, 2))
    (o.strideD, o.strideH, o.strideW), (o.dilationDFactor, o.dilationHFactor, o.dilationWFactor) = strides, dilations
    b, space, in_c, out_c, k = number(1, 2), dims(3, 4, 6), number(1, 3), number(1, 4), dims(3, 1, 2)
    reach = [(n - 1) * d + 1 for n, d in zip(k, dilations)]
    out = [-(-n // st) if o.padding == s.Padding.SAME else (n - r) // st + 1 for n, r, st in zip(space, reach, strides)]
    bias = [const(reals(out_c))] if yes(0.7) else []
    return case(f"{b}_{space}_{in_c}_{out_c}_k{k}_s{strides}_d{dilations}_p{o.padding}", OP.CONV_3D, o,
                [feed(reals((b, *space, in_c))), const(reals((*k, in_c, out_c), 0.4)), *bias], T("float32", (b, *out, out_c)))


def conv_3d_transpose(_):
    o = s.Conv3DOptionsT()
    o.padding, o.fusedActivationFunction = same_or_valid(), pick(*CLIPS)
    strides, dilations = (dims(3, 1, 2), (1, 1, 1)) if yes() else ((1, 1, 1), dims(3, 1, 2))
    (o.strideD, o.strideH, o.strideW), (o.dilationDFactor, o.dilationHFactor, o.dilationWFactor) = strides, dilations
    b, space, in_c, out_c, k = number(1, 2), dims(3, 1, 3), number(1, 3), number(1, 4), dims(3, 1, 3)
    reach = [(n - 1) * d + 1 for n, d in zip(k, dilations)]
    out = [n * st if o.padding == s.Padding.SAME else (n - 1) * st + r for n, r, st in zip(space, reach, strides)]
    bias = [const(reals(out_c))] if yes(0.7) else []
    size = np.array([b, *out, out_c], np.int32)
    return case(f"{b}_{space}_{in_c}_{out_c}_k{k}_s{strides}_d{dilations}_p{o.padding}", OP.CONV_3D_TRANSPOSE, o,
                [const(size), const(reals((*k, out_c, in_c), 0.4)), feed(reals((b, *space, in_c))), *bias], T("float32", size))


# ---- products ------------------------------------------------------------------------------------------------------

def batch_matmul(kind):
    o = s.BatchMatMulOptionsT()
    o.adjX, o.adjY, o.asymmetricQuantizeInputs = yes(), yes(), "asym" in kind
    batch = dims(number(0, 3 if "asym" not in kind else 2), 1, 3)
    if kind.startswith("hybrid"):
        batch = tuple(1 if i else d for i, d in enumerate(batch))
    thin = tuple(1 if yes(0.3) else d for d in batch)[number(0, len(batch)) if yes(0.3) and batch else 0:]
    left, right = pick((batch, batch), (thin, batch), (batch, thin))
    rows, k, n = number(1, 6), number(1, 12), number(1, 6)
    a = left + ((k, rows) if o.adjX else (rows, k))
    b = right + ((n, k) if o.adjY else (k, n))
    out = tuple(np.broadcast_shapes(left, right)) + (rows, n)
    name = f"{a}_{b}_{int(o.adjX)}{int(o.adjY)}"
    if kind.startswith("float32"):
        return case(name, OP.BATCH_MATMUL, o, [feed(reals(a)), (const if kind == "float32_const" else feed)(reals(b))], T("float32", out))
    if kind.startswith("hybrid"):
        channel = kind.endswith("channel")
        ws = np.float32(2.0 ** c.rng.uniform(-9, -6, n if channel else 1))
        return case(name, OP.BATCH_MATMUL, o, [feed(reals(a)), const(ints("int8", b, -127, 127), scale=ws, axis=len(b) - (2 if o.adjY else 1))], T("float32", out))
    if kind == "int8_to_int32":
        return case(name, OP.BATCH_MATMUL, o, [quantized("int8", a), quantized("int8", b)], T("int32", out, scale=np.float32(1)))
    dtype, other = ("int16", "int8") if kind == "int16_int8" else (kind.removesuffix("_const"),) * 2
    x, y = quantized(dtype, a), quantized(other, b)
    if dtype == "int16" or yes(0.3):
        y.zero = 0
    spread = {"int8": 74, "int16": 19000}[dtype] * {"int8": 74, "int16": 19000}[other] * np.sqrt(k)
    if kind.endswith("_const"):
        y = const(y.feed, scale=y.scale, zero=y.zero)
    z = T(dtype, out, scale=np.float32(x.scale * y.scale * spread / (12000 if dtype == "int16" else 60)), zero=zero(dtype))
    return case(name, OP.BATCH_MATMUL, o, [x, y], z)


# ---- images --------------------------------------------------------------------------------------------------------

def resize(code, options):
    def draw(dtype):
        o = options()
        o.alignCorners, o.halfPixelCenters = pick((False, False), (True, False), (False, True))
        shape = (number(1, 2), *dims(2, 1, 6), number(1, 4))
        size = dims(2, 1, 9)
        x, q = moved(dtype, shape)
        return case(f"{shape}_{size}_{int(o.alignCorners)}{int(o.halfPixelCenters)}", code, o, [x, const(np.array(size, np.int32))], T(dtype, (shape[0], *size, shape[3]), **q))
    return draw


def l2_pool(_):
    o = s.Pool2DOptionsT()
    o.padding, o.fusedActivationFunction = same_or_valid(), pick(*CLIPS)
    o.strideH, o.strideW = k = dims(2, 1, 3)
    o.filterHeight, o.filterWidth = f = dims(2, 1, 4)
    shape = (number(1, 2), *dims(2, 4, 8), number(1, 4))
    out = [-(-n // st) if o.padding == s.Padding.SAME else (n - w) // st + 1 for n, w, st in zip(shape[1:3], f, k)]
    return case(f"{shape}_k{f}_s{k}_p{o.padding}_a{o.fusedActivationFunction}", OP.L2_POOL_2D, o, [feed(reals(shape))], T("float32", (shape[0], *out, shape[3])))


# ---- sparse constants ----------------------------------------------------------------------------------------------

def index_vector(values, kind):
    x = {"32": s.Int32VectorT, "16": s.Uint16VectorT, "8": s.Uint8VectorT}[kind]()
    x.values = np.array(values, {"32": np.int32, "16": np.uint16, "8": np.uint8}[kind])
    return {"32": s.SparseIndexVector.Int32Vector, "16": s.SparseIndexVector.Uint16Vector, "8": s.SparseIndexVector.Uint8Vector}[kind], x


def sparse(x, blocks, order, formats, kind):
    """The stored values and description of `x`: blocks {axis: extent}, traversal order, sparse or dense per level."""
    axes = sorted(blocks)
    cut = [(d // blocks[i], blocks[i]) if i in blocks else (d,) for i, d in enumerate(x.shape)]
    flat = x.reshape([n for part in cut for n in part])
    at = np.cumsum([0] + [len(part) for part in cut])
    flat = flat.transpose([at[i] for i in range(x.ndim)] + [at[i] + 1 for i in axes]).transpose(order)
    segments, indices, values = [[0] for _ in order], [[] for _ in order], []

    def level(i, part):
        if i == len(order):
            values.append(part)
        elif not formats[i]:
            for p in part:
                level(i + 1, p)
        else:
            for j, p in enumerate(part):
                if np.any(p):
                    indices[i].append(j)
                    level(i + 1, p)
            segments[i].append(len(indices[i]))
    level(0, flat)
    y = s.SparsityParametersT()
    y.traversalOrder, y.blockMap, y.dimMetadata = np.array(order, np.int32), np.array(axes, np.int32), []
    for i, is_sparse in enumerate(formats):
        d = s.DimensionMetadataT()
        d.format = s.DimensionType.SPARSE_CSR if is_sparse else s.DimensionType.DENSE
        d.denseSize = 0 if is_sparse else flat.shape[i]
        if is_sparse:
            d.arraySegmentsType, d.arraySegments = index_vector(segments[i], kind)
            d.arrayIndicesType, d.arrayIndices = index_vector(indices[i], kind)
        y.dimMetadata.append(d)
    return np.array(values, x.dtype), y


def densify(dtype):
    shape = dims(number(1, 3), 1, 3)
    blocks = {i: number(2, 3) for i in range(len(shape)) if yes(0.4)}
    shape = tuple(d * blocks.get(i, 1) for i, d in enumerate(shape))
    x = c.any_data(dtype, shape)
    x = np.where(c.rng.random(shape) < 0.6, np.zeros((), dtype), x)
    # Blocks are dense and innermost; the axes before them come in any order.
    order = [int(i) for i in c.rng.permutation(len(shape))] + [len(shape) + i for i in range(len(blocks))]
    formats = [yes(0.6) for _ in shape] + [False] * len(blocks)
    values, description = sparse(x, blocks, order, formats, pick("32", "16", "8"))
    t = const(values)
    t.shape, t.sparsity = shape, description
    return case(f"{shape}_{blocks}_{order}_{formats}", OP.DENSIFY, s.DensifyOptionsT(), [t], T(dtype, shape))


plain_build = c.build


def build(op, version, options_type, options, inputs, output):
    """As in ops_common; tensors may carry `sparsity`."""
    model, fed = plain_build(op, version, options_type, options, inputs, output)
    if any(hasattr(t, "sparsity") for t in inputs if t is not None):
        unpacked = s.ModelT.InitFromPackedBuf(model, 0)
        for x, t in zip(unpacked.subgraphs[0].tensors, inputs):
            x.sparsity = getattr(t, "sparsity", None)
        b = flatbuffers.Builder(1024)
        b.Finish(unpacked.Pack(b), b"TFL3")
        model = bytes(b.Output())
    return model, fed


OPERATORS = {
    "transpose_conv": of(transpose_conv, "float32", "int8", "uint8", "int16", "int16_bias32", "hybrid", "hybrid_channel"),
    "conv_2d_uint8": of(old_convolution(False), "uint8"),
    "depthwise_conv_2d_uint8": of(old_convolution(True), "uint8"),
    "fully_connected_uint8": of(old_fully_connected, "uint8"),
    "conv_3d": of(conv_3d, "float32"),
    "conv_3d_transpose": of(conv_3d_transpose, "float32"),
    "batch_matmul": of(batch_matmul, "float32", "float32_const", "int8", "int8_const", "int8_to_int32", "int16", "int16_int8", "hybrid", "hybrid_asym", "hybrid_channel", "hybrid_asym_channel"),
    "resize_bilinear": of(resize(OP.RESIZE_BILINEAR, s.ResizeBilinearOptionsT), "float32", "int8", "uint8", "int16", "int32"),
    "resize_nearest_neighbor": of(resize(OP.RESIZE_NEAREST_NEIGHBOR, s.ResizeNearestNeighborOptionsT), "float32", "int8", "uint8", "int16", "int32", "bool"),
    "l2_pool_2d": of(l2_pool, "float32"),
    "densify": of(densify, "float32", "float16", "int8", "int32"),
}

BATCHES = "where several batch axes are above 1 it takes the input scales of another batch (sums the indices); ours are its own"
WRONG = {"batch_matmul": {k: BATCHES for k in ["hybrid", "hybrid_asym", "hybrid_channel", "hybrid_asym_channel"]}}

if __name__ == "__main__":
    c.build = build
    c.main(OPERATORS, {}, "refused_windows.json", WRONG)
