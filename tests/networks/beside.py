"""Rewrites an ONNX file with its weights as external data.

usage: beside.py MODEL OUTPUT
"""

import sys
from pathlib import Path

import onnx

model = onnx.load(sys.argv[1])
output = Path(sys.argv[2])
onnx.save(
    model, output, save_as_external_data=True, location=f"{output.name}.data", size_threshold=0
)
