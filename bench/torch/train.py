#!/usr/bin/python3
"""Times training steps with PyTorch, like `bench steps` times ours: train.py DIR THREADS.

Prints the median and the smallest time of a step in ms, the number of steps, and the loss of the
second step without dropout.
"""

import statistics
import sys
import time

import torch

from thesis import KerasAdam, load, step

FEWEST, SPAN = 2, 3.0  # steps, seconds

torch.set_num_threads(int(sys.argv[2]))
net, images, labels = load(sys.argv[1])
optimizer = KerasAdam(net.parameters())
net.dropout = 0.0
for _ in range(2):
    loss = step(net, optimizer, images, labels)
net.dropout = 0.2
times, began = [], time.perf_counter()
while len(times) < FEWEST or time.perf_counter() - began < SPAN:
    start = time.perf_counter()
    step(net, optimizer, images, labels)
    times.append((time.perf_counter() - start) * 1e3)
print("%.3f %.3f %d %.9g" % (statistics.median(times), min(times), len(times), loss))
