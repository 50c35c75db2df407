"""Makes TensorFlow Lite files as users make them, from Keras networks that tell flowers apart.

Arguments: a folder; the folder of trained MobileNets; the folder of flowers' photos; then the networks, each
`family_width_size_colour_head_ends_kind`:

family   v1, v2, v3 (small, minimalistic), tiny (a depthwise first layer that makes 8 channels)
colour   rgb, grey
head     pool, flat, ei (Edge Impulse: dense layer of each pixel, then of all), sigmoid
ends     int8, uint8, float
kind     int (full integer), dynamic (range), f16, float

v1 has ImageNet's weights, from the quantised MobileNets of the folder. The others are trained for a minute on small
photos. The head is trained on the features at the network's own size, as transfer learning does.

Writes NAME.tflite.
"""

import os
import sys
from pathlib import Path

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["CUDA_VISIBLE_DEVICES"] = "-1"

import numpy as np
import tensorflow as tf
from tensorflow import keras

folder, models, flowers, *names = sys.argv[1:]
LABELS = ["daisy", "dandelion", "roses", "tulips"]
# The first photos of each label are those that the test asks about.
ASKED, SHOWN = 10, 60
# Size of the photos that a network without ImageNet's weights is trained on, and number of steps.
SMALL, STEPS = 64, 160


def photos(size, channels):
    """Photos [N, size, size, channels], -1 to 1, and the index of each one's label."""
    seen, labels = [], []
    for index, label in enumerate(LABELS):
        for path in sorted(Path(flowers, label).iterdir())[ASKED : ASKED + SHOWN]:
            photo = tf.io.decode_jpeg(path.read_bytes(), 3)
            photo = tf.image.resize(photo, (size, size), method="area")
            if channels == 1:
                photo = tf.image.rgb_to_grayscale(photo)
            seen.append(photo.numpy() / 127.5 - 1)
            labels.append(index)
    order = np.random.default_rng(0).permutation(len(seen))
    return np.stack(seen)[order].astype(np.float32), np.array(labels)[order]


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


def backbone(family, width, size, channels):
    shape = (size, size, channels)
    options = {"input_shape": shape, "alpha": width, "include_top": False, "weights": None}
    if family == "v1":
        return keras.applications.MobileNet(**options)
    if family == "v2":
        return keras.applications.MobileNetV2(**options)
    if family == "v3":
        inside = channels == 3
        return keras.applications.MobileNetV3Small(minimalistic=True, include_preprocessing=inside, **options)
    return tiny(shape, width)


def fed(family, seen):
    """What a network reads: v3 in colour scales pixels itself."""
    raw = family == "v3" and seen.shape[-1] == 3
    return (seen + 1) * np.float32(127.5) if raw else seen


def take_imagenet(base, width, channels):
    """Gives a MobileNet v1 the real weights of the quantised one."""
    interpreter = tf.lite.Interpreter(str(Path(models, f"mobilenet_v1_{width}_128_quant.tflite")))
    interpreter.allocate_tensors()
    details = {tensor["index"]: tensor for tensor in interpreter.get_tensor_details()}

    def real(index):
        scale, zero_point = details[index]["quantization"]
        return scale * (interpreter.get_tensor(index).astype(np.float32) - zero_point)

    convolutions = [step for step in interpreter._get_ops_details() if "CONV_2D" in step["op_name"]]
    layers = keras.layers
    kernels = [layer for layer in base.layers if isinstance(layer, (layers.Conv2D, layers.DepthwiseConv2D))]
    norms = [layer for layer in base.layers if isinstance(layer, layers.BatchNormalization)]
    for layer, norm, step in zip(kernels, norms, convolutions):
        kernel, bias = real(step["inputs"][1]), real(step["inputs"][2])
        if step["op_name"] == "DEPTHWISE_CONV_2D":
            kernel = kernel.transpose(1, 2, 3, 0)
        else:
            kernel = kernel.transpose(1, 2, 3, 0)
            if kernel.shape[2] == 3 and channels == 1:
                kernel = kernel.sum(2, keepdims=True)
        layer.set_weights([kernel])
        ones, nothing = np.ones_like(bias), np.zeros_like(bias)
        norm.set_weights([ones, bias, nothing, ones - norm.epsilon])


def train(model, seen, labels, epochs, rate):
    loss = keras.losses.CategoricalCrossentropy(label_smoothing=0.1)
    sigmoid = model.output_shape[-1] == 1
    if sigmoid:
        loss = keras.losses.BinaryCrossentropy(label_smoothing=0.1)
        wanted = (labels == 0).astype(np.float32)[:, None]
    else:
        wanted = keras.utils.to_categorical(labels, len(LABELS))
    model.compile(keras.optimizers.Adam(rate), loss)
    model.fit(seen, wanted, batch_size=32, epochs=epochs, verbose=0)


TRAINED = {}


def weights(family, width, channels):
    """Weights of a family's convolutions, whatever the size of its input."""
    key = family, width, channels
    if key not in TRAINED:
        base = backbone(family, float(width), SMALL, channels)
        if family == "v1":
            take_imagenet(base, width, channels)
        else:
            x = keras.layers.GlobalAveragePooling2D()(base.output)
            x = keras.layers.Dense(len(LABELS), activation="softmax")(x)
            seen, labels = photos(SMALL, channels)
            train(keras.Model(base.input, x), fed(family, seen), labels, STEPS * 32 // len(seen), 2e-3)
        TRAINED[key] = base.get_weights()
    return TRAINED[key]


def head_of(head, shape):
    layers = keras.layers
    inputs = keras.Input(shape)
    if head == "flat":
        steps = [layers.Flatten()]
    elif head == "ei":
        steps = [layers.Reshape((-1, shape[2])), layers.Dense(16, activation="relu"), layers.Flatten()]
    else:
        steps = [layers.GlobalAveragePooling2D()]
    if head == "sigmoid":
        steps.append(layers.Dense(1, activation="sigmoid"))
    else:
        steps.append(layers.Dense(len(LABELS), activation="softmax"))
    x = inputs
    for step in steps:
        x = step(x)
    return keras.Model(inputs, x), steps


for name in names:
    family, width, size, colour, head, ends, kind = name.split("_")
    keras.utils.set_random_seed(int.from_bytes(name.encode(), "little") % 2**31)
    size, channels = int(size), {"rgb": 3, "grey": 1}[colour]
    held = weights(family, width, channels)
    base = backbone(family, float(width), size, channels)
    base.set_weights(held)
    seen, labels = photos(size, channels)
    seen = fed(family, seen)
    if family != "v1":
        # Statistics of batch norms at this size.
        for layer in base.layers:
            if isinstance(layer, keras.layers.BatchNormalization):
                layer.momentum = 0.0
        base(seen[:96], training=True)
    maps = base.predict(seen, verbose=0)
    top, steps = head_of(head, maps.shape[1:])
    train(top, maps, labels, 30, 1e-3)
    x = base.output
    for step in steps:
        x = step(x)
    model = keras.Model(base.input, x)
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    if kind != "float":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if kind == "f16":
        converter.target_spec.supported_types = [tf.float16]
    if kind == "int":
        converter.representative_dataset = lambda: ([picture[None]] for picture in seen[:48])
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        if ends != "float":
            number = {"int8": tf.int8, "uint8": tf.uint8}[ends]
            converter.inference_input_type = converter.inference_output_type = number
    Path(folder, f"{name}.tflite").write_bytes(converter.convert())
