"""Makes the golden files of recurrent operators: RNN, LSTM and SVDF in all their forms.

    python ops_recurrent.py [OP ...]          needs ai-edge-litert 2.3.0 and numpy; writes ops_<op>.bin.gz beside itself

The format and all that generators share: ops_common.py. What LiteRT refuses: refused_recurrent.json. State begins at zero.

Not drawn, because LiteRT 2.3.0 computes something else than it says there; our engine computes what it says:

| operator | case | what LiteRT does |
|---|---|---|
| all LSTM but basic | activation NONE | leaves the update gate as it was before its last product |
| all LSTM but basic | more outputs than cells | projects in working memory that is too small |
| LSTM | int8 with 12 intermediates | reads the output gate's scale behind the end of its table; ours says that it cannot run it |
| BIDIRECTIONAL_SEQUENCE_LSTM | outputs merged, batch-major, several sequences | takes the state of another sequence |
| BIDIRECTIONAL_SEQUENCE_RNN | auxiliary input of another width | steps through it by the width of the input |
| BIDIRECTIONAL_SEQUENCE_RNN | backward direction reads the auxiliary input, batch-major | reads the main input |
| BIDIRECTIONAL_SEQUENCE_RNN | hybrid, time-major | runs the sequence once for each of its steps, on the state it left |
"""

from ops_common import *

ACTS = [ACT.NONE, ACT.RELU, ACT.RELU6, ACT.TANH]


def size(low=1, high=6):
    return int(rng.integers(low, high + 1))


def state(dtype, shape, **q):
    return T(dtype, shape, variable=True, **q)


def weight(kind, shape, spread=0.6):
    """A constant weight: float32, or int8 with one scale."""
    if kind == "float32":
        return const(reals(shape, spread))
    return const(ints("int8", shape, -127, 127), scale=np.float32(spread * rng.uniform(0.5, 1.5) / 64))


def vector(n, spread=0.5):
    return const(reals((n,), spread))


def sequence_input(n, single=False):
    """A fed input, whether axis 0 is time, and batch and time."""
    batch, time = size(1, 3), size(1, 5)
    if single:
        return feed(reals((batch, n))), False, batch, 1
    major = bool(rng.random() < 0.5)
    return feed(reals((time, batch, n) if major else (batch, time, n))), major, batch, time


def rows(x, n):
    return x.shape[:-1] + (n,)


def split(kind):
    """Type of the weights, and whether activations get a zero point."""
    return ("float32" if kind == "float32" else "int8"), kind.endswith("asym")


def rnn(op, kind):
    dtype, asymmetric = split(kind)
    n, units = size(), size()
    x, major, batch, time = sequence_input(n, op == OP.RNN)
    if op == OP.RNN:
        o, options = s.RNNOptionsT(), s.BuiltinOptions.RNNOptions
    else:
        o, options = s.SequenceRNNOptionsT(), s.BuiltinOptions.SequenceRNNOptions
        o.timeMajor = major
    o.fusedActivationFunction, o.asymmetricQuantizeInputs = pick(*ACTS), asymmetric
    inputs = [x, weight(dtype, (units, n)), weight(dtype, (units, units)), vector(units), state("float32", (batch, units))]
    return f"b{batch}_t{time}_n{n}_u{units}_major{major}_a{o.fusedActivationFunction}", op, options, o, inputs, T("float32", rows(x, units))


def aux_of(x, *modes):
    """An auxiliary input: none, one with weights for both directions, or one that only the backward direction reads."""
    mode = pick(*modes)
    return mode, None if mode == "none" else feed(reals(x.shape))


def bidirectional_rnn(op, kind):
    dtype, asymmetric = split(kind)
    n, units = size(), (size(), size())
    x, major, batch, time = sequence_input(n)
    if kind != "float32" and major:
        major, batch, time = False, time, batch
    mode, aux = aux_of(x, "both", "none", "backward" if major else "both")
    o = s.BidirectionalSequenceRNNOptionsT()
    o.timeMajor, o.mergeOutputs, o.asymmetricQuantizeInputs = major, bool(rng.random() < 0.5), asymmetric
    o.fusedActivationFunction = pick(*ACTS)
    inputs = [x]
    for d, u in enumerate(units):
        m = aux.shape[-1] if d and mode == "backward" else n
        inputs += [weight(dtype, (u, m)), weight(dtype, (u, u)), vector(u), state("float32", (batch, u))]
    inputs.append(aux)
    for u in units:
        inputs.append(weight(dtype, (u, aux.shape[-1])) if mode == "both" else None)
    outputs = [T("float32", rows(x, sum(units)))] if o.mergeOutputs else [T("float32", rows(x, u)) for u in units]
    name = f"b{batch}_t{time}_n{n}_u{units[0]}_{units[1]}_major{major}_aux_{mode}_merge{o.mergeOutputs}_a{o.fusedActivationFunction}"
    return name, op, s.BuiltinOptions.BidirectionalSequenceRNNOptions, o, inputs, outputs


def gates(dtype, n, cells, outs, cifg, peephole, projection, norm=False):
    """Weights of an LSTM in the order of the inputs, state aside: to gates, recurrent, peepholes, biases, projection and its bias."""
    def four(make):
        return [None if cifg and k == 0 else make() for k in range(4)]
    inputs = four(lambda: weight(dtype, (cells, n))) + four(lambda: weight(dtype, (cells, outs)))
    inputs += [None if not peephole or (cifg and k == 0) else weight(dtype, (cells,), 0.3) for k in range(3)]
    inputs += four(lambda: vector(cells))
    inputs.append(weight(dtype, (outs, cells)) if projection else None)
    inputs.append(vector(outs) if projection and rng.random() < 0.5 else None)
    return inputs


def clips(o):
    o.cellClip, o.projClip = float(pick(0.0, 0.0, 0.7)), float(pick(0.0, 0.0, 0.4))
    o.fusedActivationFunction = pick(ACT.TANH, ACT.TANH, ACT.RELU, ACT.RELU6)


def extents():
    cells = size()
    projection = bool(rng.random() < 0.4)
    return size(), cells, size(1, cells) if projection else cells, bool(rng.random() < 0.3), bool(rng.random() < 0.4), projection


def near(bits, low=0.7, high=1.3):
    return np.float32(2.0**bits * rng.uniform(low, high))


def integer_lstm(op, kind):
    """int8 with 5 intermediates, with layer normalization if `kind` says so; or int16, which LiteRT refuses."""
    n, cells, outs, cifg, peephole, projection = extents()
    norm = "norm" in kind
    x, major, batch, time = sequence_input(n, op == OP.LSTM)
    dtype = "int16" if kind == "int16" else "int8"
    x = feed(ints(dtype, x.shape), scale=near(-6), zero=0 if dtype == "int16" else zero("int8"))
    if op == OP.LSTM:
        o, options = s.LSTMOptionsT(), s.BuiltinOptions.LSTMOptions
        o.kernelType = s.LSTMKernelType.FULL
    else:
        o, options = s.UnidirectionalSequenceLSTMOptionsT(), s.BuiltinOptions.UnidirectionalSequenceLSTMOptions
        o.timeMajor = major
    o.fusedActivationFunction = ACT.TANH
    o.cellClip, o.projClip = float(pick(0.0, 0.0, 0.7)), float(pick(0.0, 0.0, 0.3))
    y = {"scale": near(-7), "zero": 0 if dtype == "int16" else int(rng.integers(-20, 20))}
    weights = lambda *shape: const(ints("int8", shape, -127, 127), scale=near(-7))
    def four(make):
        return [None if cifg and k == 0 else make() for k in range(4)]
    inputs = [x] + four(lambda: weights(cells, n)) + four(lambda: weights(cells, outs))
    peep = lambda: const(ints("int16", (cells,), -32767, 32767), scale=near(-16))
    inputs += [peep() if peephole and not (cifg and k == 0) else None for k in range(3)]
    inputs += four(lambda: const(ints("int32", (cells,), -5000, 5000), scale=near(-13)))
    inputs.append(weights(outs, cells) if projection else None)
    inputs.append(const(ints("int32", (outs,), -3000, 3000), scale=near(-14)) if projection and rng.random() < 0.5 else None)
    inputs.append(state(dtype, (batch, outs), **y))
    inputs.append(state("int16", (batch, cells), scale=np.float32(2.0 ** rng.integers(-15, -8)), zero=0))
    if norm:
        inputs += four(lambda: const(ints("int16", (cells,), -32767, 32767), scale=near(-15)))
    elif rng.random() < 0.5:
        inputs += [None] * 4
    gate = lambda: T("int16", (0,), scale=near(-12), zero=0, hidden=True)
    h = {"scale": near(-7), "zero": int(rng.integers(-30, 30))} if projection else y
    inputs += [gate() for _ in range(4)] + [T(dtype, (0,), hidden=True, **h)]
    name = f"b{batch}_t{time}_n{n}_c{cells}_o{outs}_major{major}_cifg{cifg}_peep{peephole}_proj{projection}_norm{norm}_clip{o.cellClip}_{o.projClip}"
    return name, op, options, o, inputs, T(dtype, rows(x, outs), **y)


def lstm(op, kind):
    if kind == "basic":
        return basic(op)
    if kind == "uint8":
        return basic_uint8(op)
    if kind.startswith("int"):
        return integer_lstm(op, kind)
    dtype, asymmetric = split(kind)
    n, cells, outs, cifg, peephole, projection = extents()
    norm = bool(rng.random() < 0.4)
    x, major, batch, time = sequence_input(n, op == OP.LSTM)
    if op == OP.LSTM:
        o, options = s.LSTMOptionsT(), s.BuiltinOptions.LSTMOptions
        o.kernelType = s.LSTMKernelType.FULL
    else:
        o, options = s.UnidirectionalSequenceLSTMOptionsT(), s.BuiltinOptions.UnidirectionalSequenceLSTMOptions
        o.timeMajor = major
    clips(o)
    o.asymmetricQuantizeInputs = asymmetric
    inputs = [x] + gates(dtype, n, cells, outs, cifg, peephole, projection)
    inputs += [state("float32", (batch, outs)), state("float32", (batch, cells))]
    if norm:
        inputs += [None if cifg and k == 0 else vector(cells, 1.0) for k in range(4)]
    name = f"b{batch}_t{time}_n{n}_c{cells}_o{outs}_major{major}_cifg{cifg}_peep{peephole}_proj{projection}_norm{norm}_a{o.fusedActivationFunction}_clip{o.cellClip}_{o.projClip}"
    return name, op, options, o, inputs, T("float32", rows(x, outs))


def basic(op):
    n, cells, batch = size(), size(), size(1, 3)
    o = s.LSTMOptionsT()
    o.kernelType, o.fusedActivationFunction = s.LSTMKernelType.BASIC, ACT.TANH
    o.cellClip = o.projClip = 0.0
    kept = bool(rng.random() < 0.5)
    def before():
        return state("float32", (batch, cells)) if kept else feed(reals((batch, cells)))
    inputs = [feed(reals((batch, n))), before(), weight("float32", (4 * cells, n + cells)), vector(4 * cells), before()]
    outputs = [T("float32", (batch, m)) for m in (cells, cells, n + cells, 4 * cells)]
    return f"b{batch}_n{n}_c{cells}_kept{kept}", op, s.BuiltinOptions.LSTMOptions, o, inputs, outputs


def basic_uint8(op):
    n, cells, batch = size(), size(), size(1, 3)
    o = s.LSTMOptionsT()
    o.kernelType, o.fusedActivationFunction = s.LSTMKernelType.BASIC, ACT.TANH
    o.cellClip = o.projClip = 0.0
    x, c = {"scale": np.float32(1 / 128), "zero": 128}, {"scale": np.float32(1 / 2048), "zero": 0}
    w = {"scale": near(-7), "zero": int(rng.integers(90, 160))}
    b = np.float32(w["scale"] / 128)
    if rng.random() < 0.5:
        before = [state("uint8", (batch, cells), **x), state("int16", (batch, cells), **c)]
    else:
        before = [feed(ints("uint8", (batch, cells)), **x), feed(ints("int16", (batch, cells)), **c)]
    weights = const(ints("uint8", (4 * cells, n + cells)), **w)
    bias = const(ints("int32", (4 * cells,), -20000, 20000), scale=b)
    inputs = [feed(ints("uint8", (batch, n)), **x), before[0], weights, bias, before[1]]
    outputs = [T("uint8", (batch, cells), **x), T("int16", (batch, cells), **c), T("uint8", (batch, n + cells), **x), T("int16", (batch, 4 * cells), scale=np.float32(1 / 4096))]
    return f"b{batch}_n{n}_c{cells}_kept{before[0].variable}", op, s.BuiltinOptions.LSTMOptions, o, inputs, outputs


def bidirectional_lstm(op, kind):
    dtype, asymmetric = split(kind)
    n = size()
    x, major, batch, time = sequence_input(n)
    mode, aux = aux_of(x, "none", "both", "backward")
    o = s.BidirectionalSequenceLSTMOptionsT()
    clips(o)
    o.timeMajor, o.mergeOutputs, o.asymmetricQuantizeInputs = major, bool(rng.random() < 0.5) and (major or batch == 1), asymmetric
    inputs, states, more, names, outs = [x], [], [], [], []
    _, cells, *_ = extents()
    for d in range(2):
        _, _, _, cifg, peephole, projection = extents()
        out = size(1, cells) if projection else cells
        m = aux.shape[-1] if d and mode == "backward" else n
        inputs += gates(dtype, m, cells, out, cifg, peephole, projection)
        states += [state("float32", (batch, out)), state("float32", (batch, cells))]
        more += [None if mode != "both" or (cifg and k == 0) else weight(dtype, (cells, aux.shape[-1])) for k in range(4)]
        names.append(f"c{cells}_o{out}_cifg{cifg}_peep{peephole}_proj{projection}")
        outs.append(out)
    outputs = [T("float32", rows(x, sum(outs)))] if o.mergeOutputs else [T("float32", rows(x, u)) for u in outs]
    name = f"b{batch}_t{time}_n{n}_{'_'.join(names)}_major{major}_aux_{mode}_merge{o.mergeOutputs}_a{o.fusedActivationFunction}"
    return name, op, s.BuiltinOptions.BidirectionalSequenceLSTMOptions, o, inputs + states + [aux] + more, outputs


def svdf(op, kind):
    n, units, rank, memory, batch = size(), size(), size(1, 3), size(1, 5), size(1, 3)
    o = s.SVDFOptionsT()
    o.rank, o.asymmetricQuantizeInputs = rank, kind.endswith("asym")
    filters, bias = units * rank, rng.random() < 0.7
    name = f"b{batch}_n{n}_u{units}_r{rank}_m{memory}_bias{bool(bias)}"
    if kind == "int8":
        o.fusedActivationFunction = ACT.RELU
        x = quantized("int8", (batch, n))
        feature = const(ints("int8", (filters, n), -127, 127), scale=scale(-9, -7))
        time = const(ints("int16", (filters, memory), -32767, 32767), scale=scale(-16, -14))
        kept = state("int16", (batch, memory * filters), scale=np.float32(x.scale * feature.scale * 0.7), zero=0)
        b = const(ints("int32", (units,), -2**18, 2**18), scale=np.float32(kept.scale * time.scale), zero=0) if bias else None
        y = T("int8", (batch, units), scale=np.float32(kept.scale * 250), zero=zero("int8"))
        return name, op, s.BuiltinOptions.SVDFOptions, o, [x, feature, time, b, kept], y
    o.fusedActivationFunction = pick(ACT.NONE, ACT.RELU)
    dtype = split(kind)[0]
    inputs = [feed(reals((batch, n))), weight(dtype, (filters, n)), weight(dtype, (filters, memory)), vector(units) if bias else None]
    inputs.append(state("float32", (batch, memory * filters)))
    return name, op, s.BuiltinOptions.SVDFOptions, o, inputs, T("float32", (batch, units))


KINDS = ["float32", "hybrid", "hybrid_asym"]
OPERATORS = {
    "rnn": of(rnn, *KINDS, op=OP.RNN),
    "unidirectional_sequence_rnn": of(rnn, *KINDS, op=OP.UNIDIRECTIONAL_SEQUENCE_RNN),
    "bidirectional_sequence_rnn": of(bidirectional_rnn, *KINDS, op=OP.BIDIRECTIONAL_SEQUENCE_RNN),
    "lstm": of(lstm, *KINDS, "basic", "uint8", "int8", "int8_norm", op=OP.LSTM),
    "unidirectional_sequence_lstm": of(lstm, *KINDS, "int8", "int8_norm", op=OP.UNIDIRECTIONAL_SEQUENCE_LSTM),
    "bidirectional_sequence_lstm": of(bidirectional_lstm, *KINDS, op=OP.BIDIRECTIONAL_SEQUENCE_LSTM),
    "svdf": of(svdf, *KINDS, "int8", op=OP.SVDF),
}

TRIED = {
    "lstm": of(lstm, "int16", op=OP.LSTM),
    "unidirectional_sequence_lstm": of(lstm, "int16", op=OP.UNIDIRECTIONAL_SEQUENCE_LSTM),
}

if __name__ == "__main__":
    main(OPERATORS, TRIED, "refused_recurrent.json")
