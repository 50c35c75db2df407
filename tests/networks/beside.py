"""Writes an ONNX file again with its weights in a file of their own.

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
