"""Compares what `zeropoint convert` makes of the networks of keras_applications_make.py with TensorFlow's files.

    python keras_applications_check.py ZEROPOINT OUTDIR [NAME ...]        needs ai-edge-litert 2.3.0

Prints for each Keras file the operators of both and the largest difference over the peak, and fails if a file has more operators
than TensorFlow's or differs by more than 1e-4 of the peak.
"""

import pathlib
import subprocess
import sys

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter


def operators(path):
    model = schema.ModelT.InitFromPackedBuf(path.read_bytes(), 0)
    return sum(len(g.operators) for g in model.subgraphs)


def outputs(path, seed):
    interpreter = Interpreter(str(path))
    interpreter.allocate_tensors()
    random = np.random.default_rng(seed)
    for d in interpreter.get_input_details():
        span = 255.0 if any(n in path.name for n in ("mobilenet_v3", "efficientnet", "convnext")) else 1.0
        interpreter.set_tensor(d["index"], random.random(d["shape"], dtype=np.float32) * span)
    interpreter.invoke()
    return [interpreter.get_tensor(d["index"]) for d in interpreter.get_output_details()]


def main():
    program, folder = sys.argv[1], pathlib.Path(sys.argv[2])
    names = sys.argv[3:] or sorted(p.stem for p in folder.glob("*.keras"))
    failed = False
    for name in names:
        theirs = folder / f"{name}.tflite"
        for ending in ("keras", "h5"):
            ours = folder / f"{name}.{ending}.tflite"
            done = subprocess.run([program, "convert", str(folder / f"{name}.{ending}"), "-o", str(ours)], capture_output=True, text=True)
            if done.returncode:
                print(f"{name}.{ending}: {done.stderr.strip()}", flush=True)
                failed = True
                continue
            a, b = outputs(ours, 5), outputs(theirs, 5)
            error = max(float(np.abs(x - y).max() / np.abs(y).max()) for x, y in zip(a, b, strict=True))
            n, m = operators(ours), operators(theirs)
            bad = n > m or not error <= 1e-4
            failed |= bad
            print(f"{name}.{ending}: {n} / {m} operators, {error:.1e} of the peak{'  FAILS' if bad else ''}", flush=True)
            ours.unlink()
    sys.exit(failed)


if __name__ == "__main__":
    main()
