"""Runs an int8 TensorFlow Lite file with the reference kernels.

    run_tflite.py MODEL INPUTS OUTPUTS LABELS

INPUTS has int8 inputs one after the other. OUTPUTS gets, for each of them, the softmax's input and
output, int8. LABELS gets the labels that the file carries for phones, as JSON with the
input's mean and deviation.
"""

import json
import sys
import zipfile

import flatbuffers.number_types as number
import numpy as np
from ai_edge_litert.interpreter import Interpreter, OpResolverType
from flatbuffers.encode import Get
from flatbuffers.table import Table

model, inputs, outputs, labels = sys.argv[1:]
interpreter = Interpreter(
    model_path=model,
    experimental_op_resolver_type=OpResolverType.BUILTIN_REF,
    experimental_preserve_all_tensors=True,
)
interpreter.allocate_tensors()
(source,) = interpreter.get_input_details()
(target,) = interpreter.get_output_details()
assert source["dtype"] == target["dtype"] == np.int8, (source, target)
softmax = interpreter._get_ops_details()[-1]
assert softmax["op_name"] == "SOFTMAX", softmax
logits = int(softmax["inputs"][0])

pictures = np.fromfile(inputs, np.int8).reshape(-1, *source["shape"])
with open(outputs, "wb") as file:
    for picture in pictures:
        interpreter.set_tensor(source["index"], picture)
        interpreter.invoke()
        for tensor in (logits, target["index"]):
            file.write(interpreter.get_tensor(tensor).astype(np.int8).tobytes())


def follow(table, field):
    """The table that field number `field` of a flatbuffer's table points to."""
    at = table.Offset(4 + 2 * field)
    assert at, field
    return Table(table.Bytes, table.Indirect(at + table.Pos))


def item(table, field, index=0):
    """Table number `index` of the vector of tables in a field."""
    return Table(table.Bytes, table.Indirect(table.Vector(table.Offset(4 + 2 * field)) + 4 * index))


def text(table, field):
    return table.String(table.Offset(4 + 2 * field) + table.Pos).decode()


def root(data):
    return Table(data, Get(number.UOffsetTFlags.packer_type, data, 0))


def phones(data):
    """Mean, deviation and the name of the file of labels, as metadata_schema.fbs has them."""
    file = root(data)
    metadata = None
    for index in range(file.VectorLen(file.Offset(4 + 2 * 6))):
        entry = item(file, 6, index)
        if text(entry, 0) == "TFLITE_METADATA":
            at = entry.Offset(4 + 2)
            buffer = item(file, 4, entry.Get(number.Uint32Flags, at + entry.Pos))
            at = buffer.Offset(4)
            start, length = buffer.Vector(at), buffer.VectorLen(at)
            metadata = bytearray(data[start : start + length])
    assert metadata is not None and metadata[4:8] == b"M001", "no metadata"
    graph = item(root(metadata), 3)
    image, scores = item(graph, 2), item(graph, 3)
    options = follow(item(image, 4), 1)
    mean, deviation = (
        options.Get(number.Float32Flags, options.Vector(options.Offset(4 + 2 * field)))
        for field in (0, 1)
    )
    return mean, deviation, text(item(scores, 6), 0)


with open(labels, "w", encoding="utf-8") as file:
    found = {}
    if zipfile.is_zipfile(model):
        with open(model, "rb") as stream:
            mean, deviation, name = phones(bytearray(stream.read()))
        with zipfile.ZipFile(model) as archive:
            lines = archive.read(name).decode().splitlines()
        found = {"mean": mean, "std": deviation, "labels": lines}
    json.dump(found, file)
