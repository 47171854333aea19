"""Script 09, minimal: the gradients of L = sum(y^2), y = ReLU(x W1) W2, and nothing else."""

import numpy as np

import fastmlp as fm

x = np.random.default_rng(0).standard_normal((6, 4))
net = fm.Sequential(fm.Linear(4, 5, bias=False), fm.ReLU(), fm.Linear(5, 3, bias=False), seed=0)

y = net.forward(x)
dx = net.backward(2 * y)  # dL/dy = 2 y

print(f"L = {np.sum(y**2):.4f}")
print(f"dL/dW1 =\n{net[0].dW.round(4)}")
print(f"dL/dW2 =\n{net[2].dW.round(4)}")
