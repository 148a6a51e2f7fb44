#!/usr/bin/python3
"""Writes thesis.npz beside this script: the arrays of the thesis network, compressed.

Dense kernels are saved in Fortran order, like the transposes of PyTorch's weights. Made with NumPy
1.24. The file is committed, so the tests do not run this script.
"""
import os
import numpy as np

w = {}
for n, i, o in (("conv1", 1, 128), ("conv2", 128, 64), ("conv3", 64, 32), ("conv4", 32, 16)):
    w[n + "_kernel"] = np.arange(9 * i * o).reshape(3, 3, i, o)
    w[n + "_bias"] = np.arange(o)
for n, i, o in (("dense1", 16, 128), ("dense2", 128, 64), ("dense3", 64, 1)):
    w[n + "_kernel"] = np.asfortranarray(np.arange(i * o).reshape(i, o))
    w[n + "_bias"] = np.arange(o)
w = {k: ((v * 7 % 23 - 11) / 16).astype(np.float32) for k, v in w.items()}
here = os.path.dirname(os.path.abspath(__file__))
np.savez_compressed(os.path.join(here, "thesis.npz"), **w)
