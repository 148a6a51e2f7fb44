#!/usr/bin/python3
"""Trains the thesis network with PyTorch as its users do: brickwork.py DIR EPOCHS SEED CUT.

DIR holds crack and normal. The first CUT files of each class are for training, a fifth of them for
validation. The rest are test images for the weights with the best validation result. Prints
accuracy, precision and recall of cracks, and the number of test images, and one line per epoch to
stderr.
"""

import copy
import os
import random
import sys

import numpy as np
import torch
from PIL import Image
from torch import nn
from torch.nn import functional as f

from thesis import SIDE, Thesis

BATCH = 64
THREADS = 2


def read(path):
    image = Image.open(path)
    how = Image.BOX if image.size[0] > SIDE else Image.BILINEAR
    return np.asarray(image.convert("L").resize((SIDE, SIDE), how), np.float32) / 255


def read_set(root, cut):
    """Returns (image, label) pairs for training and for testing; a crack is 1."""
    training, testing = [], []
    for label, name in enumerate(["normal", "crack"]):
        folder = os.path.join(root, name)
        for i, file in enumerate(sorted(os.listdir(folder))):
            (training if i < cut else testing).append((read(os.path.join(folder, file)), label))
    return training, testing


def tensors(pairs):
    images = torch.tensor(np.stack([image for image, _ in pairs]))[:, None]
    return images, torch.tensor([float(label) for _, label in pairs])


def augment(x):
    x = torch.rot90(x, random.randrange(4), (2, 3))
    if random.random() < 0.5:
        x = x.flip(2)
    if random.random() < 0.5:
        x = x.flip(3)
    return (x * random.uniform(0.75, 1.25)).clamp(0, 1)


def evaluate(net, images, labels):
    """Returns accuracy, precision, recall and loss."""
    net.eval()
    with torch.no_grad():
        logits = torch.cat([net(images[i : i + 32]) for i in range(0, len(images), 32)])
    called = logits > 0
    crack = labels == 1
    right = (called & crack).sum().item()
    return (
        (called == crack).float().mean().item(),
        right / max(called.sum().item(), 1),
        right / max(crack.sum().item(), 1),
        f.binary_cross_entropy_with_logits(logits, labels).item(),
    )


def train_epoch(net, optimizer, images, labels):
    """Returns the mean loss."""
    net.train()
    total = 0.0
    for batch in torch.randperm(len(images)).split(BATCH):
        x = torch.cat([augment(images[i : i + 1]) for i in batch]).contiguous(memory_format=torch.channels_last)
        loss = f.binary_cross_entropy_with_logits(net(x), labels[batch])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += loss.item() * len(batch)
    return total / len(images)


def main(root, epochs, seed, cut):
    torch.manual_seed(seed)
    random.seed(seed)
    torch.set_num_threads(THREADS)
    training, testing = read_set(root, cut)
    random.shuffle(training)
    held = len(training) // 5
    validation, training = tensors(training[:held]), tensors(training[held:])

    net = Thesis()
    for layer in [*net.convs, *net.dense]:
        nn.init.xavier_uniform_(layer.weight)
        nn.init.zeros_(layer.bias)
    net = net.to(memory_format=torch.channels_last)
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-3, eps=1e-7)

    best, weights = (-1.0, 0.0), None
    for epoch in range(1, epochs + 1):
        loss = train_epoch(net, optimizer, *training)
        accuracy, _, _, validation_loss = evaluate(net, *validation)
        if (accuracy, -validation_loss) > best:
            best, weights = (accuracy, -validation_loss), copy.deepcopy(net.state_dict())
        print("epoch %d  loss %.4f  validation accuracy %.3f  loss %.4f" % (epoch, loss, accuracy, validation_loss), file=sys.stderr, flush=True)
    net.load_state_dict(weights)
    print("%.4f %.4f %.4f %d" % (*evaluate(net, *tensors(testing))[:3], len(testing)))


main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]))
