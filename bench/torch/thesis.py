"""The thesis network in PyTorch, and the reader for the files of `bench samples`."""

import os

import numpy as np
import torch
from torch import nn

SIDE = 379  # px
CHANNELS = [1, 128, 64, 32, 16]
UNITS = [16, 128, 64, 1]


class Thesis(nn.Module):
    """(N, 1, 379, 379) -> N logits: 4 x (conv 3x3 stride 2, ReLU, max pool 2x2) -> 16 -> 128 -> 64 -> 1."""

    def __init__(self):
        super().__init__()
        self.convs = nn.ModuleList([nn.Conv2d(a, b, 3, 2) for a, b in zip(CHANNELS, CHANNELS[1:])])
        self.dense = nn.ModuleList([nn.Linear(a, b) for a, b in zip(UNITS, UNITS[1:])])
        self.dropout = 0.2

    def forward(self, x):
        f = nn.functional
        for conv in self.convs:
            x = f.max_pool2d(f.relu(conv(x)), 2)
        x = x.flatten(1)
        for dense in self.dense[:-1]:
            x = f.dropout(f.relu(dense(x)), self.dropout, self.training)
        return self.dense[-1](x)[:, 0]


def load(folder):
    """Returns the network with the weights of weights.bin, the images (N, 1, 379, 379) with values
    0 to 1, and the labels (N) of the batch.

    weights.bin holds float32, little endian: weights (outC, kh, kw, inC) and biases of each layer,
    alternating. pixels.bin holds bytes, labels.bin one byte per image.
    """
    net = Thesis()
    values = np.fromfile(os.path.join(folder, "weights.bin"), "<f4")
    for layer in [*net.convs, *net.dense]:
        shape = list(layer.weight.shape)
        if len(shape) == 4:  # PyTorch uses (outC, inC, kh, kw)
            w = values[: layer.weight.numel()].reshape(shape[0], shape[2], shape[3], shape[1]).transpose(0, 3, 1, 2)
        else:
            w = values[: layer.weight.numel()].reshape(shape)
        layer.weight.data = torch.from_numpy(w.copy())
        layer.bias.data = torch.from_numpy(values[w.size : w.size + shape[0]].copy())
        values = values[w.size + shape[0] :]
    if values.size:
        raise ValueError("weights.bin: %d values too many" % values.size)
    pixels = np.fromfile(os.path.join(folder, "pixels.bin"), np.uint8).reshape(-1, 1, SIDE, SIDE)
    labels = np.fromfile(os.path.join(folder, "labels.bin"), np.uint8)
    # The network reads v * (1/255) everywhere; v / 255 would differ in the last bit.
    images = torch.from_numpy(pixels * np.float32(1 / 255))
    return net.to(memory_format=torch.channels_last), images.to(memory_format=torch.channels_last), torch.from_numpy(labels).float()


class KerasAdam(torch.optim.Adam):
    """PyTorch's own Adam with epsilon at the place where Keras has it.

    PyTorch divides by sqrt(v)/sqrt(1-beta2^t) + eps, Keras by (sqrt(v) + eps)/sqrt(1-beta2^t): the
    "epsilon hat" of section 2 of Kingma and Ba. Where gradients are as small as epsilon, as in the
    first steps here, the two differ by more than rounding. So this class sets epsilon for each step
    so that PyTorch's formula equals Keras'.
    """

    def __init__(self, params, rate=1e-3):
        super().__init__(params, lr=rate, betas=(0.9, 0.999), eps=1e-7)
        self.steps = 0

    def step(self):
        self.steps += 1
        for group in self.param_groups:
            group["eps"] = 1e-7 / (1 - group["betas"][1] ** self.steps) ** 0.5
        super().step()


def step(net, optimizer, images, labels):
    """One step of training. Returns the mean loss before it."""
    optimizer.zero_grad(set_to_none=True)
    # In double precision, like all frameworks here compute the loss: it takes no time, and float32
    # would round the seventh digit.
    loss = nn.functional.binary_cross_entropy_with_logits(net(images).double(), labels.double())
    loss.backward()
    optimizer.step()
    return loss.item()
