"""The networks of gradsweep's cases in PyTorch, with gradsweep's numbers."""

import copy

import torch
import torch.nn.functional as F

ACTIVATIONS = {
    "identity": lambda z: z,
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "relu": torch.relu,
    "leaky_relu": F.leaky_relu,
    "elu": F.elu,
    "selu": F.selu,
    "gelu": F.gelu,
    "silu": F.silu,
    "softsign": F.softsign,
    "softplus": F.softplus,
}
DTYPES = {
    "f64": torch.float64,
    "f32": torch.float32,
    "tf32": torch.float32,  # as it is stored; see use_precision
    "bf16": torch.bfloat16,
    "f16": torch.float16,
}


def use_precision(dtype):
    """Whether float32 products may round their factors to TF32: for that dtype only.
    PyTorch's own default allows it in cuDNN."""
    precision = "tf32" if dtype == "tf32" else "ieee"
    torch.backends.cuda.matmul.fp32_precision = precision
    torch.backends.cudnn.fp32_precision = precision
    torch.backends.cudnn.rnn.fp32_precision = precision


def loss_of(h, target, mse):
    if mse:
        return 0.5 * ((h - target) ** 2).sum()
    return (h * target).sum()


class Loader:
    """Tensors of the server's network, in the case's dtype, where PyTorch works."""

    def __init__(self, case, server, path, device):
        self.server, self.path, self.device = server, path, device
        self.dtype = DTYPES[case.get("dtype", "f32")]

    def __call__(self, role, index):
        values = self.server.tensor(role, index, self.path)
        return values.to(self.dtype).to(self.device)

    def parameter(self, role, index, squeeze=False):
        values = self(role, index)
        return (values[0] if squeeze else values).detach().clone().requires_grad_()


def has_biases(case):
    """Whether gradsweep's network has biases: of bias_std, or of a framework that init names."""
    std = case.get("bias_std", "init")
    if std not in (None, "init"):
        return std > 0
    init = case.get("init", "")
    return (init["name"] if isinstance(init, dict) else init) in ("torch_default", "keras_default")


class PeerMlp:
    """Layers of linear and activation; replicas are batched products (baddbmm)."""

    compiles = None  # why torch.compile is of no use, or None

    def __init__(self, case, server, path, device):
        load = Loader(case, server, path, device)
        layers = case["depth"] if "depth" in case else len(case["widths"]) - 1
        one = case.get("replicas", 1) == 1
        self.mse = case.get("loss", "linear") == "mse"
        self.one = one
        self.x, self.target = load("input", 0), load("target", 0)
        if one:
            self.x, self.target = self.x[0], self.target[0]
        self.weights = [load.parameter("weight", l, one) for l in range(1, layers + 1)]
        self.biases = []
        if has_biases(case):
            biases = [load.parameter("bias", l, one) for l in range(1, layers + 1)]
            self.biases = [b[0].detach().clone().requires_grad_() for b in biases] if one else biases
        phi = ACTIVATIONS[case["activation"]]
        output = ACTIVATIONS[case.get("output_activation", case["activation"])]
        self.phis = [phi] * (layers - 1) + [output]
        self.names = ([("grad_weight", l) for l in range(1, layers + 1)]
                      + [("grad_bias", l) for l in range(1, len(self.biases) + 1)])
        self.run = self.loss

    def loss(self):
        h = self.x
        for l, (w, phi) in enumerate(zip(self.weights, self.phis)):
            if self.one:
                z = F.linear(h, w, self.biases[l] if self.biases else None)
            elif self.biases:
                z = torch.baddbmm(self.biases[l], h, w.transpose(1, 2))
            else:
                z = torch.bmm(h, w.transpose(1, 2))
            h = phi(z)
        return loss_of(h, self.target, self.mse)

    def gradients(self):
        return torch.autograd.grad(self.run(), self.weights + self.biases)

    def in_float64(self):
        """The same network, computed in float64."""
        twin = copy.copy(self)
        double = lambda t: t.detach().double().requires_grad_()
        twin.x, twin.target = self.x.double(), self.target.double()
        twin.weights = [double(w) for w in self.weights]
        twin.biases = [double(b) for b in self.biases]
        twin.run = twin.loss
        return twin


class PeerRnn:
    """torch.nn.RNN (cuDNN's on a GPU)."""

    compiles = "torch.nn.RNN is not compiled"

    def __init__(self, case, server, path, device):
        load = Loader(case, server, path, device)
        steps, bias = case["seq_len"], has_biases(case)
        self.mse = case.get("loss", "linear") == "mse"
        self.every = case.get("loss_at", "last") == "every"
        self.x = load("input", 0)[0].reshape(steps, -1, case["input"])
        self.target = load("target", 0)[0].reshape(-1, self.x.shape[1], case["hidden"])
        self.rnn = torch.nn.RNN(case["input"], case["hidden"], nonlinearity=case["activation"],
                                bias=bias).to(device=device, dtype=load.dtype)
        with torch.no_grad():
            self.rnn.weight_hh_l0.copy_(load("weight", 1)[0])
            self.rnn.weight_ih_l0.copy_(load("input_weight", 0)[0])
            if bias:
                self.rnn.bias_ih_l0.copy_(load("bias", 0)[0, 0])
                self.rnn.bias_hh_l0.zero_()
        self.names = [("grad_weight", 1), ("grad_input", 0)] + ([("grad_bias", 0)] if bias else [])

    def parameters(self):
        found = [self.rnn.weight_hh_l0, self.rnn.weight_ih_l0]
        return found + ([self.rnn.bias_ih_l0] if len(self.names) > 2 else [])

    def gradients(self):
        h, _ = self.rnn(self.x)
        loss = loss_of(h if self.every else h[-1:], self.target, self.mse)
        return torch.autograd.grad(loss, self.parameters())

    def in_float64(self):
        """The same network, computed in float64."""
        twin = copy.copy(self)
        twin.x, twin.target = self.x.double(), self.target.double()
        twin.rnn = copy.deepcopy(self.rnn).double()
        twin.rnn.flatten_parameters()
        return twin


class PeerLoop:
    """An Elman network that torch.nn.RNN does not have, in a loop over the steps."""

    compiles = "the loop over the steps is not compiled"

    def __init__(self, case, server, path, device):
        load = Loader(case, server, path, device)
        self.mse = case.get("loss", "linear") == "mse"
        self.every = case.get("loss_at", "last") == "every"
        self.phi = ACTIVATIONS[case["activation"]]
        self.x = load("input", 0)[0].reshape(case["seq_len"], -1, case["input"])
        self.target = load("target", 0)[0].reshape(-1, self.x.shape[1], case["hidden"])
        self.w = load.parameter("weight", 1, True)
        self.u = load.parameter("input_weight", 0, True)
        self.names = [("grad_weight", 1), ("grad_input", 0)]
        self.b = None
        if has_biases(case):
            self.b = load("bias", 0)[0, 0].detach().clone().requires_grad_()
            self.names.append(("grad_bias", 0))

    def gradients(self):
        h, states = torch.zeros_like(self.target[0]), []
        for p in F.linear(self.x, self.u, self.b).unbind(0):
            h = self.phi(torch.addmm(p, h, self.w.t()))
            states.append(h)
        seen = torch.stack(states) if self.every else h[None]
        wanted = [self.w, self.u] + ([] if self.b is None else [self.b])
        return torch.autograd.grad(loss_of(seen, self.target, self.mse), wanted)

    def in_float64(self):
        """The same network, computed in float64."""
        twin = copy.copy(self)
        double = lambda t: None if t is None else t.detach().double().requires_grad_()
        twin.x, twin.target = self.x.double(), self.target.double()
        twin.w, twin.u, twin.b = double(self.w), double(self.u), double(self.b)
        return twin


def make_peer(case, server, path, device):
    """The peer of a case. ValueError where PyTorch has none."""
    use_precision(case.get("dtype", "f32"))
    if case["model"] == "mlp":
        return PeerMlp(case, server, path, device)
    if case.get("replicas", 1) != 1 or not case.get("tied", True):
        raise ValueError("PyTorch's peer has one replica and one W for all steps")
    kind = PeerRnn if case["activation"] in ("tanh", "relu") else PeerLoop
    return kind(case, server, path, device)
