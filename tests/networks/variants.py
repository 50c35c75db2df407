"""Writes variants of an ONNX file: the same network as other exporters would write it.

usage: variants.py MODEL FOLDER

MODEL is a MobileNet v1 in NCHW with explicit padding and Clip, as tf2onnx writes it.
"""

import copy
import sys
from pathlib import Path

import numpy
import onnx
from onnx import helper, numpy_helper


def constant(model, name, values, kind=numpy.float32):
    model.graph.initializer.append(numpy_helper.from_array(numpy.array(values, kind), name))
    return name


def attribute(node, name):
    return next((a for a in node.attribute if a.name == name), None)


def replace(model, each):
    """Puts what `each` makes of every node in its place."""
    nodes = [new for node in model.graph.node for new in each(node)]
    del model.graph.node[:]
    model.graph.node.extend(nodes)


def auto_pad(model):
    def each(node):
        pads = attribute(node, "pads")
        if node.op_type == "Conv" and pads and list(pads.ints) in ([0, 0, 1, 1], [1, 1, 1, 1]):
            node.attribute.remove(pads)
            node.attribute.append(helper.make_attribute("auto_pad", "SAME_UPPER"))
        return [node]

    replace(model, each)


def pad_nodes(model):
    def each(node):
        pads = attribute(node, "pads")
        if node.op_type != "Conv" or not pads or not any(pads.ints):
            return [node]
        top, left, bottom, right = pads.ints
        name = node.output[0] + "_padded"
        amounts = constant(model, name + "_pads", [0, 0, top, left, 0, 0, bottom, right], numpy.int64)
        pad = helper.make_node("Pad", [node.input[0], amounts], [name])
        node.attribute.remove(pads)
        node.input[0] = name
        return [pad, node]

    replace(model, each)


def relu_and_min(model):
    six = constant(model, "limit_six", 6.0)

    def each(node):
        if node.op_type != "Clip":
            return [node]
        above = node.output[0] + "_above"
        return [
            helper.make_node("Relu", [node.input[0]], [above]),
            helper.make_node("Min", [six, above], list(node.output)),
        ]

    replace(model, each)


def global_pool(model):
    def each(node):
        if node.op_type != "AveragePool":
            return [node]
        return [helper.make_node("GlobalAveragePool", list(node.input), list(node.output))]

    replace(model, each)


def mean(model):
    def each(node):
        if node.op_type != "AveragePool":
            return [node]
        made = helper.make_node("ReduceMean", list(node.input), list(node.output), axes=[-1, 2])
        return [made]

    replace(model, each)


def scaled_input(model):
    """Takes 0 to 255, and makes -1 to 1 of it."""
    name = model.graph.input[0].name
    by = constant(model, "by", [[[1 / 127.5]]] * 3)
    less = constant(model, "less", [1.0])

    def each(node):
        node.input[:] = ["scaled" if read == name else read for read in node.input]
        return [node]

    replace(model, each)
    first = [
        helper.make_node("Mul", [name, by], ["times"]),
        helper.make_node("Sub", ["times", less], ["scaled"]),
    ]
    for node in reversed(first):
        model.graph.node.insert(0, node)


def shuffled(model):
    """Nodes in no order, and weights that are inputs too."""
    nodes = list(model.graph.node)
    del model.graph.node[:]
    model.graph.node.extend(nodes[::-1])
    for tensor in model.graph.initializer:
        model.graph.input.append(
            helper.make_tensor_value_info(tensor.name, tensor.data_type, list(tensor.dims))
        )


def listed_numbers(model):
    """Numbers as lists, not as bytes."""
    for tensor in model.graph.initializer:
        if tensor.data_type == onnx.TensorProto.FLOAT:
            values = numpy_helper.to_array(tensor)
            del tensor.float_data[:]
            tensor.ClearField("raw_data")
            tensor.float_data.extend(values.reshape(-1).tolist())


VARIANTS = {
    "auto_pad": [auto_pad],
    "pad_nodes": [pad_nodes, global_pool],
    "relu_and_min": [relu_and_min, mean],
    "scaled_input": [scaled_input],
    "listed_numbers": [listed_numbers],
    "shuffled": [shuffled],
}


def main(path, folder):
    original = onnx.load(path)
    for name, steps in VARIANTS.items():
        model = copy.deepcopy(original)
        for step in steps:
            step(model)
        (Path(folder) / f"{name}.onnx").write_bytes(model.SerializeToString())


main(*sys.argv[1:])
