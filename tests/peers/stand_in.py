"""A stand-in for the codelab's retrain.py, for where that cannot be had: the same work.

    stand_in.py MODELS PHOTOS OUT STEPS

The frozen MobileNet v1 0.25_128 in TensorFlow's 1.x mode; for each photo one call of a session to
decode and resize it and one to run the network, its 1,001 numbers written as a text file; then so
many steps of gradient descent on 100 photos at random, whose text files are read again at every
step, measured every 10 steps on the training batch and on 100 validation photos, with summaries; at
the end the test photos. It writes no graph.
"""

import hashlib
import os
import random
import sys

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "2"
os.environ["CUDA_VISIBLE_DEVICES"] = ""

import numpy as np
import tensorflow.compat.v1 as tf

tf.disable_v2_behavior()
SIDE, WIDTH, LARGEST = 128, 1001, 2**27 - 1


def part_of(name):
    percent = int(hashlib.sha1(name.encode()).hexdigest(), 16) % (LARGEST + 1) * 100 / LARGEST
    return "validation" if percent < 10 else "testing" if percent < 20 else "training"


def main():
    models, photos, out, steps = sys.argv[1:5]
    labels = sorted(n for n in os.listdir(photos) if os.path.isdir(os.path.join(photos, n)))
    parts = {"training": [], "validation": [], "testing": []}
    for number, label in enumerate(labels):
        for name in sorted(os.listdir(os.path.join(photos, label))):
            path = os.path.join(photos, label, name)
            parts[part_of(path)].append((path, number))

    graph = tf.GraphDef()
    with open(os.path.join(models, "mobilenet_v1_0.25_128_frozen_graph.pb"), "rb") as file:
        graph.ParseFromString(file.read())
    ends = ["input:0", "MobilenetV1/Predictions/Reshape:0"]
    entry, scores = tf.import_graph_def(graph, name="", return_elements=ends)
    data = tf.placeholder(tf.string)
    pixels = tf.cast(tf.image.decode_jpeg(data, channels=3), tf.float32)
    pixels = tf.image.resize_bilinear(tf.expand_dims(pixels, 0), [SIDE, SIDE])
    prepared = (pixels - 127.5) * (1 / 127.5)

    session = tf.Session()
    text_of = {}
    for pairs in parts.values():
        for path, _ in pairs:
            with open(path, "rb") as file:
                numbers = session.run(prepared, {data: file.read()})
            values = np.squeeze(session.run(scores, {entry: numbers}))
            place = os.path.join(out, os.path.basename(os.path.dirname(path)))
            os.makedirs(place, exist_ok=True)
            target = os.path.join(place, os.path.basename(path) + "_mobilenet_0.25_128.txt")
            with open(target, "w") as file:
                file.write(",".join(str(value) for value in values))
            text_of[path] = target

    features = tf.placeholder_with_default(tf.zeros([1, WIDTH]), [None, WIDTH])
    truth = tf.placeholder(tf.int64, [None])
    weights = tf.Variable(tf.truncated_normal([WIDTH, len(labels)], stddev=0.001))
    biases = tf.Variable(tf.zeros([len(labels)]))
    logits = tf.matmul(features, weights) + biases
    loss = tf.losses.sparse_softmax_cross_entropy(labels=truth, logits=logits)
    step = tf.train.GradientDescentOptimizer(0.01).minimize(loss)
    accuracy = tf.reduce_mean(tf.cast(tf.equal(tf.argmax(logits, 1), truth), tf.float32))
    for name, value in [("weights", weights), ("biases", biases), ("activations", logits)]:
        tf.summary.histogram(name, value)
    tf.summary.scalar("cross_entropy", loss)
    tf.summary.scalar("accuracy", accuracy)
    summaries = tf.summary.merge_all()
    writer = tf.summary.FileWriter(os.path.join(out, "train"), session.graph)
    session.run(tf.global_variables_initializer())

    def read(path):
        with open(text_of[path]) as file:
            return [float(number) for number in file.read().split(",")]

    def batch(part, count):
        pairs = parts[part] if count is None else random.choices(parts[part], k=count)
        return {features: [read(path) for path, _ in pairs], truth: [label for _, label in pairs]}

    for at in range(int(steps)):
        chosen = batch("training", 100)
        summary, _ = session.run([summaries, step], chosen)
        writer.add_summary(summary, at)
        if at % 10 == 0 or at + 1 == int(steps):
            trained = session.run([accuracy, loss], chosen)
            validated = session.run(accuracy, batch("validation", 100))
            print(f"Step {at}: {trained[0]:.3f} {trained[1]:.4f} {validated:.3f}")
    final = session.run(accuracy, batch("testing", None))
    print(f"Final test accuracy = {100 * final:.1f}% (N={len(parts['testing'])})")


main()
