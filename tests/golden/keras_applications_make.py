"""Makes one network of every family of keras.applications at a small size, and what TensorFlow's converter makes of it.

    python keras_applications_make.py OUTDIR [NAME ...]        needs tensorflow 2.21; writes NAME.keras, NAME.h5, NAME.tflite

They are too large for the repository: `keras_applications_check.py` compares what `zeropoint convert` makes of them. Weights
are random; the statistics of batch normalization and the factors of LayerScale are not trivial, so that folding them shows.
"""

import os
import pathlib
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
import numpy as np
import tensorflow as tf
from tensorflow import keras

A = keras.applications
# Constructor, extent of the input, further arguments.
FAMILIES = {
    "xception": (A.Xception, 71, {}),
    "vgg16": (A.VGG16, 32, {}),
    "vgg19": (A.VGG19, 32, {}),
    "resnet50": (A.ResNet50, 64, {}),
    "resnet50v2": (A.ResNet50V2, 64, {}),
    "inception_v3": (A.InceptionV3, 75, {}),
    "inception_resnet_v2": (A.InceptionResNetV2, 75, {}),
    "mobilenet": (A.MobileNet, 64, {"alpha": 0.25}),
    "mobilenet_v2": (A.MobileNetV2, 64, {"alpha": 0.35}),
    "mobilenet_v3_small": (A.MobileNetV3Small, 64, {"alpha": 0.75}),
    "mobilenet_v3_large": (A.MobileNetV3Large, 64, {"minimalistic": True}),
    "densenet121": (A.DenseNet121, 64, {}),
    "nasnet_mobile": (A.NASNetMobile, 64, {}),
    "efficientnet_b0": (A.EfficientNetB0, 64, {}),
    "efficientnet_v2_b0": (A.EfficientNetV2B0, 64, {}),
    "efficientnet_v2_s": (A.EfficientNetV2S, 64, {}),
    "convnext_tiny": (A.ConvNeXtTiny, 64, {}),
}


def scatter(model):
    """Statistics as training leaves them."""
    for layer in model.layers:
        if hasattr(layer, "layers"):
            scatter(layer)
        weights = layer.get_weights()
        r = np.random.default_rng(sum(w.size for w in weights))
        if isinstance(layer, keras.layers.BatchNormalization):
            values = [0.2 * r.standard_normal(w.shape) for w in weights]
            values[-1] = 0.5 * np.exp(0.3 * r.standard_normal(values[-1].shape))
            if len(values) == 4:
                values[0] += 1.0
            layer.set_weights(values)
        elif isinstance(layer, keras.layers.LayerNormalization):
            layer.set_weights([w + 0.2 * r.standard_normal(w.shape) for w in weights])
        elif type(layer).__name__ == "LayerScale":
            layer.set_weights([0.2 + 0.1 * r.standard_normal(w.shape) for w in weights])


def main():
    out = pathlib.Path(sys.argv[1])
    out.mkdir(parents=True, exist_ok=True)
    for name in sys.argv[2:] or FAMILIES:
        make, extent, more = FAMILIES[name]
        keras.utils.set_random_seed(3)
        model = make(weights=None, classes=10, input_shape=(extent, extent, 3), **more)
        scatter(model)
        model.save(out / f"{name}.keras")
        model.save(out / f"{name}.h5")
        (out / f"{name}.tflite").write_bytes(tf.lite.TFLiteConverter.from_keras_model(model).convert())
        print(name, flush=True)


if __name__ == "__main__":
    main()
