"""Evaluating many samples: Zeropoint's batches against a LiteRT loop of single invocations, over the five files of the MNIST experiment.

    batched.py ZEROPOINT IMAGES [--threads 1] [--rounds 3]

ZEROPOINT is the program, built with --release; IMAGES an IDX file, its labels beside it. Run with a Python that has ai_edge_litert and numpy.
The rounds alternate; the least time of each side counts, and the processor's time beside it, which other jobs of the machine disturb less.
"""

import argparse
import gzip
import json
import os
import pathlib
import resource
import subprocess
import tempfile
import time

import numpy as np
from ai_edge_litert.interpreter import Interpreter


def images(path):
    """Pixels 0..1 of an IDX file."""
    raw = (gzip.open if path.suffix == ".gz" else open)(path, "rb").read()
    shape = [int.from_bytes(raw[4 + 4 * i : 8 + 4 * i], "big") for i in range(raw[3])]
    return np.frombuffer(raw, np.uint8, offset=4 + 4 * raw[3]).reshape(shape).astype(np.float32) / 255


def loop(model, x, threads):
    """Seconds of wall clock and of the processor for a single invocation per sample, and the answers."""
    it = Interpreter(model_path=str(model), num_threads=threads)
    it.allocate_tensors()
    i, o = it.get_input_details()[0], it.get_output_details()[0]
    x = x.reshape(len(x), *i["shape"])
    answers = []
    wall, cpu = time.perf_counter(), time.process_time()
    for sample in x:
        it.set_tensor(i["index"], sample)
        it.invoke()
        answers.append(it.get_tensor(o["index"]).argmax())
    return time.perf_counter() - wall, time.process_time() - cpu, np.array(answers)


def evaluate(program, model, data, threads):
    """The same for Zeropoint; its processor time is that of the whole process."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    line = [program, "evaluate", model, "--data", data, "--threads", str(threads), "--json"]
    found = json.loads(subprocess.run(line, capture_output=True, check=True).stdout)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return found["seconds"], cpu, found["top1"]


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("program")
    p.add_argument("images", type=pathlib.Path)
    p.add_argument("--threads", type=int, default=1)
    p.add_argument("--rounds", type=int, default=3)
    a = p.parse_args()
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    x = images(a.images)
    with tempfile.TemporaryDirectory() as folder:
        line = [a.program, "compare", "--output-dir", folder, "--json", f"{folder}/r.json"]
        subprocess.run(line, capture_output=True, check=True)
        print("| file | samples | LiteRT loop, s (CPU) | Zeropoint, s (CPU) | ratio | top-1 |")
        print("|---|---|---|---|---|---|")
        for model in sorted(pathlib.Path(folder).glob("*.tflite")):
            ours, theirs = [], []
            for _ in range(a.rounds):
                theirs.append(loop(model, x, a.threads)[:2])
                ours.append(evaluate(a.program, model, a.images, a.threads))
            (w, c), (w2, c2) = ((min(r[0] for r in s), min(r[1] for r in s)) for s in (theirs, ours))
            print(f"| {model.name} | {len(x)} | {w:.3f} ({c:.3f}) | {w2:.3f} ({c2:.3f}) | {w2 / w:.2f} | {ours[0][2]} |", flush=True)


if __name__ == "__main__":
    main()
