"""Runs an ONNX file with ONNX Runtime.

    run_onnx.py MODEL INPUTS OUTPUTS LABELS

INPUTS has pixels less 128, int8 [H, W, 3], one picture after the other. OUTPUTS gets for each of them
the logits and the probabilities, float32. LABELS gets the metadata as JSON, with the operators that
the runtime runs after its own optimisation.
"""

import json
import os
import sys
import tempfile

import numpy as np
import onnxruntime

model, inputs, outputs, labels = sys.argv[1:]
options = onnxruntime.SessionOptions()
options.intra_op_num_threads = 2
options.log_severity_level = 3
# Without it, processors that have AVX2 and no VNNI cut sums of two products to 16 bits.
options.add_session_config_entry("session.x64quantprecision", "1")
with tempfile.TemporaryDirectory() as folder:
    options.optimized_model_filepath = os.path.join(folder, "optimised.onnx")
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    with open(options.optimized_model_filepath, "rb") as file:
        optimised = file.read()
metadata = session.get_modelmeta().custom_metadata_map
mean, deviation = float(metadata["mean"]), float(metadata["std"])
(source,) = session.get_inputs()
assert [value.name for value in session.get_outputs()] == ["final_result", "logits"]
assert source.name == "input" and source.shape[:2] == [1, 3], source

height, width = source.shape[2:]
pictures = np.fromfile(inputs, np.int8).reshape(-1, height, width, 3)
with open(outputs, "wb") as file:
    for picture in pictures:
        pixels = picture.astype(np.float32) + 128
        real = (pixels - mean) / deviation
        planar = np.ascontiguousarray(real.transpose(2, 0, 1)[None], np.float32)
        scores, logits = session.run(["final_result", "logits"], {"input": planar})
        file.write(logits.tobytes() + scores.tobytes())

found = dict(metadata)
found["labels"] = metadata["labels"].split("\n")
# Names of operators stand as text in the file.
found["integer"] = optimised.count(b"QLinearConv") > 20
with open(labels, "w", encoding="utf-8") as file:
    json.dump(found, file)
