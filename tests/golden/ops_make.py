"""Makes the golden files of single operators: what LiteRT's reference kernels (BUILTIN_REF) compute for random cases.

    python ops_make.py [OP ...]          needs ai-edge-litert 2.3.0 and numpy; writes ops_<op>.bin.gz beside itself

The format and all that generators share: ops_common.py.

What LiteRT 2.3.0 refuses or does not survive (refused_ops.json has it in full); we refuse it too unless noted:

| operator | types | what LiteRT does |
|---|---|---|
| HARD_SWISH | int16 | refuses at run time |
| QUANTIZE | float32 -> uint16 | refuses at prepare; our engine runs it |
| DEQUANTIZE | int32 | refuses at prepare; our engine runs it |
| CONV_2D | hybrid, grouped, one scale | refuses at prepare; our engine runs it |
| PACK | bool | refuses at prepare; our engine runs it |
| ADD | int16, scales powers of two, operands broadcast | aborts the process; our engine runs it |
| all | a scalar as fed input in some operators | "Invalid tensor size" from the Python interpreter |
"""

from ops_common import *


def geometry(o):
    o.padding = pick(s.Padding.SAME, s.Padding.VALID)
    o.strideH, o.strideW = dims(2, 1, 3)
    if rng.random() < 0.4:
        o.dilationHFactor, o.dilationWFactor = dims(2, 1, 3)
        o.strideH = o.strideW = 1
    else:
        o.dilationHFactor = o.dilationWFactor = 1
    o.fusedActivationFunction = pick(*CLIPS)


def conv_out(o, h, w, kh, kw):
    def one(n, k, st, d):
        k = (k - 1) * d + 1
        return -(-n // st) if o.padding == s.Padding.SAME else (n - k) // st + 1
    return one(h, kh, o.strideH, o.dilationHFactor), one(w, kw, o.strideW, o.dilationWFactor)


def convolution(kind, mode):
    """kind: conv or depthwise; mode: float32, int8, int16, int16_bias32, hybrid (per tensor) or hybrid_channel."""
    depthwise = kind == "depthwise"
    o = s.DepthwiseConv2DOptionsT() if depthwise else s.Conv2DOptionsT()
    geometry(o)
    b, (kh, kw) = int(rng.integers(1, 3)), dims(2, 1, 3)
    h, w = (int(v) for v in rng.integers(8, 11, 2))
    if depthwise:
        in_c, mult = int(rng.integers(1, 9)), int(pick(1, 1, 2, 3))
        out_c, o.depthMultiplier = in_c * mult, mult
        fshape, axis, depth = (1, kh, kw, out_c), 3, kh * kw
    else:
        groups = int(pick(1, 1, 1, 2, 3))
        in_c, out_c = groups * int(rng.integers(1, 9)), groups * int(rng.integers(1, 7))
        fshape, axis, depth = (out_c, kh, kw, in_c // groups), 0, kh * kw * in_c // groups
    oh, ow = conv_out(o, h, w, kh, kw)
    shape, out_shape = (b, h, w, in_c), (b, oh, ow, out_c)
    per_channel = mode not in ("hybrid",) and rng.random() < 0.8
    if mode == "hybrid_channel" or (depthwise and mode == "hybrid"):
        per_channel = True
    ws = np.float32(2.0 ** rng.uniform(-9, -6, out_c if per_channel else 1))
    filt = const(ints("int8", fshape, -127, 127), scale=ws, axis=axis)
    code = OP.DEPTHWISE_CONV_2D if depthwise else OP.CONV_2D
    opt = s.BuiltinOptions.DepthwiseConv2DOptions if depthwise else s.BuiltinOptions.Conv2DOptions
    name = f"b{b}_{h}x{w}x{in_c}_k{kh}x{kw}_o{out_c}_s{o.strideH}{o.strideW}_d{o.dilationHFactor}{o.dilationWFactor}_p{o.padding}_a{o.fusedActivationFunction}"
    if mode == "float32":
        args = [feed(reals(shape)), const(reals(fshape, 0.4)), const(reals(out_c))], T("float32", out_shape)
    elif mode.startswith("hybrid"):
        args = [feed(reals(shape)), filt, const(reals(out_c))], T("float32", out_shape)
    else:
        dtype = "int8" if mode == "int8" else "int16"
        x = quantized(dtype, shape)
        spread = 74 * (74 if dtype == "int8" else 19000) * np.sqrt(depth)
        out_scale = np.float32(x.scale * float(np.mean(ws)) * spread / (60 if dtype == "int8" else 12000))
        bias_type = {"int8": "int32", "int16": "int64", "int16_bias32": "int32"}[mode]
        bias = const(rng.integers(-int(spread), int(spread) + 1, out_c).astype(bias_type), scale=x.scale * ws)
        if dtype == "int16" and not depthwise:
            o.quantizedBiasType = TYPES[bias_type]
        args = [x, filt, bias], T(dtype, out_shape, scale=out_scale, zero=zero(dtype))
    return name, code, opt, o, *args


def fully_connected(mode):
    o = s.FullyConnectedOptionsT()
    o.fusedActivationFunction, o.keepNumDims = pick(*CLIPS), bool(rng.random() < 0.4)
    depth, units = int(rng.integers(1, 40)), int(rng.integers(1, 12))
    outer = dims(int(rng.integers(1, 4)), 1, 4)
    shape = outer + (depth,)
    rows = int(np.prod(outer))
    out_shape = outer + (units,) if o.keepNumDims else (rows, units)
    per_channel = rng.random() < 0.5 or "channel" in mode
    if mode in ("hybrid", "hybrid_asym"):
        per_channel = False
    o.asymmetricQuantizeInputs = "asym" in mode
    ws = np.float32(2.0 ** rng.uniform(-9, -6, units if per_channel else 1))
    weights = const(ints("int8", (units, depth), -127, 127), scale=ws)
    name = f"{'x'.join(map(str, shape))}_u{units}_keep{int(o.keepNumDims)}_a{o.fusedActivationFunction}_pc{int(per_channel)}"
    with_bias = rng.random() < 0.8
    if mode == "float32" or mode.startswith("hybrid"):
        bias = const(reals(units)) if with_bias else None
        weights = const(reals((units, depth), 0.4)) if mode == "float32" else weights
        args = [feed(reals(shape)), weights, bias], T("float32", out_shape)
    else:
        dtype = "int8" if mode == "int8" else "int16"
        x = quantized(dtype, shape)
        spread = 74 * (74 if dtype == "int8" else 19000) * np.sqrt(depth)
        out_scale = np.float32(x.scale * float(np.mean(ws)) * spread / (60 if dtype == "int8" else 12000))
        bias_type = {"int8": "int32", "int16": "int64", "int16_bias32": "int32"}[mode]
        bound = int(min(spread, 2**31 - 1))
        bias = const(rng.integers(-bound, bound + 1, units).astype(bias_type), scale=x.scale * ws)
        if not with_bias:
            bias = None
        if dtype == "int16":
            o.quantizedBiasType = TYPES[bias_type]
        args = [x, weights, bias], T(dtype, out_shape, scale=out_scale, zero=zero(dtype))
    return name, OP.FULLY_CONNECTED, s.BuiltinOptions.FullyConnectedOptions, o, *args


def pooling(code, dtype):
    o = s.Pool2DOptionsT()
    o.padding, o.fusedActivationFunction = pick(s.Padding.SAME, s.Padding.VALID), pick(*CLIPS)
    o.strideH, o.strideW = dims(2, 1, 3)
    o.filterHeight, o.filterWidth = dims(2, 1, 4)
    o.dilationHFactor = o.dilationWFactor = 1
    b, h, w, c = *dims(1, 1, 2), *dims(2, 4, 9), *dims(1, 1, 6)
    oh, ow = conv_out(o, h, w, o.filterHeight, o.filterWidth)
    out = (b, oh, ow, c)
    name = f"{b}x{h}x{w}x{c}_k{o.filterHeight}{o.filterWidth}_s{o.strideH}{o.strideW}_p{o.padding}_a{o.fusedActivationFunction}"
    if dtype == "float32":
        x, y = feed(reals((b, h, w, c), 4.0)), T("float32", out)
    else:
        x = quantized(dtype, (b, h, w, c))
        y = T(dtype, out, scale=x.scale, zero=x.zero)
    return name, code, s.BuiltinOptions.Pool2DOptions, o, [x], y


def mean(dtype):
    o = s.ReducerOptionsT()
    o.keepDims = bool(rng.random() < 0.5)
    shape = dims(int(rng.integers(1, 5)), 1, 7)
    n = int(rng.integers(1, len(shape) + 1))
    axes = rng.permutation(len(shape))[:n].astype(np.int32)
    if len(shape) == 4 and rng.random() < 0.4:
        axes = np.array([1, 2], np.int32)
    kept = [1 if i in axes else d for i, d in enumerate(shape) if o.keepDims or i not in axes]
    axes = np.where(rng.random(len(axes)) < 0.3, axes - len(shape), axes).astype(np.int32)
    name = f"{'x'.join(map(str, shape))}_axes{'_'.join(map(str, axes))}_keep{int(o.keepDims)}"
    if dtype == "float32":
        x, y = feed(reals(shape)), T("float32", kept)
    else:
        x = quantized(dtype, shape)
        y = T(dtype, kept, scale=x.scale * np.float32(rng.uniform(0.3, 1.5)), zero=zero(dtype))
    return name, OP.MEAN, s.BuiltinOptions.ReducerOptions, o, [x, const(axes)], y


def binary(code, dtype):
    kinds = {OP.ADD: (s.AddOptionsT, s.BuiltinOptions.AddOptions), OP.SUB: (s.SubOptionsT, s.BuiltinOptions.SubOptions),
             OP.MUL: (s.MulOptionsT, s.BuiltinOptions.MulOptions)}
    o, opt = kinds[code][0](), kinds[code][1]
    o.fusedActivationFunction = pick(*CLIPS)
    pot = dtype == "int16_pot"
    if code != OP.MUL:
        o.potScaleInt16 = pot or dtype == "int16_maybe_pot"
    dtype = "int16" if dtype.startswith("int16") else dtype
    a, b, out = broadcast_pair()
    name = f"{list(a)}_{list(b)}_a{o.fusedActivationFunction}".replace(" ", "")
    if dtype == "float32":
        x, y, z = feed(reals(a)), feed(reals(b)), T("float32", out)
    elif dtype in ("int32", "int64"):
        x, y, z = feed(ints(dtype, a, -1000, 1000)), feed(ints(dtype, b, -1000, 1000)), T(dtype, out)
    elif pot:
        e, by = int(rng.integers(-15, -5)), int(rng.integers(0, 5))
        first = rng.random() < 0.5
        sa, sb = 2.0 ** (e - by if first else e), 2.0 ** (e if first else e - by)
        x = feed(ints(dtype, a), scale=np.float32(sa))
        y = feed(ints(dtype, b), scale=np.float32(sb))
        z = T(dtype, out, scale=np.float32(2.0**e))
    else:
        x, y = quantized(dtype, a), quantized(dtype, b)
        factor = {"int8": 128, "uint8": 128, "int16": 32768}[dtype]
        s_out = x.scale * y.scale * factor / 3 if code == OP.MUL else max(x.scale, y.scale)
        z = T(dtype, out, scale=np.float32(s_out * rng.uniform(0.4, 1.6)), zero=zero(dtype))
    if rng.random() < 0.25 and a != ():
        y = T(y.dtype, y.shape, data=y.feed, scale=y.scale, zero=y.zero)
    return name, code, opt, o, [x, y], z


def unary(code, dtype):
    shape = dims(int(rng.integers(1, 5)), 1, 6)
    name = "x".join(map(str, shape))
    options = {OP.SOFTMAX: (s.BuiltinOptions.SoftmaxOptions, s.SoftmaxOptionsT), OP.HARD_SWISH: (s.BuiltinOptions.HardSwishOptions, s.HardSwishOptionsT)}
    opt, make = options.get(code, (s.BuiltinOptions.NONE, lambda: None))
    o = make()
    if code == OP.SOFTMAX:
        o.beta = float(pick(1.0, 1.0, 0.5, 2.0))
        shape = shape[:-1] + (int(rng.integers(1, 30)),)
    if dtype == "float32":
        return name, code, opt, o, [feed(reals(shape, 4.0))], T("float32", shape)
    out_type = dtype
    if dtype == "int8_to_int16":
        dtype, out_type = "int8", "int16"
    wide = dtype == "int16"
    x = quantized(dtype, shape, low=-14.0 if wide else -7.0, high=-10.0 if wide else -3.0)
    if code in (OP.LOGISTIC, OP.TANH) and wide and rng.random() < 0.4:
        x.scale = np.float32(2.0 ** int(rng.integers(-14, -9)))
    fixed = {"int8": (1 / 256, -128), "uint8": (1 / 256, 0), "int16": (1 / 32768, 0)}
    if code in (OP.LOGISTIC, OP.SOFTMAX):
        sc, z = fixed[out_type]
        if code == OP.SOFTMAX and dtype == "int8" and out_type == "int16":
            sc, z = 1 / 65536, -32768
    elif code == OP.TANH:
        sc, z = {"int8": (1 / 128, 0), "uint8": (1 / 128, 128), "int16": (1 / 32768, 0)}[out_type]
    else:
        sc, z = x.scale * rng.uniform(0.4, 1.6), zero(out_type)
        if code == OP.HARD_SWISH:
            sc = x.scale * rng.uniform(0.5, 1.6)
    return name, code, opt, o, [x], T(out_type, shape, scale=np.float32(sc), zero=z)


def pad(dtype):
    shape = dims(int(rng.integers(1, 6)), 1, 4)
    p = rng.integers(0, 3, (len(shape), 2)).astype(pick("int32", "int32", "int64"))
    x, q = moved(dtype, shape)
    out = [d + int(a) + int(b) for d, (a, b) in zip(shape, p)]
    return f"{shape}_{p.ravel().tolist()}".replace(" ", ""), OP.PAD, s.BuiltinOptions.PadOptions, s.PadOptionsT(), [x, const(p)], T(dtype, out, **q)


def concatenation(dtype):
    shape = dims(int(rng.integers(1, 5)), 1, 4)
    n, axis = int(rng.integers(1, 5)), int(rng.integers(0, len(shape)))
    o = s.ConcatenationOptionsT()
    o.axis = axis - len(shape) if rng.random() < 0.4 else axis
    parts, q, total = [], {}, 0
    for i in range(n):
        d = list(shape)
        d[axis] = int(rng.integers(1, 5))
        total += d[axis]
        if i == 0:
            x, q = moved(dtype, d)
        else:
            x = feed(any_data(dtype, d), **q)
        parts.append(x)
    out = list(shape)
    out[axis] = total
    return f"{out}_n{n}_axis{o.axis}".replace(" ", ""), OP.CONCATENATION, s.BuiltinOptions.ConcatenationOptions, o, parts, T(dtype, out, **q)


def pack(dtype):
    shape = dims(int(rng.integers(0, 4)), 1, 4)
    n, axis = int(rng.integers(1, 4)), int(rng.integers(0, len(shape) + 1))
    o = s.PackOptionsT()
    o.axis, o.valuesCount = (axis - len(shape) - 1 if rng.random() < 0.4 else axis), n
    x, q = moved(dtype, shape)
    parts = [x] + [feed(any_data(dtype, shape), **q) for _ in range(n - 1)]
    return f"{shape}_n{n}_axis{o.axis}".replace(" ", ""), OP.PACK, s.BuiltinOptions.PackOptions, o, parts, T(dtype, shape[:axis] + (n,) + shape[axis:], **q)


def transpose(dtype):
    shape = dims(int(rng.integers(1, 6)), 1, 4)
    p = rng.permutation(len(shape)).astype(np.int32)
    x, q = moved(dtype, shape)
    return f"{shape}_{p.tolist()}".replace(" ", ""), OP.TRANSPOSE, s.BuiltinOptions.TransposeOptions, s.TransposeOptionsT(), [x, const(p)], T(dtype, [shape[i] for i in p], **q)


def reshape(dtype):
    shape = dims(int(rng.integers(0, 5)), 1, 5)
    n = int(np.prod(shape))
    target = [n]
    for d in shape[1:]:
        if target[-1] % d == 0 and rng.random() < 0.7:
            target[-1:] = [target[-1] // d, d]
    order = rng.permutation(len(target))
    target = [target[i] for i in order]
    out = list(target)
    if rng.random() < 0.5:
        target[int(rng.integers(len(target)))] = -1
    o = s.ReshapeOptionsT()
    x, q = moved(dtype, shape)
    inputs = [x]
    o.newShape = target
    if rng.random() < 0.6:
        inputs.append(const(np.array(target, np.int32)))
    return f"{shape}_{target}".replace(" ", ""), OP.RESHAPE, s.BuiltinOptions.ReshapeOptions, o, inputs, T(dtype, out, **q)


def shape_of(dtype):
    o = s.ShapeOptionsT()
    out = pick("int32", "int64")
    o.outType = TYPES[out]
    shape = dims(int(rng.integers(0, 6)), 1, 5)
    x, _ = moved(dtype, shape)
    return f"{shape}_{out}".replace(" ", ""), OP.SHAPE, s.BuiltinOptions.ShapeOptions, o, [x], T(out, (len(shape),))


def strided_slice(dtype):
    shape = dims(int(rng.integers(1, 5)), 1, 6)
    o = s.StridedSliceOptionsT()
    n = int(rng.integers(1, len(shape) + 1))
    strides = np.array([pick(1, 1, 2, 3, -1, -2) for _ in range(n)], np.int32)
    begin = np.array([rng.integers(-d - 1, d + 1) for d in shape[:n]], np.int32)
    end = np.array([rng.integers(-d - 2, d + 3) for d in shape[:n]], np.int32)
    o.beginMask, o.endMask = int(rng.integers(0, 1 << n)), int(rng.integers(0, 1 << n))
    o.shrinkAxisMask = o.ellipsisMask = o.newAxisMask = 0
    kind = rng.random()
    if kind < 0.3:
        i = int(rng.integers(0, n))
        o.shrinkAxisMask, begin[i], strides[i] = 1 << i, rng.integers(-shape[i], shape[i]), 1
        o.beginMask &= ~(1 << i)
        end[i] = begin[i] + 1 or shape[i]
    elif kind < 0.45:
        o.newAxisMask = 1 << int(rng.integers(0, n))
    elif kind < 0.6:
        o.ellipsisMask = 1 << int(rng.integers(0, n))
    for i in range(n):
        if rng.random() < 0.5:
            strides[i], begin[i], end[i] = 1, 0, shape[i]
            if o.shrinkAxisMask >> i & 1:
                end[i] = 1
    x, q = moved(dtype, shape)
    name = f"{shape}_{begin.tolist()}_{end.tolist()}_{strides.tolist()}_m{o.beginMask}_{o.endMask}_{o.ellipsisMask}_{o.newAxisMask}_{o.shrinkAxisMask}"
    return name.replace(" ", ""), OP.STRIDED_SLICE, s.BuiltinOptions.StridedSliceOptions, o, [x, const(begin), const(end), const(strides)], T(dtype, (), **q)


def quantize(kind):
    source, target = kind.split("_to_")
    per_channel = target.endswith("_channel")
    target = target.removesuffix("_channel")
    shape = dims(int(rng.integers(1, 5)), 1, 6)
    name = "x".join(map(str, shape))
    o = s.QuantizeOptionsT()
    if source == "float32":
        axis = int(rng.integers(0, len(shape)))
        n = shape[axis] if per_channel else 1
        sc = np.float32(2.0 ** rng.uniform(-7, -4, n)) if target != "int16" else np.float32(2.0 ** rng.uniform(-15, -11, n))
        z = np.array([zero(target) for _ in range(n)])
        x = feed(reals(shape, 3.0))
        if rng.random() < 0.5:  # exactly on the halves
            x.feed[...] = np.float32((rng.integers(-300, 300, shape) + 0.5)) * sc[0]
        y = T(target, shape, scale=sc, zero=z, axis=axis)
    else:
        x = quantized(source, shape) if source != "int32" else feed(ints("int32", shape, -2**20, 2**20), scale=scale(-14, -10), zero=int(rng.integers(-5, 6)))
        ratio = rng.uniform(0.3, 2.0)
        if (source, target) == ("int16", "int8"):
            ratio = rng.uniform(50, 300)
        if (source, target) == ("int8", "int16"):
            ratio = 1 / rng.uniform(50, 300)
        if source == "int32":
            ratio = rng.uniform(50, 300) if target == "int16" else rng.uniform(3000, 9000)
        same = {source, target} == {"int8", "uint8"} and rng.random() < 0.5
        z = zero(target) if target != "int32" else int(rng.integers(-5, 6))
        if same:
            ratio, z = 1.0, x.zero + (128 if target == "uint8" else -128)
        y = T(target, shape, scale=np.float32(x.scale * ratio), zero=z)
    return name, OP.QUANTIZE, s.BuiltinOptions.QuantizeOptions, o, [x], y


def dequantize(kind):
    per_channel = kind.endswith("_channel")
    dtype = kind.removesuffix("_channel")
    shape = dims(int(rng.integers(1, 5)), 1, 6)
    name, o = "x".join(map(str, shape)), s.DequantizeOptionsT()
    if dtype == "float16":
        x = feed(reals(shape).astype(np.float16))
    elif per_channel:
        axis = int(rng.integers(0, len(shape)))
        n = shape[axis]
        x = feed(ints(dtype, shape), scale=np.float32(2.0 ** rng.uniform(-9, -4, n)), zero=np.array([zero(dtype) for _ in range(n)]), axis=axis)
    else:
        x = quantized(dtype, shape) if dtype != "int32" else feed(ints("int32", shape), scale=scale(-20, -10), zero=0)
    return name, OP.DEQUANTIZE, s.BuiltinOptions.DequantizeOptions, o, [x], T("float32", shape)


MOVED = ["float32", "int8", "uint8", "int16", "int32", "int64", "bool"]
OPERATORS = {
    "conv_2d": of(convolution, "float32", "int8", "int16", "int16_bias32", "hybrid", "hybrid_channel", kind="conv"),
    "depthwise_conv_2d": of(convolution, "float32", "int8", "int16", "hybrid_channel", kind="depthwise"),
    "fully_connected": of(fully_connected, "float32", "int8", "int16", "int16_bias32", "hybrid", "hybrid_asym", "hybrid_channel", "hybrid_asym_channel"),
    "max_pool_2d": of(pooling, "float32", "int8", "uint8", "int16", code=OP.MAX_POOL_2D),
    "average_pool_2d": of(pooling, "float32", "int8", "uint8", "int16", code=OP.AVERAGE_POOL_2D),
    "mean": of(mean, "float32", "int8", "uint8", "int16"),
    "add": of(binary, "float32", "int8", "uint8", "int16", "int16_pot", "int16_maybe_pot", "int32", "int64", code=OP.ADD),
    "sub": of(binary, "float32", "int8", "uint8", "int16", "int16_pot", "int32", "int64", code=OP.SUB),
    "mul": of(binary, "float32", "int8", "uint8", "int16", "int32", "int64", code=OP.MUL),
    "relu": of(unary, "float32", "int8", "uint8", "int16", code=OP.RELU),
    "relu6": of(unary, "float32", "int8", "uint8", "int16", code=OP.RELU6),
    "logistic": of(unary, "float32", "int8", "uint8", "int16", code=OP.LOGISTIC),
    "tanh": of(unary, "float32", "int8", "uint8", "int16", code=OP.TANH),
    "softmax": of(unary, "float32", "int8", "uint8", "int8_to_int16", "int16", code=OP.SOFTMAX),
    "hard_swish": of(unary, "float32", "int8", "uint8", code=OP.HARD_SWISH),
    "pad": of(pad, "float32", "int8", "uint8", "int16", "int32", "int64", "bool"),
    "concatenation": of(concatenation, *MOVED),
    "pack": of(pack, *MOVED),
    "transpose": of(transpose, *MOVED),
    "reshape": of(reshape, *MOVED),
    "shape": of(shape_of, *MOVED),
    "strided_slice": of(strided_slice, *MOVED),
    "quantize": of(quantize, "float32_to_int8", "float32_to_uint8", "float32_to_int16", "float32_to_int8_channel", "int8_to_int8", "int8_to_uint8",
                   "uint8_to_int8", "uint8_to_uint8", "int8_to_int16", "int16_to_int8", "int16_to_int16", "int16_to_int32", "int32_to_int8", "int32_to_int16"),
    "dequantize": of(dequantize, "int8", "uint8", "int16", "float16", "int8_channel", "uint8_channel"),
}
# Tried on purpose, to keep the table above true.
REFUSED = {"hard_swish": of(unary, "int16", code=OP.HARD_SWISH), "quantize": of(quantize, "float32_to_uint16"), "dequantize": of(dequantize, "int32")}

if __name__ == "__main__":
    main(OPERATORS, REFUSED, "refused_ops.json")
