"""Runs the files of a folder that Zeropoint quantized in LiteRT, and says where they do not load or differ.

    ZEROPOINT_OPERATORS=DIR cargo test --no-default-features --test core quantize_operators
    python quantize_check.py DIR [--zeropoint BINARY]          needs ai-edge-litert 2.3.0 and numpy

The tests write each operator of each mode as NAME.tflite, with the float model beside it as NAME.float.tflite. For each, a
line: what the kernel sets `reference`, `builtin` and `default` (XNNPACK) say, how far the first that runs is from the float
model in steps of the output, and with --zeropoint how many outputs of its engine differ from LiteRT's.
"""

import argparse
import collections
import os
import pathlib
import pickle
import subprocess
import tempfile

import numpy as np
from ai_edge_litert.interpreter import Interpreter, OpResolverType

KERNELS = {
    "reference": OpResolverType.BUILTIN_REF,
    "builtin": OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
    "default": OpResolverType.AUTO,
}


def apart(function):
    """Runs in a process of its own, since kernels may abort."""
    r, w = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        try:
            result = function()
        except Exception as e:
            result = str(e).split("\n")[0][:160]
        with os.fdopen(w, "wb") as f:
            pickle.dump(result, f)
        os._exit(0)
    os.close(w)
    with os.fdopen(r, "rb") as f:
        data = f.read()
    os.waitpid(pid, 0)
    return pickle.loads(data) if data else "aborted"


def open_model(path, kernels):
    it = Interpreter(model_path=str(path), num_threads=1, experimental_op_resolver_type=KERNELS[kernels])
    it.allocate_tensors()
    return it


def draw(path, low, high):
    """Inputs of a model, floats in [low, high]."""
    rng = np.random.default_rng(0)
    inputs = []
    for d in open_model(path, "builtin").get_input_details():
        if d["dtype"] == np.float32:
            inputs.append(rng.uniform(low, high, d["shape"]).astype(np.float32))
        elif d["dtype"] == np.bool_:
            inputs.append(rng.random(d["shape"]) > 0.5)
        else:
            inputs.append(np.zeros(d["shape"], d["dtype"]))
    return inputs


def run(path, kernels, inputs):
    it = open_model(path, kernels)
    for d, x in zip(it.get_input_details(), inputs, strict=True):
        it.set_tensor(d["index"], x)
    it.invoke()
    return [it.get_tensor(d["index"]).copy() for d in it.get_output_details()]


def ours(binary, path, inputs):
    with tempfile.TemporaryDirectory() as folder:
        arguments = [binary, "run", str(path), "--output-dir", folder, "--kernels", "fast"]
        for i, x in enumerate(inputs):
            np.save(f"{folder}/in_{i}.npy", x)
            arguments += ["--input", f"{folder}/in_{i}.npy"]
        done = subprocess.run(arguments, capture_output=True, text=True)
        if done.returncode:
            return done.stderr.strip()[:120]
        files = sorted(pathlib.Path(folder).glob("output_*.npy"))
        return [np.load(f) for f in files]


def differing(a, b):
    return sum(int((x != y).sum()) for x, y in zip(a, b, strict=True))


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("folder", type=pathlib.Path)
    p.add_argument("--zeropoint")
    a = p.parse_args()
    count = collections.Counter()
    for path in sorted(a.folder.glob("*.tflite")):
        if path.name.endswith(".float.tflite"):
            continue
        inputs = apart(lambda: draw(path, 0.5, 1.0))
        if isinstance(inputs, str):
            print(f"{path.stem:44} does not load: {inputs}")
            count["does not load"] += 1
            continue
        results = {k: apart(lambda k=k: run(path, k, inputs)) for k in KERNELS}
        words = [f"{k} {'ok' if not isinstance(r, str) else r}" for k, r in results.items()]
        first = next((r for r in results.values() if not isinstance(r, str)), None)
        for k, r in results.items():
            count[f"{k} {'runs' if not isinstance(r, str) else 'fails'}"] += 1
        float_path = path.with_suffix(".float.tflite")
        if first is not None and float_path.exists():
            wanted = apart(lambda: run(float_path, "builtin", inputs))
            if isinstance(wanted, str):
                words.append(f"float: {wanted}")
            else:
                for i, w in enumerate(wanted):
                    for k, r in results.items():
                        if not isinstance(r, str) and w.dtype == np.float32 and w.size:
                            words.append(f"{k} off {np.abs(w - r[i]).max():.2g} of {np.abs(w).max():.2g}")
        if a.zeropoint and first is not None:
            got = ours(a.zeropoint, path, inputs)
            for k in ("reference", "builtin"):
                if isinstance(results[k], str):
                    continue
                n = got if isinstance(got, str) else f"{differing(results[k], got)} differ"
                words.append(f"ours against {k}: {n}")
                count[f"ours {'equal' if n == '0 differ' else 'not equal'} to {k}"] += 1
        print(f"{path.stem:44} {'; '.join(words)}", flush=True)
    for what, n in sorted(count.items()):
        print(f"{n:5} {what}")


if __name__ == "__main__":
    main()
