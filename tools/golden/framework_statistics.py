#!/usr/bin/env python3
"""Makes tests/data/frameworks.txt: per-layer statistics of networks that frameworks
initialise by their defaults, for what `torch_default` and `keras_default` promise.

    tools/golden/framework_statistics.py > tests/data/frameworks.txt

torch_default is torch.nn.Linear and torch.nn.RNN as their constructors leave them,
keras_default keras.layers.Dense and SimpleRNN. Needs PyTorch and Keras 3 (its backend is
PyTorch, too).

Every network has inputs and a linear loss's gradient of N(0,1), as gradsweep's have, and
NETWORKS seeds. The format, read by tests/test_frameworks.c: '#' starts a comment line; a
case is

    case INIT MODEL ACTIVATION LAYERS_OR_STEPS UNITS INPUTS BATCH NETWORKS
    QUANTITY POINT MEAN SD            of log10 of the norm, over networks
    ...
    end

with the quantities as results.json names them, points from 1 (gradients that sum over
steps: 1).
"""

import math
import os
import sys

os.environ["KERAS_BACKEND"] = "torch"
import keras  # noqa: E402: the backend comes first
import torch  # noqa: E402

torch.set_default_dtype(torch.float64)
keras.config.set_floatx("float64")
NETWORKS = 200
PHI = {"relu": torch.relu, "tanh": torch.tanh, "sigmoid": torch.sigmoid, "gelu": torch.nn.functional.gelu}


def log10_norm(tensor):
    return math.log10(float(torch.linalg.vector_norm(tensor)))


# ---- parameters as the frameworks set them ----

def keras_variables(layer, shape):
    """The layer's variables for inputs of this shape."""
    layer.build(shape)
    return [torch.tensor(keras.ops.convert_to_numpy(variable)) for variable in layer.weights]


def linear(init, fan_in, fan_out):
    """W (out x in) and b."""
    if init == "keras_default":
        kernel, bias = keras_variables(keras.layers.Dense(fan_out), (None, fan_in))
        return kernel.T, bias
    module = torch.nn.Linear(fan_in, fan_out)
    return module.weight.detach(), module.bias.detach()


def recurrent(init, inputs, units, activation):
    """W, U, the biases that add up, and the module that must give the same states (or None)."""
    if init == "keras_default":
        kernel, again, bias = keras_variables(keras.layers.SimpleRNN(units), (None, None, inputs))
        return again.T, kernel.T, [bias], None
    module = torch.nn.RNN(inputs, units, nonlinearity=activation)
    return (module.weight_hh_l0.detach(), module.weight_ih_l0.detach(),
            [module.bias_ih_l0.detach(), module.bias_hh_l0.detach()], module)


# ---- networks ----

def mlp(init, activation, layers, units, inputs, batch):
    """{(quantity, layer): log10 of the norm} of one network."""
    h = torch.randn(batch, inputs)
    parameters, states, sums = [], [], []
    for l in range(layers):
        w, b = (t.clone().requires_grad_() for t in linear(init, inputs if l == 0 else units, units))
        z = torch.nn.functional.linear(h, w, b)
        z.retain_grad()
        h = PHI[activation](z)
        parameters.append((w, b))
        states.append(h)
        sums.append(z)
    (h * torch.randn(h.shape)).sum().backward()
    found = {}
    for l, ((w, b), z, h) in enumerate(zip(parameters, sums, states), 1):
        found["activation", l] = log10_norm(h.detach())
        found["delta", l] = log10_norm(z.grad)
        found["grad_weight", l] = log10_norm(w.grad)
        found["grad_bias", l] = log10_norm(b.grad)
    return found


def rnn(init, activation, steps, units, inputs, batch):
    w, u, biases, module = recurrent(init, inputs, units, activation)
    w, u = w.clone().requires_grad_(), u.clone().requires_grad_()
    biases = [b.clone().requires_grad_() for b in biases]
    x = torch.randn(steps, batch, inputs)
    h, states, sums = torch.zeros(batch, units), [], []
    for t in range(steps):
        z = h @ w.T + x[t] @ u.T + sum(biases)
        z.retain_grad()
        h = PHI[activation](z)
        states.append(h)
        sums.append(z)
    if module is not None:  # the loop is the module's
        assert torch.allclose(module(x)[0], torch.stack(states), rtol=1e-10, atol=1e-12)
    (h * torch.randn(h.shape)).sum().backward()
    assert all(torch.equal(b.grad, biases[0].grad) for b in biases)
    found = {("grad_weight", 1): log10_norm(w.grad), ("grad_input_weight", 1): log10_norm(u.grad),
             ("grad_bias", 1): log10_norm(biases[0].grad)}
    for t, (z, h) in enumerate(zip(sums, states), 1):
        found["activation", t] = log10_norm(h.detach())
        found["delta", t] = log10_norm(z.grad)
    return found


# ---- cases ----

CASES = [
    ("torch_default", "mlp", "relu", 50, 64, 64, 8),  # dW^1 eighteen decades below dW^50
    ("torch_default", "mlp", "tanh", 12, 48, 20, 1),
    ("torch_default", "mlp", "gelu", 8, 33, 70, 5),
    ("torch_default", "rnn", "tanh", 20, 48, 48, 4),
    ("torch_default", "rnn", "relu", 15, 64, 19, 1),
    ("torch_default", "rnn", "tanh", 12, 24, 150, 3),  # U by hidden, not by inputs
    ("torch_default", "rnn", "tanh", 12, 48, 2, 3),  # two biases, a half of what enters
    ("keras_default", "mlp", "relu", 15, 40, 90, 4),
    ("keras_default", "mlp", "sigmoid", 6, 32, 32, 3),
    ("keras_default", "rnn", "tanh", 25, 40, 16, 4),
    ("keras_default", "rnn", "relu", 10, 32, 80, 1),
]


def points_of(length):
    """Which layers or steps are written: the first and last, and some between."""
    return sorted({1, 2, 1 + length // 4, 1 + length // 2, length - 1, length})


def main():
    for line in __doc__.splitlines()[9:]:
        print(f"# {line}".rstrip())
    print(f"# Made with PyTorch {torch.__version__.partition('+')[0]}, Keras {keras.__version__}.")
    for number, case in enumerate(CASES):
        init, model, activation, length = case[:4]
        networks = []
        for seed in range(NETWORKS):
            keras.utils.set_random_seed(1000 * number + seed)  # PyTorch's, too
            networks.append((mlp if model == "mlp" else rnn)(init, *case[2:]))
        print("case", *case, NETWORKS)
        for quantity, point in networks[0]:
            if point not in points_of(length):
                continue
            values = torch.tensor([network[quantity, point] for network in networks])
            print(quantity, point, f"{float(values.mean()):.6f} {float(values.std()):.6f}")
        print("end")


if __name__ == "__main__":
    sys.exit(main())
