"""Makes flow.bin.gz: small networks with control flow, variables and recurrence as TensorFlow converts them, with what LiteRT computes.

    python flow_make.py          needs tensorflow 2.21, ai-edge-litert 2.3.0 and numpy

The format: ops_common.py. Outputs are those of LiteRT's reference kernels, or of its only ones where it has no reference.
"""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
import numpy as np
import tensorflow as tf

from ops_common import HERE, gzip, json, run

rng = np.random.default_rng(5)
FLOATS = tf.TensorSpec([2, 3], tf.float32)


def x(*shape):
    return rng.standard_normal(shape).astype(np.float32)


def converted(function, *specs):
    concrete = tf.function(function).get_concrete_function(*specs)
    return tf.lite.TFLiteConverter.from_concrete_functions([concrete]).convert()


def keras(*layers, shape=(5, 3), batch=1):
    model = tf.keras.Sequential([tf.keras.Input(shape, batch_size=batch), *layers])
    for w in model.weights:
        w.assign(rng.standard_normal(w.shape) * 0.5)
    return tf.lite.TFLiteConverter.from_keras_model(model).convert()


def halving(x):
    """Halves x until its largest value is below 1."""
    return tf.while_loop(lambda x, n: tf.reduce_max(x) > 1.0, lambda x, n: (x * 0.5, n + 1), (x, 0))


def nested(x):
    def outer(i, x):
        _, x = tf.while_loop(lambda j, x: j < i, lambda j, x: (j + 1, x + tf.cast(j, tf.float32)), (0, x))
        return i + 1, x
    return tf.while_loop(lambda i, x: i < 4, outer, (0, x))[1]


def branching(x):
    return tf.cond(tf.reduce_sum(x) > 0.0, lambda: tf.nn.relu(x), lambda: x * x - 1.0)


class Counter(tf.Module):
    def __init__(self):
        self.total = tf.Variable(np.float32([[1, 2, 3], [4, 5, 6]]))

    @tf.function(input_signature=[FLOATS])
    def __call__(self, x):
        self.total.assign_add(x)
        return self.total * 2.0


def counter():
    module = Counter()
    concrete = module.__call__.get_concrete_function()
    return tf.lite.TFLiteConverter.from_concrete_functions([concrete], module).convert()


def cases():
    yield "while halving", converted(halving, FLOATS), [x(2, 3) * 20]
    yield "while no round", converted(halving, FLOATS), [x(2, 3) * 0.1]
    yield "while nested", converted(nested, FLOATS), [x(2, 3)]
    yield "if true", converted(branching, FLOATS), [np.abs(x(2, 3))]
    yield "if false", converted(branching, FLOATS), [-np.abs(x(2, 3))]
    yield "variable", counter(), [x(2, 3)]
    layers = tf.keras.layers
    yield "lstm", keras(layers.LSTM(4)), [x(1, 5, 3)]
    yield "lstm sequences", keras(layers.LSTM(4, return_sequences=True), layers.LSTM(3)), [x(1, 5, 3)]
    yield "bidirectional lstm", keras(layers.Bidirectional(layers.LSTM(4, return_sequences=True))), [x(1, 5, 3)]
    yield "gru", keras(layers.GRU(4)), [x(1, 5, 3)]
    yield "gru sequences", keras(layers.GRU(4, return_sequences=True), batch=2), [x(2, 5, 3)]
    yield "simple rnn", keras(layers.SimpleRNN(4, return_sequences=True)), [x(1, 5, 3)]
    yield "bidirectional gru", keras(layers.Bidirectional(layers.GRU(4))), [x(1, 5, 3)]


def main():
    index, blobs = [], bytearray()

    def blob(data):
        blobs.extend(data)
        return [len(blobs) - len(data), len(data)]

    def array(x):
        x = np.asarray(x)
        return {"dtype": x.dtype.name, "shape": list(x.shape), "at": blob(x.tobytes())}

    for name, model, inputs in cases():
        result = run(model, inputs)
        if isinstance(result, str):
            print(f"{name}: {result}", flush=True)
            continue
        index.append({"name": name, "model": blob(model), "inputs": [array(v) for v in inputs], "outputs": [array(v) for v in result]})
        print(name, len(model), flush=True)
    head = json.dumps(index).encode()
    data = gzip.compress(len(head).to_bytes(8, "little") + head + bytes(blobs), 9, mtime=0)
    (HERE / "flow.bin.gz").write_bytes(data)
    print(len(index), "cases", len(data), "bytes")


if __name__ == "__main__":
    main()
