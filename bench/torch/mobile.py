"""The mobile network in PyTorch, fine-tuned from block 5, and the reader for the files of
`bench finetune`."""

import os

import numpy as np
import torch
from torch import nn

SIDE = 448  # px
BLOCKS = [(1, 48), (2, 96), (1, 96), (2, 192), (1, 192), (2, 384), (1, 384), (1, 384), (1, 384)]  # stride, filters
FROZEN = 4  # blocks
TOP = 20  # of 14 x 14 scores
RATE, DECAY = 2e-4, 1e-3


class Convolution(nn.Conv2d):
    """A convolution with TensorFlow's padding and ReLU6."""

    def forward(self, x):
        if self.stride[0] == 2:  # 3x3 on an even side: zeros at the bottom and right
            x = nn.functional.pad(x, (0, 1, 0, 1))
        return nn.functional.relu6(super().forward(x))


def convolution(channels, filters, kernel, stride, groups=1):
    return Convolution(channels, filters, kernel, stride, kernel // 2 if stride == 1 else 0, groups=groups)


class Mobile(nn.Module):
    """(N, 1, 448, 448) -> N logits: MobileNetV1-0.75 to block 9, the mean of the highest tenth of the scores."""

    def __init__(self):
        super().__init__()
        layers, channels = [convolution(1, 24, 3, 2)], 24
        for stride, filters in BLOCKS:
            layers += [convolution(channels, channels, 3, stride, channels), convolution(channels, filters, 1, 1)]
            channels = filters
        below = 1 + 2 * FROZEN
        self.frozen, self.tuned = nn.Sequential(*layers[:below]), nn.Sequential(*layers[below:])
        self.score = nn.Conv2d(channels, 1, 1)
        self.frozen.requires_grad_(False)

    def forward(self, x):
        with torch.no_grad():
            x = self.frozen(x)
        x = nn.functional.avg_pool2d(self.tuned(x), 2)
        return self.score(x).flatten(1).topk(TOP).values.mean(1)


def load(folder):
    """Returns the network with the weights of weights.bin, the images (N, 1, 448, 448) with values
    0 to 1, and the labels (N) of the batch. The files are those of thesis.load."""
    net = Mobile()
    values = np.fromfile(os.path.join(folder, "weights.bin"), "<f4")
    for layer in [*net.frozen, *net.tuned, net.score]:
        out, channels, kernel, _ = layer.weight.shape
        w, b, values = np.split(values, [layer.weight.numel(), layer.weight.numel() + out])
        layer.weight.data = torch.from_numpy(w.reshape(out, kernel, kernel, channels).transpose(0, 3, 1, 2).copy())
        layer.bias.data = torch.from_numpy(b.copy())
    if values.size:
        raise ValueError("weights.bin: %d values too many" % values.size)
    pixels = np.fromfile(os.path.join(folder, "pixels.bin"), np.uint8).reshape(-1, 1, SIDE, SIDE)
    labels = np.fromfile(os.path.join(folder, "labels.bin"), np.uint8)
    images = torch.from_numpy(pixels * np.float32(1 / 255))
    return net.to(memory_format=torch.channels_last), images.to(memory_format=torch.channels_last), torch.from_numpy(labels).float()


class KerasAdamW(torch.optim.AdamW):
    """PyTorch's own AdamW with epsilon at the place where Keras has it; see thesis.KerasAdam. Biases
    do not decay."""

    def __init__(self, net):
        trained = [p for p in net.parameters() if p.requires_grad]
        groups = [
            {"params": [p for p in trained if p.dim() > 1], "weight_decay": DECAY},
            {"params": [p for p in trained if p.dim() == 1], "weight_decay": 0.0},
        ]
        super().__init__(groups, lr=RATE, betas=(0.9, 0.999), eps=1e-7)
        self.steps = 0

    def step(self):
        self.steps += 1
        for group in self.param_groups:
            group["eps"] = 1e-7 / (1 - group["betas"][1] ** self.steps) ** 0.5
        super().step()
