#!/usr/bin/python3
"""Trains some epochs without dropout and prints each step's loss: losses.py DIR BATCH EPOCHS RATE.

Every epoch shows the images in the order of the file, in batches of BATCH. RATE is Adam's learning
rate.
"""

import sys

from thesis import KerasAdam, load, step

batch, epochs, rate = int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])
net, images, labels = load(sys.argv[1])
net.dropout = 0.0
optimizer = KerasAdam(net.parameters(), rate)
for _ in range(epochs):
    for i in range(0, len(images), batch):
        print("%.12g" % step(net, optimizer, images[i : i + batch], labels[i : i + batch]), flush=True)
