"""Makes networks_mnist.bin.gz: TensorFlow's eight MNIST files with every tensor that LiteRT's reference kernels compute.

    python networks_make.py DIRECTORY      the directory of TensorFlow's .tflite files; needs ai-edge-litert 2.3.0 and numpy

The format is that of ops_make.py, with "tensors" (computed tensors by index) beside the outputs. The networks were trained
on MNIST (Y. LeCun, C. Cortes, C. J. C. Burges; CC BY-SA 3.0); the inputs are random. The float weights appear in several of
the files, which the compression removes.
"""

import gzip
import json
import pathlib
import sys

import numpy as np
from ai_edge_litert.interpreter import Interpreter, OpResolverType

HERE = pathlib.Path(__file__).parent


def main():
    index, blobs = [], bytearray()

    def blob(data):
        blobs.extend(data)
        return [len(blobs) - len(data), len(data)]

    def array(x):
        x = np.asarray(x)
        return {"dtype": x.dtype.name, "shape": list(x.shape), "at": blob(x.tobytes())}

    rng = np.random.default_rng(0)
    for path in sorted(pathlib.Path(sys.argv[1]).glob("*.tflite")):
        model = path.read_bytes()
        it = Interpreter(
            model_content=model,
            experimental_op_resolver_type=OpResolverType.BUILTIN_REF,
            experimental_preserve_all_tensors=True,
        )
        it.allocate_tensors()
        (d,) = it.get_input_details()
        # A blurred blob on black, as digits are.
        x = np.zeros((28, 28))
        for _ in range(12):
            cy, cx = rng.uniform(6, 22, 2)
            y, z = np.mgrid[:28, :28]
            x = np.maximum(x, np.exp(-((y - cy) ** 2 + (z - cx) ** 2) / 4))
        if d["dtype"] == np.float32:
            x = x.astype(np.float32)
        else:
            scale, zero = d["quantization"]
            i = np.iinfo(d["dtype"])
            x = np.clip(np.round(x / scale) + zero, i.min, i.max).astype(d["dtype"])
        x = x.reshape(d["shape"])
        it.set_tensor(d["index"], x)
        it.invoke()
        computed = {int(o) for op in it._get_ops_details() for o in op["outputs"]}
        tensors = {}
        for t in sorted(computed):
            value = it.get_tensor(t)
            if value.size < 25000:  # the rest is dequantized weights
                tensors[t] = array(value)
        index.append({
            "name": path.stem,
            "model": blob(model),
            "inputs": [array(x)],
            "outputs": [array(it.get_tensor(o["index"])) for o in it.get_output_details()],
            "tensors": tensors,
        })
        print(path.stem, len(tensors), "tensors")
    head = json.dumps(index).encode()
    data = gzip.compress(len(head).to_bytes(8, "little") + head + bytes(blobs), 9, mtime=0)
    (HERE / "networks_mnist.bin.gz").write_bytes(data)
    print(len(index), "networks,", len(data), "bytes")


if __name__ == "__main__":
    main()
