"""Trains the network that posy carries, host/nn/assets/backbone.tflite, on drawings alone.

    cargo build --release --workspace --locked --bin xtask
    python -m venv target/tools/train
    target/tools/train/bin/pip install tensorflow-cpu==2.18.0
    target/tools/train/bin/python host/nn/assets/train.py target/release/xtask OUT.tflite

The network is a MobileNet v1 of width 0.25 for 128 x 128 pixels, written down here as the paper has it.
Its weights begin at random and learn to tell apart the made-up kinds of tests/src/kinds.rs; the
five flowers that `posy demo` draws are not among them, and no photo is. Batch normalisation is
folded and everything is quantised to int8 by TensorFlow Lite's converter. CARD.md has what came out.
"""

import os
import re
import subprocess
import sys
import tempfile
import time

import numpy as np
import tensorflow as tf

SIDE = 128
# Drawings of each kind to train on, and to measure on.
EACH, MEASURED = 200, 20
BATCH = 64
EPOCHS = int(os.environ.get("EPOCHS", "12"))
# Channels of the full network and strides, from table 1 of the paper.
PAIRS = [(64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), (512, 1), (512, 1), (512, 1),
         (512, 1), (512, 1), (1024, 2), (1024, 1)]
WIDTH = 0.25


def drawings(command, each, start):
    """Pixels [N, SIDE, SIDE, 3] as uint8, and the number of each one's kind."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "pixels")
        said = subprocess.check_output(
            [command, "drawings", "pixels", str(SIDE), str(each), str(start), path], text=True)
        kinds = int(re.match(r"(\d+) kinds", said)[1])
        pixels = np.fromfile(path, np.uint8).reshape(-1, SIDE, SIDE, 3)
    assert len(pixels) == each * kinds
    return pixels, np.tile(np.arange(kinds), each), kinds


def network(kinds):
    """The network down to one score for each kind, and down to its pooled features."""
    keras = tf.keras
    layers = keras.layers

    def rest(x):
        x = layers.BatchNormalization(momentum=0.97)(x)
        return layers.ReLU(6.0)(x)

    inputs = layers.Input((SIDE, SIDE, 3))
    x = layers.Conv2D(int(32 * WIDTH), 3, 2, "same", use_bias=False)(inputs)
    x = rest(x)
    for full, stride in PAIRS:
        x = rest(layers.DepthwiseConv2D(3, stride, "same", use_bias=False)(x))
        x = rest(layers.Conv2D(int(full * WIDTH), 1, 1, "same", use_bias=False)(x))
    # Features [1, 1, channels], as the classic files have them.
    features = layers.AveragePooling2D(x.shape[1:3])(x)
    scores = layers.Dense(kinds)(layers.Dropout(0.1)(layers.Flatten()(features)))
    return keras.Model(inputs, scores), keras.Model(inputs, features)


@tf.function
def varied(pixels, kind):
    """A batch as the network sees it: -1 to 1, turned over, shifted, in another light."""
    x = tf.cast(pixels, tf.float32) / 127.5 - 1.0
    x = tf.image.random_flip_left_right(x)
    size = tf.random.uniform([], 108, SIDE + 1, tf.int32)
    x = tf.image.random_crop(x, tf.stack([tf.shape(x)[0], size, size, 3]))
    x = tf.image.resize(x, (SIDE, SIDE))
    gain = tf.random.uniform([tf.shape(x)[0], 1, 1, 3], 0.8, 1.2)
    return tf.clip_by_value((x + 1) * gain - 1, -1, 1), kind


def main():
    command, out = sys.argv[1:]
    tf.keras.utils.set_random_seed(1)
    started = time.time()
    pixels, kind, kinds = drawings(command, EACH, 0)
    seen, seen_kind, _ = drawings(command, MEASURED, 1_000_000)
    print(f"{len(pixels)} drawings of {kinds} kinds, {time.time() - started:.0f} s", flush=True)

    model, cut = network(kinds)
    steps = len(pixels) // BATCH
    rate = tf.keras.optimizers.schedules.CosineDecay(3e-3, EPOCHS * steps, alpha=0.01)
    model.compile(tf.keras.optimizers.AdamW(rate, weight_decay=1e-4),
                  tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True),
                  metrics=["accuracy"])
    data = tf.data.Dataset.from_tensor_slices((pixels, kind)).shuffle(len(pixels))
    data = data.batch(BATCH, drop_remainder=True).map(varied, num_parallel_calls=2).prefetch(2)
    ready = seen.astype(np.float32) / 127.5 - 1.0
    model.fit(data, epochs=EPOCHS, verbose=2, validation_data=(ready, seen_kind))

    converter = tf.lite.TFLiteConverter.from_keras_model(cut)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: (
        [ready[i:i + 1]] for i in range(0, len(ready), max(1, len(ready) // 500)))
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = converter.inference_output_type = tf.int8
    bytes_ = converter.convert()
    with open(out, "wb") as file:
        file.write(bytes_)

    runner = tf.lite.Interpreter(model_content=bytes_)
    runner.allocate_tensors()
    given, answer = runner.get_input_details()[0], runner.get_output_details()[0]
    scale, zero = given["quantization"]
    unit, offset = answer["quantization"]
    weights, bias = model.layers[-1].get_weights()
    right = 0
    for x, truth in zip(ready, seen_kind):
        runner.set_tensor(given["index"], np.clip(np.round(x / scale) + zero, -128, 127)
                          .astype(np.int8)[None])
        runner.invoke()
        features = (runner.get_tensor(answer["index"]).ravel().astype(np.float32) - offset) * unit
        right += int((features @ weights + bias).argmax() == truth)
    print(f"int8: {right} of {len(ready)} unseen drawings right, {len(bytes_)} bytes, "
          f"{time.time() - started:.0f} s")


main()
