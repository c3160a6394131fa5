"""Quantizing one float model: Zeropoint against litert-quantizer, in time and peak memory.

    conversion.py ZEROPOINT MODEL [--samples 16] [--rounds 3] [--modes dynamic,int8,int16x8]

ZEROPOINT is the program, built with --release. Run with a Python that has litert_quantizer, ai_edge_litert and numpy. Calibration is on uniform
random values in 0..1. Each conversion is a process of its own; of litert-quantizer's the imports are not counted in the time, and its peak
memory is given less what the imports took, too. The least of the rounds counts; the processor's time stands beside it.
"""

import argparse
import json
import os
import pathlib
import subprocess
import sys
import tempfile

import numpy as np

CHILD = """
import json, resource, sys, time
import numpy as np
from ai_edge_litert.interpreter import Interpreter
from litert_quantizer import quantizer, recipe
model, mode, data, out = sys.argv[1:]
imports = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
wall, cpu = time.perf_counter(), time.process_time()
how = {"dynamic": recipe.dynamic_wi8_afp32, "int8": recipe.static_wi8_ai8, "int16x8": recipe.static_wi8_ai16}[mode]()
q = quantizer.Quantizer(model)
q.load_quantization_recipe(how)
found = None
if mode != "dynamic":
    name, signature = next(iter(Interpreter(model).get_signature_list().items()))
    found = q.calibrate({name: [{signature["inputs"][0]: x[None]} for x in np.load(data)]})
made = q.quantize(found).quantized_model
open(out, "wb").write(made)
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(json.dumps([time.perf_counter() - wall, time.process_time() - cpu, peak / 1024, imports / 1024, len(made)]))
"""


def theirs(model, mode, data, out):
    done = subprocess.run([sys.executable, "-c", CHILD, model, mode, data, out], capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(done.stderr.strip().splitlines()[-1])
    return json.loads(done.stdout.strip().splitlines()[-1])


def ours(program, model, mode, data, samples, out):
    line = [program, "quantize", model, "--mode", mode, "-o", out]
    if mode != "dynamic":
        line += ["--calibration", data, "--samples", str(samples)]
    read, write = os.pipe()
    started = os.times().elapsed
    child = subprocess.Popen(line, stdout=write, stderr=subprocess.STDOUT)
    os.close(write)
    with os.fdopen(read) as said:
        text = said.read()
    _, status, used = os.wait4(child.pid, 0)
    wall = os.times().elapsed - started
    if status:
        raise RuntimeError(text)
    return [wall, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024, 0.0, os.path.getsize(out)]


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("program")
    p.add_argument("model")
    p.add_argument("--samples", type=int, default=16)
    p.add_argument("--rounds", type=int, default=3)
    p.add_argument("--modes", default="dynamic,int8,int16x8")
    a = p.parse_args()
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    listed = json.loads(subprocess.run([a.program, "inspect", a.model, "--json"], capture_output=True, check=True).stdout)
    shape = listed["inputs"][0]["shape"][1:]
    with tempfile.TemporaryDirectory() as folder:
        data, out = f"{folder}/x.npy", f"{folder}/out.tflite"
        np.save(data, np.random.default_rng(7).random((a.samples, *shape), dtype=np.float32))
        print(f"{pathlib.Path(a.model).name}, {a.samples} samples\n")
        print("| mode | litert-quantizer, s (CPU) | MB (imports) | Zeropoint, s (CPU) | MB | time ratio (CPU) | memory ratio | bytes |")
        print("|---|---|---|---|---|---|---|---|")
        for mode in a.modes.split(","):
            rows = [(theirs(a.model, mode, data, out), ours(a.program, a.model, mode, data, a.samples, out)) for _ in range(a.rounds)]
            (t, tc, tm, ti, tb), (z, zc, zm, _, zb) = ([min(r[side][i] for r in rows) for i in range(5)] for side in (0, 1))
            print(
                f"| {mode} | {t:.2f} ({tc:.2f}) | {tm:.0f} ({ti:.0f}) | {z:.2f} ({zc:.2f}) | {zm:.0f} | {z / t:.2f} ({zc / tc:.2f}) "
                f"| {zm / tm:.2f} | {zb} / {tb} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
