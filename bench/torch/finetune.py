#!/usr/bin/python3
"""Times fine-tuning steps with PyTorch, like `bench tune` times ours: finetune.py DIR THREADS.

Prints the median and the smallest time of a step in ms, the number of steps, and the loss of the
third step.
"""

import statistics
import sys
import time

import torch

from mobile import KerasAdamW, load
from thesis import step

FEWEST, SPAN = 2, 3.0  # steps, seconds

torch.set_num_threads(int(sys.argv[2]))
net, images, labels = load(sys.argv[1])
optimizer = KerasAdamW(net)
for _ in range(3):
    loss = step(net, optimizer, images, labels)
times, began = [], time.perf_counter()
while len(times) < FEWEST or time.perf_counter() - began < SPAN:
    start = time.perf_counter()
    step(net, optimizer, images, labels)
    times.append((time.perf_counter() - start) * 1e3)
print("%.3f %.3f %d %.9g" % (statistics.median(times), min(times), len(times), loss))
