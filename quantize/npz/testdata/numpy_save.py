#!/usr/bin/python3
"""Writes thesis.npz beside this script: the arrays of the thesis network as numpy.savez_compressed writes them, dense kernels as the transposes that
PyTorch's are, so in Fortran's order. Made with NumPy 1.24; the file is kept, so nobody needs to run this for the tests."""
import os
import numpy as np

w = {}
for n, i, o in (("conv1", 1, 128), ("conv2", 128, 64), ("conv3", 64, 32), ("conv4", 32, 16)):
    w[n + "_kernel"], w[n + "_bias"] = np.arange(9 * i * o).reshape(3, 3, i, o), np.arange(o)
for n, i, o in (("dense1", 16, 128), ("dense2", 128, 64), ("dense3", 64, 1)):
    w[n + "_kernel"], w[n + "_bias"] = np.asfortranarray(np.arange(i * o).reshape(i, o)), np.arange(o)
w = {k: ((v * 7 % 23 - 11) / 16).astype(np.float32) for k, v in w.items()}
np.savez_compressed(os.path.join(os.path.dirname(os.path.abspath(__file__)), "thesis.npz"), **w)
