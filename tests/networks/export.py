"""Writes MobileNets with random weights as ONNX files, by PyTorch's own exporter.

usage: export.py FOLDER PHOTOS BEGINNING

PHOTOS holds 40 pictures of 128 x 128 x 3 bytes. BEGINNING selects the random weights:

pytorch      initialisation of PyTorch's layers
torchvision  initialisation of torchvision's MobileNets
amplifying   He's initialisation, with batch norms that spread maps over 0 to 6 and have seen some of the
             photos: small differences grow from layer to layer

The classes have no meaning.
"""

import sys
from pathlib import Path

import torch
from torch import nn

STRIDES = [1, 2, 1, 2, 1, 2, 1, 1, 1, 1, 1, 2, 1]
CHANNELS = [64, 128, 128, 256, 256, 512, 512, 512, 512, 512, 512, 1024, 1024]
# Expansion, channels, repetitions, stride of the first.
BLOCKS = [
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
]
CLASSES = 10


def rounded(channels):
    """Version 2's channels: the nearest multiple of 8, at least 8, and no tenth below."""
    new = max(8, int(channels + 4) // 8 * 8)
    return new + 8 if new < 0.9 * channels else new


class Minimum(nn.Module):
    """ReLU6 in two steps."""

    def forward(self, x):
        return torch.minimum(torch.relu(x), torch.tensor(6.0))


class Layers(nn.Sequential):
    """Convolution, batch norm, activation; `same` pads as TensorFlow does, in a step of its own."""

    def __init__(self, inputs, outputs, kernel, stride=1, groups=1, activation=nn.ReLU6, same=False):
        steps = []
        pads = kernel // 2
        if same and kernel == 3 and stride == 2:
            steps.append(nn.ZeroPad2d((0, 1, 0, 1)))
            pads = 0
        steps.append(nn.Conv2d(inputs, outputs, kernel, stride, pads, groups=groups, bias=False))
        steps.append(nn.BatchNorm2d(outputs, eps=1e-3, momentum=None))
        if activation:
            steps.append(activation())
        super().__init__(*steps)


class Version1(nn.Module):
    def __init__(self, width, activation=nn.ReLU6, head="linear", same=False):
        super().__init__()
        channels = [int(32 * width)] + [int(c * width) for c in CHANNELS]
        layers = [Layers(3, channels[0], 3, 2, 1, activation, same)]
        for before, after, stride in zip(channels, channels[1:], STRIDES):
            layers.append(Layers(before, before, 3, stride, before, activation, same))
            layers.append(Layers(before, after, 1, 1, 1, activation))
        self.features = nn.Sequential(*layers)
        self.head = head
        if head == "convolution":
            self.classifier = nn.Conv2d(channels[-1], CLASSES, 1)
        else:
            self.classifier = nn.Linear(channels[-1], CLASSES)

    def forward(self, x):
        if self.head == "convolution":
            # Pictures come as TensorFlow has them.
            x = self.features(x.permute(0, 3, 1, 2))
            x = torch.nn.functional.avg_pool2d(x, int(x.shape[-1]))
            return self.classifier(x).view(-1, CLASSES).softmax(1)
        return self.classifier(self.features(x).mean([2, 3]))


class Residual(nn.Module):
    def __init__(self, inputs, outputs, stride, expansion, activation, same):
        super().__init__()
        hidden = inputs * expansion
        layers = []
        if expansion != 1:
            layers.append(Layers(inputs, hidden, 1, activation=activation))
        layers.append(Layers(hidden, hidden, 3, stride, hidden, activation, same))
        layers.append(Layers(hidden, outputs, 1, activation=None))
        self.layers = nn.Sequential(*layers)
        self.adds = stride == 1 and inputs == outputs

    def forward(self, x):
        return x + self.layers(x) if self.adds else self.layers(x)


class Version2(nn.Module):
    def __init__(self, width, activation=nn.ReLU6, head="pool", same=False):
        super().__init__()
        inputs = rounded(32 * width)
        layers = [Layers(3, inputs, 3, 2, 1, activation, same)]
        for expansion, channels, count, stride in BLOCKS:
            outputs = rounded(channels * width)
            for place in range(count):
                step = stride if place == 0 else 1
                layers.append(Residual(inputs, outputs, step, expansion, activation, same))
                inputs = outputs
        last = rounded(1280 * max(1.0, width))
        layers.append(Layers(inputs, last, 1, activation=activation))
        self.features = nn.Sequential(*layers)
        self.head = head
        self.classifier = nn.Sequential(nn.Dropout(0.2), nn.Linear(last, CLASSES))

    def forward(self, x):
        x = self.features(x)
        if self.head == "pool":
            x = nn.functional.adaptive_avg_pool2d(x, (1, 1)).reshape(x.shape[0], -1)
        else:
            x = x.mean(3).mean(2)
        return self.classifier(x)


def begin(network, photos, beginning):
    """Gives `network` its random weights, and `amplifying` ones the statistics of `photos`."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d) and beginning == "torchvision":
            nn.init.kaiming_normal_(module.weight, mode="fan_out")
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        if isinstance(module, nn.Linear) and beginning == "torchvision":
            nn.init.normal_(module.weight, 0, 0.01)
            nn.init.zeros_(module.bias)
        if isinstance(module, (nn.Conv2d, nn.Linear)) and beginning == "amplifying":
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
        if isinstance(module, nn.BatchNorm2d) and beginning == "amplifying":
            # Maps that make use of 0 to 6.
            nn.init.uniform_(module.weight, 1.0, 2.0)
            nn.init.uniform_(module.bias, 0.0, 1.0)
    if beginning == "amplifying":
        network.train()
        with torch.no_grad():
            network(photos)
    network.eval()


def pictures(path, side):
    """Some of the photos, as the networks see them."""
    data = torch.frombuffer(bytearray(Path(path).read_bytes()), dtype=torch.uint8)
    photos = data.reshape(40, 128, 128, 3)[::4].permute(0, 3, 1, 2).float() / 255
    photos = photos - torch.tensor([0.485, 0.456, 0.406]).reshape(1, 3, 1, 1)
    photos = photos / torch.tensor([0.229, 0.224, 0.225]).reshape(1, 3, 1, 1)
    return nn.functional.interpolate(photos, side, mode="bilinear", align_corners=False)


def main(folder, photos, beginning):
    folder = Path(folder)
    assert beginning in ["pytorch", "torchvision", "amplifying"], beginning
    unfolded = {"do_constant_folding": False, "training": torch.onnx.TrainingMode.PRESERVE}
    # PyTorch's layers begin when they are made.
    torch.manual_seed(1)
    networks = [
        ("v1_0.25_128_set7", Version1(0.25), 128, 7, {"keep_initializers_as_inputs": True}),
        ("v1_0.5_96_relu_set13", Version1(0.5, nn.ReLU), 96, 13, unfolded),
        ("v1_0.25_96_nhwc_set9", Version1(0.25, head="convolution"), 96, 9, {}),
        ("v2_0.35_96_set11", Version2(0.35), 96, 11, unfolded),
        ("v2_1.0_96_set16", Version2(1.0, Minimum, "means", same=True), 96, 16, {}),
        ("v2_0.5_128_set12", Version2(0.5), 128, 12, {"dynamic_axes": {"picture": {0: "batch"}}}),
    ]
    for name, network, side, operator_set, options in networks:
        torch.manual_seed(sum(name.encode()))
        seen = pictures(photos, side)
        if name.split("_")[3:4] == ["nhwc"]:
            seen = seen.permute(0, 2, 3, 1)
        begin(network, seen, beginning)
        torch.onnx.export(
            network,
            seen[:1].contiguous(),
            str(folder / f"{name}.onnx"),
            input_names=["picture"],
            output_names=["classes"],
            opset_version=operator_set,
            **options,
        )
        print(name)


main(*sys.argv[1:])
