"""Runs a frozen graph with TensorFlow.

    run_graph.py MODEL INPUTS OUTPUTS LABELS

INPUTS has pixels less 128, int8 [H, W, 3], one picture after the other. OUTPUTS gets for each of them
the softmax's input and output, float32. LABELS gets the version of TensorFlow as JSON.
"""

import json
import os
import sys

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import numpy as np
import tensorflow as tf

model, inputs, outputs, labels = sys.argv[1:]
definition = tf.compat.v1.GraphDef()
with open(model, "rb") as file:
    definition.ParseFromString(file.read())
graph = tf.Graph()
with graph.as_default():
    tf.import_graph_def(definition)
result = graph.get_operation_by_name("import/final_result")
source = graph.get_operation_by_name("import/input").outputs[0]
height, width = source.shape[1:3]
pictures = np.fromfile(inputs, np.int8).reshape(-1, height, width, 3)
with tf.compat.v1.Session(graph=graph) as session, open(outputs, "wb") as file:
    # As label_image.py: pixels of 0 to 255, less 128, divided by 128.
    for batch in np.array_split(pictures, max(len(pictures) // 8, 1)):
        real = batch.astype(np.float32) / 128
        logits, scores = session.run([result.inputs[0], result.outputs[0]], {source: real})
        for pair in zip(logits, scores):
            file.write(b"".join(array.astype(np.float32).tobytes() for array in pair))
with open(labels, "w", encoding="utf-8") as file:
    json.dump({"version": tf.__version__}, file)
