"""posy against TensorFlow, LiteRT (TFLite, XNNPACK) and ONNX Runtime, in turns, on the same photos.

    compare.py --data DATA --networks FOLDER --xtask PROGRAM --posy PROGRAM
               [--rounds N] [--only forward,features,retrain] [--retrain-py FILE]

Every contender is started once, made ready, and then run in turns with all others, round by round,
two threads (or two processes of one thread) each, so that what else the machine does falls on all
alike. For each row: the ratio of posy's images per second to the best peer's, in each round, and
of these the median; and the same ratio of images per second of processor time, which other
programs on the machine disturb less.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
NETWORKS = [("v1_0.5_224", 224), ("v1_0.25_128", 128), ("v2_0.5_224", 224)]
DECODERS = ["tensorflow", "pillow", "pillow-draft", "opencv", "simplejpeg"]
TICK = os.sysconf("SC_CLK_TCK")


class Contender:
    """One or two processes that work side by side."""

    def __init__(self, name, commands):
        self.name = name
        environment = dict(os.environ, TF_NUM_INTEROP_THREADS="1", OMP_NUM_THREADS="1")
        self.processes = [
            subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
                env=environment,
            )
            for command in commands
        ]
        self.rates, self.costs = [], []
        self.ready = all(self.answers("ready") for _ in [0])

    def answers(self, wanted):
        for process in self.processes:
            line = process.stdout.readline()
            if line.strip() != wanted:
                print(f"  {self.name}: does not run here, left out", file=sys.stderr)
                self.end()
                return False
        return True

    def processor_seconds(self):
        total = 0
        for process in self.processes:
            with open(f"/proc/{process.pid}/stat") as file:
                fields = file.read().rsplit(")", 1)[1].split()
            total += int(fields[11]) + int(fields[12])
        return total / TICK

    def round(self, seconds):
        before, started = self.processor_seconds(), time.perf_counter()
        for process in self.processes:
            process.stdin.write(f"run {seconds}\n")
            process.stdin.flush()
        answers = [json.loads(process.stdout.readline()) for process in self.processes]
        wall = max(max(a["seconds"] for a in answers), 1e-9)
        assert wall <= time.perf_counter() - started + 1
        images = sum(a["images"] for a in answers)
        self.rates.append(images / wall)
        self.costs.append(images / max(self.processor_seconds() - before, 1 / TICK))

    def end(self):
        for process in self.processes:
            process.stdin.close()
            process.wait()


def worker(*arguments):
    return [sys.executable, os.path.join(HERE, "worker.py"), *map(str, arguments)]


def median(values):
    return statistics.median(values)


def table(title, posy, peers, rounds, seconds):
    contenders = [c for c in [posy, *peers] if c.ready]
    for _ in range(rounds):
        for contender in contenders:
            contender.round(seconds)
    peers = [c for c in contenders if c is not posy]
    print(f"\n{title} ({rounds} rounds)\n")
    print("| | images/s, median | images/s of processor time, median |\n|---|---|---|")
    for c in contenders:
        print(f"| {c.name} | {median(c.rates):.0f} | {median(c.costs):.0f} |")
    # The fastest peer, as it did over all rounds.
    by_wall = max(peers, key=lambda c: median(c.rates))
    by_cost = max(peers, key=lambda c: median(c.costs))
    wall = median([a / b for a, b in zip(posy.rates, by_wall.rates)])
    cost = median([a / b for a, b in zip(posy.costs, by_cost.costs)])
    print(
        f"\n{title}: {wall:.2f} times the fastest peer ({by_wall.name}), "
        f"by processor time {cost:.2f} times ({by_cost.name})",
        flush=True,
    )
    for c in contenders:
        c.end()


def models_of(options, name):
    quantised = os.path.join(options.data, "models", f"mobilenet_{name}_quant.tflite")
    float_base = os.path.join(options.networks, name)
    return quantised, [
        ("TFLite float", "tflite", float_base + ".tflite"),
        ("TFLite uint8", "tflite", quantised),
        ("ONNX Runtime float", "onnx", float_base + ".onnx"),
        ("TensorFlow float", "tensorflow", float_base),
    ]


def forward(options):
    for name, side in NETWORKS:
        quantised, models = models_of(options, name)
        posy = Contender("posy", [[options.xtask, "contender", "forward", quantised, options.photos]])
        peers = []
        for label, kind, model in models:
            one = worker("forward", kind, model, side, 2, options.photos)
            peers.append(Contender(f"{label}, two threads", [one]))
            two = [worker("forward", kind, model, side, 1, options.photos)] * 2
            peers.append(Contender(f"{label}, two processes", two))
        table(f"forward pass, {name}", posy, peers, options.rounds, options.seconds)


def fastest_decoder(options, side):
    """The decoder that takes least processor time for a part of the photos, decoding and resizing."""
    found = {}
    for name in DECODERS:
        c = Contender(name, [worker("decode", "-", "-", side, 1, options.photos, name, 0, 6)])
        if c.ready:
            for _ in range(2):
                c.round(1)
            found[name] = max(c.costs)
            c.end()
    said = ", ".join(f"{name} {rate:.0f}" for name, rate in found.items())
    print(f"\ndecode and resize to {side}, photos per second of processor time: {said}")
    return max(found, key=found.get)


def features(options):
    for name, side in [("v1_0.25_128", 128), ("v1_0.5_224", 224)]:
        decoder = options.decoder or fastest_decoder(options, side)
        quantised, models = models_of(options, name)
        posy = Contender("posy", [[options.xtask, "contender", "features", quantised, options.photos]])
        peers = []
        for label, kind, model in models:
            two = [
                worker("features", kind, model, side, 1, options.photos, decoder, part, 2)
                for part in range(2)
            ]
            peers.append(Contender(f"{label}, {decoder}", two))
        table(f"photo to feature, {name}", posy, peers, options.rounds, 1)


def retrain(options):
    """Whole commands on a cold cache, one after the other."""
    print("\nretraining, whole command, cold cache, mobilenet_0.25_128, 500 steps\n")
    script = options.retrain_py
    name = "retrain.py" if script else "stand-in for retrain.py"
    rows = []
    for _ in range(max(1, options.rounds // 3)):
        seconds = []
        for what in ["posy", "posy, no float comparison", name]:
            with tempfile.TemporaryDirectory() as folder:
                if what.startswith("posy"):
                    command = [options.posy, "retrain", "--architecture", "mobilenet_0.25_128"]
                    command += ["--image-dir", options.photos, "--bottleneck-dir", folder]
                    command += ["--model-dir", os.path.join(options.data, "models")]
                    command += ["--output-graph", os.path.join(folder, "out.posy")]
                    command += ["--no-float"] if what.endswith("comparison") else []
                elif script:
                    # The graph where the script looks for it, so that nothing is downloaded.
                    place = os.path.join(folder, "mobilenet_v1_0.25_128")
                    os.makedirs(place)
                    graph = os.path.join(
                        options.data, "models", "mobilenet_v1_0.25_128_frozen_graph.pb"
                    )
                    shutil.copy(graph, os.path.join(place, "frozen_graph.pb"))
                    command = [sys.executable, os.path.join(HERE, "tensorflow1.py"), script]
                    command += ["--architecture=mobilenet_0.25_128", f"--model_dir={folder}"]
                    command += [f"--bottleneck_dir={folder}/b", f"--summaries_dir={folder}/s"]
                    command += [f"--output_graph={folder}/g.pb", f"--output_labels={folder}/l.txt"]
                    command += [f"--image_dir={options.photos}", "--how_many_training_steps=500"]
                else:
                    command = [sys.executable, os.path.join(HERE, "stand_in.py")]
                    command += [os.path.join(options.data, "models"), options.photos, folder, "500"]
                started = time.perf_counter()
                done = subprocess.run(command, capture_output=True, text=True, cwd=folder)
                seconds.append(time.perf_counter() - started)
                if done.returncode != 0:
                    raise SystemExit(f"{what} failed:\n{done.stderr[-2000:]}")
                last = [l for l in (done.stdout + done.stderr).splitlines() if "accuracy =" in l][-1]
                print(f"{what}: {seconds[-1]:.1f} s; {last.strip()}", flush=True)
        rows.append(seconds)
    for at, what in enumerate(["posy", "posy, no float comparison"]):
        ratio = median([row[2] / row[at] for row in rows])
        print(f"retraining: {what}: {ratio:.1f} times {name}")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", required=True)
    parser.add_argument("--networks", required=True)
    parser.add_argument("--xtask", required=True)
    parser.add_argument("--posy", required=True)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--seconds", type=float, default=0.5)
    parser.add_argument("--only", default="forward,features,retrain")
    parser.add_argument("--decoder", help="in place of the fastest: " + ", ".join(DECODERS))
    parser.add_argument("--retrain-py")
    options = parser.parse_args()
    options.photos = os.path.join(options.data, "flower_photos")
    for what in options.only.split(","):
        {"forward": forward, "features": features, "retrain": retrain}[what](options)


main()
