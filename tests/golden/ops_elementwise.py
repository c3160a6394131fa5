"""Makes the golden files of element-wise operators: unary, two operands, comparisons, activations, selection, casts.

    python ops_elementwise.py [OP ...]          needs ai-edge-litert 2.3.0 and numpy; writes ops_<op>.bin.gz beside itself

The format and all that generators share: ops_common.py. What LiteRT 2.3.0 refuses: refused_elementwise.json. What it runs
wrongly, so that no such case is drawn: WRONG below.
"""

from ops_common import *

NONE = s.BuiltinOptions.NONE
FLOATS = np.array([0.0, -0.0, 1.0, -1.0, 0.5, -0.5, 1.5, 2.5, -2.5, np.inf, -np.inf, np.nan, 3e38, -3e38, 1e-40], np.float32)


def any_shape(most=5):
    return dims(int(rng.integers(0, most + 1)), 1, 5 if most < 5 else 4)


def title(*shapes):
    return "_".join(str(list(x)) for x in shapes).replace(" ", "")


def floats(shape, spread=3.0, positive=False, edges=True):
    x = np.asarray(reals(shape, spread), np.float32)
    if positive:
        x = np.abs(x) + np.float32(1e-3)
    if edges and rng.random() < 0.3:
        x = np.where(rng.random(shape) < 0.3, rng.choice(FLOATS, shape), x).astype(np.float32)
    return x


def data(dtype, shape, **kw):
    """Unquantized values of any type, the extreme ones among them."""
    if dtype.startswith("float"):
        with np.errstate(over="ignore"):
            return floats(shape, **kw).astype(dtype)
    if dtype == "bool":
        return np.asarray(rng.integers(0, 2, shape)).astype(bool)
    i = np.iinfo(dtype)
    x = ints(dtype, shape, max(i.min, -1000), min(i.max, 1000)) if rng.random() < 0.6 else ints(dtype, shape)
    return np.where(rng.random(shape) < 0.1, rng.choice(np.array([i.min, i.max, 0, 1], dtype), shape), x).astype(dtype)


def scaled(dtype, shape, low=None, high=None, constant=False):
    """A quantized tensor whose reals are of the order of 1 to 8."""
    wide = dtype in ("int16", "uint16")
    x = ints(dtype, shape)
    sc = scale(-14.5, -11.5) if wide else scale(-7.0, -4.0)
    return (const if constant else feed)(x, scale=sc, zero=zero(dtype) if dtype != "uint16" else int(rng.integers(0, 65536)))


def out(dtype, shape, sc, z=None):
    return T(dtype, shape, scale=np.float32(sc), zero=zero(dtype) if z is None else z)


# ---- one operand -----------------------------------------------------------------------------------------------------

def unary(code, dtype):
    shape = any_shape()
    opt, make = {
        OP.GELU: (s.BuiltinOptions.GeluOptions, s.GeluOptionsT), OP.LEAKY_RELU: (s.BuiltinOptions.LeakyReluOptions, s.LeakyReluOptionsT),
        OP.L2_NORMALIZATION: (s.BuiltinOptions.L2NormOptions, s.L2NormOptionsT), OP.LOG_SOFTMAX: (s.BuiltinOptions.LogSoftmaxOptions, s.LogSoftmaxOptionsT),
        OP.SIGN: (s.BuiltinOptions.SignOptions, s.SignOptionsT),
    }.get(code, (NONE, lambda: None))
    o, name = make(), title(shape)
    if code == OP.GELU:  # a peak that errors can be measured by
        shape = shape or (2,)
        o.approximate = bool(rng.random() < 0.5)
        name += f"_approximate{int(o.approximate)}"
    if code == OP.LEAKY_RELU:
        o.alpha = float(pick(0.1, 0.2, 0.3, 0.01, 1.5, 0.0))
        name += f"_alpha{o.alpha}"
    if code in (OP.LOG_SOFTMAX, OP.L2_NORMALIZATION):
        shape = any_shape(3) + (int(rng.integers(1, 24)),)
        name = title(shape)
    if code == OP.L2_NORMALIZATION:
        o.fusedActivationFunction = ACT.NONE
    plain = dtype.endswith("_plain")
    dtype = dtype.removesuffix("_plain")
    if plain or dtype not in ("int8", "uint8", "int16", "uint16"):
        positive = code in (OP.LOG, OP.SQRT, OP.RSQRT) and rng.random() < 0.8
        smooth = code in (OP.LOG_SOFTMAX, OP.L2_NORMALIZATION)
        kw = {"positive": positive, "edges": not smooth} if dtype.startswith("float") else {}
        x = data(dtype, shape, **kw)
        if code == OP.GELU and dtype.startswith("float"):
            x.flat[0] = 2.0
        return name, code, opt, o, [feed(x)], T(dtype, shape)
    x = scaled(dtype, shape)
    sc = x.scale * rng.uniform(0.4, 1.6)
    z = zero(dtype) if dtype != "uint16" else int(rng.integers(0, 65536))
    if code == OP.RSQRT:
        x.zero = int(rng.integers(-128, -100)) if dtype == "int8" else 0
        x.feed = np.maximum(x.feed, x.zero).astype(dtype)
        sc = 2.0 ** rng.uniform(-8, -4) if dtype == "int8" else 2.0 ** rng.uniform(-14, -9)
    if code == OP.SQRT:
        x.zero = int(rng.integers(-128, -100)) if dtype == "int8" else 0
        x.feed = np.maximum(x.feed, x.zero).astype(dtype)
    if code in (OP.EXP, OP.LOG):
        sc = sc * rng.uniform(1, 8)
        if code == OP.LOG:
            x.zero = int(rng.integers(-128, 0)) if dtype == "int8" else 0
    if code == OP.LOG_SOFTMAX:
        sc, z = 16 / 256, {"int8": 127, "uint8": 255}.get(dtype, 0)
        x.scale = scale(-8, -1)
    if code == OP.L2_NORMALIZATION:
        sc, z = 1 / 128, {"int8": 0, "uint8": 128}.get(dtype, 0)
    if code == OP.ABS and rng.random() < 0.3:
        sc = x.scale
    return name, code, opt, o, [x], out(dtype, shape, sc, z)


def fake_quant(dtype):
    o = s.FakeQuantOptionsT()
    o.min, o.max = -float(rng.uniform(0.1, 6)), float(rng.uniform(0.1, 6))
    if rng.random() < 0.2:
        o.min = 0.0
    o.numBits, o.narrowRange = int(rng.integers(2, 17)), bool(rng.random() < 0.4)
    shape = any_shape()
    return f"{title(shape)}_{o.min:.2f}_{o.max:.2f}_{o.numBits}_{int(o.narrowRange)}", OP.FAKE_QUANT, s.BuiltinOptions.FakeQuantOptions, o, [feed(floats(shape))], T(dtype, shape)


def local_response_normalization(dtype):
    o = s.LocalResponseNormalizationOptionsT()
    o.radius, o.bias, o.alpha, o.beta = int(rng.integers(0, 6)), float(rng.uniform(0.5, 3)), float(rng.uniform(0.01, 2)), float(pick(0.5, 0.75, 1.0, 0.3))
    shape = dims(4, 1, 4)[:3] + (int(rng.integers(1, 12)),)
    return f"{title(shape)}_r{o.radius}", OP.LOCAL_RESPONSE_NORMALIZATION, s.BuiltinOptions.LocalResponseNormalizationOptions, o, [feed(floats(shape, edges=False))], T(dtype, shape)


# ---- two operands ----------------------------------------------------------------------------------------------------

def pair(most=6):
    """Two shapes that fit each other."""
    shape = dims(int(rng.integers(0, most + 1)), 1, 4 if most < 6 else 3)
    def thin():
        part = shape[int(rng.integers(0, len(shape) + 1)):] if rng.random() < 0.4 else shape
        return tuple(1 if rng.random() < 0.3 else d for d in part)
    a, b = (shape, thin()) if rng.random() < 0.5 else (thin(), shape)
    if rng.random() < 0.3:
        a, b = shape, shape
    return a, b, np.broadcast_shapes(a, b)


BINARY = {
    OP.ADD: (s.BuiltinOptions.AddOptions, s.AddOptionsT), OP.SUB: (s.BuiltinOptions.SubOptions, s.SubOptionsT), OP.MUL: (s.BuiltinOptions.MulOptions, s.MulOptionsT),
    OP.DIV: (s.BuiltinOptions.DivOptions, s.DivOptionsT), OP.MAXIMUM: (s.BuiltinOptions.MaximumMinimumOptions, s.MaximumMinimumOptionsT),
    OP.MINIMUM: (s.BuiltinOptions.MaximumMinimumOptions, s.MaximumMinimumOptionsT), OP.POW: (s.BuiltinOptions.PowOptions, s.PowOptionsT),
    OP.FLOOR_DIV: (s.BuiltinOptions.FloorDivOptions, s.FloorDivOptionsT), OP.FLOOR_MOD: (s.BuiltinOptions.FloorModOptions, s.FloorModOptionsT),
    OP.SQUARED_DIFFERENCE: (s.BuiltinOptions.SquaredDifferenceOptions, s.SquaredDifferenceOptionsT),
    OP.LOGICAL_AND: (s.BuiltinOptions.LogicalAndOptions, s.LogicalAndOptionsT), OP.LOGICAL_OR: (s.BuiltinOptions.LogicalOrOptions, s.LogicalOrOptionsT),
    OP.BITWISE_XOR: (s.BuiltinOptions.BitwiseXorOptions, s.BitwiseXorOptionsT), OP.RIGHT_SHIFT: (s.BuiltinOptions.RightShiftOptions, s.RightShiftOptionsT),
    OP.ATAN2: (s.BuiltinOptions.ATan2Options, s.ATan2OptionsT),
}
DIVIDES = (OP.DIV, OP.FLOOR_DIV, OP.FLOOR_MOD)


def half_constant(x, y, a):
    if rng.random() < 0.25 and a != ():
        y = T(y.dtype, y.shape, data=y.feed, scale=y.scale, zero=y.zero)
    return [x, y]


def binary(code, dtype):
    opt, make = BINARY[code]
    o = make()
    a, b, shape = pair()
    if code == OP.ATAN2:
        a = b = shape
    name = title(a, b)
    if code in (OP.DIV, OP.ADD, OP.SUB, OP.MUL):
        o.fusedActivationFunction = pick(*CLIPS)
        if dtype == "uint32" and o.fusedActivationFunction == ACT.RELU_N1_TO_1:
            o.fusedActivationFunction = ACT.NONE
        name += f"_a{o.fusedActivationFunction}"
    plain = dtype.endswith("_plain") or code in (OP.FLOOR_DIV, OP.FLOOR_MOD, OP.BITWISE_XOR, OP.RIGHT_SHIFT)
    dtype = dtype.removesuffix("_plain")
    if plain or dtype not in ("int8", "uint8", "int16", "uint16"):
        x, y = data(dtype, a), data(dtype, b)
        if code in DIVIDES and "int" in dtype:
            y = np.where(y == 0, 3, y).astype(dtype)
            x = np.where(x == np.iinfo(dtype).min, 7, x).astype(dtype)  # the smallest by −1 traps
        if code == OP.FLOOR_DIV and dtype.startswith("float"):
            y = np.where(y == 0, 3, y).astype(dtype)
        if code == OP.POW:
            if dtype.startswith("float"):
                x = np.abs(x) if rng.random() < 0.7 else x
                y = np.asarray(reals(b, 2.0)).astype(dtype)
            elif dtype != "bool":
                x, y = ints(dtype, a, 0 if dtype.startswith("u") else -8, 8), ints(dtype, b, 0, 9)
        if code == OP.RIGHT_SHIFT and "int" in dtype:
            y = ints(dtype, b, 0 if dtype.startswith("u") else -3, 40)
        return name, code, opt, o, half_constant(feed(x), feed(y), a), T(dtype, shape)
    x, y = scaled(dtype, a), scaled(dtype, b)
    sc, z = x.scale * rng.uniform(0.4, 1.6), None
    if code == OP.MUL:
        sc = x.scale * y.scale * {"int8": 40, "uint8": 40, "int16": 10000}[dtype]
    if code in (OP.MAXIMUM, OP.MINIMUM):
        y.scale, y.zero, sc, z = x.scale, x.zero, x.scale, x.zero
    if code == OP.SQUARED_DIFFERENCE:
        sc = max(x.scale, y.scale) ** 2 * rng.uniform(20, 200)
    if code == OP.DIV:
        y.feed = np.where(y.feed == y.zero, y.zero + (1 if y.zero < np.iinfo(dtype).max else -1), y.feed).astype(dtype)
        sc = np.float32(x.scale / y.scale * 2.0 ** (rng.uniform(-14, -6) if dtype == "int16" else rng.uniform(-6, -1)))
        factor = np.frexp(np.float64(x.scale / (y.scale * sc)))[1]
        for _ in range(40):  # no shift above 31
            n, d = np.abs(x.feed.astype(np.int64) - x.zero), np.abs(y.feed.astype(np.int64) - y.zero)
            headroom = 31 - np.ceil(np.log2(np.maximum(n, 1) + 1)).astype(int)
            deep = np.broadcast_to(headroom + np.floor(np.log2(d)).astype(int) - factor > 31, shape)
            if not deep.any():
                break
            bad = headroom >= headroom.max()
            x.feed = np.where(bad, ints(dtype, a), x.feed).astype(dtype)
        else:
            return binary(code, dtype)
    return name, code, opt, o, half_constant(x, y, a), out(dtype, shape, sc, z)


def add_n(dtype):
    shape, n = any_shape(), int(rng.integers(2, 6))
    q = {}
    if dtype in ("int8", "int16"):
        q = {"scale": scale(), "zero": zero(dtype)}
    xs = [feed(data(dtype, shape, edges=False) if dtype.startswith("float") else data(dtype, shape), **q) for _ in range(n)]
    return f"{title(shape)}_n{n}", OP.ADD_N, s.BuiltinOptions.AddNOptions, s.AddNOptionsT(), xs, T(dtype, shape, **q)


COMPARE = {
    OP.EQUAL: (s.BuiltinOptions.EqualOptions, s.EqualOptionsT), OP.NOT_EQUAL: (s.BuiltinOptions.NotEqualOptions, s.NotEqualOptionsT),
    OP.GREATER: (s.BuiltinOptions.GreaterOptions, s.GreaterOptionsT), OP.GREATER_EQUAL: (s.BuiltinOptions.GreaterEqualOptions, s.GreaterEqualOptionsT),
    OP.LESS: (s.BuiltinOptions.LessOptions, s.LessOptionsT), OP.LESS_EQUAL: (s.BuiltinOptions.LessEqualOptions, s.LessEqualOptionsT),
}


def compare(code, dtype):
    opt, make = COMPARE[code]
    a, b, shape = pair()
    plain = dtype.endswith("_plain")
    dtype = dtype.removesuffix("_plain")
    if not plain and dtype in ("int8", "uint8", "int16"):
        x, y = scaled(dtype, a), scaled(dtype, b)
        y.scale = x.scale if rng.random() < 0.5 else np.float32(x.scale * 2.0 ** rng.uniform(-1, 1))
        if rng.random() < 0.6:  # close to each other, so that equality happens
            x.zero, y.zero = 0 if dtype != "uint8" else 128, 0 if dtype != "uint8" else 128
            y.feed, x.feed = ((t.zero + np.asarray(rng.integers(-3, 4, t.shape))).astype(dtype) for t in (y, x))
    elif dtype == "bool":
        x, y = feed(data(dtype, a)), feed(data(dtype, b))
    else:
        def values(n):
            few = np.asarray(rng.integers(0 if dtype.startswith("u") else -2, 3, n)).astype(dtype)
            return few if rng.random() < 0.5 else data(dtype, n)
        x, y = feed(values(a)), feed(values(b))
    return title(a, b), code, opt, make(), half_constant(x, y, a), T("bool", shape)


def prelu(dtype):
    shape = dims(int(rng.integers(1, 6)), 1, 4)
    alpha = tuple(1 if rng.random() < 0.5 else d for d in shape)
    if rng.random() < 0.3:
        alpha = alpha[int(rng.integers(0, len(alpha))):]
    name = title(shape, alpha)
    if dtype.startswith("float"):
        return name, OP.PRELU, NONE, None, [feed(floats(shape).astype(dtype)), const(np.asarray(reals(alpha, 0.5)).astype(dtype))], T(dtype, shape)
    x, y = scaled(dtype, shape), scaled("int8" if dtype == "int16" else dtype, alpha, constant=True)
    if dtype == "int16":
        y.zero = int(pick(0, 0, zero("int8")))
    return name, OP.PRELU, NONE, None, [x, y], out(dtype, shape, x.scale * rng.uniform(0.4, 1.6))


def select(code, dtype):
    v2 = code == OP.SELECT_V2
    opt, make = (s.BuiltinOptions.SelectV2Options, s.SelectV2OptionsT) if v2 else (s.BuiltinOptions.SelectOptions, s.SelectOptionsT)
    if v2:
        a, b, shape = pair(5)
        c = tuple(1 if rng.random() < 0.4 else d for d in shape)
        c = c[int(rng.integers(0, len(c) + 1)):] if rng.random() < 0.4 else c
        shape = np.broadcast_shapes(a, b, c)
    else:
        a = b = shape = dims(int(rng.integers(1, 5)), 1, 4)
        c = pick(shape, shape[:1], ())
    x, q = moved(dtype, a)
    if q == {}:
        x = feed(data(dtype, a))
    y = feed(any_data(dtype, b), **q)
    return title(c, a, b), code, opt, make(), [feed(data("bool", c)), x, y], T(dtype, shape, **q)


def of_complex(code, dtype):
    """The operand is a constant: neither side can be fed complex numbers here."""
    shape = any_shape()
    half = "float32" if dtype == "complex64" else "float64"
    x = (data(half, shape, edges=False) + 1j * data(half, shape, edges=False)).astype(dtype)
    return title(shape), code, NONE, None, [const(x)], T(half, shape)


ALL = ["float32", "float16", "float64", "int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64", "bool"]


def cast(source):
    o = s.CastOptionsT()
    target = pick(*ALL)
    o.inDataType, o.outDataType = TYPES[source], TYPES[target]
    shape = any_shape(3) + (int(rng.integers(1, 9)),)
    x = data(source, shape)
    if source.startswith("float"):
        x = (x * pick(1.0, 10.0, 100.0)).astype(source)
    return f"to_{target}_{title(shape)}", OP.CAST, s.BuiltinOptions.CastOptions, o, [feed(x)], T(target, shape)


def bitcast(source):
    shape = any_shape(3)
    size = np.dtype(source).itemsize
    target = pick(*[t for t in ALL if t != "bool"])
    other = np.dtype(target).itemsize
    if other > size:
        shape, after = shape + (other // size,), shape
    elif other < size:
        after = shape + (size // other,)
    else:
        after = shape
    x = ints("uint8", (int(np.prod(shape)) * size,)).view(source).reshape(shape)
    return f"to_{target}_{title(shape)}", OP.BITCAST, s.BuiltinOptions.BitcastOptions, s.BitcastOptionsT(), [feed(x)], T(target, after)


PLAIN = {"abs": ["int16_plain"], "neg": ["int8_plain", "int16_plain"], **{op: ["int8_plain", "uint8_plain", "int16_plain"] for op in ("maximum", "minimum")},
         **{op: ["int16_plain"] for op in ("equal", "greater", "greater_equal", "less", "less_equal")}}
UNARY = ("abs ceil cos elu exp floor log logical_not neg relu_0_to_1 relu_n1_to_1 round rsqrt sign sin sqrt square zeros_like "
         "gelu leaky_relu log_softmax l2_normalization").split()
BINARIES = "maximum minimum pow floor_div floor_mod squared_difference logical_and logical_or bitwise_xor right_shift atan2 div".split()
OPERATORS = {op: of(unary, *ALL, *PLAIN.get(op, []), code=getattr(OP, op.upper())) for op in UNARY}
OPERATORS |= {op: of(binary, *ALL, *PLAIN.get(op, []), code=getattr(OP, op.upper())) for op in BINARIES}
OPERATORS |= {op: of(of_complex, "complex64", "complex128", code=getattr(OP, op.upper())) for op in ("real", "imag", "complex_abs")}
# What ops_make.py leaves out of these: other types, and operands of up to six axes.
OPERATORS |= {f"{op}_types": of(binary, *kinds, code=getattr(OP, op.upper())) for op, kinds in {
    "add": ["float32", "float16", "int8", "int16", "int16_plain", "int32", "int64"], "sub": ["float32", "int8", "int16", "int32", "int64"],
    "mul": ["float32", "float16", "int8", "int16", "int16_plain", "int32", "uint32", "int64"]}.items()}
OPERATORS |= {f"{op}_types": of(unary, "float16", code=getattr(OP, op.upper())) for op in ("tanh", "logistic")}
COMPARISONS = "equal not_equal greater greater_equal less less_equal".split()
OPERATORS |= {op: of(compare, *ALL, *PLAIN.get(op, []), code=getattr(OP, op.upper())) for op in COMPARISONS}
OPERATORS |= {op: of(select, *ALL, code=getattr(OP, op.upper())) for op in ("select", "select_v2")}
OPERATORS |= {"add_n": of(add_n, *ALL), "prelu": of(prelu, "float32", "float16", "int8", "uint8", "int16"), "cast": of(cast, *ALL), "bitcast": of(bitcast, *[t for t in ALL if t != "bool"]),
              "fake_quant": of(fake_quant, "float32"), "local_response_normalization": of(local_response_normalization, "float32")}

# What LiteRT does; what our engine does.
WRONG = {
    "atan2": {"operands that broadcast": "checks ranks only and reads past the smaller operand; ours broadcasts"},
    "not_equal": {"int16 without scale": "leaves the output as it was; ours compares"},
    "prelu": {"int16 with int16 alpha": "reads the bytes of alpha as int8; ours refuses, alpha must be int8"},
    "div": {"int8, uint8, int16": "quotients far below one output step: shifts by more than 31 bits, which x86 wraps; ours gives 0"},
    "mul_types": {"uint32 with RELU_N1_TO_1": "takes −1 for the largest value, so that all is 1; ours clamps to 0 … 1"},
    "pow": {"int32": "results beyond int32: casts a double out of range; ours saturates"},
    **{op: {"int8, uint8, int16": "a scale of 1 or more: aborts, or shifts by a negative number of bits; ours compares"} for op in COMPARISONS},
}

if __name__ == "__main__":
    main(OPERATORS, {}, "refused_elementwise.json", WRONG)
