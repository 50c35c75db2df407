"""Writes classifiers of other kinds than MobileNet as ONNX files, by PyTorch's own exporter.

usage: others.py FOLDER

Weights are random, and the statistics of batch norms come from noise: the classes have no meaning, and the tests
only compare outputs.
"""

import sys
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional

SIDE = 64
CLASSES = 12


def layer(inputs, outputs, kernel, stride=1, groups=1, activation=nn.ReLU):
    """Convolution, batch norm, activation. `kernel` may be two numbers."""
    pads = kernel // 2 if isinstance(kernel, int) else tuple(side // 2 for side in kernel)
    steps = [
        nn.Conv2d(inputs, outputs, kernel, stride, pads, groups=groups, bias=False),
        nn.BatchNorm2d(outputs),
    ]
    return nn.Sequential(*steps, activation()) if activation else nn.Sequential(*steps)


class Branches(nn.Module):
    """Of Inception's kind: 1 x 1, 1 x 7 and 7 x 1, 3 x 3 twice, and a pool, side by side."""

    def __init__(self, inputs):
        super().__init__()
        self.one = layer(inputs, 16, 1)
        self.seven = nn.Sequential(layer(inputs, 8, 1), layer(8, 12, (1, 7)), layer(12, 16, (7, 1)))
        self.three = nn.Sequential(layer(inputs, 8, 1), layer(8, 12, 3), layer(12, 16, 3))
        self.pooled = layer(inputs, 16, 1)

    def forward(self, x):
        pooled = functional.avg_pool2d(x, 3, 1, 1)
        return torch.cat([self.one(x), self.seven(x), self.three(x), self.pooled(pooled)], 1)


class Inception(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(layer(3, 16, 3, 2), nn.MaxPool2d(3, 2), layer(16, 24, 3))
        self.branches = nn.Sequential(Branches(24), nn.MaxPool2d(3, 2, ceil_mode=True), Branches(64))
        self.drop = nn.Dropout(0.5)
        self.head = nn.Linear(64, CLASSES)

    def forward(self, x):
        # Pictures are brought from ImageNet's statistics to -1..1, channel by channel.
        scaled = [x[:, c : c + 1] * s + b for c, (s, b) in enumerate([(0.46, -0.03), (0.45, -0.09), (0.45, -0.19)])]
        x = self.branches(self.stem(torch.cat(scaled, 1)))
        x = functional.adaptive_avg_pool2d(x, 1)
        return self.head(torch.flatten(self.drop(x), 1))


class Squeeze(nn.Module):
    """Of EfficientNet's kind: channels weighted by what is in them."""

    def __init__(self, channels):
        super().__init__()
        self.wide = layer(channels, 4 * channels, 1, activation=nn.SiLU)
        self.depth = layer(4 * channels, 4 * channels, 5, groups=4 * channels, activation=nn.SiLU)
        self.down = nn.Conv2d(4 * channels, channels // 2, 1)
        self.up = nn.Conv2d(channels // 2, 4 * channels, 1)
        self.narrow = layer(4 * channels, channels, 1, activation=None)

    def forward(self, x):
        y = self.depth(self.wide(x))
        weights = functional.adaptive_avg_pool2d(y, 1)
        weights = torch.sigmoid(self.up(functional.silu(self.down(weights))))
        return x + self.narrow(y * weights)


class Efficient(nn.Module):
    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(
            layer(3, 16, 3, 2, activation=nn.SiLU), Squeeze(16), layer(16, 48, 1, activation=nn.SiLU)
        )
        self.head = nn.Sequential(nn.Dropout(0.2), nn.Linear(48, CLASSES))

    def forward(self, x):
        return self.head(self.features(x).mean([2, 3]))


class Fire(nn.Module):
    def __init__(self, inputs, squeezed, outputs):
        super().__init__()
        self.squeeze = nn.Conv2d(inputs, squeezed, 1)
        self.one = nn.Conv2d(squeezed, outputs, 1)
        self.three = nn.Conv2d(squeezed, outputs, 3, padding=1)

    def forward(self, x):
        x = functional.relu(self.squeeze(x))
        return torch.cat([functional.relu(self.one(x)), functional.relu(self.three(x))], 1)


class SqueezeNet(nn.Module):
    """A convolution for a last layer, and the mean after it."""

    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, 16, 3, 2), nn.ReLU(), nn.MaxPool2d(3, 2, ceil_mode=True), Fire(16, 8, 16), Fire(32, 8, 32)
        )
        self.head = nn.Conv2d(64, CLASSES, 1)

    def forward(self, x):
        x = functional.relu(self.head(self.features(x)))
        return functional.adaptive_avg_pool2d(x, 1).flatten(1).softmax(1)


class Shuffle(nn.Module):
    """Of ShuffleNet's kind: half of the channels go through, and all are mixed."""

    def __init__(self, channels):
        super().__init__()
        half = channels // 2
        self.branch = nn.Sequential(layer(half, half, 1), layer(half, half, 3, groups=half, activation=None))

    def forward(self, x):
        kept, changed = x.chunk(2, 1)
        x = torch.cat([kept, self.branch(changed)], 1)
        batch, channels, height, width = x.shape
        x = x.reshape(batch, 2, channels // 2, height, width).transpose(1, 2)
        return x.reshape(batch, channels, height, width)


class ShuffleNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(layer(3, 24, 3, 2), nn.MaxPool2d(3, 2, 1), Shuffle(24), Shuffle(24), layer(24, 56, 1))
        self.head = nn.Linear(56, CLASSES)

    def forward(self, x):
        return self.head(self.features(x).mean([2, 3]))


class Transformer(nn.Module):
    """Patches that look at each other."""

    def __init__(self):
        super().__init__()
        self.patches = nn.Conv2d(3, 32, 16, 16)
        self.first, self.second, self.last = nn.LayerNorm(32), nn.LayerNorm(32), nn.LayerNorm(32)
        self.three, self.back = nn.Linear(32, 96), nn.Linear(32, 32)
        self.wide, self.narrow = nn.Linear(32, 64), nn.Linear(64, 32)
        self.head = nn.Linear(32, CLASSES)

    def forward(self, x):
        x = self.patches(x).flatten(2).transpose(1, 2)
        q, k, v = self.three(self.first(x)).chunk(3, -1)
        looks = (q @ k.transpose(1, 2) * 32**-0.5).softmax(-1)
        x = x + self.back(looks @ v)
        x = x + self.narrow(functional.gelu(self.wide(self.second(x))))
        return self.head(self.last(x).mean(1))


def main(folder):
    open_batch = {"dynamic_axes": {"picture": {0: "batch"}}}
    open_size = {"dynamic_axes": {"picture": {0: "batch", 2: "height", 3: "width"}}}
    networks = [
        ("inception_set11", Inception(), 11, open_batch),
        ("efficient_set13", Efficient(), 13, {}),
        ("squeezenet_set9", SqueezeNet(), 9, {}),
        ("shufflenet_set12", ShuffleNet(), 12, {}),
        ("transformer_set14", Transformer(), 14, {}),
        ("open_size_set16", Efficient(), 16, open_size),
    ]
    for name, network, operator_set, options in networks:
        torch.manual_seed(sum(name.encode()))
        for module in network.modules():
            if isinstance(module, (nn.Conv2d, nn.Linear)):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
        network.train()
        with torch.no_grad():
            network(torch.randn(8, 3, SIDE, SIDE))
        network.eval()
        torch.onnx.export(
            network,
            torch.randn(1, 3, SIDE, SIDE),
            str(Path(folder) / f"{name}.onnx"),
            input_names=["picture"],
            output_names=["classes"],
            opset_version=operator_set,
            **options,
        )
        print(name)


main(*sys.argv[1:])
