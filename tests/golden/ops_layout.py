"""Makes the golden files of operators that move data, look up, select and sort: what LiteRT's reference kernels compute.

    python ops_layout.py [OP ...]        format, tools and how refusals are recorded: see ops_common.py
"""

import numpy as np
from ai_edge_litert import schema_py_generated as s

import ops_common as c
from ops_common import OP, TYPES, T, any_data, const, dims, feed, ints, moved, of, pick, reals

TYPES["int4"] = s.TensorType.INT4
MOVED = ["float32", "int8", "uint8", "int16", "int32", "int64", "bool"]


def case(name, op, o, inputs, outputs):
    """What a draw returns; the options' union member follows from their class."""
    member = "NONE" if o is None else type(o).__name__.removesuffix("T")
    return name.replace(" ", ""), op, getattr(s.BuiltinOptions, member), o, inputs, outputs


def yes(p=0.5):
    return bool(c.rng.random() < p)


def number(low, high):
    """An integer of low..=high."""
    return int(c.rng.integers(low, high + 1))


def either(axis, rank):
    """The axis counted from one end or the other."""
    return axis - rank if yes(0.4) else axis


def index_type():
    return pick("int32", "int64")


def like(x):
    """How a tensor is quantized, to give its output the same."""
    return {} if x.scale is None else {"scale": x.scale, "zero": x.zero}


def same(x, dtype, shape, make=feed):
    """Another tensor, quantized as x."""
    return make(any_data(dtype, shape), **like(x))


# ---- shapes --------------------------------------------------------------------------------------------------------

def expand_dims(dtype):
    shape = dims(number(1, 4), 1, 4)
    at = number(0, len(shape))
    axis = either(at, len(shape) + 1)
    x, q = moved(dtype, shape)
    a = np.array(axis if yes() else [axis], index_type())
    return case(f"{shape}_{axis}", OP.EXPAND_DIMS, s.ExpandDimsOptionsT(), [x, const(a)], T(dtype, shape[:at] + (1,) + shape[at:], **q))


def squeeze(dtype):
    shape = tuple(1 if yes(0.4) else d for d in dims(number(1, 5), 2, 4))
    ones = [i for i, d in enumerate(shape) if d == 1]
    axes = [a for a in ones if yes()]
    gone = axes or ones
    o = s.SqueezeOptionsT()
    o.squeezeDims = [either(a, len(shape)) for a in axes]
    x, q = moved(dtype, shape)
    return case(f"{shape}_{o.squeezeDims}", OP.SQUEEZE, o, [x], T(dtype, [d for i, d in enumerate(shape) if i not in gone], **q))


def rank(dtype):
    shape = dims(number(1, 6), 1, 3)
    return case(f"{shape}", OP.RANK, s.RankOptionsT(), [moved(dtype, shape)[0]], T("int32", ()))


def broadcast_args(dtype):
    shape = [number(1, 5) for _ in range(number(1, 5))]
    thin = [1 if yes(0.3) else d for d in shape][number(0, len(shape) - 1):]
    a, b = (shape, thin) if yes() else (thin, shape)
    make = [feed, const][number(0, 1)]
    return case(f"{a}_{b}", OP.BROADCAST_ARGS, None, [make(np.array(a, dtype)), make(np.array(b, dtype))], T(dtype, (len(shape),)))


def fill(dtype):
    shape = dims(number(0, 4), 1, 4)
    value = moved(dtype, ())[0]
    value = const(value.feed, **like(value))
    return case(f"{shape}", OP.FILL, s.FillOptionsT(), [const(np.array(shape, index_type())), value], T(dtype, shape, **like(value)))


def range_(dtype):
    start, step = number(-20, 20), pick(1, 1, 2, 3, -1, -2)
    limit = start + step * number(0, 12) + (number(0, 1) if step > 0 else -number(0, 1))
    parts = np.array([start, limit, step]).astype(dtype)
    if dtype == "float32":
        parts = (parts * np.float32(0.37)).astype(dtype)
    n = len(np.arange(*parts))
    return case(f"{parts.tolist()}", OP.RANGE, s.RangeOptionsT(), [const(p) for p in parts], T(dtype, (n,)))


# ---- parts ---------------------------------------------------------------------------------------------------------

def slice_(dtype):
    shape = dims(number(1, 5), 1, 5)
    begin = [number(0, d - 1) for d in shape]
    size = [number(1, d - b) for d, b in zip(shape, begin)]
    said = [-1 if b + n == d and yes() else n for d, b, n in zip(shape, begin, size)]
    t = index_type()
    x, q = moved(dtype, shape)
    return case(f"{shape}_{begin}_{said}", OP.SLICE, s.SliceOptionsT(), [x, const(np.array(begin, t)), const(np.array(said, t))], T(dtype, size, **q))


def split(dtype):
    shape, n = list(dims(number(1, 4), 1, 4)), number(1, 4)
    axis = number(0, len(shape) - 1)
    part = list(shape)
    shape[axis] *= n
    o = s.SplitOptionsT()
    o.numSplits = n
    at = either(axis, len(shape))
    x, q = moved(dtype, shape)
    return case(f"{shape}_{at}_{n}", OP.SPLIT, o, [const(np.array(at if yes() else [at], np.int32)), x], [T(dtype, part, **q) for _ in range(n)])


def split_v(dtype):
    shape, sizes = list(dims(number(1, 4), 1, 4)), [number(1, 4) for _ in range(number(1, 4))]
    axis = number(0, len(shape) - 1)
    shape[axis] = sum(sizes)
    said = list(sizes)
    if yes():
        said[number(0, len(said) - 1)] = -1
    o = s.SplitVOptionsT()
    o.numSplits = len(sizes)
    at = either(axis, len(shape))
    x, q = moved(dtype, shape)
    parts = [T(dtype, shape[:axis] + [n] + shape[axis + 1:], **q) for n in sizes]
    return case(f"{shape}_{said}_{at}", OP.SPLIT_V, o, [x, const(np.array(said, index_type())), const(np.array(at, np.int32))], parts)


def unpack(dtype):
    shape = dims(number(1, 4), 1, 4)
    axis = number(0, len(shape) - 1)
    o = s.UnpackOptionsT()
    o.num, o.axis = shape[axis], either(axis, len(shape))
    if len(shape) == 1 and yes(0.7):
        return unpack(dtype)
    x, q = moved(dtype, shape)
    return case(f"{shape}_{o.axis}", OP.UNPACK, o, [x], [T(dtype, shape[:axis] + shape[axis + 1:], **q) for _ in range(o.num)])


def gather(kind):
    dtype, _, positions = kind.partition("_at_")
    positions = positions or "int32"
    shape = dims(number(1, 4), 1, 4)
    axis = number(0, len(shape) - 1)
    batch = number(0, axis) if yes() else 0
    at = shape[:batch] + dims(number(0, 2) + (batch == 0), 1, 4)
    o = s.GatherOptionsT()
    o.axis, o.batchDims = either(axis, len(shape)), batch
    x, q = moved(dtype, shape)
    index = feed(c.rng.integers(0, shape[axis], at).astype(positions))
    if yes() or at == ():
        index = const(index.feed)
    return case(f"{shape}_{at}_{o.axis}_{batch}", OP.GATHER, o, [x, index], T(dtype, shape[:axis] + at[batch:] + shape[axis + 1:], **q))


def gather_nd(kind):
    dtype, _, positions = kind.partition("_at_")
    positions = positions or "int32"
    shape = dims(number(1, 4), 1, 4)
    depth, outer = number(1, len(shape)), dims(number(1, 3) if yes(0.8) else 0, 1, 3)
    index = np.stack([c.rng.integers(0, d, outer) for d in shape[:depth]], -1).astype(positions)
    x, q = moved(dtype, shape)
    return case(f"{shape}_{index.shape}", OP.GATHER_ND, s.GatherNdOptionsT(), [x, feed(index) if yes() else const(index)], T(dtype, outer + shape[depth:], **q))


def scatter_nd(dtype):
    shape = dims(number(1, 4), 1, 4)
    depth, outer = number(1, len(shape)), dims(number(1, 2), 1, 4)
    index = np.stack([c.rng.integers(0, d, outer) for d in shape[:depth]], -1).astype("int32")
    small = feed(ints(dtype, outer + shape[depth:], 0, 20)) if dtype.startswith(("int", "uint")) else feed(any_data(dtype, outer + shape[depth:]))
    return case(f"{shape}_{index.shape}", OP.SCATTER_ND, s.ScatterNdOptionsT(), [feed(index) if yes() else const(index), small, const(np.array(shape, np.int32))], T(dtype, shape))


def embedding_lookup(kind):
    shape = (number(1, 12),) + dims(number(1, 3), 1, 5)
    if kind.startswith("hybrid_int4") and np.prod(shape[1:]) % 2:
        shape = shape[:-1] + (shape[-1] * 2,)
    index = feed(c.rng.integers(0, shape[0], number(1, 6)).astype(np.int32))
    out = index.shape + shape[1:]
    if not kind.startswith("hybrid"):
        x, q = moved(kind, shape)
        return case(f"{shape}_{out}", OP.EMBEDDING_LOOKUP, None, [index, const(x.feed, **q)], T(kind, out, **q))
    _, dtype, *channel = kind.split("_")
    sc = np.float32(2.0 ** c.rng.uniform(-8, -4, shape[0] if channel else 1))
    table = const(ints("int8", shape), scale=sc)
    if dtype == "uint8":
        table = const(ints("uint8", shape), scale=sc)
    if dtype == "int4":
        low = ints("int8", shape, -8, 7).ravel().astype(np.uint8) & 15
        table = T("int4", shape, data=low[::2] | (low[1::2] << 4), scale=sc)
    return case(f"{shape}_{out}", OP.EMBEDDING_LOOKUP, None, [index, table], T("float32", out))


# ---- repeats and frames --------------------------------------------------------------------------------------------

def tile(dtype):
    shape = dims(number(1, 5), 1, 3)
    times = [number(1, 3) for _ in shape]
    x, q = moved(dtype, shape)
    return case(f"{shape}_{times}", OP.TILE, s.TileOptionsT(), [x, const(np.array(times, index_type()))], T(dtype, [a * b for a, b in zip(shape, times)], **q))


def broadcast_to(dtype):
    shape = dims(number(1, 8), 1, 2) if yes(0.4) else dims(number(1, 5), 1, 4)
    thin = tuple(1 if yes(0.4) else d for d in shape)[number(0, len(shape) - 1):]
    x, q = moved(dtype, thin)
    return case(f"{thin}_{shape}", OP.BROADCAST_TO, s.BroadcastToOptionsT(), [x, const(np.array(shape, index_type()))], T(dtype, shape, **q))


def frame(shape, most):
    return np.array([[number(0, most(d)), number(0, most(d))] for d in shape]).astype(index_type())


def framed(shape, p):
    return [d + int(a) + int(b) for d, (a, b) in zip(shape, p)]


def padv2(dtype):
    shape = dims(number(1, 5), 1, 4)
    p = frame(shape, lambda d: 2)
    x, q = moved(dtype, shape)
    return case(f"{shape}_{p.ravel().tolist()}", OP.PADV2, s.PadV2OptionsT(), [x, const(p), same(x, dtype, (), const)], T(dtype, framed(shape, p), **q))


def mirror_pad(dtype):
    shape = dims(number(1, 4), 1, 5)
    o = s.MirrorPadOptionsT()
    o.mode = pick(s.MirrorPadMode.REFLECT, s.MirrorPadMode.SYMMETRIC)
    p = frame(shape, lambda d: d - 1 if o.mode == s.MirrorPadMode.REFLECT else d)
    x, q = moved(dtype, shape)
    return case(f"{shape}_{p.ravel().tolist()}_{o.mode}", OP.MIRROR_PAD, o, [x, const(p)], T(dtype, framed(shape, p), **q))


def reverse_v2(dtype):
    shape = dims(number(1, 5), 1, 4)
    first = number(0, len(shape) - 1)
    axes = list(range(first, number(first, len(shape) - 1) + 1))
    said = [either(a, len(shape)) for a in axes]
    x, q = moved(dtype, shape)
    return case(f"{shape}_{said}", OP.REVERSE_V2, s.ReverseV2OptionsT(), [x, const(np.array(said, np.int32))], T(dtype, shape, **q))


def reverse_sequence(dtype):
    shape = dims(number(2, 4), 1, 5)
    o = s.ReverseSequenceOptionsT()
    o.seqDim, o.batchDim = (int(a) for a in c.rng.permutation(len(shape))[:2])
    x, q = moved(dtype, shape)
    lengths = feed(c.rng.integers(0 if yes(0.2) else 1, shape[o.seqDim] + 1, shape[o.batchDim]).astype(index_type()))
    return case(f"{shape}_{o.seqDim}_{o.batchDim}", OP.REVERSE_SEQUENCE, o, [x, lengths], T(dtype, shape, **q))


def dilate(dtype):
    shape = dims(number(1, 4), 1, 4)
    by = [number(1, 3) for _ in shape]
    x, q = moved(dtype, shape)
    return case(f"{shape}_{by}", OP.DILATE, None, [x, const(np.array(by, np.int32)), same(x, dtype, (), const)], T(dtype, [(d - 1) * b + 1 for d, b in zip(shape, by)], **q))


def dynamic_update_slice(dtype):
    shape = dims(number(1, 4), 1, 5)
    part = [number(1, d) for d in shape]
    x, q = moved(dtype, shape)
    start = feed(np.array([number(-2, d + 1) for d in shape], index_type()))
    return case(f"{shape}_{part}_{start.feed.tolist()}", OP.DYNAMIC_UPDATE_SLICE, s.DynamicUpdateSliceOptionsT(), [x, same(x, dtype, part), start], T(dtype, shape, **q))


# ---- blocks --------------------------------------------------------------------------------------------------------

def space_to_depth(dtype):
    b, h, w, d, n = number(1, 2), *dims(3, 1, 4), number(1, 3)
    o = s.SpaceToDepthOptionsT()
    o.blockSize = n
    x, q = moved(dtype, (b, h * n, w * n, d))
    return case(f"{x.shape}_{n}", OP.SPACE_TO_DEPTH, o, [x], T(dtype, (b, h, w, d * n * n), **q))


def depth_to_space(dtype):
    b, h, w, d, n = number(1, 2), *dims(3, 1, 4), number(1, 3)
    o = s.DepthToSpaceOptionsT()
    o.blockSize = n
    x, q = moved(dtype, (b, h, w, d * n * n))
    return case(f"{x.shape}_{n}", OP.DEPTH_TO_SPACE, o, [x], T(dtype, (b, h * n, w * n, d), **q))


def space_to_batch_nd(dtype):
    spatial = number(1, 2)
    block, inner = dims(spatial, 1, 3), dims(spatial, 1, 3)
    before = [number(0, min(2, n * b - 1)) for n, b in zip(inner, block)]
    after = [number(0, min(2, n * b - 1 - p)) for n, b, p in zip(inner, block, before)]
    x, q = moved(dtype, (number(1, 2), *(n * b - p - r for n, b, p, r in zip(inner, block, before, after)), number(1, 3)))
    p = np.stack([before, after], 1).astype(np.int32)
    out = (x.shape[0] * int(np.prod(block)), *inner, x.shape[-1])
    return case(f"{x.shape}_{block}_{p.ravel().tolist()}", OP.SPACE_TO_BATCH_ND, s.SpaceToBatchNDOptionsT(), [x, const(np.array(block, np.int32)), const(p)], T(dtype, out, **q))


def batch_to_space_nd(dtype):
    spatial = number(1, 2)
    block, inner = dims(spatial, 1, 3), dims(spatial, 1, 3)
    before = [number(0, min(2, n * b - 1)) for n, b in zip(inner, block)]
    after = [number(0, min(2, n * b - 1 - p)) for n, b, p in zip(inner, block, before)]
    outer = number(1, 2)
    x, q = moved(dtype, (outer * int(np.prod(block)), *inner, number(1, 3)))
    p = np.stack([before, after], 1).astype(np.int32)
    out = (outer, *(n * b - f - r for n, b, f, r in zip(inner, block, before, after)), x.shape[-1])
    return case(f"{x.shape}_{block}_{p.ravel().tolist()}", OP.BATCH_TO_SPACE_ND, s.BatchToSpaceNDOptionsT(), [x, const(np.array(block, np.int32)), const(p)], T(dtype, out, **q))


# ---- selection, sorting, sums by segment ---------------------------------------------------------------------------

def one_hot(dtype):
    shape, depth = dims(number(1, 3), 1, 4), number(1, 5)
    axis = number(0, len(shape))
    o = s.OneHotOptionsT()
    o.axis = -1 if axis == len(shape) else axis
    index = feed(c.rng.integers(-1, depth + 1, shape).astype(index_type()))
    on = const(any_data(dtype, ()))
    off = const(any_data(dtype, ()))
    return case(f"{shape}_{depth}_{o.axis}", OP.ONE_HOT, o, [index, const(np.array(depth, np.int32)), on, off], T(dtype, shape[:axis] + (depth,) + shape[axis:]))


def where(dtype):
    shape = dims(number(1, 5), 1, 4)
    x = (c.rng.integers(0, 2, shape) * (1 if dtype == "bool" else 3)).astype(dtype)
    return case(f"{shape}", OP.WHERE, s.WhereOptionsT(), [const(x)], T("int64", (int(np.count_nonzero(x)), len(shape))))


def top_k(dtype):
    shape = dims(number(1, 3), 1, 4)[:-1] + (number(1, 9),)
    k = number(1, shape[-1])
    x, q = moved(dtype, shape)
    if yes():  # equal values
        x.feed[...] = (c.rng.integers(0, 3, shape)).astype(dtype)
    return case(f"{shape}_{k}", OP.TOPK_V2, s.TopKV2OptionsT(), [x, const(np.array(k, np.int32))], [T(dtype, shape[:-1] + (k,), **q), T("int32", shape[:-1] + (k,))])


def unique(dtype):
    x = c.rng.integers(0, 7, number(1, 14)).astype(dtype)
    o = s.UniqueOptionsT()
    at = index_type()
    o.idxOutType = TYPES[at]
    return case(f"{len(x)}_{at}", OP.UNIQUE, o, [const(x)], [T(dtype, (len(np.unique(x)),)), T(at, x.shape)])


def sparse_to_dense(dtype):
    shape = dims(number(1, 4), 1, 4)
    n = number(1, min(5, int(np.prod(shape))))
    flat = np.sort(c.rng.permutation(int(np.prod(shape)))[:n])
    index = np.stack(np.unravel_index(flat, shape), -1).astype(index_type())
    if len(shape) == 1 and yes():
        index = index[:, 0]
    o = s.SparseToDenseOptionsT()
    o.validateIndices = yes()
    values = feed(any_data(dtype, (n,))) if yes(0.7) else const(any_data(dtype, ()))
    return case(f"{shape}_{index.shape}_{values.shape}", OP.SPARSE_TO_DENSE, o, [feed(index) if yes() else const(index), const(np.array(shape, index.dtype)), values, const(any_data(dtype, ()))], T(dtype, shape))


def matrix_diag(dtype):
    shape = dims(number(1, 4), 1, 4)
    x, q = moved(dtype, shape)
    return case(f"{shape}", OP.MATRIX_DIAG, s.MatrixDiagOptionsT(), [x], T(dtype, shape + shape[-1:], **q))


def matrix_set_diag(dtype):
    shape = dims(number(2, 4), 1, 4)
    x, q = moved(dtype, shape)
    return case(f"{shape}", OP.MATRIX_SET_DIAG, s.MatrixSetDiagOptionsT(), [x, same(x, dtype, shape[:-2] + (min(shape[-2:]),))], T(dtype, shape, **q))


def segment_sum(dtype):
    shape = dims(number(1, 4), 1, 5)
    ids = np.cumsum(c.rng.integers(0, 3, shape[0])).astype(np.int32)
    ids -= ids[0] if yes(0.8) else 0
    x = feed(reals(shape) if dtype == "float32" else ints(dtype, shape, -100, 100))
    return case(f"{shape}_{ids.tolist()}", OP.SEGMENT_SUM, s.SegmentSumOptionsT(), [x, const(ids)], T(dtype, (int(ids[-1]) + 1,) + shape[1:]))


def unsorted(what):
    def draw(dtype):
        shape = dims(number(1, 4), 1, 4)
        outer, n = number(1, len(shape)), number(1, 5)
        ids = c.rng.integers(-1 if yes(0.3) else 0, n, shape[:outer]).astype(np.int32)
        x = feed(reals(shape) if dtype == "float32" else ints(dtype, shape, -9, 9))
        o = getattr(s, f"UnsortedSegment{what}OptionsT")()
        return case(f"{shape}_{ids.shape}_{n}", getattr(OP, f"UNSORTED_SEGMENT_{what.upper()}"), o, [x, feed(ids), const(np.array(n, np.int32))], T(dtype, (n,) + shape[outer:]))
    return draw


MORE = [*MOVED, "float16", "uint16", "uint32", "float64"]
OPERATORS = {
    "expand_dims": of(expand_dims, *MORE),
    "squeeze": of(squeeze, *MORE),
    "rank": of(rank, *MOVED),
    "broadcast_args": of(broadcast_args, "int32", "int64"),
    "fill": of(fill, *MORE),
    "range": of(range_, "int32", "int64", "float32"),
    "slice": of(slice_, *MORE),
    "split": of(split, *MOVED),
    "split_v": of(split_v, *MOVED),
    "unpack": of(unpack, *MOVED),
    "gather": of(gather, *MORE, "float32_at_int64", "int8_at_int64", "int8_at_int16"),
    "gather_nd": of(gather_nd, *MORE, "float32_at_int64", "int8_at_int16"),
    "scatter_nd": of(scatter_nd, *MORE),
    "embedding_lookup": of(embedding_lookup, "float32", "int8", "uint8", "int16", "int32", "hybrid_int8", "hybrid_uint8", "hybrid_int4", "hybrid_int8_channel", "hybrid_int4_channel"),
    "tile": of(tile, *MORE),
    "broadcast_to": of(broadcast_to, *MORE),
    "padv2": of(padv2, *MOVED),
    "mirror_pad": of(mirror_pad, *MOVED),
    "reverse_v2": of(reverse_v2, *MORE),
    "reverse_sequence": of(reverse_sequence, *MOVED),
    "dilate": of(dilate, *MORE),
    "dynamic_update_slice": of(dynamic_update_slice, *MORE),
    "space_to_depth": of(space_to_depth, *MOVED),
    "depth_to_space": of(depth_to_space, *MOVED),
    "space_to_batch_nd": of(space_to_batch_nd, *MOVED),
    "batch_to_space_nd": of(batch_to_space_nd, *MOVED),
    "one_hot": of(one_hot, *MOVED),
    "where": of(where, *MORE),
    "topk_v2": of(top_k, *MOVED),
    "unique": of(unique, *MOVED),
    "sparse_to_dense": of(sparse_to_dense, *MOVED),
    "matrix_diag": of(matrix_diag, *MOVED[:-1]),
    "matrix_set_diag": of(matrix_set_diag, *MOVED[:-1]),
    "segment_sum": of(segment_sum, "float32", "int32", "int64", "int8"),
} | {f"unsorted_segment_{k.lower()}": of(unsorted(k), "float32", "int32", "int64", "int8") for k in ["Sum", "Prod", "Max", "Min"]}

NOTHING = "it reports success but computes nothing: the output is what the memory held before; ours computes it"
WRONG = {"matrix_diag": {"bool": NOTHING}, "matrix_set_diag": {"bool": NOTHING}}

if __name__ == "__main__":
    c.main(OPERATORS, {}, "refused_layout.json", WRONG)
