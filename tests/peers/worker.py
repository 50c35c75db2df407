"""One peer in one process, driven by pipes: see compare.py, which starts it.

    worker.py forward KIND MODEL SIDE THREADS PHOTOS
    worker.py features KIND MODEL SIDE THREADS PHOTOS DECODER PART PARTS
    worker.py decode - - SIDE 1 PHOTOS DECODER PART PARTS

It says `ready`, then answers each line `run SECONDS` with images and seconds as JSON. `forward`
runs the network again and again on prepared photos for that long; `features` takes every photo of
its part once from file to features; `decode` does the same without a network.
"""

import io
import json
import os
import sys
import time

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["CUDA_VISIBLE_DEVICES"] = ""

import numpy as np

INPUTS = 32


def photos(folder):
    found = []
    for label in sorted(os.listdir(folder)):
        inner = os.path.join(folder, label)
        if os.path.isdir(inner):
            names = sorted(os.listdir(inner))
            found += [os.path.join(inner, n) for n in names if n.lower().endswith((".jpg", ".jpeg"))]
    return found


def tensorflow(threads):
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    return tf


def decoder(name, side):
    """A function from a file's bytes to [side, side, 3] uint8."""
    if name == "tensorflow":
        tf = tensorflow(1)

        @tf.function(input_signature=[tf.TensorSpec([], tf.string)])
        def whole(data):
            pixels = tf.image.decode_jpeg(data, channels=3, dct_method="INTEGER_FAST")
            pixels = tf.expand_dims(pixels, 0)
            resized = tf.compat.v1.image.resize_bilinear(pixels, [side, side])
            return tf.cast(resized + 0.5, tf.uint8)

        whole(tf.constant(open(photos(sys.argv[6])[0], "rb").read()))
        return lambda data: whole(data).numpy()[0]
    if name.startswith("pillow"):
        from PIL import Image

        def pillow(data):
            image = Image.open(io.BytesIO(data))
            if name == "pillow-draft":
                image.draft("RGB", (side, side))
            return np.asarray(image.convert("RGB").resize((side, side), Image.Resampling.BILINEAR))

        return pillow
    if name == "opencv":
        import cv2

        cv2.setNumThreads(0)
        return lambda data: cv2.cvtColor(
            cv2.resize(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR), (side, side)),
            cv2.COLOR_BGR2RGB,
        )
    if name == "simplejpeg":
        import cv2
        import simplejpeg

        cv2.setNumThreads(0)
        return lambda data: cv2.resize(
            simplejpeg.decode_jpeg(data, "RGB", fastdct=True, fastupsample=True), (side, side)
        )
    raise SystemExit(f"no decoder {name}")


def network(kind, model, threads):
    """A function from [side, side, 3] uint8 to features."""
    scale = lambda pixels: (pixels.astype(np.float32) - 127.5) * np.float32(1 / 127.5)
    if kind == "tflite":
        from ai_edge_litert.interpreter import Interpreter

        interpreter = Interpreter(model, num_threads=threads)
        interpreter.allocate_tensors()
        entry = interpreter.get_input_details()[0]
        at, out = entry["index"], interpreter.get_output_details()[0]["index"]

        def run(pixels):
            if entry["dtype"] == np.float32:
                pixels = scale(pixels)
            elif entry["dtype"] == np.int8:
                pixels = (pixels ^ np.uint8(0x80)).view(np.int8)
            interpreter.set_tensor(at, pixels[None])
            interpreter.invoke()
            return interpreter.get_tensor(out)

        return run
    if kind == "onnx":
        import onnxruntime as ort

        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        entry = session.get_inputs()[0]
        if entry.shape[1] == 3:
            return lambda p: session.run(None, {entry.name: scale(p).transpose(2, 0, 1)[None].copy()})
        return lambda pixels: session.run(None, {entry.name: scale(pixels)[None]})
    if kind == "tensorflow":
        tf = tensorflow(threads)
        loaded = tf.saved_model.load(model)
        function = loaded.signatures["serving_default"]
        (name,) = function.structured_input_signature[1]
        return lambda pixels: function(**{name: tf.constant(scale(pixels)[None])})
    raise SystemExit(f"no kind {kind}")


def main():
    what, kind, model, side, threads, folder = sys.argv[1:7]
    side, threads = int(side), int(threads)
    files = photos(folder)
    if what == "forward":
        decode = decoder("pillow", side)
        run = network(kind, model, threads)
        inputs = [decode(open(f, "rb").read()) for f in files[:: max(1, -(-len(files) // INPUTS))]]
        for pixels in inputs:
            run(pixels)

        def work(seconds):
            end, images = time.perf_counter() + seconds, 0
            while time.perf_counter() < end:
                run(inputs[images % len(inputs)])
                images += 1
            return images

    else:
        name, part, parts = sys.argv[7], int(sys.argv[8]), int(sys.argv[9])
        decode = decoder(name, side)
        run = network(kind, model, threads) if what == "features" else lambda pixels: None
        mine = files[part::parts]

        def work(_):
            for file in mine:
                with open(file, "rb") as opened:
                    run(decode(opened.read()))
            return len(mine)

        for file in mine[:8]:
            run(decode(open(file, "rb").read()))
    print("ready", flush=True)
    for line in sys.stdin:
        seconds = float(line.split()[1])
        started = time.perf_counter()
        images = work(seconds)
        print(json.dumps({"images": images, "seconds": time.perf_counter() - started}), flush=True)


main()
