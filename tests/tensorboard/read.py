"""Prints as JSON what TensorBoard's own accumulator reads below a folder of event files: for each
folder with files its tags, scalars as (step, value), histograms, images and the graph's nodes."""

import base64
import json
import os
import sys

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.compat.proto import graph_pb2
from tensorboard.plugins.hparams import metadata, plugin_data_pb2


def histogram(event):
    value = event.histogram_value
    return {
        "step": event.step,
        "min": value.min,
        "max": value.max,
        "num": value.num,
        "sum": value.sum,
        "sum_squares": value.sum_squares,
        "limits": list(value.bucket_limit),
        "counts": list(value.bucket),
    }


def image(event):
    return {
        "step": event.step,
        "width": event.width,
        "height": event.height,
        "png": base64.b64encode(event.encoded_image_string).decode(),
    }


def hparams(events):
    found = {}
    summary = events.SummaryMetadata(metadata.SESSION_START_INFO_TAG)
    data = plugin_data_pb2.HParamsPluginData.FromString(summary.plugin_data.content)
    for name, value in data.session_start_info.hparams.items():
        found[name] = getattr(value, value.WhichOneof("kind"))
    return found


def read(folder):
    # 0: every event is kept.
    everything = {"scalars": 0, "histograms": 0, "images": 0, "tensors": 0, "graph": 1}
    events = EventAccumulator(folder, size_guidance=everything)
    events.Reload()
    tags = events.Tags()
    found = {
        "scalars": {
            tag: [[event.step, event.value] for event in events.Scalars(tag)]
            for tag in tags["scalars"]
        },
        "histograms": {
            tag: [histogram(event) for event in events.Histograms(tag)]
            for tag in tags["histograms"]
        },
        "images": {
            tag: [image(event) for event in events.Images(tag)] for tag in tags["images"]
        },
    }
    if tags["graph"]:
        graph = graph_pb2.GraphDef.FromString(
            events.Graph().SerializeToString()
        )
        found["graph"] = [
            {"name": node.name, "op": node.op, "inputs": list(node.input)}
            for node in graph.node
        ]
    if metadata.SESSION_START_INFO_TAG in tags["tensors"]:
        found["hparams"] = hparams(events)
    return found


def main():
    root = sys.argv[1]
    runs = {}
    for folder, _, files in os.walk(root):
        if any("tfevents" in name for name in files):
            runs[os.path.relpath(folder, root)] = read(folder)
    json.dump(runs, sys.stdout)


main()
