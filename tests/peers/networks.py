"""Makes the float networks that the peers run, cut after the pooled features as posy cuts them.

    networks.py OUT DATA

A pre-trained frozen graph is taken where DATA has one (v1 0.25_128); else the same architecture
from tf.keras.applications with random weights, on which time does not depend. Each becomes a
TensorFlow saved model, a float TFLite file and an ONNX file in OUT.
"""

import os
import subprocess
import sys

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["CUDA_VISIBLE_DEVICES"] = ""

import tensorflow as tf


def frozen(path, side):
    graph = tf.compat.v1.GraphDef()
    with open(path, "rb") as file:
        graph.ParseFromString(file.read())

    def load():
        tf.compat.v1.import_graph_def(graph, name="")

    wrapped = tf.compat.v1.wrap_function(load, [])
    take = wrapped.graph.as_graph_element
    pooled = [
        op.outputs[0] for op in wrapped.graph.get_operations() if op.type == "AvgPool"
    ]
    pruned = wrapped.prune(take("input:0"), pooled[-1])
    module = tf.Module()
    module.kept = wrapped
    spec = tf.TensorSpec([1, side, side, 3], tf.float32, name="input")
    module.run = tf.function(lambda input: {"features": pruned(input)}, input_signature=[spec])
    return module, module.run


def keras(kind, width, side):
    maker = {"v1": tf.keras.applications.MobileNet, "v2": tf.keras.applications.MobileNetV2}[kind]
    # The smallest widths are not of a published set of weights; none are loaded.
    model = maker((side, side, 3), alpha=width, include_top=False, weights=None, pooling="avg")
    module = tf.Module()
    module.model = model
    spec = tf.TensorSpec([1, side, side, 3], tf.float32, name="input")
    module.run = tf.function(
        lambda input: {"features": model(input, training=False)}, input_signature=[spec]
    )
    return module, module.run


def main():
    out, data = sys.argv[1:3]
    os.makedirs(out, exist_ok=True)
    for name, kind, width, side in [
        ("v1_0.25_128", "v1", 0.25, 128),
        ("v1_0.5_224", "v1", 0.5, 224),
        ("v2_0.5_224", "v2", 0.5, 224),
    ]:
        base = os.path.join(out, name)
        if os.path.exists(base + ".onnx"):
            continue
        graph = os.path.join(data, "models", f"mobilenet_{name}_frozen_graph.pb")
        module, run = frozen(graph, side) if os.path.exists(graph) else keras(kind, width, side)
        concrete = run.get_concrete_function()
        # Weights as constants, as a frozen graph has them.
        from tensorflow.python.framework.convert_to_constants import (
            convert_variables_to_constants_v2 as freeze,
        )

        constant = freeze(concrete)
        whole = tf.Module()
        whole.run = tf.function(
            lambda input: {"features": constant(input)[0]},
            input_signature=[tf.TensorSpec([1, side, side, 3], tf.float32, name="input")],
        )
        tf.saved_model.save(whole, base, signatures=whole.run)
        converter = tf.lite.TFLiteConverter.from_saved_model(base)
        with open(base + ".tflite", "wb") as file:
            file.write(converter.convert())
        subprocess.run(
            [sys.executable, "-m", "tf2onnx.convert", "--saved-model", base, "--opset", "17"]
            + ["--inputs-as-nchw", "input", "--output", base + ".onnx.part"],
            check=True,
        )
        os.rename(base + ".onnx.part", base + ".onnx")


main()
