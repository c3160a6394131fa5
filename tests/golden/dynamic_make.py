"""Makes dynamic.bin.gz: small squeeze-and-excite networks in dynamic mode as TensorFlow converts them, with every tensor that LiteRT's
reference kernels compute.

    python dynamic_make.py          needs tensorflow 2.21, ai-edge-litert 2.3.0 and numpy

The format: ops_common.py, with "tensors" (computed tensors by index) as in networks_make.py. Weights are random, so that an error in
the last bit of one layer grows to whole steps in the layers behind it. Some are small enough to stay float.
"""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
import numpy as np
import tensorflow as tf
from ai_edge_litert.interpreter import Interpreter, OpResolverType

from ops_common import HERE, gzip, json

rng = np.random.default_rng(7)
L = tf.keras.layers


def normed(x, activation):
    x = L.BatchNormalization()(x)
    return L.Activation(activation)(x) if activation else x


def block(x, activation, wide=128, narrow=16, stride=1, kernel=3):
    """An inverted bottleneck with squeeze and excite, and a residual where the shapes allow."""
    y = normed(L.Conv2D(wide, 1, use_bias=False)(x), activation)
    y = normed(L.DepthwiseConv2D(kernel, strides=stride, padding="same", use_bias=False)(y), activation)
    s = L.GlobalAveragePooling2D(keepdims=True)(y)
    s = L.Conv2D(8, 1, activation=activation)(s)
    s = L.Conv2D(wide, 1, activation="sigmoid")(s)
    y = normed(L.Conv2D(narrow, 1, use_bias=False)(L.Multiply()([y, s])), None)
    return L.Add()([x, y]) if x.shape == y.shape else y


def efficient(batch):
    """As EfficientNet: swish, i.e. LOGISTIC and MUL."""
    i = x = tf.keras.Input((12, 12, 3), batch_size=batch)
    x = normed(L.Conv2D(16, 3, strides=2, padding="same", use_bias=False)(x), "swish")
    x = normed(L.DepthwiseConv2D(3, padding="same", use_bias=False)(x), "swish")
    for stride, kernel in (1, 3), (2, 5), (1, 3), (1, 3):
        x = block(x, "swish", stride=stride, kernel=kernel)
    x = normed(L.Conv2D(72, 1, use_bias=False)(x), "swish")
    x = L.GlobalAveragePooling2D()(x)
    return tf.keras.Model(i, L.Dense(20, activation="softmax")(x))


def mobile(batch):
    """As MobileNet v3 and Inception: HARD_SWISH, RELU, pools side by side."""
    i = x = tf.keras.Input((10, 10, 3), batch_size=batch)
    x = L.Conv2D(16, 3, strides=2, padding="same", activation="hard_silu")(x)
    for activation in "hard_silu", "relu", "relu6":
        x = block(x, activation)
        pools = [L.AveragePooling2D(3, 1, "same")(x), L.MaxPooling2D(3, 1, "same")(x)]
        x = L.Conv2D(16, 3, padding="same", activation=activation)(L.Concatenate()(pools))
    x = L.Dense(40, activation="tanh")(L.Flatten()(x))
    return tf.keras.Model(i, L.Dense(30)(x))


def converted(model):
    for w in model.weights:
        if "variance" in w.path:
            w.assign(rng.uniform(0.5, 2.0, w.shape))
        elif len(w.shape) > 1:
            w.assign(rng.standard_normal(w.shape) * 1.5 / np.sqrt(np.prod(w.shape[:-1])))
        else:
            w.assign(rng.standard_normal(w.shape) * 0.3 + ("gamma" in w.path))
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    return converter.convert()


def main():
    index, blobs = [], bytearray()

    def blob(data):
        blobs.extend(data)
        return [len(blobs) - len(data), len(data)]

    def array(x):
        return {"dtype": x.dtype.name, "shape": list(x.shape), "at": blob(x.tobytes())}

    for build in efficient, mobile:
        for batch in 1, 2:
            model = converted(build(batch))
            where = blob(model)
            it = Interpreter(
                model_content=model,
                experimental_op_resolver_type=OpResolverType.BUILTIN_REF,
                experimental_preserve_all_tensors=True,
            )
            it.allocate_tensors()
            (d,) = it.get_input_details()
            for number in range(4):
                x = rng.uniform(-1, 1, d["shape"]).astype(np.float32)
                it.set_tensor(d["index"], x)
                it.invoke()
                # Every tensor once, and no more of the others than the outputs.
                seen = [int(o) for op in it._get_ops_details() for o in op["outputs"]] if (number, batch) == (0, 1) else []
                index.append({
                    "name": f"{build.__name__} batch {batch}, input {number}",
                    "model": where,
                    "inputs": [array(x)],
                    "outputs": [array(it.get_tensor(o["index"])) for o in it.get_output_details()],
                    "tensors": {t: array(it.get_tensor(t)) for t in seen},
                })
            ops = sorted({op["op_name"] for op in it._get_ops_details()})
            print(build.__name__, batch, len(model), "bytes,", len(it._get_ops_details()), "nodes:", *ops)
    head = json.dumps(index).encode()
    data = gzip.compress(len(head).to_bytes(8, "little") + head + bytes(blobs), 9, mtime=0)
    (HERE / "dynamic.bin.gz").write_bytes(data)
    print(len(index), "cases,", len(data), "bytes")


if __name__ == "__main__":
    main()
