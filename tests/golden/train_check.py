"""Holds the files of `zeropoint train` against Keras and LiteRT: all three formats of one network open and answer alike.

    train_check.py ZEROPOINT IMAGES      (ZEROPOINT: a build with the feature `train`; IMAGES: an IDX file, labels beside it)

Needs TensorFlow 2.21 with Keras 3.15 and ai-edge-litert 2.3.0. Exits with 1 where something differs.
"""

import gzip
import os
import pathlib
import subprocess
import sys
import tempfile
import warnings

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
import numpy as np
import keras
from ai_edge_litert.interpreter import Interpreter

# Float networks answer within this share of the largest logit.
CLOSE = 1e-5


def images(path):
    data = pathlib.Path(path).read_bytes()
    data = gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data
    rank = data[3]
    shape = [int.from_bytes(data[4 + 4 * i: 8 + 4 * i], "big") for i in range(rank)]
    pixels = np.frombuffer(data, np.uint8, offset=4 + 4 * rank).reshape(shape)
    return (pixels[:500] / 255.0).astype(np.float32)


def litert(path, x):
    runner = Interpreter(model_path=str(path), num_threads=1)
    entry = runner.get_input_details()[0]["index"]
    runner.resize_tensor_input(entry, x.shape)
    runner.allocate_tensors()
    runner.set_tensor(entry, x)
    runner.invoke()
    return runner.get_tensor(runner.get_output_details()[0]["index"])


def own(zeropoint, path, x, folder):
    np.save(folder / "x.npy", x)
    run = [zeropoint, "run", path, "--input", folder / "x.npy", "--output-dir", folder]
    subprocess.run(run, check=True, stdout=subprocess.DEVNULL)
    return np.load(folder / "output_0.npy")


def main():
    zeropoint, data = pathlib.Path(sys.argv[1]).resolve(), sys.argv[2]
    x = images(data)
    wrong = 0
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        answers = {}
        for ending in ("tflite", "keras", "h5"):
            path = folder / f"network.{ending}"
            line = [zeropoint, "train", "--data", data, "--epochs", "1", "--seed", "7", "-o", path]
            subprocess.run(line, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            answers[f"Zeropoint {ending}"] = own(zeropoint, path, x, folder)
            if ending == "tflite":
                answers["LiteRT tflite"] = litert(path, x)
            else:
                with warnings.catch_warnings():
                    # The network was not compiled by Keras: it says so.
                    warnings.simplefilter("ignore")
                    network = keras.models.load_model(path)
                answers[f"Keras {ending}"] = network.predict(x, verbose=0)
                network.save(folder / f"again.{ending}")
                answers[f"Keras {ending}, saved again"] = own(zeropoint, folder / f"again.{ending}", x, folder)
        first = answers["Zeropoint tflite"]
        for name, answer in answers.items():
            off = np.abs(answer - first).max() / np.abs(first).max()
            wrong += not off < CLOSE
            print(f"{name:28} {answer.shape} differs by {off:.1e} of the peak")
    sys.exit(1 if wrong else 0)


main()
