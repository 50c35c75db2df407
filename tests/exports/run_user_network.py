"""Runs a TensorFlow Lite file in LiteRT's reference kernels.

Arguments: the file; inputs; outputs to write; JSON to write; contract.

The contract says what is fed: `int8` takes the inputs as the file's own int8 numbers; the others take
them as pixels [N, H, W, 3] in uint8. `raw` feeds pixels, `centred` pixels less 128, `unit` and `signed`
pixels as 0 to 1 and as -1 to 1, quantised by the file's scale where it is an integer file. A grey network is fed luma.

Outputs of each picture, one after another: logits (what the softmax or sigmoid reads), scores and features; as int8 bytes, or all in float32 where the network computes in it. Features are what the pool writes; without
a pool, the last map of several pixels that a convolution writes. The JSON has their lengths.
"""

import json
import sys

import numpy as np
from ai_edge_litert.interpreter import Interpreter, OpResolverType

model, inputs, outputs, said, contract = sys.argv[1:]
interpreter = Interpreter(
    model,
    experimental_op_resolver_type=OpResolverType.BUILTIN_REF,
    experimental_preserve_all_tensors=True,
)
interpreter.allocate_tensors()
[entry] = interpreter.get_input_details()
[end] = interpreter.get_output_details()
_, height, width, channels = entry["shape"]
scale, zero_point = entry["quantization"]
operators = interpreter._get_ops_details()


def luma(pixels):
    weights = np.array([19595, 38470, 7471], dtype=np.int64)
    return ((pixels.astype(np.int64) @ weights + 32768) >> 16).astype(np.uint8)[..., None]


def prepared(pixels):
    if contract == "int8":
        return pixels.view(np.int8)
    if channels == 1:
        pixels = luma(pixels)
    if contract == "raw":
        return pixels.astype(entry["dtype"])
    if contract == "centred":
        return (pixels.astype(np.int16) - 128).astype(np.int8)
    # As Keras' preprocess_input computes it.
    real = pixels.astype(np.float32) / np.float32(255)
    if contract == "signed":
        real = pixels.astype(np.float32) / np.float32(127.5) - np.float32(1)
    if entry["dtype"] == np.float32:
        return real
    quantised = np.round(real / np.float32(scale)) + zero_point
    return np.clip(quantised, -128, 127).astype(np.int8)


def of(names):
    found = [operator for operator in operators if operator["op_name"] in names]
    return found[-1] if found else None


scores = of({"SOFTMAX", "LOGISTIC"})
pool = of({"MEAN", "AVERAGE_POOL_2D"})
spatial = [
    operator["outputs"][0]
    for operator in operators
    if operator["op_name"] in {"CONV_2D", "DEPTHWISE_CONV_2D", "ADD"}
    and len(shape := interpreter.get_tensor_details()[operator["outputs"][0]]["shape"]) == 4
    and shape[1:3].prod() > 1
]
features = pool["outputs"][0] if pool else spatial[-1]


def bytes_of(tensor):
    numbers = interpreter.get_tensor(tensor)
    if numbers.dtype == np.uint8:
        numbers = (numbers ^ 0x80).view(np.int8)
    assert numbers.dtype in (np.int8, np.float32), numbers.dtype
    return numbers.reshape(-1).copy()


per_picture = height * width * (channels if contract == "int8" else 3)
shape = (-1, height, width, channels if contract == "int8" else 3)
pictures = np.fromfile(inputs, dtype=np.uint8).reshape(shape)
written = []
for picture in pictures:
    interpreter.set_tensor(entry["index"], prepared(picture)[None])
    interpreter.invoke()
    parts = [
        bytes_of(scores["inputs"][0]),
        bytes_of(scores["outputs"][0]),
        bytes_of(features),
    ]
    written.append(np.concatenate(parts))
np.concatenate(written).tofile(outputs)
lengths = [len(part) for part in parts]
assert len({part.dtype for part in parts}) == 1, parts
json.dump({"lengths": lengths, "pooled": pool is not None}, open(said, "w"))
