"""Both engines on any number of float models, in every mode, as one Markdown table.

    engines_table.py ZEROPOINT MODEL... [--data NAME=DATA ...] [--samples 32] [--threads 1,2]

ZEROPOINT is the program, built with --release. Models are calibrated and compared on uniform random values in 0..1, or on DATA (IDX, .npy,
.npz) where NAME is part of the model's file name. `demo` as a model means the built-in MNIST experiment with its own data. LiteRT is found as
the program finds it (ZEROPOINT_LITERT). Standard library only.
"""

import argparse
import array
import json
import pathlib
import random
import subprocess
import sys
import tempfile


def random_npy(path, samples, shape):
    """A float32 .npy of uniform values."""
    rng = random.Random(7)
    shape = [samples, *shape[1:]]
    count = 1
    for extent in shape:
        count *= extent
    values = array.array("f", (rng.random() for _ in range(count)))
    header = f"{{'descr': '<f4', 'fortran_order': False, 'shape': ({', '.join(map(str, shape))},), }}"
    header += " " * (63 - (10 + len(header)) % 64) + "\n"
    path.write_bytes(b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header.encode() + values.tobytes())


def compare(program, model, data, threads, folder):
    line = [program, "compare", "--engine", "both", "--threads", str(threads), "--json", folder / "r.json"]
    if model != "demo":
        line += [model, "--calibration", data, "--data", data]
    done = subprocess.run(line, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(done.stderr.strip().splitlines()[-1])
    return json.loads((folder / "r.json").read_text())["experiments"]


def row(name, runs):
    """One mode of one model; `runs` has its figures for each number of threads."""
    cells = [name, runs[0]["mode"]]
    for run in runs:
        litert = run["litert"]
        cells.append(f"{run['latency_ms']['median']:.3f}")
        cells.append("–" if "error" in litert else f"{litert['latency_ms']['median']:.3f}")
    first = runs[0]
    if "error" in first["litert"]:
        return cells + [first["litert"]["error"], "–", "–"]
    d = first["difference"]
    apart = [] if d["max_of_peak"] is None else [f"{d['max_of_peak']:.1e} of peak"]
    apart += [] if d["max_steps"] is None else [f"{d['max_steps']} steps"]
    differing = "–" if d["differing"] is None else f"{d['differing'] * 100:.2f} % of {d['samples']}"
    accuracy = "–"
    if first["accuracy"] is not None:
        accuracy = f"{first['accuracy'] * 100:.2f} / {first['litert']['accuracy'] * 100:.2f} %"
    return cells + [", ".join(apart), differing, accuracy]


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("program")
    p.add_argument("models", nargs="+")
    p.add_argument("--data", action="append", default=[])
    p.add_argument("--samples", type=int, default=32)
    p.add_argument("--threads", default="1,2")
    a = p.parse_args()
    threads = [int(n) for n in a.threads.split(",")]
    given = dict(d.split("=", 1) for d in a.data)

    heads = [f"{engine} {n} thr., ms" for n in threads for engine in ("Zeropoint", "LiteRT")]
    heads = ["model", "mode", *heads, "largest difference", "answers differ", "accuracy of each"]
    print("| " + " | ".join(heads) + " |\n|" + "---|" * len(heads), flush=True)
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        for model in a.models:
            name = pathlib.Path(model).name
            data = next((d for part, d in given.items() if part in name), None)
            try:
                if data is None and model != "demo":
                    data = folder / "x.npy"
                    shown = subprocess.run([a.program, "inspect", model, "--json"], capture_output=True, text=True, check=True)
                    random_npy(data, a.samples, json.loads(shown.stdout)["inputs"][0]["shape"])
                runs = [compare(a.program, model, data, n, folder) for n in threads]
            except (RuntimeError, subprocess.CalledProcessError) as e:
                print(f"| {name} | {e} |", file=sys.stderr, flush=True)
                continue
            for modes in zip(*runs, strict=True):
                print("| " + " | ".join(row(name, modes)) + " |", flush=True)


if __name__ == "__main__":
    main()
