"""Labels photos as the codelab's label_image.py does.

    label_image.py --graph FILE --labels FILE [--input_height N] [--input_width N] [--input_mean N]
        [--input_std N] [--input_layer NAME] [--output_layer NAME] IMAGE...

For each photo: its pixels are decoded, resized bilinearly without aligned corners or half-pixel
centres, less the mean and divided by the deviation; then the five likeliest labels and an empty line.
JPEGs are decoded with the exact DCT, as posy decodes them.
"""

import argparse
import os

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import tensorflow as tf

tf1 = tf.compat.v1

parser = argparse.ArgumentParser()
parser.add_argument("--graph", required=True)
parser.add_argument("--labels", required=True)
parser.add_argument("--input_height", type=int, default=224)
parser.add_argument("--input_width", type=int, default=224)
parser.add_argument("--input_mean", type=float, default=128)
parser.add_argument("--input_std", type=float, default=128)
parser.add_argument("--input_layer", default="input")
parser.add_argument("--output_layer", default="final_result")
parser.add_argument("images", nargs="+", metavar="IMAGE")
arguments = parser.parse_args()

definition = tf1.GraphDef()
with open(arguments.graph, "rb") as file:
    definition.ParseFromString(file.read())
graph = tf.Graph()
with graph.as_default():
    tf.import_graph_def(definition)
    content = tf1.placeholder(tf.string, [])
    decoded = tf.cond(
        tf.image.is_jpeg(content),
        lambda: tf.image.decode_jpeg(content, channels=3, dct_method="INTEGER_ACCURATE"),
        lambda: tf.image.decode_png(content, channels=3),
    )
    size = [arguments.input_height, arguments.input_width]
    resized = tf1.image.resize_bilinear(tf.expand_dims(tf.cast(decoded, tf.float32), 0), size)
    prepared = (resized - arguments.input_mean) / arguments.input_std
    source = graph.get_operation_by_name("import/" + arguments.input_layer).outputs[0]
    target = graph.get_operation_by_name("import/" + arguments.output_layer).outputs[0]

with open(arguments.labels, encoding="utf-8") as file:
    labels = [line.rstrip() for line in file]
with tf1.Session(graph=graph) as session:
    for image in arguments.images:
        with open(image, "rb") as file:
            pixels = session.run(prepared, {content: file.read()})
        (scores,) = session.run(target, {source: pixels})
        for index in scores.argsort()[-5:][::-1]:
            print(f"{labels[index]} (score={scores[index]:0.5f})")
        print()
