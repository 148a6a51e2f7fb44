#!/usr/bin/python3
"""Writes torch_*.onnx beside this script, and torch.json with the probabilities from PyTorch.

Small networks, written and exported in different ways. Made with PyTorch 1.13 and ONNX 1.12 of
Debian 12 (python3-torch, python3-onnx). The files are committed, so the tests do not run this
script.
"""
import json, os, sys
import torch, torch.nn as nn, torch.nn.functional as F

H, W, IMAGES = 21, 18, 4


def image(k):
    """The same image as torchImage in the Go test. All its rows and columns differ."""
    return torch.tensor([(i * i * 7 + i * 13 + k * 101) % 256 for i in range(H * W)], dtype=torch.float32).reshape(1, 1, H, W) / 255


class Functional(nn.Module):
    """view(size, -1) instead of Flatten, the pool before the ReLU, no biases, two classes."""
    def __init__(s):
        super().__init__()
        s.c1, s.c2 = nn.Conv2d(1, 5, 3, 2, bias=False), nn.Conv2d(5, 3, 3, bias=False)
        s.f1, s.f2 = nn.Linear(3 * 3 * 2, 6, bias=False), nn.Linear(6, 2)
    def forward(s, x):
        x = F.relu(F.max_pool2d(s.c1(x), 2, 1))
        x = F.max_pool2d(F.relu(s.c2(x)), 2)
        x = x.view(x.size(0), -1)
        return F.softmax(s.f2(F.relu(s.f1(x))), dim=1)


def plain(*end):
    return nn.Sequential(nn.Conv2d(1, 4, 3, 2), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
                         nn.Linear(4 * 5 * 4, 6), nn.ReLU(), nn.Dropout(0.2), nn.Linear(6, 1), *end)


def padded():
    return nn.Sequential(nn.Conv2d(1, 4, 3, 1, padding=1), nn.BatchNorm2d(4), nn.ReLU(),
                         nn.MaxPool2d(3, 1, padding=1), nn.Conv2d(4, 3, 5, padding=2), nn.ReLU(),
                         nn.MaxPool2d(2, ceil_mode=True), nn.Flatten(), nn.Linear(3 * 11 * 9, 1), nn.Sigmoid())


class Residual(nn.Module):
    def __init__(s):
        super().__init__()
        s.c1, s.c2, s.f = nn.Conv2d(1, 2, 3, padding=1), nn.Conv2d(2, 2, 3, padding=1), nn.Linear(2 * H * W, 1)
    def forward(s, x):
        x = F.relu(s.c1(x))
        return torch.sigmoid(s.f(torch.flatten(x + s.c2(x), 1)))


class Squeezed(nn.Module):
    """The probability without its axis, as losses need it; the network divides pixels by 255."""
    def __init__(s):
        super().__init__()
        s.net = plain(nn.Sigmoid())
    def forward(s, x):
        return s.net(x / 255).squeeze(1)


def main():
    torch.manual_seed(3)
    out, found = os.path.dirname(os.path.abspath(__file__)), {}
    any_batch = {"x": {0: "batch"}, "y": {0: "batch"}}
    for name, net, head, options in [
        ("plain", plain(nn.Sigmoid()), lambda y: y[0, 0], dict(opset_version=13, dynamic_axes=any_batch)),
        ("logits", plain(), lambda y: torch.sigmoid(y)[0, 0],
         dict(opset_version=17, training=torch.onnx.TrainingMode.TRAINING)),
        ("functional", Functional(), lambda y: y[0, 1],
         dict(opset_version=11, dynamic_axes=any_batch, do_constant_folding=False, keep_initializers_as_inputs=True)),
        ("padded", padded(), lambda y: y[0, 0], dict(opset_version=9)),
        ("squeezed", Squeezed(), lambda y: y[0], dict(opset_version=13)),
        ("residual", Residual(), None, dict(opset_version=13)),
        ("leaky", nn.Sequential(nn.Conv2d(1, 2, 3), nn.LeakyReLU(), nn.Flatten(),
                                nn.Linear(2 * 19 * 16, 1), nn.Sigmoid()), None, dict(opset_version=13)),
    ]:
        for p in net.parameters():  # larger weights, so that probabilities differ
            p.data = torch.round(p.data * 2.5 * 4096) / 4096
        net.eval()
        if head:
            scale = 255 if name == "squeezed" else 1
            found[name] = [round(float(head(net(image(k) * scale)).double()), 8) for k in range(IMAGES)]
        batch = image(0).repeat(3, 1, 1, 1) if name == "padded" else image(0)
        torch.onnx.export(net, batch, os.path.join(out, "torch_%s.onnx" % name),
                          input_names=["x"], output_names=["y"], **options)
    with open(os.path.join(out, "torch.json"), "w") as f:
        json.dump(found, f, indent=1)
    print(found, torch.__version__, file=sys.stderr)


main()
