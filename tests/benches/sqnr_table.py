"""How near the quantized files of three tools come to the float network, and how our files run in LiteRT, as two Markdown tables.

    sqnr_table.py ZEROPOINT --out DIR [--networks DIR] [--models DIR] [--only NAME,...] [--modes int8,int16x8] [--held 8]

ZEROPOINT is the program, built with --release. --networks holds what tools/make_models.py makes (NAME_float.tflite, and TensorFlow's
NAME_int8.tflite and NAME_16x8.tflite); --models holds small trained models, each NAME.tflite beside NAME.h5 or NAME.hdf5 where there
is one. All tools are given the same calibration samples, made here from fixed seeds; what the big networks have from TensorFlow is as
they came. Everything is kept in --out, and the files of the other tools are not made again while they lie there.

The first table is the SQNR in dB of the outputs against the float network, both on LiteRT, over --held samples that were not calibrated
on. The second says of our five files whether they run in LiteRT with its reference and default kernels, and how our engine's outputs
differ from its reference kernels': steps that differ (int8, int16x8), the greatest error in parts of the peak (float32, float16), or dB
(dynamic; "equal" is to the bit). Where the reference kernels do not run a file, the built-in ones stand in, and the row says so.

Needs numpy, scipy, ai-edge-litert 2.3.0, litert-quantizer 0.11 and tensorflow 2.21.
"""

import argparse
import json
import os
import pathlib
import pickle
import subprocess

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
import numpy as np
from ai_edge_litert.interpreter import Interpreter, OpResolverType
from scipy.ndimage import zoom

KERNELS = {
    "reference": OpResolverType.BUILTIN_REF,
    "builtin": OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
    "default": OpResolverType.AUTO,
}
TOOLS = ["ours", "litert-quantizer", "tensorflow"]
MODES = {"int8": "int8", "int16x8": "16x8"}
# What a network expects, by a part of its name: the kind of samples and the greatest value. The rest takes pictures in 0..1.
KINDS = {"keyword": "spectrum", "autoencoder": "wave", "emotion": "signed", "basic_pitch": "sound"}
SPANS = {"mobilenet_v3": 255.0, "efficientnet": 255.0}


# ---- samples -------------------------------------------------------------------------------------------------------


def picture(rng, shape):
    """Smooth blots of three sizes and a little noise, in 0..1."""
    _, h, w, c = shape
    out = np.zeros((h, w, c))
    for n, much in (3, 1.0), (8, 0.6), (24, 0.3):
        out += much * zoom(rng.standard_normal((n, n, c)), (h / n, w / n, 1), order=1)[:h, :w]
    out += 0.05 * rng.standard_normal(out.shape)
    low, high = out.min(), out.max()
    return ((out - low) / (high - low) * rng.uniform(0.6, 1.0))[None]


def sound(rng, shape):
    """A few plucked notes with harmonics."""
    n = shape[1]
    t, x = np.arange(n) / 22050, np.zeros(n)
    for _ in range(rng.integers(2, 6)):
        f, start = 27.5 * 2 ** (rng.integers(12, 70) / 12), int(rng.integers(0, n))
        decay = np.exp(-np.maximum(t - t[start], 0) * rng.uniform(1, 5)) * (np.arange(n) >= start)
        for h in range(1, 6):
            x += decay * rng.uniform(0.2, 1) / h * np.sin(2 * np.pi * f * h * t)
    x = x / np.abs(x).max() * rng.uniform(0.2, 0.9)
    return (x + 0.002 * rng.standard_normal(n)).reshape(shape)


def sample(kind, span, shape, seed):
    rng = np.random.default_rng(seed)
    if kind == "uniform":
        return rng.random(tuple(shape), dtype=np.float32) * np.float32(span)
    if kind == "signed":
        x = picture(rng, shape) * 2 - 1
    elif kind == "spectrum":
        flat = (1, shape[1], shape[-1], 1)
        x = ((picture(rng, flat) ** 2 * 2000 * rng.uniform(0.1, 1)).round() * 0.0390625).reshape(shape)
    elif kind == "wave":
        t = np.linspace(0, 1, shape[-1])
        x = sum(rng.uniform(0.1, 1) * np.sin(2 * np.pi * (k * t + rng.random())) for k in range(1, 6))
        x = ((x - x.min()) / (x.max() - x.min()) + 0.01 * rng.standard_normal(len(t)))[None]
    elif kind == "sound":
        x = sound(rng, shape)
    else:
        x = picture(rng, shape)
    return x.astype(np.float32)


# ---- LiteRT --------------------------------------------------------------------------------------------------------


def apart(what, *arguments):
    """What a function returns, or why it failed, in a process of its own: some kernels abort it."""
    r, w = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(r)
        try:
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, 1), os.dup2(null, 2)
            result = what(*arguments)
        except BaseException as e:
            result = str(e).split("\n")[0][:150] or type(e).__name__
        with os.fdopen(w, "wb") as f:
            pickle.dump(result, f)
        os._exit(0)
    os.close(w)
    with os.fdopen(r, "rb") as f:
        data = f.read()
    os.waitpid(pid, 0)
    return pickle.loads(data) if data else "aborts"


def interpreter(path, kernels):
    it = Interpreter(str(path), num_threads=1, experimental_op_resolver_type=KERNELS[kernels])
    it.allocate_tensors()
    return it


def fed(detail, x):
    """A float sample as the input takes it."""
    if detail["dtype"] == np.float32:
        return x
    scale, zero = detail["quantization"]
    i = np.iinfo(detail["dtype"])
    return np.clip(np.round(x / np.float32(scale)) + zero, i.min, i.max).astype(detail["dtype"])


def run(path, kernels, samples):
    """Of each sample the outputs, as they come and as reals."""
    it = interpreter(path, kernels)
    (detail,) = it.get_input_details()
    outputs = []
    for x in samples:
        it.set_tensor(detail["index"], fed(detail, x))
        it.invoke()
        here = []
        for d in it.get_output_details():
            y, (scale, zero) = it.get_tensor(d["index"]).copy(), d["quantization"]
            here.append((y, y.astype(np.float64) if y.dtype == np.float32 else (y.astype(np.float64) - zero) * scale))
        outputs.append(here)
    return outputs


def sqnr(want, got):
    """dB of each output, over all samples."""
    figures = []
    for j in range(len(want[0])):
        x, y = (np.concatenate([r[j][1].ravel() for r in side]) for side in (want, got))
        noise = ((x - y) ** 2).sum()
        figures.append(float("inf") if noise == 0 else float(10 * np.log10((x**2).sum() / noise)))
    return figures


# ---- the three tools -----------------------------------------------------------------------------------------------


def ours(program, model, mode, calibration, count, path):
    line = [program, "quantize", model, "--mode", mode, "-o", path]
    if mode in MODES:
        io = "int16" if mode == "int16x8" else "int8"
        line += ["--io", io, "--calibration", calibration, "--samples", str(count)]
    done = subprocess.run([str(a) for a in line], capture_output=True, text=True)
    return None if done.returncode == 0 else done.stderr.strip()


def litert_quantizer(model, mode, samples, path):
    from litert_quantizer import quantizer, recipe

    q = quantizer.Quantizer(str(model))
    q.load_quantization_recipe(recipe.static_wi8_ai8() if mode == "int8" else recipe.static_wi8_ai16())
    it = Interpreter(str(model))
    signatures = it.get_signature_list()
    key, name = None, it.get_input_details()[0]["name"]
    if signatures:
        key, signature = next(iter(signatures.items()))
        name = signature["inputs"][0]
    calibrated = q.calibrate({key: [{name: x} for x in samples]})
    path.write_bytes(bytes(q.quantize(calibrated).quantized_model))


def tensorflow(keras_file, mode, samples, path):
    import keras
    import tensorflow as tf

    class Depthwise(keras.layers.DepthwiseConv2D):
        """Old files carry an option that the layer no longer takes."""

        def __init__(self, *a, groups=1, **k):
            super().__init__(*a, **k)

    model = keras.models.load_model(str(keras_file), compile=False, custom_objects={"DepthwiseConv2D": Depthwise})
    c = tf.lite.TFLiteConverter.from_keras_model(model)
    c.optimizations = [tf.lite.Optimize.DEFAULT]
    c.representative_dataset = lambda: iter([[x] for x in samples])
    ops = tf.lite.OpsSet
    if mode == "int8":
        c.target_spec.supported_ops = [ops.TFLITE_BUILTINS_INT8]
        c.inference_input_type = c.inference_output_type = tf.int8
    else:
        c.target_spec.supported_ops = [ops.EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8]
    path.write_bytes(c.convert())


# ---- one network ---------------------------------------------------------------------------------------------------


class Network:
    """A float file, its samples, and a folder for what is made of it."""

    def __init__(self, name, model, big, beside, out, held):
        self.name, self.model, self.big, self.beside = name, model, big, beside
        self.folder = out / name
        self.folder.mkdir(parents=True, exist_ok=True)
        shape = interpreter(model, "builtin").get_input_details()[0]["shape"]
        kind = "uniform" if big else next((k for part, k in KINDS.items() if part in name), "picture")
        span = next((s for part, s in SPANS.items() if part in name), 1.0)
        self.count = 16 if big else 8 if kind == "sound" else 64
        held = held if big or kind == "sound" else 8 * held
        self.samples = [sample(kind, span, shape, i) for i in range(self.count)]
        self.held = [sample(kind, span, shape, 1000 + i) for i in range(held)]
        self.calibration = self.folder / "calibration.npy"
        np.save(self.calibration, np.concatenate(self.samples))

    def made(self, tool, mode, program):
        """The file of a tool, or why there is none."""
        path = self.folder / f"{tool}_{mode}.tflite"
        if tool == "ours":
            return ours(program, self.model, mode, self.calibration, self.count, path) or path
        why = None
        if not path.exists() and tool == "tensorflow" and self.big:
            path = self.beside / f"{self.name}_{MODES[mode]}.tflite"
        elif not path.exists() and tool == "tensorflow":
            source = next((f for e in ("h5", "hdf5", "keras") if (f := self.beside / f"{stem(self.name)}.{e}").exists()), None)
            why = apart(tensorflow, source, mode, self.samples, path) if source else "no Keras file"
        elif not path.exists():
            why = apart(litert_quantizer, self.model, mode, self.samples, path)
        return path if path.exists() else why or "no file"

    def figures(self, mode, program):
        """dB of each tool's outputs."""
        want = apart(run, self.model, "builtin", self.held)
        row = {}
        for tool in TOOLS:
            path = self.made(tool, mode, program)
            got = path
            if isinstance(path, pathlib.Path):
                # The same kernels for all: the reference where networks are small, the faster ones where they are not.
                got = apart(run, path, "builtin" if self.big else "reference", self.held)
                if isinstance(got, str) and not self.big:
                    got = apart(run, path, "builtin", self.held)
            row[tool] = got if isinstance(got, str) else sqnr(want, got)
        return row

    def agreement(self, mode, program):
        """How our file runs in LiteRT, and how our engine differs from it on one sample."""
        path = self.folder / f"ours_{mode}.tflite"
        if mode not in MODES and (why := ours(program, self.model, mode, None, 0, path)):
            return {"error": why}
        x = self.held[:1]
        by = {k: apart(run, path, k, x) for k in ("reference", "default")}
        row = {k: "runs" if isinstance(v, list) else v for k, v in by.items()}
        kernels, want = "reference", by["reference"]
        if isinstance(want, str):
            kernels, want = "builtin", apart(run, path, "builtin", x)
        row["against"] = kernels
        if isinstance(want, str):
            return row | {"builtin": want}
        detail = interpreter(path, "builtin").get_input_details()[0]
        np.save(self.folder / "x.npy", fed(detail, x[0]))
        line = [program, "run", path, "--input", self.folder / "x.npy", "--output-dir", self.folder / "outputs"]
        done = subprocess.run([str(a) for a in line], capture_output=True, text=True)
        if done.returncode:
            return row | {"error": done.stderr.strip()}
        differing = total = 0
        peak, db = 0.0, []
        for j, (y, _) in enumerate(want[0]):
            got = np.load(self.folder / f"outputs/output_{j}.npy")
            differing, total = differing + int((got != y).sum()), total + y.size
            if y.dtype == np.float32:
                a, b = y.astype(np.float64), got.astype(np.float64)
                peak = max(peak, float(np.abs(a - b).max() / np.abs(a).max()))
                noise = ((a - b) ** 2).sum()
                db.append(float("inf") if noise == 0 else float(10 * np.log10((a**2).sum() / noise)))
        row |= {"differing": differing, "of": total, "of_peak": peak, "db": min(db, default=None)}
        return row


def stem(name):
    return name.split(".")[0]


def cell(figures):
    if isinstance(figures, str):
        return figures
    return " ".join("equal" if f == float("inf") else f"{f:.2f}" for f in figures)


def behind(row):
    """How far our worst output is behind the better of the others."""
    mine = row["ours"]
    others = [row[t] for t in TOOLS[1:] if not isinstance(row[t], str)]
    if isinstance(mine, str) or not others:
        return "–"
    return f"{max(max(o[j] for o in others) - m for j, m in enumerate(mine)):+.2f}"


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("zeropoint", type=pathlib.Path)
    p.add_argument("--out", type=pathlib.Path, required=True)
    p.add_argument("--networks", type=pathlib.Path)
    p.add_argument("--models", type=pathlib.Path)
    p.add_argument("--only", default="")
    p.add_argument("--modes", default=",".join(MODES))
    p.add_argument("--held", type=int, default=8)
    a = p.parse_args()
    a.zeropoint = a.zeropoint.resolve()
    models = [(f.stem, f, False, a.models) for f in sorted(a.models.glob("*.tflite"))] if a.models else []
    if a.networks:
        models += [(f.name.removesuffix("_float.tflite"), f, True, a.networks) for f in sorted(a.networks.glob("*_float.tflite"))]
    chosen = [m for m in models if not a.only or any(part in m[0] for part in a.only.split(","))]
    modes = a.modes.split(",")
    first, second, kept = [], [], {}
    for name, file, big, beside in chosen:
        network = Network(name, file, big, beside, a.out, a.held)
        kept[name] = {"sqnr": {}, "agreement": {}}
        for mode in modes:
            row = kept[name]["sqnr"][mode] = network.figures(mode, a.zeropoint)
            first.append([name, mode, *(cell(row[t]) for t in TOOLS), behind(row)])
            print(*first[-1], sep=" | ", flush=True)
        for mode in ["float32", "float16", "dynamic", *modes]:
            row = kept[name]["agreement"][mode] = network.agreement(mode, a.zeropoint)
            if "differing" not in row:
                what = row.get("error") or row.get("builtin")
            elif mode in MODES:
                what = f"{row['differing']} of {row['of']} steps"
            elif mode == "dynamic":
                what = "equal" if row["differing"] == 0 else f"{row['db']:.1f} dB"
            else:
                what = f"{row['of_peak']:.1e} of the peak"
            against = "" if row.get("against") == "reference" else f" (built-in kernels; reference: {row.get('reference')})"
            second.append([name, mode, row.get("reference", "–"), row.get("default", "–"), f"{what}{against}"])
            print(*second[-1], sep=" | ", flush=True)
        (a.out / "results.json").write_text(json.dumps(kept, indent=1))
    for head, rows in (
        (["network", "mode", *TOOLS, "behind the better, dB"], first),
        (["network", "mode", "reference", "default", "our engine differs by"], second),
    ):
        print("\n| " + " | ".join(head) + " |\n|" + "---|" * len(head))
        for row in rows:
            print("| " + " | ".join(row) + " |")


if __name__ == "__main__":
    main()
