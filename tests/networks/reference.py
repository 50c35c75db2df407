"""Runs an ONNX file with ONNX Runtime.

usage: reference.py MODEL INPUTS TENSOR OUTPUT

INPUTS holds float32 pictures [N, H, W, 3]. OUTPUT gets, picture by picture, the float32 numbers of TENSOR and
then those of the model's first output.
"""

import sys

import numpy
import onnx
import onnxruntime


def main(path, inputs, tensor, output):
    model = onnx.load(path)
    if tensor not in [value.name for value in model.graph.output]:
        model.graph.output.append(onnx.helper.make_empty_tensor_value_info(tensor))
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    # As the file says, nothing fused.
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    wanted = session.get_inputs()[0]
    planar = wanted.shape[1] == 3
    side = wanted.shape[2]
    pictures = numpy.fromfile(inputs, numpy.float32).reshape(-1, side, side, 3)
    first = session.get_outputs()[0].name
    with open(output, "wb") as file:
        for picture in pictures:
            picture = picture.transpose(2, 0, 1) if planar else picture
            fed = {wanted.name: numpy.ascontiguousarray(picture[None])}
            for found in session.run([tensor, first], fed):
                file.write(found.astype("<f4").tobytes())


main(*sys.argv[1:])
