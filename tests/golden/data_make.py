"""Writes tests/golden/data: small arrays as NumPy and Python's gzip write them, read by tests/core/data_files.rs.

    data_make.py            (any Python 3 with NumPy)

Every array with reals holds k * 0.25 - 2 for k = 0..24 in the shape (3, 2, 4), whole-number arrays k, so that the tests
know the values without reading them from here.
"""

import gzip
import pathlib
import struct

import numpy as np
from numpy.lib import format as npy

OUT = pathlib.Path(__file__).parent / "data"
OUT.mkdir(exist_ok=True)

k = np.arange(24).reshape(3, 2, 4)
reals = (k * 0.25 - 2).astype(np.float32)


def write(name, array, version=None):
    with open(OUT / name, "wb") as f:
        npy.write_array(f, array, version=version)


write("f4_c.npy", reals)
write("f4_fortran.npy", np.asfortranarray(reals))
write("f4_big_endian.npy", reals.astype(">f4"))
write("f8_fortran_big_endian.npy", np.asfortranarray(reals.astype(">f8")))
write("f4_v2.npy", reals, (2, 0))
write("f4_v3.npy", reals, (3, 0))
write("f8.npy", reals.astype(np.float64))
write("f2.npy", reals.astype(np.float16))
for code in ["i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8"]:
    write(f"{code}.npy", k.astype(code))
write("bool.npy", k % 2 == 1)
write("object.npy", np.array([{"a": 1}, None], dtype=object))
write("structured.npy", np.zeros(3, dtype=[("a", "<f4"), ("b", "<i2")]))
write("complex.npy", reals.astype(np.complex64))
write("text.npy", np.array(["a", "b"]))
write("labels.npy", np.array([2, 0, 1]))

np.savez(OUT / "two_inputs.npz", **{"first": reals, "input_1": k.astype(np.int32), "labels": np.array([2, 0, 1])})
np.savez_compressed(OUT / "one_input.npz", x=np.asfortranarray(reals))

pixels = np.arange(256, dtype=np.uint8).reshape(4, 8, 8)
idx = b"\0\0\x08\x03" + struct.pack(">3I", *pixels.shape) + pixels.tobytes()
(OUT / "pixels-images-idx3-ubyte").write_bytes(idx)
with open(OUT / "pixels-images-idx3-ubyte.gz", "wb") as f:
    with gzip.GzipFile(filename="", fileobj=f, mode="wb", mtime=0) as g:
        g.write(idx)
np.save(OUT / "pixels_scaled.npy", (pixels / 255.0).astype(np.float32))
