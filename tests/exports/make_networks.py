"""Makes TensorFlow Lite files as users make them, from Keras networks with seeded weights.

Arguments: a folder; then the networks, each `family_width_size_colour_head_ends_kind`:

family   v1, v2, v3 (small, minimalistic), tiny (a depthwise first layer that makes 8 channels)
colour   rgb, grey
head     pool, flat, ei (Edge Impulse: dense layer of each pixel, then of all), sigmoid
ends     int8, uint8, float
kind     int (full integer), dynamic (range), f16, float

Writes NAME.tflite, and NAME.json with the input of its users' pixels: signed (-1 to 1) or raw (0 to 255, scaled inside).
"""

import json
import os
import sys

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["CUDA_VISIBLE_DEVICES"] = "-1"

import numpy as np
import tensorflow as tf
from tensorflow import keras

folder, *names = sys.argv[1:]
LABELS = 4


def pictures(random, count, size, channels):
    """Smooth noise, -1 to 1: random blots of several sizes."""
    total = np.zeros((count, size, size, channels), np.float32)
    for side in (3, 8, 24):
        coarse = random.uniform(-1, 1, (count, side, side, channels)).astype(np.float32)
        total += tf.image.resize(coarse, (size, size)).numpy()
    return np.clip(total, -1, 1)


def tiny(shape, width):
    """The first layers of MobileNet v1 as in TensorFlow Lite Micro's person detection."""
    inputs = keras.Input(shape)
    layers = keras.layers

    def normed(x):
        return layers.ReLU(6.0)(layers.BatchNormalization()(x))

    options = {"padding": "same", "use_bias": False}
    multiplier = max(1, int(32 * width))
    x = normed(layers.DepthwiseConv2D(3, 2, depth_multiplier=multiplier, **options)(inputs))
    for channels, stride in ((16, 1), (32, 2), (32, 1), (64, 2), (64, 1), (128, 2), (128, 1)):
        x = normed(layers.DepthwiseConv2D(3, stride, **options)(x))
        x = normed(layers.Conv2D(channels, 1, **options)(x))
    return keras.Model(inputs, x)


def network(family, width, size, channels, head, random):
    shape = (size, size, channels)
    options = {"input_shape": shape, "alpha": width, "include_top": False, "weights": None}
    if family == "v1":
        base = keras.applications.MobileNet(**options)
    elif family == "v2":
        base = keras.applications.MobileNetV2(**options)
    elif family == "v3":
        inside = channels == 3
        base = keras.applications.MobileNetV3Small(
            minimalistic=True, include_preprocessing=inside, **options
        )
    else:
        base = tiny(shape, width)
    layers = keras.layers
    x = base.output
    if head == "flat":
        x = layers.Flatten()(x)
    elif head == "ei":
        x = layers.Reshape((-1, x.shape[3]))(x)
        x = layers.Dense(16, activation="relu")(x)
        x = layers.Flatten()(x)
    else:
        x = layers.GlobalAveragePooling2D()(x)
    if head == "sigmoid":
        x = layers.Dense(1, activation="sigmoid")(x)
    else:
        x = layers.Dense(LABELS, activation="softmax")(x)
    model = keras.Model(base.input, x)
    for layer in model.layers:
        if isinstance(layer, layers.BatchNormalization):
            layer.momentum = 0.0
            weights = layer.get_weights()
            weights[0] = random.uniform(0.6, 1.4, weights[0].shape)
            weights[1] = random.normal(0, 0.3, weights[1].shape)
            layer.set_weights(weights)
        elif isinstance(layer, layers.Dense):
            kernel, bias = layer.get_weights()
            layer.set_weights([kernel * 3, random.normal(0, 0.3, bias.shape)])
    return model


for name in names:
    family, width, size, colour, head, ends, kind = name.split("_")
    seed = int.from_bytes(name.encode(), "little") % 2**31
    random = np.random.default_rng(seed)
    keras.utils.set_random_seed(seed)
    size, channels = int(size), {"rgb": 3, "grey": 1}[colour]
    model = network(family, float(width), size, channels, head, random)
    raw = family == "v3" and channels == 3
    seen = pictures(random, 24, size, channels)
    if raw:
        seen = (seen + 1) * np.float32(127.5)
    # Statistics of batch norms are those of the pictures.
    model(seen, training=True)
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    if kind != "float":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if kind == "f16":
        converter.target_spec.supported_types = [tf.float16]
    if kind == "int":
        converter.representative_dataset = lambda: ([picture[None]] for picture in seen)
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        if ends != "float":
            number = {"int8": tf.int8, "uint8": tf.uint8}[ends]
            converter.inference_input_type = converter.inference_output_type = number
    with open(os.path.join(folder, f"{name}.tflite"), "wb") as file:
        file.write(converter.convert())
    with open(os.path.join(folder, f"{name}.json"), "w", encoding="utf-8") as file:
        json.dump({"pixels": "raw" if raw else "signed"}, file)
