#!/usr/bin/env python3
"""Makes tests/data/golden.txt: what PyTorch's autograd computes, in float64, for
small networks of every kind that gradsweep knows.

    tools/golden/make_golden.py > tests/data/golden.txt

Needs PyTorch (any version: only elementary operations in float64 are used). The
random numbers come from Python's own generator and are rounded to float32, so
the same file results everywhere, up to the last digit of PyTorch's sums.

The format, read by tests/support_golden.c: '#' starts a comment line; a case is

    case NAME
    KEY VALUE...                      the configuration, one key per line
    tensor ROLE INDEX REPLICAS ROWS COLS
    ...                               REPLICAS * ROWS lines of COLS numbers, %a
    end

Given tensors: weight, input_weight, bias, input, target. Expected: output,
grad_weight, grad_input, grad_bias, loss, loss_magnitude (the sum of the loss's
terms without their signs: what rounding of the loss is relative to). INDEX is the
layer (mlp) or the time step of a weight of its own (untied rnn), else 0.
"""

import itertools
import math
import random
import sys

import torch
import torch.nn.functional as F

torch.set_default_dtype(torch.float64)
SLOPE = 0.01  # of leaky_relu

ACTIVATIONS = {
    "identity": lambda z: z,
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "relu": torch.relu,
    "leaky_relu": lambda z: F.leaky_relu(z, SLOPE),
    "elu": F.elu,
    "selu": F.selu,
    "gelu": F.gelu,  # the exact form, with erf
    "silu": F.silu,
    "softsign": F.softsign,
    # F.softplus is linear above its threshold
    "softplus": lambda z: torch.clamp(z, min=0) + torch.log1p(torch.exp(-torch.abs(z))),
}

SELU_SCALE, SELU_ALPHA = 1.0507009873554804934193349852946, 1.6732632423543772848170429916717


def tanh_of_tails(z):
    e = torch.exp(-2 * torch.abs(z))
    return torch.sign(z) * (1 - e) / (1 + e)


# The same functions, written so that autograd's derivative keeps its relative
# accuracy where the function saturates (1 - tanh^2 does not). Not for z near 0.
ACTIVATIONS_IN_TAILS = {
    **ACTIVATIONS,
    "sigmoid": lambda z: 1 / (1 + torch.exp(-z)),
    "tanh": tanh_of_tails,
    "elu": lambda z: torch.where(z > 0, z, torch.exp(z) - 1),
    "selu": lambda z: SELU_SCALE * torch.where(z > 0, z, SELU_ALPHA * (torch.exp(z) - 1)),
    "gelu": lambda z: 0.5 * z * torch.erfc(-z / math.sqrt(2)),
    "silu": lambda z: z / (1 + torch.exp(-z)),
    "softplus": lambda z: torch.log1p(torch.exp(z)),
}


class Case:
    """One network: its configuration, the tensors given, the tensors expected."""

    def __init__(self, name, **config):
        self.name = name
        self.config = config
        self.tensors = []  # (role, index, tensor of replicas x rows x cols)
        self.random = random.Random(name)

    def normal(self, rows, cols, std):
        """replicas x rows x cols numbers that float32 holds exactly."""
        count = self.config["replicas"] * rows * cols
        values = [self.random.gauss(0, 1) * std for _ in range(count)]
        tensor = torch.tensor(values).to(torch.float32).to(torch.float64)
        return tensor.reshape(self.config["replicas"], rows, cols)

    def give(self, role, index, tensor):
        self.tensors.append((role, index, tensor.clone()))
        return tensor.requires_grad_()

    def expect(self, role, index, tensor):
        if not torch.isfinite(tensor).all():
            raise ValueError(f"{self.name}: {role} {index} is not finite")
        self.tensors.append((role, index, tensor.detach()))

    def keep_off_kinks(self, z, terms):
        """Refuses a z so small against the sum of its terms' magnitudes that
        float32 might find itself on the other side of a kink: another random
        seed (name) is needed."""
        smooth = {"sigmoid", "tanh", "gelu", "silu", "softsign", "softplus", "identity"}
        if self.config["activation"] not in smooth and (z.abs() < 1e-5 * terms).any():
            raise ValueError(f"{self.name}: a pre-activation is too close to 0")

    def finish_loss(self, h, target):
        """Loss per replica of the outputs h (replicas x rows x cols), backward."""
        terms = h * target if self.config["loss"] == "linear" else 0.5 * (h - target) ** 2
        loss = terms.sum(dim=(1, 2))
        loss.sum().backward()
        self.expect("loss", 0, loss.reshape(-1, 1, 1))
        if not (terms != 0).any():
            raise ValueError(f"{self.name}: the output is all zero and tests nothing")
        self.expect("loss_magnitude", 0, terms.abs().sum(dim=(1, 2)).reshape(-1, 1, 1))

    def write(self, out):
        print(f"case {self.name}", file=out)
        for key, value in self.config.items():
            print(key, *(value if isinstance(value, list) else [value]), file=out)
        for role, index, tensor in self.tensors:
            print("tensor", role, index, *tensor.shape, file=out)
            for row in tensor.reshape(-1, tensor.shape[-1]).tolist():
                print(*(value.hex().replace("0000000p", "p") for value in row), file=out)
        print("end", file=out)


def mlp(name, widths, batch, activation, output_activation=None, bias=True, loss="linear",
        replicas=1, weight_std=None, inputs=None, native_f32=True):
    """An mlp. weight_std None: 1.5 / sqrt(fan_in). inputs: one input per replica
    of a 1-1 net with weight 1, bias 0 and target 1: phi and phi' themselves."""
    output_activation = output_activation or activation
    case = Case(name, model="mlp", widths=widths, batch=batch, replicas=replicas,
                activation=activation, output_activation=output_activation, slope=SLOPE,
                bias=int(bias), loss=loss, native_f32=int(native_f32))
    phi = (ACTIVATIONS_IN_TAILS if inputs else ACTIVATIONS)[activation]
    phi_output = (ACTIVATIONS_IN_TAILS if inputs else ACTIVATIONS)[output_activation]
    if inputs:
        x = torch.tensor(inputs).reshape(replicas, 1, 1)
    else:
        x = case.normal(batch, widths[0], 1.0)
    target = case.normal(batch, widths[-1], 1.0)
    if inputs:
        target = torch.ones_like(target)
    h = case.give("input", 0, x)
    target = case.give("target", 0, target).detach()
    weights, biases = [], []
    for layer, (fan_in, fan_out) in enumerate(zip(widths, widths[1:]), start=1):
        std = 1.5 / math.sqrt(fan_in) if weight_std is None else weight_std
        w = torch.ones(replicas, 1, 1) if inputs else case.normal(fan_out, fan_in, std)
        weights.append(case.give("weight", layer, w))
        z = h @ weights[-1].transpose(1, 2)
        terms = h.abs() @ weights[-1].abs().transpose(1, 2)
        if bias:
            b = torch.zeros(replicas, 1, 1) if inputs else case.normal(1, fan_out, 0.5)
            biases.append(case.give("bias", layer, b))
            z = z + biases[-1]
            terms = terms + biases[-1].abs()
        case.keep_off_kinks(z, terms)
        h = (phi_output if layer == len(widths) - 1 else phi)(z)
    case.expect("output", 0, h)
    case.finish_loss(h, target)
    for layer, w in enumerate(weights, start=1):
        case.expect("grad_weight", layer, w.grad)
    for layer, b in enumerate(biases, start=1):
        case.expect("grad_bias", layer, b.grad)
    return case


def normalised(v, norm):
    """Over the units of an example, or the examples of the batch (replicas x batch x units)."""
    if norm == "none":
        return v
    if norm == "rms":
        return v / torch.sqrt((v * v).mean(dim=2, keepdim=True) + 1e-5)
    dim = 1 if norm == "batch" else 2
    centred = v - v.mean(dim=dim, keepdim=True)
    return centred / torch.sqrt((centred * centred).mean(dim=dim, keepdim=True) + 1e-5)


def blocks(name, widths, batch, activation, norm="none", norm_at="z", residual="none", block=2,
           residual_scale=1.0, residual_activation="inner", bias=True, loss="linear", replicas=1,
           weight_std=1.5, native_f32=True):
    """An mlp with norms and residual connections; weights of standard deviation
    weight_std / sqrt(fan_in)."""
    case = Case(name, model="mlp", widths=widths, batch=batch, replicas=replicas,
                activation=activation, slope=SLOPE, output_activation=activation, norm=norm,
                norm_at=norm_at, residual=residual, block=block, residual_scale=residual_scale,
                residual_activation=residual_activation, bias=int(bias), loss=loss,
                native_f32=int(native_f32))
    phi = ACTIVATIONS[activation]
    h = case.give("input", 0, case.normal(batch, widths[0], 1.0))
    target = case.give("target", 0, case.normal(batch, widths[-1], 1.0)).detach()
    weights, biases = [], []

    def at(place, v):
        return normalised(v, norm if norm_at == place else "none")

    def act(v):
        case.keep_off_kinks(v, v.abs().max())
        return phi(v)

    def linear(v, layer):
        w = case.give("weight", layer, case.normal(widths[layer], widths[layer - 1],
                                                   weight_std / math.sqrt(widths[layer - 1])))
        weights.append(w)
        z = v @ w.transpose(1, 2)
        if bias:
            biases.append(case.give("bias", layer, case.normal(1, widths[layer], 0.5)))
            z = z + biases[-1]
        return z

    def branch(v, first):
        v = at("branch", v)
        for layer in range(first + 1, first + block + 1):
            last = layer == first + block
            if residual_activation == "pre":
                v = linear(at("h", act(at("z", v))), layer)
            elif last and not (block == 1 and residual_activation == "inner"):
                v = at("h", at("z", linear(v, layer)))
            else:
                v = at("h", act(at("z", linear(v, layer))))
        return v

    depth = len(widths) - 1
    if residual == "none":
        for layer in range(1, depth + 1):
            h = at("h", act(at("z", linear(h, layer))))
    else:
        by = {"plain": 1.0, "scaled": residual_scale, "rezero": 0.0}[residual]
        for first in range(0, depth, block):
            h = h + by * branch(h, first)
            h = at("stream", act(h) if residual_activation == "post" else h)
    case.expect("output", 0, h)
    case.finish_loss(h, target)
    for layer, w in enumerate(weights, start=1):
        case.expect("grad_weight", layer, w.grad)
    for layer, b in enumerate(biases, start=1):
        case.expect("grad_bias", layer, b.grad)
    return case


def rnn(name, hidden, inputs, steps, batch, activation, tied=True, bias=True, loss="linear",
        loss_at="last", replicas=1, weight_std=None, input_std=None, native_f32=True):
    """A simple rnn, h_t = phi(W h_{t-1} + U x_t + b), h_0 = 0."""
    case = Case(name, model="rnn", hidden=hidden, inputs=inputs, seq_len=steps, batch=batch,
                replicas=replicas, activation=activation, slope=SLOPE, tied=int(tied),
                bias=int(bias), loss=loss, loss_at=loss_at, native_f32=int(native_f32))
    phi = ACTIVATIONS[activation]
    x = case.give("input", 0, case.normal(steps * batch, inputs, 1.0)).detach()
    targets = steps if loss_at == "every" else 1
    target = case.give("target", 0, case.normal(targets * batch, hidden, 1.0)).detach()
    std = 1.0 / math.sqrt(hidden) if weight_std is None else weight_std
    count = 1 if tied else steps
    weights = [case.give("weight", 0 if tied else t + 1, case.normal(hidden, hidden, std))
               for t in range(count)]
    std = 1.0 / math.sqrt(inputs) if input_std is None else input_std
    u = case.give("input_weight", 0, case.normal(hidden, inputs, std))
    b = case.give("bias", 0, case.normal(1, hidden, 0.5)) if bias else None
    h = torch.zeros(replicas, batch, hidden)
    history = []
    zero = torch.zeros(())
    for t in range(steps):
        w = weights[0 if tied else t]
        x_t = x[:, t * batch:(t + 1) * batch]
        z = h @ w.transpose(1, 2) + x_t @ u.transpose(1, 2) + (b if bias else zero)
        case.keep_off_kinks(z, h.abs() @ w.abs().transpose(1, 2)
                            + x_t.abs() @ u.abs().transpose(1, 2) + (b if bias else zero).abs())
        h = phi(z)
        history.append(h)
    case.expect("output", 0, h)
    case.finish_loss(torch.cat(history, dim=1) if loss_at == "every" else h, target)
    for t, w in enumerate(weights):
        # h_0 = 0: the first step's own weight has no influence
        grad = torch.zeros_like(w) if w.grad is None else w.grad
        case.expect("grad_weight", 0 if tied else t + 1, grad)
    case.expect("grad_input", 0, u.grad)
    if bias:
        case.expect("grad_bias", 0, b.grad)
    return case


def cases():
    for activation in ACTIVATIONS:
        yield mlp(f"mlp_{activation}", [3, 7, 4], 5, activation)
        grid = [0.25, 1.0, 2.5, 4.0, 6.0] + ([] if activation == "gelu" else [12.0])
        grid = [-x for x in reversed(grid)] + grid
        yield mlp(f"values_{activation}", [1, 1], 1, activation, replicas=len(grid), inputs=grid)
    wide = [5, 37, 33, 1]
    yield mlp("wide_tanh", wide, 3, "tanh", bias=False)
    yield mlp("wide_sigmoid_bias_mse", wide, 3, "sigmoid", loss="mse")
    yield mlp("wide_relu_mse", wide, 3, "relu", bias=False, loss="mse")
    yield mlp("wide_relu_bias", wide, 3, "relu", output_activation="identity")
    yield mlp("wide_gelu_bias", wide, 1, "gelu", output_activation="identity")
    yield mlp("wide_selu_bias_mse", wide, 3, "selu", output_activation="tanh", loss="mse")
    yield mlp("replicas_tanh", [3, 7, 4], 5, "tanh", replicas=3)
    yield mlp("replicas_relu_mse", [33, 1, 7], 5, "relu", bias=False, loss="mse", replicas=3)
    yield mlp("single_layer", [4, 3], 5, "silu", loss="mse")
    # magnitudes that extended range shifts: float64's window ends at 2^256
    big = dict(replicas=2, bias=False, native_f32=False)
    yield mlp("large_relu", [3] + [7] * 8, 5, "relu", weight_std=2.0**60, **big)
    yield mlp("small_leaky_relu", [3] + [7] * 8, 5, "leaky_relu", weight_std=2.0**-60, **big)
    yield mlp("large_relu_bias", [3] + [7] * 6, 5, "relu", weight_std=2.0**60,
              replicas=2, native_f32=False)
    yield mlp("small_relu_bias", [3] + [7] * 6, 5, "relu", weight_std=2.0**-60,
              replicas=2, native_f32=False)
    yield mlp("small_relu_mse", [3] + [7] * 8, 5, "relu", weight_std=2.0**-60, loss="mse", **big)
    yield mlp("small_tanh", [3] + [7] * 4, 5, "tanh", weight_std=2.0**-30, bias=False)
    for activation, loss_at, tied in itertools.product(
            ["tanh", "relu", "sigmoid"], ["last", "every"], [True, False]):
        name = f"rnn_{activation}_{loss_at}_{'tied' if tied else 'untied'}"
        yield rnn(name, 7, 3, 6, 2, activation, tied=tied, loss_at=loss_at)
    yield rnn("rnn_wide", 33, 37, 5, 3, "tanh")
    yield rnn("rnn_wide_relu", 33, 1, 4, 3, "relu", bias=False, loss="mse", loss_at="every")
    yield rnn("rnn_narrow", 1, 1, 9, 1, "sigmoid", loss="mse")
    yield rnn("rnn_one_step", 7, 3, 1, 2, "tanh", loss_at="every")
    yield rnn("rnn_replicas", 7, 3, 6, 2, "gelu", replicas=3, loss="mse", loss_at="every")
    yield rnn("rnn_large_identity", 5, 3, 8, 2, "identity", weight_std=2.0**60, **big)
    yield rnn("rnn_large_relu_every", 5, 3, 8, 2, "relu", weight_std=2.0**60, loss_at="every",
              **big)
    yield rnn("rnn_small_tanh", 5, 3, 6, 2, "tanh", weight_std=2.0**-60, replicas=2,
              native_f32=False)
    yield rnn("rnn_small_tanh_every", 5, 3, 6, 2, "tanh", weight_std=2.0**-60, replicas=2,
              loss_at="every", native_f32=False)
    yield rnn("rnn_small_relu_untied", 5, 3, 6, 2, "relu", weight_std=2.0**-60, tied=False,
              **big)


    chain, pairs, single = [5, 9, 4, 7], [5, 9, 5, 7, 5], [7, 7, 7, 7]
    yield blocks("norm_layer", chain, 3, "relu", norm="layer")
    yield blocks("norm_layer_h", chain, 3, "tanh", norm="layer", norm_at="h", loss="mse")
    yield blocks("norm_rms", chain, 3, "gelu", norm="rms", replicas=3)
    yield blocks("norm_rms_h", chain, 1, "leaky_relu", norm="rms", norm_at="h", bias=False)
    # a bias before a batch's mean is taken off has no gradient
    yield blocks("norm_batch", chain, 6, "relu", norm="batch", bias=False)
    yield blocks("norm_batch_h", chain, 9, "silu", norm="batch", norm_at="h", replicas=2)
    yield blocks("residual_plain", pairs, 3, "relu", residual="plain")
    yield blocks("residual_scaled", pairs, 3, "tanh", residual="scaled", residual_scale=0.3,
                 loss="mse", replicas=2)
    yield blocks("residual_rezero", pairs, 2, "tanh", residual="rezero", loss="mse")
    yield blocks("residual_single", single, 3, "leaky_relu", residual="plain", block=1)
    yield blocks("residual_pre", pairs, 3, "softplus", residual="plain", residual_activation="pre")
    yield blocks("residual_post", pairs, 3, "relu", residual="scaled", residual_scale=0.7,
                 residual_activation="post")
    yield blocks("residual_post_single", single, 3, "elu", residual="plain", block=1,
                 residual_activation="post", bias=False)
    yield blocks("residual_norm", pairs, 4, "relu", residual="plain", norm="layer", replicas=2)
    yield blocks("residual_norm_h", pairs, 4, "tanh", residual="plain", norm="layer", norm_at="h")
    yield blocks("residual_norm_batch", pairs, 7, "tanh", residual="plain", norm="batch",
                 bias=False, residual_activation="post")
    yield blocks("residual_pre_norm", pairs, 4, "relu", residual="plain", norm="rms",
                 residual_activation="pre")
    yield blocks("residual_pre_norm_h", pairs, 4, "tanh", residual="scaled", residual_scale=0.5,
                 norm="layer", norm_at="h", residual_activation="pre")
    yield blocks("residual_branch_norm", pairs, 3, "relu", residual="plain", norm="layer",
                 norm_at="branch", replicas=2)
    yield blocks("residual_pre_branch_norm", pairs, 3, "gelu", residual="scaled",
                 residual_scale=0.5, norm="rms", norm_at="branch", residual_activation="pre")
    yield blocks("residual_stream_norm", pairs, 3, "tanh", residual="plain", norm="layer",
                 norm_at="stream", loss="mse")
    yield blocks("residual_post_stream_norm", single, 5, "sigmoid", residual="plain", block=1,
                 norm="batch", norm_at="stream", residual_activation="post")
    # epsilon is that of true values
    yield blocks("large_norm", chain, 3, "relu", norm="layer", weight_std=2.0**70, **big)
    yield blocks("small_norm", chain, 3, "tanh", norm="layer", weight_std=2.0**-50, **big)
    yield blocks("small_norm_h", chain, 3, "leaky_relu", norm="rms", norm_at="h",
                 weight_std=2.0**-50, **big)
    yield blocks("small_norm_batch", chain, 6, "relu", norm="batch", weight_std=2.0**-50, **big)
    yield blocks("large_residual", [5] * 9, 3, "relu", residual="plain", weight_std=2.0**40, **big)
    yield blocks("small_residual", [5] * 9, 3, "tanh", residual="plain", weight_std=2.0**-40,
                 **big)
    yield blocks("large_residual_post", [5] * 7, 3, "relu", residual="scaled", residual_scale=2.0**30,
                 residual_activation="post", weight_std=2.0**40, **big)
    yield blocks("large_residual_norm", [5] * 7, 3, "gelu", residual="plain", norm="layer",
                 norm_at="branch", weight_std=2.0**60, **big)


def main():
    for line in __doc__.splitlines()[5:]:
        print(f"# {line}".rstrip())
    for case in cases():
        case.write(sys.stdout)


if __name__ == "__main__":
    main()
