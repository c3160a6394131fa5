"""Makes the golden files of Keras layers: tiny models as Keras saves them, with what Keras itself computes from them.

    python keras_make.py [GROUP ...] [--list]     needs tensorflow 2.21, keras 3.15 and tf-keras 2.21

Writes keras/<group>.bin.gz in the format of ops_make.py. A case is {"name", "model": [offset, length], "inputs", "outputs",
"operators"}: the model is the whole .keras or .h5 file, the outputs are Keras's own in float32, and operators counts those
of all subgraphs in the .tflite that TensorFlow's converter makes of the same model at batch 1 (null where it refuses).
Where both generations of Keras save a case, the smaller count holds for both (but for hard_sigmoid,
which Keras 3 defines anew). Names end in what wrote the file:

| ending | file |
|---|---|
| .keras | Keras 3, its own format |
| .h5 | Keras 3, HDF5 |
| .k2.h5 | Keras 2.15's code (tf-keras), HDF5 |
| .k2.keras | the same code, `.keras` |
| .old.h5 | the HDF5 file of tf-keras with its JSON and names rewritten to the layout of Keras 2.0 to 2.2 |

`refused` holds files that must not open, or not without a word; their outputs are absent.
"""

import gzip
import io
import json
import os
import pathlib
import sys
import tempfile

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")

import contextlib

import h5py
import keras
import numpy as np
import tensorflow as tf
import tf_keras
from tensorflow.lite.python import schema_py_generated as schema

HERE = pathlib.Path(__file__).parent
NAMES = {v: k for k, v in vars(schema.BuiltinOperator).items() if isinstance(v, int)}
ALL = ("keras", "h5", "k2.h5", "k2.keras")
GROUPS = {}


def case(group, name, build, formats=("keras",), ints=None, refused=False, zeros=False):
    """Adds a case: build(K, batch) makes its model with module K; ints is the upper bound of integer inputs, zeros sets every other
    step of the inputs to 0."""
    GROUPS.setdefault(group, []).append((name, build, formats, ints, refused, zeros))


def seq(group, name, shape, layers, formats=("keras",), **more):
    """Adds a sequential model: layers(L) lists the layers."""

    def build(K, batch):
        kind = more.get("dtype")
        return K.Sequential([K.Input(shape, batch_size=batch, **({"dtype": kind} if kind else {})), *layers(K.layers)])

    case(group, name, build, formats, ints=more.get("ints"), refused=more.get("refused", False), zeros=more.get("zeros", False))


def net(group, name, shapes, body, formats=("keras",), **more):
    """Adds a functional model: body(L, inputs...) gives its output or outputs; batch is what the saved model says of it.

    With any_batch TensorFlow converts the model as it is saved, batch unknown.
    """

    def build(K, batch):
        batch = None if more.get("any_batch") else batch or more.get("batch")
        kinds = more.get("dtypes", [None] * len(shapes))
        x = [K.Input(s, batch_size=batch, **({"dtype": d} if d else {})) for s, d in zip(shapes, kinds)]
        y = body(K.layers, *x)
        return K.Model(x if len(x) > 1 else x[0], y)

    case(group, name, build, formats, ints=more.get("ints"), refused=more.get("refused", False), zeros=more.get("zeros", False))


# ---- the cases -----------------------------------------------------------------------------------------------------


def convolutions():
    g = "conv"
    S, I = (9, 8, 4), (12, 4)
    seq(g, "dense", (5,), lambda L: [L.Dense(7, activation="relu")], ALL + ("old.h5",))
    seq(g, "dense_no_bias", (5,), lambda L: [L.Dense(7, use_bias=False)])
    seq(g, "dense_3d", (3, 5), lambda L: [L.Dense(7, activation="tanh")], ALL)
    seq(g, "dense_4d", (2, 3, 5), lambda L: [L.Dense(4, activation="sigmoid")])
    seq(g, "dense_two_batch_norm", (6,), lambda L: [L.Dense(5), L.BatchNormalization(), L.ReLU(), L.Dense(3, activation="softmax")], ALL)
    for padding in ("valid", "same", "causal"):
        seq(g, f"conv1d_{padding}", I, lambda L, p=padding: [L.Conv1D(6, 3, padding=p, activation="relu")], ALL if padding == "same" else ("keras",))
        seq(g, f"conv1d_{padding}_dilated", I, lambda L, p=padding: [L.Conv1D(6, 3, padding=p, dilation_rate=2)])
        seq(g, f"conv1d_{padding}_stride", I, lambda L, p=padding: [L.Conv1D(6, 3, padding=p, strides=2)])
    seq(g, "conv1d_groups", I, lambda L: [L.Conv1D(6, 3, groups=2, padding="same")])
    seq(g, "conv1d_stack", I, lambda L: [L.Conv1D(6, 3, activation="relu"), L.BatchNormalization(), L.Conv1D(5, 3, padding="causal", dilation_rate=2, activation="relu"), L.GlobalAveragePooling1D()], ALL)
    seq(g, "conv2d_valid", S, lambda L: [L.Conv2D(5, 3, activation="relu")], ALL + ("old.h5",))
    seq(g, "conv2d_same_stride", S, lambda L: [L.Conv2D(5, (3, 2), strides=(2, 1), padding="same")])
    seq(g, "conv2d_dilated", S, lambda L: [L.Conv2D(5, 3, dilation_rate=2, padding="same", activation="relu6")])
    seq(g, "conv2d_dilated_valid", S, lambda L: [L.Conv2D(5, 3, dilation_rate=(2, 1), use_bias=False)])
    seq(g, "conv2d_groups", S, lambda L: [L.Conv2D(6, 3, groups=2, padding="same", activation="relu")])
    seq(g, "conv2d_transpose_valid", (4, 5, 3), lambda L: [L.Conv2DTranspose(4, 3, strides=2)], ALL)
    seq(g, "conv2d_transpose_same", (4, 5, 3), lambda L: [L.Conv2DTranspose(4, 3, strides=2, padding="same", activation="relu")])
    seq(g, "conv2d_transpose_one", (4, 5, 3), lambda L: [L.Conv2DTranspose(4, (2, 3), strides=1, padding="same", use_bias=False)])
    seq(g, "conv2d_transpose_output_padding", (4, 5, 3), lambda L: [L.Conv2DTranspose(4, 3, strides=2, padding="same", output_padding=1)])
    seq(g, "conv2d_transpose_batch_norm", (4, 5, 3), lambda L: [L.Conv2DTranspose(4, 4, strides=2, padding="same", use_bias=False), L.BatchNormalization(), L.LeakyReLU(0.2)])
    seq(g, "conv1d_transpose_same", (6, 3), lambda L: [L.Conv1DTranspose(4, 3, strides=2, padding="same", activation="relu")], ALL)
    seq(g, "conv1d_transpose_valid", (6, 3), lambda L: [L.Conv1DTranspose(4, 3, strides=2)])
    for m in (1, 2):
        seq(g, f"depthwise_conv2d_{m}", S, lambda L, m=m: [L.DepthwiseConv2D(3, depth_multiplier=m, padding="same", activation="relu")], ALL + ("old.h5",))
        seq(g, f"depthwise_conv1d_{m}", I, lambda L, m=m: [L.DepthwiseConv1D(3, depth_multiplier=m, activation="relu")], ALL)
        seq(g, f"separable_conv2d_{m}", S, lambda L, m=m: [L.SeparableConv2D(5, 3, depth_multiplier=m, activation="relu")], ALL + ("old.h5",))
        seq(g, f"separable_conv1d_{m}", I, lambda L, m=m: [L.SeparableConv1D(5, 3, depth_multiplier=m, padding="same")], ALL)
    seq(g, "depthwise_conv2d_stride", S, lambda L: [L.DepthwiseConv2D(3, strides=2, padding="same")])
    seq(g, "depthwise_conv2d_dilated", S, lambda L: [L.DepthwiseConv2D(3, dilation_rate=2, use_bias=False)])
    seq(g, "depthwise_conv1d_same_stride", I, lambda L: [L.DepthwiseConv1D(3, strides=2, padding="same")])
    seq(g, "separable_conv2d_dilated", S, lambda L: [L.SeparableConv2D(5, 3, dilation_rate=2, padding="same")])


def normalizations():
    g = "norm"
    seq(g, "batch_norm_alone", (4, 3), lambda L: [L.BatchNormalization()], ALL + ("old.h5",))
    seq(g, "batch_norm_no_scale", (4, 4, 3), lambda L: [L.BatchNormalization(scale=False), L.ReLU()])
    seq(g, "batch_norm_no_center", (5,), lambda L: [L.BatchNormalization(center=False, epsilon=1e-5)])
    seq(g, "batch_norm_axis_1", (4, 3), lambda L: [L.BatchNormalization(axis=1)])
    seq(g, "batch_norm_before_conv", (6, 6, 3), lambda L: [L.BatchNormalization(), L.Conv2D(4, 3), L.BatchNormalization(), L.Activation("relu")])
    seq(g, "layer_norm", (4, 6), lambda L: [L.LayerNormalization()], ALL)
    seq(g, "layer_norm_2d", (6,), lambda L: [L.LayerNormalization(epsilon=1e-6)])
    seq(g, "layer_norm_axes", (4, 3, 2), lambda L: [L.LayerNormalization(axis=[1, 2])])
    seq(g, "layer_norm_last_two", (4, 3, 2), lambda L: [L.LayerNormalization(axis=[-1, -2])])
    seq(g, "layer_norm_axis_1", (4, 6), lambda L: [L.LayerNormalization(axis=1)])
    seq(g, "layer_norm_no_scale", (4, 6), lambda L: [L.LayerNormalization(scale=False)])
    seq(g, "layer_norm_bare", (4, 6), lambda L: [L.LayerNormalization(scale=False, center=False)])
    case(g, "layer_norm_rms", lambda K, b: K.Sequential([K.Input((4, 6), batch_size=b), K.layers.RMSNormalization()]))
    seq(g, "group_norm", (4, 4, 6), lambda L: [L.GroupNormalization(groups=3)], ALL)
    seq(g, "group_norm_instance", (4, 4, 6), lambda L: [L.GroupNormalization(groups=-1)])
    seq(g, "group_norm_one", (5, 6), lambda L: [L.GroupNormalization(groups=1, scale=False)])
    seq(g, "group_norm_vector", (6,), lambda L: [L.GroupNormalization(groups=2, center=False)])
    seq(g, "unit_norm", (4, 6), lambda L: [L.UnitNormalization()], ALL)
    seq(g, "unit_norm_axes", (4, 3, 5), lambda L: [L.UnitNormalization(axis=[1, 3])])

    def normalization(L, **o):
        if "mean" not in o and not o.pop("plain", False):
            layer = L.Normalization(**o)
            layer.adapt(np.random.default_rng(5).normal(1, 3, (50, 3, 4)).astype(np.float32))
            return layer
        return L.Normalization(**o)

    seq(g, "normalization", (3, 4), lambda L: [normalization(L)], ALL)
    seq(g, "normalization_given", (3, 4), lambda L: [L.Normalization(mean=[0.1, 0.2, 0.3, -4.0], variance=[1.0, 2.0, 0.5, 9.0])])
    seq(g, "normalization_scalar", (3, 4), lambda L: [L.Normalization(axis=None, mean=0.5, variance=4.0)])
    seq(g, "normalization_two_axes", (3, 4), lambda L: [normalization(L, axis=(1, 2))])
    seq(g, "normalization_invert", (3, 4), lambda L: [L.Normalization(mean=0.5, variance=4.0, invert=True)])
    seq(g, "rescaling", (3, 4), lambda L: [L.Rescaling(1 / 127.5, offset=-1)], ALL)
    seq(g, "rescaling_only_scale", (4, 4, 3), lambda L: [L.Rescaling(1 / 255), L.Conv2D(2, 3)])
    seq(g, "rescaling_vector", (4, 4, 3), lambda L: [L.Rescaling([0.5, 0.25, 2.0], offset=[0.1, 0.0, -3.0])])


def windows():
    g = "window"
    for kind in ("Max", "Average"):
        for p in ("valid", "same"):
            seq(g, f"{kind.lower()}_pool_2d_{p}", (7, 6, 3), lambda L, k=kind, p=p: [getattr(L, k + "Pooling2D")((3, 2), strides=(2, 1), padding=p)], ALL if p == "same" else ("keras",))
            seq(g, f"{kind.lower()}_pool_1d_{p}", (7, 3), lambda L, k=kind, p=p: [getattr(L, k + "Pooling1D")(2, padding=p)], ALL if p == "same" else ("keras", "old.h5"))
        for keep in (False, True):
            seq(g, f"global_{kind.lower()}_2d_keep_{keep}".lower(), (5, 4, 3), lambda L, k=kind, keep=keep: [getattr(L, f"Global{k}Pooling2D")(keepdims=keep)], ALL)
            seq(g, f"global_{kind.lower()}_1d_keep_{keep}".lower(), (5, 3), lambda L, k=kind, keep=keep: [getattr(L, f"Global{k}Pooling1D")(keepdims=keep)], ALL)
    seq(g, "zero_padding_1d", (4, 3), lambda L: [L.ZeroPadding1D((1, 2))], ALL)
    seq(g, "zero_padding_2d", (4, 3, 2), lambda L: [L.ZeroPadding2D(((1, 2), (0, 3)))], ALL + ("old.h5",))
    seq(g, "zero_padding_conv", (7, 7, 2), lambda L: [L.ZeroPadding2D(((0, 1), (0, 1))), L.Conv2D(3, 3, strides=2)])
    seq(g, "cropping_1d", (7, 3), lambda L: [L.Cropping1D((1, 2))], ALL)
    seq(g, "cropping_2d", (6, 5, 2), lambda L: [L.Cropping2D(((1, 2), (0, 3)))], ALL)
    seq(g, "cropping_2d_none", (6, 5, 2), lambda L: [L.Cropping2D(0)])
    seq(g, "up_sampling_1d", (4, 3), lambda L: [L.UpSampling1D(3)], ALL)
    seq(g, "up_sampling_2d", (4, 3, 2), lambda L: [L.UpSampling2D((2, 3))], ALL + ("old.h5",))
    seq(g, "up_sampling_2d_bilinear", (4, 3, 2), lambda L: [L.UpSampling2D((2, 3), interpolation="bilinear")], ALL)
    for i in ("bilinear", "nearest"):
        seq(g, f"resizing_{i}", (4, 3, 2), lambda L, i=i: [L.Resizing(7, 8, interpolation=i)], ALL)
        seq(g, f"resizing_{i}_down", (8, 9, 2), lambda L, i=i: [L.Resizing(5, 3, interpolation=i)])
    seq(g, "resizing_crop", (8, 12, 2), lambda L: [L.Resizing(4, 4, crop_to_aspect_ratio=True)])
    seq(g, "center_crop", (7, 8, 2), lambda L: [L.CenterCrop(4, 5)], ALL)
    seq(g, "center_crop_same", (4, 5, 2), lambda L: [L.CenterCrop(4, 5)])
    seq(g, "center_crop_larger", (4, 5, 2), lambda L: [L.CenterCrop(6, 8)])


def shapes():
    g = "shape"
    seq(g, "flatten", (3, 4, 2), lambda L: [L.Flatten()], ALL + ("old.h5",))
    seq(g, "flatten_vector", (4,), lambda L: [L.Flatten(), L.Dense(2)])
    seq(g, "reshape", (3, 4), lambda L: [L.Reshape((2, 6))], ALL + ("old.h5",))
    seq(g, "reshape_unknown", (3, 4), lambda L: [L.Reshape((-1, 2, 3))])
    seq(g, "permute", (3, 4, 2), lambda L: [L.Permute((3, 1, 2))], ALL)
    seq(g, "permute_none", (3, 4), lambda L: [L.Permute((1, 2))])
    seq(g, "repeat_vector", (4,), lambda L: [L.RepeatVector(3)], ALL + ("old.h5",))
    for n, layer in {
        "dropout": lambda L: L.Dropout(0.5),
        "spatial_dropout_1d": lambda L: L.SpatialDropout1D(0.5),
        "gaussian_noise": lambda L: L.GaussianNoise(0.5),
        "gaussian_dropout": lambda L: L.GaussianDropout(0.5),
        "alpha_dropout": lambda L: L.AlphaDropout(0.5),
        "activity_regularization": lambda L: L.ActivityRegularization(0.1),
    }.items():
        seq(g, n, (3, 4), lambda L, f=layer: [L.Dense(5), f(L), L.Dense(3)], ("keras", "k2.h5"))
    seq(g, "spatial_dropout_2d", (3, 4, 2), lambda L: [L.SpatialDropout2D(0.5), L.Conv2D(2, 1)])
    seq(g, "augmentation", (6, 6, 3), lambda L: [L.RandomFlip(), L.RandomRotation(0.1), L.RandomZoom(0.1), L.RandomContrast(0.1), L.RandomTranslation(0.1, 0.1), L.Conv2D(2, 3)], ("keras", "k2.h5"))
    seq(g, "only_dropout", (3, 4), lambda L: [L.Dropout(0.5)])
    seq(g, "identity", (3, 4), lambda L: [L.Dense(4), L.Identity(), L.Activation("linear")])


def activations():
    g = "activation"
    names = ["relu", "relu6", "leaky_relu", "elu", "selu", "gelu", "silu", "hard_sigmoid", "hard_silu", "sigmoid", "tanh", "softmax",
             "softplus", "softsign", "exponential", "linear", "mish", "log_softmax", "log_sigmoid", "celu", "glu", "hard_tanh",
             "hard_shrink", "soft_shrink", "tanh_shrink", "squareplus", "sparse_plus", "sparse_sigmoid"]
    both = {"relu", "elu", "selu", "gelu", "sigmoid", "tanh", "softmax", "softplus", "softsign", "exponential", "linear", "hard_sigmoid"}
    for a in names:
        formats = ("keras", "k2.h5", "old.h5") if a in both and a != "gelu" else ("keras",)
        seq(g, f"activation_{a}", (3, 8), lambda L, a=a: [L.Activation(a)], formats)
        if a != "glu":
            seq(g, f"dense_{a}", (6,), lambda L, a=a: [L.Dense(5, activation=a), L.Dense(4)], ("keras", "k2.h5") if a in both else ("keras",))
    seq(g, "conv_silu", (5, 5, 2), lambda L: [L.Conv2D(3, 3, activation="silu")])
    seq(g, "conv_hard_silu", (5, 5, 2), lambda L: [L.Conv2D(3, 3, activation="hard_silu")])
    seq(g, "swish_old_name", (6,), lambda L: [L.Dense(5, activation="swish")], ("k2.h5", "k2.keras"))
    seq(g, "gelu_tanh", (6,), lambda L: [L.Activation(keras.activations.gelu), L.Dense(3)], ("keras",))
    seq(g, "softmax_4d", (3, 2, 5), lambda L: [L.Activation("softmax")])
    seq(g, "layer_relu", (3, 5), lambda L: [L.ReLU()], ALL)
    seq(g, "layer_relu_max", (3, 5), lambda L: [L.ReLU(max_value=0.7)], ALL)
    seq(g, "layer_relu_6", (4, 4, 2), lambda L: [L.Conv2D(4, 3), L.ReLU(max_value=6.0)], ALL)
    seq(g, "layer_relu_slope", (3, 5), lambda L: [L.ReLU(negative_slope=0.1)], ALL)
    seq(g, "layer_relu_threshold", (3, 5), lambda L: [L.ReLU(threshold=0.3)])
    seq(g, "layer_relu_all", (3, 5), lambda L: [L.ReLU(negative_slope=0.1, max_value=0.8, threshold=0.2)], ALL)
    seq(g, "layer_relu_slope_max", (3, 5), lambda L: [L.ReLU(negative_slope=0.1, max_value=6.0)])
    seq(g, "layer_leaky_relu", (3, 5), lambda L: [L.LeakyReLU()], ALL + ("old.h5",))
    seq(g, "layer_elu", (3, 5), lambda L: [L.ELU()], ALL)
    seq(g, "layer_elu_alpha", (3, 5), lambda L: [L.ELU(alpha=0.5)])
    seq(g, "layer_prelu", (3, 5), lambda L: [L.PReLU()], ALL)
    seq(g, "layer_prelu_shared", (4, 3, 5), lambda L: [L.PReLU(shared_axes=[1, 2])], ALL)
    seq(g, "layer_prelu_conv", (4, 3, 5), lambda L: [L.Conv2D(4, 2), L.PReLU(shared_axes=[1])])
    seq(g, "layer_softmax", (3, 5), lambda L: [L.Softmax()], ALL)
    seq(g, "layer_softmax_axis", (3, 5), lambda L: [L.Softmax(axis=1)], ALL)
    seq(g, "layer_softmax_axes", (3, 4, 5), lambda L: [L.Softmax(axis=[2, 3])])
    seq(g, "thresholded_relu", (3, 5), lambda L: [L.ThresholdedReLU(0.4)], ("k2.h5",))


def merges():
    g = "merge"
    for n in ("Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum"):
        net(g, n.lower(), [(3, 4), (3, 4)], lambda L, a, b, n=n: getattr(L, n)()([a, b]), ALL)
        if n != "Subtract":
            net(g, f"{n.lower()}_three", [(3, 4)] * 3, lambda L, a, b, c, n=n: getattr(L, n)()([a, b, c]), ("keras", "k2.h5", "old.h5"))
    net(g, "add_broadcast", [(3, 4), (1, 4)], lambda L, a, b: L.Add()([a, b]))
    net(g, "multiply_broadcast", [(3, 2, 4), (1, 1, 4)], lambda L, a, b: L.Multiply()([a, b]))
    net(g, "multiply_rank", [(3, 4), (4,)], lambda L, a, b: L.Multiply()([a, b]), ("keras",), batch=1)
    net(g, "multiply_rank_any_batch", [(3, 4), (4,)], lambda L, a, b: L.Multiply()([a, b]), ("keras",), any_batch=True)
    net(g, "add_relu", [(3, 4), (3, 4)], lambda L, a, b: L.ReLU()(L.Add()([a, b])), ("keras", "k2.h5"))
    for axis in (-1, 1, 2):
        net(g, f"concatenate_{axis}", [(3, 4), (3, 4)], lambda L, a, b, x=axis: L.Concatenate(axis=x)([a, b]), ALL if axis == 1 else ("keras",))
    net(g, "concatenate_five", [(3, 2)] * 5, lambda L, *x: L.Concatenate()(list(x)), ("keras", "old.h5"))
    net(g, "dot_vectors", [(5,), (5,)], lambda L, a, b: L.Dot(axes=1)([a, b]), ALL)
    net(g, "dot_normalized", [(5,), (5,)], lambda L, a, b: L.Dot(axes=1, normalize=True)([a, b]))
    net(g, "dot_matrices", [(3, 4), (4, 2)], lambda L, a, b: L.Dot(axes=(2, 1))([a, b]), ALL)
    net(g, "dot_last", [(3, 4), (5, 4)], lambda L, a, b: L.Dot(axes=2)([a, b]))
    net(g, "dot_first", [(4, 3), (4, 5)], lambda L, a, b: L.Dot(axes=1)([a, b]))
    net(g, "dot_matrix_vector", [(3, 4), (4,)], lambda L, a, b: L.Dot(axes=(2, 1))([a, b]))

    def nested(L, x):
        K = keras if L is keras.layers else tf_keras
        i = K.Input(x.shape[1:])
        inner = K.Model(i, L.Dense(4, activation="relu", name="inner_dense")(i), name="inner")
        deep = K.Sequential([K.Input((4,)), L.Dense(5), L.BatchNormalization(), inner_2(K)], name="deep")
        return deep(inner(x))

    def inner_2(K):
        i = K.Input((5,))
        return K.Model(i, [K.layers.Dense(3, name="last")(i)], name="inner_2")

    net(g, "nested", [(6,)], nested, ALL)

    def shared(L, a, b):
        d = L.Dense(4, activation="relu")
        n = L.BatchNormalization()
        return L.Subtract()([n(d(a)), n(d(b))])

    net(g, "shared_layer", [(6,), (6,)], shared, ALL + ("old.h5",))

    def shared_model(L, a, b):
        K = keras if L is keras.layers else tf_keras
        m = K.Sequential([K.Input((5, 3)), L.Conv1D(4, 3, activation="relu"), L.GlobalMaxPooling1D()], name="tower")
        return L.Concatenate()([m(a), m(b)])

    net(g, "shared_model", [(5, 3), (5, 3)], shared_model, ALL)

    def several(L, a, b):
        x = L.Dense(4, activation="relu")(a)
        y = L.Concatenate()([x, b])
        return [L.Dense(2, activation="softmax", name="first")(y), x, L.Dense(1, name="second")(y)]

    net(g, "several_in_and_out", [(6,), (3,)], several, ALL + ("old.h5",))

    def inner_many(L, a, b):
        K = keras if L is keras.layers else tf_keras
        p, q = K.Input((4,)), K.Input((4,))
        m = K.Model([p, q], [L.Add()([p, q]), L.Multiply()([p, q])], name="pair")
        s, t = m([a, b])
        u, v = m([t, s])
        return L.Concatenate()([s, v, u])

    net(g, "nested_pair_twice", [(4,), (4,)], inner_many, ALL)
    net(g, "same_output_twice", [(4,)], lambda L, a: (lambda x: [x, x])(L.Dense(3)(a)), ("keras",))
    net(g, "input_is_output", [(4,)], lambda L, a: [a, L.Dense(3)(a)], ("keras",))
    net(g, "operators_on_tensors", [(4,), (4,)], lambda L, a, b: L.Dense(3)((a + b) * 2.0 - a / 3.0), ("keras", "k2.h5"))
    net(g, "time_distributed_dense", [(3, 4)], lambda L, a: L.TimeDistributed(L.Dense(5, activation="relu"))(a), ALL)
    net(g, "time_distributed_conv", [(3, 6, 5, 2)], lambda L, a: L.TimeDistributed(L.Conv2D(3, 3, activation="relu"))(a), ALL)
    net(g, "time_distributed_flatten", [(3, 4, 2)], lambda L, a: L.TimeDistributed(L.Flatten())(a))
    net(g, "time_distributed_pool", [(3, 4, 4, 2)], lambda L, a: L.TimeDistributed(L.GlobalAveragePooling2D())(a))

    def inner_time(L, a):
        K = keras if L is keras.layers else tf_keras
        m = K.Sequential([K.Input((6, 5, 2)), L.Conv2D(3, 3, activation="relu"), L.MaxPooling2D(2), L.Flatten(), L.Dense(4)])
        return L.LSTM(3)(L.TimeDistributed(m)(a))

    net(g, "time_distributed_model_lstm", [(3, 6, 5, 2)], inner_time, ALL)


def recurrent():
    g = "rnn"
    T = (6, 3)
    seq(g, "embedding", (5,), lambda L: [L.Embedding(7, 4)], ALL, ints=7, dtype="int32")
    seq(g, "embedding_float", (5,), lambda L: [L.Embedding(7, 4), L.GlobalAveragePooling1D()], ("keras", "k2.h5", "old.h5"), ints=7)
    for n in ("SimpleRNN", "GRU", "LSTM"):
        low = n.lower().replace("simplernn", "simple_rnn")
        seq(g, low, T, lambda L, n=n: [getattr(L, n)(4)], ALL + ("old.h5",))
        seq(g, f"{low}_sequences", T, lambda L, n=n: [getattr(L, n)(4, return_sequences=True)], ALL + ("old.h5",))
        seq(g, f"{low}_backwards", T, lambda L, n=n: [getattr(L, n)(4, go_backwards=True)], ("keras", "k2.h5"))
        seq(g, f"{low}_backwards_sequences", T, lambda L, n=n: [getattr(L, n)(4, go_backwards=True, return_sequences=True)])
        seq(g, f"{low}_no_bias", T, lambda L, n=n: [getattr(L, n)(4, use_bias=False)])
        seq(g, f"{low}_stacked", T, lambda L, n=n: [getattr(L, n)(4, return_sequences=True), getattr(L, n)(3)], ALL)
        seq(g, f"{low}_unrolled", (3, 3), lambda L, n=n: [getattr(L, n)(4, unroll=True)], ("keras", "k2.h5"))
        seq(g, f"{low}_relu", T, lambda L, n=n: [getattr(L, n)(4, activation="relu")], ("keras", "k2.h5"))
        net(g, f"{low}_state", [T], lambda L, a, n=n: list(getattr(L, n)(4, return_state=True)(a)), ("keras", "k2.h5"))
        net(g, f"{low}_sequences_state", [T], lambda L, a, n=n: list(getattr(L, n)(4, return_state=True, return_sequences=True)(a)), ("keras", "k2.h5"))

        def encoder_decoder(L, a, b, n=n):
            y, *state = getattr(L, n)(4, return_state=True)(a)
            return L.Dense(2)(getattr(L, n)(4, return_sequences=True)(b, initial_state=state))

        net(g, f"{low}_initial_state", [T, (5, 2)], encoder_decoder, ("keras", "k2.h5"))
        seq(g, f"{low}_of_one_step", (1, 3), lambda L, n=n: [getattr(L, n)(4)])
        for mode in ("concat", "sum", "mul", "ave"):
            seq(g, f"bidirectional_{low}_{mode}", T, lambda L, n=n, m=mode: [L.Bidirectional(getattr(L, n)(3, return_sequences=m != "sum"), merge_mode=m)], ALL if mode == "concat" else ("keras",))
        net(g, f"bidirectional_{low}_none", [T], lambda L, a, n=n: list(L.Bidirectional(getattr(L, n)(3), merge_mode=None)(a)), ("keras", "k2.h5"))
        net(g, f"bidirectional_{low}_state", [T], lambda L, a, n=n: list(L.Bidirectional(getattr(L, n)(3, return_state=True))(a)), ("keras", "k2.h5"))
    seq(g, "gru_reset_before", T, lambda L: [L.GRU(4, reset_after=False)], ALL)
    seq(g, "gru_reset_before_no_bias", T, lambda L: [L.GRU(4, reset_after=False, use_bias=False, return_sequences=True)])
    seq(g, "gru_reset_before_bidirectional", T, lambda L: [L.Bidirectional(L.GRU(3, reset_after=False, return_sequences=True))])
    seq(g, "lstm_hard_sigmoid", T, lambda L: [L.LSTM(4, recurrent_activation="hard_sigmoid", return_sequences=True)], ("keras", "k2.h5", "old.h5"))
    seq(g, "lstm_sigmoid_gates_linear", T, lambda L: [L.LSTM(4, activation="linear")])
    seq(g, "gru_hard_sigmoid", T, lambda L: [L.GRU(4, recurrent_activation="hard_sigmoid")], ("keras", "k2.h5"))
    seq(g, "simple_rnn_linear", T, lambda L: [L.SimpleRNN(4, activation="linear")])
    seq(g, "simple_rnn_sigmoid", T, lambda L: [L.SimpleRNN(4, activation="sigmoid", return_sequences=True)])
    seq(g, "rnn_lstm_cell", T, lambda L: [L.RNN(L.LSTMCell(4))], ("keras", "k2.h5"))
    seq(g, "rnn_gru_cell", T, lambda L: [L.RNN(L.GRUCell(4), return_sequences=True)], ("keras", "k2.h5"))
    seq(g, "rnn_simple_cell", T, lambda L: [L.RNN(L.SimpleRNNCell(4))], ("keras", "k2.h5"))
    net(g, "bidirectional_own_backward", [T], lambda L, a: L.Bidirectional(L.LSTM(3), backward_layer=L.LSTM(4, go_backwards=True))(a), ("keras", "k2.h5"))
    seq(g, "text", (8,), lambda L: [L.Embedding(20, 5), L.Bidirectional(L.LSTM(4, return_sequences=True)), L.GRU(3), L.Dropout(0.5), L.Dense(2, activation="softmax")], ALL, ints=20, dtype="int32")
    seq(g, "text_mask", (8,), lambda L: [L.Embedding(6, 5, mask_zero=True), L.LSTM(4), L.Dense(2)], ("keras", "k2.h5"), ints=6, dtype="int32")
    seq(g, "text_mask_unused", (8,), lambda L: [L.Embedding(6, 5, mask_zero=True), L.Dense(3), L.Flatten(), L.Dense(2)], ("keras", "k2.h5"), ints=6, dtype="int32")


def masked():
    g = "mask"
    words = dict(ints=3, dtype="int32")
    for n in ("SimpleRNN", "GRU", "LSTM"):
        low = n.lower()
        seq(g, f"{low}_embedding", (8,), lambda L, n=n: [L.Embedding(3, 5, mask_zero=True), getattr(L, n)(4)], ("keras", "k2.h5"), **words)
        seq(g, f"{low}_embedding_sequences", (8,), lambda L, n=n: [L.Embedding(3, 5, mask_zero=True), getattr(L, n)(4, return_sequences=True), L.Dense(3), getattr(L, n)(2)], ("keras", "k2.h5"), **words)
        seq(g, f"{low}_masking", (6, 3), lambda L, n=n: [L.Masking(), L.Dropout(0.1), getattr(L, n)(4, return_sequences=True)], ("keras", "k2.h5"), zeros=True)
        seq(g, f"{low}_bidirectional", (8,), lambda L, n=n: [L.Embedding(3, 5, mask_zero=True), L.Bidirectional(getattr(L, n)(3))], ("keras", "k2.h5"), **words)
        seq(g, f"{low}_bidirectional_sequences", (8,), lambda L, n=n: [L.Embedding(3, 5, mask_zero=True), L.Bidirectional(getattr(L, n)(3, return_sequences=True))], ("keras", "k2.h5"), **words)
    seq(g, "masking_value", (6, 3), lambda L: [L.Masking(mask_value=0.0), L.Dense(4), L.LSTM(2)], ("keras",), zeros=True)
    seq(g, "ended_by_flatten", (6, 3), lambda L: [L.Masking(), L.Flatten(), L.Dense(4)], ("keras",), zeros=True)


def attentions():
    g = "attention"
    A, B = (5, 6), (4, 6)
    for n in ("Attention", "AdditiveAttention"):
        low = "attention" if n == "Attention" else "additive_attention"
        net(g, low, [A, B], lambda L, q, v, n=n: getattr(L, n)()([q, v]), ALL, batch=1)
        net(g, f"{low}_any_batch", [A, B], lambda L, q, v, n=n: getattr(L, n)()([q, v]), any_batch=True)
        net(g, f"{low}_key", [A, B, B], lambda L, q, v, k, n=n: getattr(L, n)()([q, v, k]), ("keras", "k2.h5"), batch=1)
        net(g, f"{low}_scale", [A, B], lambda L, q, v, n=n: getattr(L, n)(use_scale=n == "Attention")([q, v]), ("keras", "k2.h5"), batch=1)
    net(g, "attention_concat", [A, B], lambda L, q, v: L.Attention(score_mode="concat")([q, v]), ("keras", "k2.h5"), batch=1)
    net(g, "attention_causal", [A, A], lambda L, q, v: L.Attention()([q, v], use_causal_mask=True), ("keras", "k2.h5"))
    net(g, "attention_scores", [A, B], lambda L, q, v: list(L.Attention()([q, v], return_attention_scores=True)), ("keras",))
    net(g, "multi_head_self", [A], lambda L, x: L.MultiHeadAttention(2, 3)(x, x), ALL)
    net(g, "multi_head_one", [A], lambda L, x: L.MultiHeadAttention(1, 4)(x, x), ("keras", "k2.h5"))
    net(g, "multi_head_cross", [A, B], lambda L, q, v: L.MultiHeadAttention(2, 3, value_dim=4)(q, v), ("keras", "k2.h5"))
    net(g, "multi_head_key", [A, B, B], lambda L, q, v, k: L.MultiHeadAttention(3, 2)(q, v, k), ("keras", "k2.h5"))
    net(g, "multi_head_no_bias", [A], lambda L, x: L.MultiHeadAttention(2, 3, use_bias=False)(x, x), ("keras", "k2.h5"))
    net(g, "multi_head_output_shape", [A], lambda L, x: L.MultiHeadAttention(2, 3, output_shape=7)(x, x), ("keras", "k2.h5"))
    net(g, "multi_head_causal", [A], lambda L, x: L.MultiHeadAttention(2, 3)(x, x, use_causal_mask=True), ("keras", "k2.h5"))
    net(g, "multi_head_scores", [A], lambda L, x: list(L.MultiHeadAttention(2, 3)(x, x, return_attention_scores=True)), ("keras",))
    net(g, "multi_head_image", [(3, 4, 6)], lambda L, x: L.MultiHeadAttention(2, 3, attention_axes=(1, 2))(x, x), ("keras",))
    net(g, "grouped_query", [A], lambda L, x: L.GroupQueryAttention(3, 4, 2)(x, x), ("keras",))

    def block(L, x):
        y = L.LayerNormalization()(x)
        y = L.MultiHeadAttention(2, 3, dropout=0.1)(y, y)
        x = L.Add()([x, y])
        y = L.LayerNormalization()(x)
        y = L.Dense(8, activation="gelu")(y)
        y = L.Dropout(0.1)(y)
        y = L.Dense(6)(y)
        return L.Dense(3, activation="softmax")(L.GlobalAveragePooling1D()(L.Add()([x, y])))

    net(g, "transformer_block", [A], block, ALL)


def refused():
    g = "refused"
    T = (6, 3)

    class Doubling(keras.layers.Layer):
        def call(self, x):
            return 2 * x

    class OldDoubling(tf_keras.layers.Layer):
        def call(self, x):
            return 2 * x

    def custom(L):
        return (Doubling if L is keras.layers else OldDoubling)(name="twice")

    seq(g, "lambda", (4,), lambda L: [L.Dense(3), L.Lambda(lambda x: x * 2, name="double")], ALL + ("old.h5",), refused=True)
    seq(g, "custom", (4,), lambda L: [L.Dense(3), custom(L)], ALL, refused=True)
    seq(g, "custom_activation", (4,), lambda L: [L.Dense(3, activation=(my_activation if L is keras.layers else old_activation), name="d")], ("keras", "k2.h5"), refused=True)
    case(g, "stateful", lambda K, b: K.Sequential([K.Input(T, batch_size=1), K.layers.LSTM(4, stateful=True, name="memory")]), ("keras", "k2.h5"), refused=True)
    seq(g, "mask_pool", (8,), lambda L: [L.Embedding(6, 5, mask_zero=True, name="words"), L.GlobalAveragePooling1D(name="mean")], ("keras", "k2.h5"), ints=6, refused=True)
    net(g, "mask_attention", [(8,)], lambda L, x: (lambda e: L.Attention(name="look")([e, e]))(L.Embedding(6, 5, mask_zero=True, name="words")(x)), ("keras", "k2.h5"), ints=6, refused=True)
    seq(g, "sparsemax", (4,), lambda L: [L.Activation("sparsemax", name="sparse")], refused=True)
    seq(g, "conv3d", (4, 4, 4, 2), lambda L: [L.Conv3D(2, 2, name="cube")], ("keras",), refused=True)
    seq(g, "conv_lstm", (3, 4, 4, 2), lambda L: [L.ConvLSTM2D(2, 2, name="weather")], ("keras",), refused=True)
    seq(g, "resizing_bicubic", (4, 4, 2), lambda L: [L.Resizing(7, 7, interpolation="bicubic", name="smooth")], ("keras",), refused=True)
    seq(g, "up_sampling_lanczos", (4, 4, 2), lambda L: [L.UpSampling2D(2, interpolation="lanczos5", name="sharp")], ("keras",), refused=True)
    seq(g, "text_vectors", (4,), lambda L: [L.Hashing(5, name="hash")], ("keras",), refused=True, dtype="int32")
    seq(g, "unknown_time", (None, 3), lambda L: [L.Reshape((-1, 1), name="fold"), L.Dense(2)], ("keras",), refused=True)


def my_activation(x):
    return x * x


def old_activation(x):
    return x * x


for make in (convolutions, normalizations, windows, shapes, activations, merges, recurrent, masked, attentions, refused):
    make()

# ---- from a model to a case ----------------------------------------------------------------------------------------


def fill(model, seed):
    """Random weights; variances positive. The statistics of a Normalization layer stay: it keeps copies of them."""
    r = np.random.default_rng(seed)
    kept = [id(w) for l in model.layers if type(l).__name__ == "Normalization" for w in l.weights]
    for w in model.weights:
        path = getattr(w, "path", w.name)
        if id(w) in kept:
            continue
        if np.issubdtype(np.dtype(str(w.dtype).replace("<dtype: '", "").replace("'>", "")), np.floating):
            v = r.uniform(0.5, 1.5, w.shape) if "variance" in path else 0.5 * r.standard_normal(w.shape)
            if path.endswith(("gamma", "gamma:0", "scale", "scale:0")):
                v = v + 1
            w.assign(v.astype(np.float32))


def operators(K, build, weights):
    """Names of the operators in TensorFlow's file of the model at batch 1, all subgraphs; None if it refuses."""
    m = build(K, 1)
    m.set_weights(weights)
    try:
        data = tf.lite.TFLiteConverter.from_keras_model(m).convert()
    except Exception as e:
        print("  TensorFlow refuses:", str(e).splitlines()[-1][:150] if str(e) else type(e), file=sys.stderr)
        return None
    t = schema.ModelT.InitFromObj(schema.Model.GetRootAs(data, 0))
    code = lambda o: NAMES[max(t.operatorCodes[o.opcodeIndex].builtinCode, t.operatorCodes[o.opcodeIndex].deprecatedBuiltinCode)]
    return [code(o) for g in t.subgraphs for o in g.operators]


def old_layout(path):
    """Rewrites a file of tf-keras to the layout that Keras 2.0 to 2.2 wrote."""

    def plain(v):
        """Configs without the keys that came later; objects without module."""
        if isinstance(v, list):
            return [plain(x) for x in v]
        if not isinstance(v, dict):
            return v
        v = {k: plain(x) for k, x in v.items() if k not in ("module", "registered_name", "build_config", "optional", "ragged", "time_major", "groups", "keepdims", "synchronized", "interpolation", "shared_object_id")}
        if "reset_after" in v and not v["reset_after"]:
            del v["reset_after"]
        if v.get("class_name") in ("GlorotUniform",):
            v = {"class_name": "VarianceScaling", "config": {"distribution": "uniform", "mode": "fan_avg", "scale": 1.0, "seed": None}}
        return v

    with h5py.File(path, "r+") as f:
        config = plain(json.loads(f.attrs["model_config"]))
        if config["class_name"] == "Sequential":
            layers = config["config"]["layers"]
            first = layers.pop(0)["config"]
            layers[0]["config"]["batch_input_shape"] = first["batch_input_shape"]
            layers[0]["config"].setdefault("dtype", first["dtype"])
            for l in layers[1:]:
                l["config"].pop("dtype", None)
                l["config"].pop("batch_input_shape", None)
            for l in layers:
                if isinstance(l["config"].get("axis"), list):
                    l["config"]["axis"] = -1
            config["config"] = layers
        elif config["class_name"] == "Functional":
            config["class_name"] = "Model"
            for l in config["config"]["layers"]:
                l["name"] = l["config"]["name"]
                if isinstance(l["config"].get("axis"), list):
                    l["config"]["axis"] = -1
        f.attrs["model_config"] = np.bytes_(json.dumps(config).encode())
        f.attrs["keras_version"] = np.bytes_(b"2.0.8")
        w = f["model_weights"]
        w.attrs["keras_version"] = np.bytes_(b"2.0.8")
        w.attrs["layer_names"] = np.array([str(n).encode() if not isinstance(n, bytes) else n for n in w.attrs["layer_names"]])
        for n in w:
            names = [x.decode() if isinstance(x, bytes) else str(x) for x in w[n].attrs.get("weight_names", [])]
            renamed = []
            for x in names:  # a second session of Keras 2.0 saved x_1/kernel:0 in the group of layer x
                data = w[n][x][()]
                del w[n][x]
                layer, _, rest = x.partition("/")
                w[n][f"{layer}_1/{rest}"] = data
                renamed.append(f"{layer}_1/{rest}".encode())
            if renamed:
                w[n].attrs["weight_names"] = np.array(renamed)


def save(model, ending):
    with tempfile.TemporaryDirectory() as d:
        path = f"{d}/m.{ending.split('.')[-1]}"
        with contextlib.redirect_stdout(io.StringIO()):
            model.save(path)
        if ending == "old.h5":
            old_layout(path)
        return pathlib.Path(path).read_bytes()


def make(group):
    blobs, index = bytearray(), []

    def store(data):
        index_at = (len(blobs), len(data))
        blobs.extend(data)
        return index_at

    def array(x):
        x = np.ascontiguousarray(x)
        return {"dtype": x.dtype.name, "shape": list(x.shape), "at": store(x.tobytes())}

    for number, (name, build, formats, ints, is_refused, zeros) in enumerate(GROUPS[group]):
        written, counts, found, own = [], [], [], {}
        for K, endings in ((keras, [f for f in formats if f in ("keras", "h5")]), (tf_keras, [f for f in formats if f not in ("keras", "h5")])):
            if not endings:
                continue
            K.backend.clear_session()
            model = build(K, None)
            fill(model, number)
            for ending in endings:
                written.append((K, model, ending, save(model, ending)))
            if not is_refused:
                with contextlib.redirect_stdout(io.StringIO()):
                    names = operators(K, build, model.get_weights())
                found.append(names)
                own[K] = None if names is None else len(names)
                if names is not None:
                    counts.append(len(names))
        for K, model, ending, data in written:
            entry = {"name": f"{name}.{ending}", "model": store(data), "inputs": [], "outputs": [], "operators": (own.get(K) if "hard_sigmoid" in name else min(counts, default=None))}
            if not is_refused:
                r = np.random.default_rng(number)
                x = [r.integers(0, ints, [1, *i.shape[1:]]) if ints else r.standard_normal([1, *i.shape[1:]]) for i in model.inputs]
                x = [v.astype(tf.as_dtype(i.dtype).as_numpy_dtype) for v, i in zip(x, model.inputs)]
                for v in x if zeros else []:
                    v[:, ::2] = 0
                y = model(x if len(x) > 1 else x[0], training=False)
                y = [np.asarray(v) for v in (y if isinstance(y, (list, tuple)) else [y])]
                assert all(np.isfinite(v).all() for v in y), name
                entry["inputs"], entry["outputs"] = [array(v) for v in x], [array(v) for v in y]
            index.append(entry)
        print(group, name, *[" ".join(f) if f is not None else "refused" for f in found], sep=" | ", flush=True)
    text = json.dumps(index).encode()
    packed = gzip.compress(len(text).to_bytes(8, "little") + text + bytes(blobs), 9, mtime=0)
    (HERE / "keras" / f"{group}.bin.gz").write_bytes(packed)
    print(f"{group}: {len(index)} files, {len(packed)} bytes", flush=True)


def main():
    if "--list" in sys.argv:
        for g, cases in GROUPS.items():
            print(g, *[c[0] for c in cases])
        return
    for group in sys.argv[1:] or GROUPS:
        make(group)


if __name__ == "__main__":
    main()
