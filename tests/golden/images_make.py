"""Writes tests/golden/images: small pictures of many kinds, and cases.json.gz with the arrays that PIL, tf.image.resize and Keras'
preprocess_input make of them, read by tests/core/data_images.rs.

    images_make.py          (TensorFlow 2.21 with Keras 3, Pillow)
"""

import gzip
import io
import json
import os
import pathlib
import struct
import warnings
import zlib

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
warnings.filterwarnings("ignore")

import keras
import numpy as np
import tensorflow as tf
from PIL import Image

OUT = pathlib.Path(__file__).parent / "images"
OUT.mkdir(exist_ok=True)
rng = np.random.default_rng(1)
cases = []


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(name, width, height, depth, colour, rows, extra=b""):
    """A PNG of a kind that Pillow does not write itself; `rows` are the bytes of each row."""
    head = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    body = zlib.compress(b"".join(b"\0" + r for r in rows), 9)
    data = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + extra + chunk(b"IDAT", body) + chunk(b"IEND", b"")
    (OUT / name).write_bytes(data)


def smooth(width, height, channels=3):
    """Slopes and some noise."""
    y, x = np.mgrid[0:height, 0:width]
    planes = [np.sin(x / (3 + c)) * 80 + np.cos(y / (4 - c)) * 40 + 128 for c in range(channels)]
    noise = rng.normal(0, 12, (height, width, channels))
    return np.clip(np.stack(planes, -1) + noise, 0, 255).astype(np.uint8)


photo = smooth(13, 9)
Image.fromarray(photo).save(OUT / "rgb.png")
tall = smooth(6, 17)
Image.fromarray(tall).save(OUT / "tall.bmp")
Image.fromarray(photo[..., 0]).save(OUT / "grey.png")
Image.fromarray(photo[..., 0]).save(OUT / "grey.jpg", quality=90)
Image.fromarray(np.dstack([photo, rng.integers(0, 256, (9, 13), dtype=np.uint8)])).save(OUT / "rgba.png")
Image.fromarray(photo[..., :2].copy(), "LA").save(OUT / "grey_alpha.png")
Image.fromarray(photo).quantize(16).save(OUT / "palette.png")
Image.fromarray(photo).quantize(16).save(OUT / "palette.gif")
Image.fromarray(photo[..., 0] > 128).save(OUT / "bits.png")
Image.fromarray(photo).save(OUT / "lossless.webp", lossless=True)
Image.fromarray(smooth(32, 24)).save(OUT / "fine.jpg", quality=92, subsampling=0)
Image.fromarray(smooth(32, 24)).save(OUT / "usual.jpg", quality=85)
wide = rng.integers(0, 65536, (3, 4, 3)).astype(">u2")
png("rgb_16.png", 4, 3, 16, 2, [r.tobytes() for r in wide])
grey = np.array([[0, 1, 200, 255], [256, 257, 1000, 65535]]).astype(">u2")
png("grey_16.png", 4, 2, 16, 0, [r.tobytes() for r in grey])
png("grey_alpha_16.png", 4, 3, 16, 4, [r[:, :2].tobytes() for r in wide])
png("grey_2.png", 8, 1, 2, 0, [bytes([0b00011011, 0b11100100])])
palette = chunk(b"PLTE", bytes([10, 20, 30, 40, 50, 60, 70, 80, 90]))
png("palette_alpha.png", 4, 1, 8, 3, [bytes([0, 1, 2, 1])], palette + chunk(b"tRNS", bytes([0, 128])))
exif = Image.Exif()
exif[0x0112] = 6
Image.fromarray(smooth(16, 8)).save(OUT / "turned.jpg", quality=92, subsampling=0, exif=exif)


def load(name, mode="RGB"):
    return np.asarray(Image.open(OUT / name).convert(mode)).reshape(*Image.open(OUT / name).size[::-1], -1)


def case(image, values, tolerance, **options):
    values = np.asarray(values, np.float64)
    cases.append({
        "image": image,
        "shape": list(values.shape),
        "tolerance": tolerance,
        "preprocess": options,
        "values": [float(f"{v:.6g}") for v in values.ravel()],
    })


# Pixels as PIL gives them. JPEG decoders may differ by their rounding.
for file in sorted(p.name for p in OUT.iterdir() if p.suffix in (".png", ".jpg", ".bmp", ".webp", ".gif")):
    loss = {"usual.jpg": 4}.get(file, 2 if file.endswith(".jpg") else 0)
    case(file, load(file), loss, scale="raw")
    case(file, load(file, "L"), max(loss, 0), scale="raw", colour="grey")

# tf.image.resize and its company.
for width, height in [(5, 4), (13, 20), (31, 9), (26, 18), (3, 3), (1, 1)]:
    for method in ["bilinear", "nearest", "area"]:
        for file in ["rgb.png", "tall.bmp"]:
            resized = tf.image.resize(load(file), (height, width), method, antialias=False)
            case(file, resized, 1e-3, scale="raw", resize=method)
for width, height in [(8, 8), (5, 12), (20, 7)]:
    for file in ["rgb.png", "tall.bmp"]:
        padded = tf.image.resize_with_pad(load(file), height, width, "bilinear", antialias=False)
        case(file, padded, 1e-3, scale="raw", fit="letterbox")
        cut = keras.preprocessing.image.smart_resize(load(file).astype(np.float32), (height, width), "bilinear")
        case(file, cut, 1e-3, scale="raw", fit="centre-crop")

# Keras' preprocess_input, on resized pictures.
caffe = {"own": {"mean": [103.939, 116.779, 123.68], "deviation": [1]}}
networks = {
    "efficientnet": ({"scale": "raw"}, 1),
    "mobilenet_v3": ({"scale": "raw"}, 1),
    "mobilenet": ({"scale": "signed"}, 1 / 127.5),
    "mobilenet_v2": ({"scale": "signed"}, 1 / 127.5),
    "inception_v3": ({"scale": "signed"}, 1 / 127.5),
    "densenet": ({"scale": "imagenet"}, 1 / 255 / 0.229),
    "resnet50": ({"scale": caffe, "colour": "bgr"}, 1),
}
for network, (options, level) in networks.items():
    resized = tf.image.resize(load("rgb.png"), (10, 10), "bilinear", antialias=False).numpy()
    values = getattr(keras.applications, network).preprocess_input(resized.copy())
    # A thousandth of a grey level, far below the one that is asked for.
    case("rgb.png", values, level / 1000, **options)

text = json.dumps(cases, separators=(",", ":")).encode()
with open(OUT / "cases.json.gz", "wb") as f, gzip.GzipFile(filename="", fileobj=f, mode="wb", mtime=0) as g:
    g.write(text)
print(len(cases), "cases", sum(p.stat().st_size for p in OUT.iterdir()), "bytes")
