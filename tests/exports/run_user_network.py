"""Runs a TensorFlow Lite file in LiteRT's reference kernels.

Arguments: the file; inputs; outputs to write; JSON to write; contract.

The contract says what is fed: `int8` takes the inputs as the file's own int8 numbers; the others take
them as pixels [N, H, W, 3] in uint8. `raw` feeds pixels, `centred` pixels less 128, `unit` and `signed`
pixels as 0 to 1 and as -1 to 1, quantised by the file's scale where it is an integer file. A grey network is fed luma.

Outputs of each picture, one after another: logits (what the softmax or sigmoid reads), scores, features, and logits
rounded twice; as int8 bytes, or all in float32 where the network computes in it. Features are what the pool writes; without
a pool, the last map of several pixels that a convolution writes. The JSON has their lengths.

FULLY_CONNECTED rescales its sums with one rounding (TensorFlow 2.21, LiteRT 2.3), CONV_2D with two, and TensorFlow Lite
Micro rounds twice in both. This program computes both: it makes sure that one rounding is what the interpreter does, and
says what two give.
"""

import json
import math
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
    and interpreter.get_tensor_details()[operator["outputs"][0]]["shape"][1:3].prod() > 1
]
features = pool["outputs"][0] if pool else spatial[-1]


def bytes_of(tensor):
    numbers = interpreter.get_tensor(tensor)
    if numbers.dtype == np.uint8:
        numbers = (numbers ^ 0x80).view(np.int8)
    assert numbers.dtype in (np.int8, np.float32), numbers.dtype
    return numbers.reshape(-1).copy()


def multiplier(scale):
    """Mantissa of 31 bits and exponent, as TensorFlow Lite's QuantizeMultiplier."""
    mantissa, exponent = math.frexp(scale)
    mantissa = math.floor(mantissa * (1 << 31) + 0.5)
    return (mantissa // 2, exponent + 1) if mantissa == 1 << 31 else (mantissa, exponent)


def rounded_once(sums, mantissa, exponent):
    bits = 31 - exponent
    return (sums * mantissa + (1 << (bits - 1))) >> bits


def rounded_twice(sums, mantissa, exponent):
    """gemmlowp's SaturatingRoundingDoublingHighMul and RoundingDivideByPOT."""
    products = (sums << max(exponent, 0)) * mantissa
    nudged = products + np.where(products >= 0, 1 << 30, 1 - (1 << 30))
    high = np.where(nudged >= 0, nudged >> 31, -(-nudged >> 31))
    bits = max(-exponent, 0)
    rest = high & ((1 << bits) - 1)
    return (high >> bits) + (rest > ((1 << bits) - 1) // 2 + (high < 0)) if bits else high


tensors = {tensor["index"]: tensor for tensor in interpreter.get_tensor_details()}


def fully_connected(operator, read, rescale):
    """Output [N, O] of an operator that reads `read`, before an activation."""
    source, kernel, *bias = operator["inputs"]
    weights = interpreter.get_tensor(kernel).astype(np.int64)
    (scale, zero), (to, place) = (tensors[index]["quantization"] for index in (source, operator["outputs"][0]))
    scales = tensors[kernel]["quantization_parameters"]["scales"]
    sums = (read.reshape(-1, weights.shape[1]).astype(np.int64) - zero) @ weights.T
    if bias and bias[0] >= 0:
        sums += interpreter.get_tensor(bias[0])
    written = np.empty_like(sums)
    for output in range(len(weights)):
        # A single scale is multiplied in single precision.
        one = len(scales) == 1
        own = np.float32(scales[0 if one else output])
        product = float(np.float32(scale) * own) if one else float(np.float32(scale)) * float(own)
        written[:, output] = rescale(sums[:, output], *multiplier(product / float(np.float32(to)))) + place
    return np.clip(written, -128, 127)


def added(operator, read):
    """Output of an addition of `read` and a constant: `AddElementwise` of the reference kernels."""
    source, constant = operator["inputs"]
    scales, zeros = zip(*(tensors[index]["quantization"] for index in (source, constant, operator["outputs"][0])))
    scales = [float(np.float32(scale)) for scale in scales]
    whole = 2 * max(scales[:2])
    terms = [
        rounded_twice((values.astype(np.int64) - zero) << 20, *multiplier(scale / whole))
        for values, zero, scale in zip((read, interpreter.get_tensor(constant)), zeros, scales)
    ]
    sums = rounded_twice(terms[0] + terms[1], *multiplier(whole / (scales[2] * (1 << 20)))) + zeros[2]
    return np.clip(sums, -128, 127)


def logits_rounded_twice():
    names = [operator["op_name"] for operator in operators]
    written = None
    for operator in operators[names.index("FULLY_CONNECTED") :] if "FULLY_CONNECTED" in names else []:
        source, result = operator["inputs"][0], operator["outputs"][0]
        theirs = interpreter.get_tensor(result)
        if operator["op_name"] == "ADD":
            own = added(operator, interpreter.get_tensor(source))
            place = tensors[result]["quantization"][1]
            clamped = not np.array_equal(own.reshape(theirs.shape), theirs)
            assert np.array_equal((np.maximum(own, place) if clamped else own).reshape(theirs.shape), theirs)
            written = added(operator, written)
            if clamped:
                written = np.maximum(written, place)
        if operator["op_name"] != "FULLY_CONNECTED":
            continue
        once = fully_connected(operator, interpreter.get_tensor(source), rounded_once)
        place = tensors[result]["quantization"][1]
        # A fused ReLU.
        clamped = not np.array_equal(once.reshape(theirs.shape), theirs)
        if clamped:
            once = np.maximum(once, place)
        assert np.array_equal(once.reshape(theirs.shape), theirs), operator
        read = interpreter.get_tensor(source) if written is None else written
        written = fully_connected(operator, read, rounded_twice)
        if clamped:
            written = np.maximum(written, place)
    return bytes_of(scores["inputs"][0]) if written is None else written.astype(np.int8).reshape(-1)


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
    parts.append(logits_rounded_twice() if parts[0].dtype == np.int8 else parts[0])
    written.append(np.concatenate(parts))
np.concatenate(written).tofile(outputs)
lengths = [len(part) for part in parts]
assert len({part.dtype for part in parts}) == 1, parts
json.dump({"lengths": lengths, "pooled": pool is not None}, open(said, "w"))
