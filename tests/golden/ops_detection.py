"""Makes the golden files of NON_MAX_SUPPRESSION_V4 and _V5.

    python ops_detection.py [OP ...]          needs ai-edge-litert 2.3.0 and numpy; writes ops_<op>.bin.gz beside itself

The format and all that generators share: ops_common.py. What LiteRT refuses: refused_detection.json. No two scores are equal:
which of them comes first is nowhere said.
"""

from ops_common import *


def scalar(x, dtype=np.float32):
    return np.array(x, dtype)


def boxes(n):
    """Corners of boxes that overlap often; some are turned around, some have no area."""
    y, x = rng.uniform(0, 1, (2, n))
    h, w = rng.uniform(0.05, 0.8, (2, n)) * pick(1, 1, -1)
    h[rng.random(n) < 0.1] = 0
    return np.stack([y, x, y + h, x + w], 1).astype(np.float32)


def suppress(op, kind):
    n, most = int(rng.integers(1, 25)), int(rng.integers(1, 15))
    scores = rng.permutation(np.linspace(-0.2, 1, n)).astype(np.float32)
    limits = [scalar(rng.uniform(0.1, 0.9)), scalar(pick(0.0, 0.3, -1.0))]
    soft = op == OP.NON_MAX_SUPPRESSION_V5
    if soft:
        limits.append(scalar(pick(0.0, 0.2, 0.5, 1.0)))
        o, options = s.NonMaxSuppressionV5OptionsT(), s.BuiltinOptions.NonMaxSuppressionV5Options
    else:
        o, options = s.NonMaxSuppressionV4OptionsT(), s.BuiltinOptions.NonMaxSuppressionV4Options
    computed = kind.endswith("computed")
    give = feed if computed else const
    inputs = [feed(boxes(n)), feed(scores), give(scalar(most, np.int32))] + [pick(feed, const)(v) for v in limits]
    outputs = [T("int32", (most,))] + [T("float32", (most,))] * soft + [T("int32", ())]
    name = f"n{n}_most{most}_" + "_".join(f"{float(v):.3g}" for v in limits)
    return name, op, options, o, inputs, [T(t.dtype, t.shape) for t in outputs]


OPERATORS = {
    "non_max_suppression_v4": of(suppress, "float32", "float32_computed", op=OP.NON_MAX_SUPPRESSION_V4),
    "non_max_suppression_v5": of(suppress, "float32", "float32_computed", op=OP.NON_MAX_SUPPRESSION_V5),
}

if __name__ == "__main__":
    main(OPERATORS, {}, "refused_detection.json")
