"""Makes the golden files of operators that fold axes: sums, products, extrema, any, all, ARG_MAX, ARG_MIN, CUMSUM, and MEAN of integers.

    python ops_reduce.py [OP ...]          needs ai-edge-litert 2.3.0 and numpy; writes ops_<op>.bin.gz beside itself

The format and all that generators share: ops_common.py. What LiteRT 2.3.0 refuses: refused_reduce.json. Its reference
kernel of quantized SUM gives garbage; those cases come from the optimised one.
"""

from ops_common import *
from ops_elementwise import ALL, data, scaled, title


def folded(code, dtype):
    o = s.ReducerOptionsT()
    o.keepDims = bool(rng.random() < 0.5)
    shape = dims(int(rng.integers(1, 6)), 1, 5)
    axes = rng.permutation(len(shape))[: int(rng.integers(0 if rng.random() < 0.1 else 1, len(shape) + 1))].astype(np.int32)
    kept = [1 if i in axes else d for i, d in enumerate(shape) if o.keepDims or i not in axes]
    n = int(np.prod([shape[i] for i in axes]))
    axes = np.where(rng.random(len(axes)) < 0.3, axes - len(shape), axes).astype(np.int32)
    name = f"{title(shape)}_axes{axes.tolist()}_keep{int(o.keepDims)}".replace(" ", "")
    plain = dtype.endswith("_plain")
    dtype = dtype.removesuffix("_plain")
    if plain or dtype not in ("int8", "uint8", "int16"):
        x = data(dtype, shape)
        if dtype.startswith("float") and code in (OP.SUM, OP.REDUCE_PROD):
            x = np.asarray(reals(shape, 1.5)).astype(dtype)
        if code == OP.MEAN and "int" in dtype:
            x = np.clip(x.astype(np.int64), -(10**6) if not dtype.startswith("u") else 0, 10**6).astype(dtype)
        if code == OP.REDUCE_PROD and "int" in dtype:
            x = np.clip(x.astype(np.int64), -3 if not dtype.startswith("u") else 0, 3).astype(dtype)
        return name, code, s.BuiltinOptions.ReducerOptions, o, [feed(x), const(axes)], T(dtype, kept)
    x = scaled(dtype, shape)
    sc, z = x.scale, x.zero
    if code in (OP.SUM, OP.MEAN):
        sc, z = x.scale * rng.uniform(0.3, 1.5) * (np.sqrt(n) if code == OP.SUM else 1), zero(dtype)
    if code == OP.REDUCE_PROD:
        peak = float(np.abs((x.feed.astype(np.float64) - x.zero) * x.scale).max())
        sc, z = min(max(peak, 0.5) ** max(n, 1), 1e30) / (100 if dtype == "int8" else 20000) * 2.0 ** rng.uniform(-2, 1), zero(dtype)
    return name, code, s.BuiltinOptions.ReducerOptions, o, [x, const(axes)], T(dtype, kept, scale=np.float32(sc), zero=z)


def arg(code, dtype):
    top = code == OP.ARG_MAX
    o = (s.ArgMaxOptionsT if top else s.ArgMinOptionsT)()
    result = pick("int32", "int64")
    o.outputType = TYPES[result]
    shape = dims(int(rng.integers(1, 6)), 1, 5)
    axis = int(rng.integers(0, len(shape)))
    kept = [d for i, d in enumerate(shape) if i != axis]
    stated = np.array(axis - len(shape) if rng.random() < 0.4 else axis, pick(np.int32, np.int64)).reshape(pick((), (1,)))
    if rng.random() < 0.4 and dtype != "bool":
        x = np.asarray(rng.integers(0, 3, shape)).astype(dtype)
    else:
        x = data(dtype, shape)
    return f"{title(shape)}_axis{stated}_{result}", code, s.BuiltinOptions.ArgMaxOptions if top else s.BuiltinOptions.ArgMinOptions, o, [feed(x), const(stated)], T(result, kept)


def cumsum(dtype):
    o = s.CumsumOptionsT()
    o.exclusive, o.reverse = bool(rng.random() < 0.5), bool(rng.random() < 0.5)
    shape = dims(int(rng.integers(1, 6)), 1, 5)
    axis = np.array(int(rng.integers(-len(shape), len(shape))), np.int32).reshape(pick((), (1,)))
    x = np.asarray(reals(shape, 3.0)).astype(dtype) if dtype.startswith("float") else data(dtype, shape)
    return f"{title(shape)}_axis{axis}_e{int(o.exclusive)}_r{int(o.reverse)}", OP.CUMSUM, s.BuiltinOptions.CumsumOptions, o, [feed(x), const(axis)], T(dtype, shape)


OPERATORS = {op: of(folded, *ALL, code=getattr(OP, op.upper())) for op in ("sum", "reduce_any", "reduce_all")}
OPERATORS |= {op: of(folded, *ALL, "int8_plain", "int16_plain", code=getattr(OP, op.upper())) for op in ("reduce_prod", "reduce_max", "reduce_min")}
OPERATORS |= {op: of(arg, *ALL, code=getattr(OP, op.upper())) for op in ("arg_max", "arg_min")}
OPERATORS |= {"cumsum": of(cumsum, *ALL)}
# MEAN of quantized types and float32 is in ops_make.py; this archive has its own name.
OPERATORS |= {"mean_int": of(folded, "int32", "int64", code=OP.MEAN)}

if __name__ == "__main__":
    wrong = {"sum": {"int8, uint8, int16": "its reference kernel gives garbage; ours equals the optimised one"}}
    main(OPERATORS, {}, "refused_reduce.json", wrong, {"sum": ["int8", "uint8", "int16"]})
