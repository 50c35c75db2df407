"""Runs an ONNX file after ONNX Runtime's own int8 quantisation, for comparison.

usage: quantised.py MODEL CALIBRATION INPUTS TENSOR OUTPUT

CALIBRATION and INPUTS hold float32 pictures [N, H, W, 3]. OUTPUT gets TENSOR for each of INPUTS, as float32. Weights
are int8 for each channel, activations uint8, ranges the least and greatest numbers seen.
"""

import sys
import tempfile
from pathlib import Path

import numpy
import onnx
import onnxruntime
from onnx import version_converter
from onnxruntime import quantization


class Pictures(quantization.CalibrationDataReader):
    def __init__(self, name, pictures):
        self.pictures = ({name: picture} for picture in pictures)

    def get_next(self):
        return next(self.pictures, None)


def main(path, calibration, inputs, tensor, output):
    onnxruntime.set_default_logger_severity(3)
    model = onnx.load(path)
    # Scales for each channel came with operator set 13.
    if model.opset_import[0].version < 13:
        model = version_converter.convert_version(model, 13)
    weights = {weight.name for weight in model.graph.initializer}
    wanted = next(value for value in model.graph.input if value.name not in weights)
    extents = [dim.dim_value for dim in wanted.type.tensor_type.shape.dim]
    planar, side = extents[1] == 3, extents[2]

    def pictures(file):
        for picture in numpy.fromfile(file, numpy.float32).reshape(-1, 1, side, side, 3):
            yield numpy.ascontiguousarray(picture.transpose(0, 3, 1, 2) if planar else picture)

    with tempfile.TemporaryDirectory() as folder:
        before, after = Path(folder) / "before.onnx", Path(folder) / "after.onnx"
        onnx.save(model, before)
        quantization.quantize_static(
            before,
            after,
            Pictures(wanted.name, pictures(calibration)),
            quant_format=quantization.QuantFormat.QDQ,
            per_channel=True,
            weight_type=quantization.QuantType.QInt8,
            activation_type=quantization.QuantType.QUInt8,
        )
        model = onnx.load(after)
    if tensor not in [value.name for value in model.graph.output]:
        model.graph.output.append(onnx.helper.make_empty_tensor_value_info(tensor))
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    with open(output, "wb") as file:
        for picture in pictures(inputs):
            (found,) = session.run([tensor], {wanted.name: picture})
            file.write(found.astype("<f4").tobytes())


main(*sys.argv[1:])
