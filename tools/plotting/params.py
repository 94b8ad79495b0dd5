"""The parameters of a cell: checked, compared, and put into words."""
import json

from . import checks
from .checks import Refused

_SIZES = {"mlp": ("batch", "replicas"),
          "rnn": ("hidden", "input", "seq_len", "batch", "replicas")}


def checked_params(params, path):
    """The parameters, checked: sizes, names, and scalars for the rest."""
    model = checks.one_of(checks.member(params, "model", path), _SIZES, f"{path}.model")
    sizes = _SIZES[model]
    if model == "mlp":
        sizes += () if "widths" in params else ("depth", "width")
    for key in sizes:
        checks.integer(checks.member(params, key, path), f"{path}.{key}")
    if "widths" in params:
        widths = checks.integers(params, "widths", path, None, 1)
        if model != "mlp" or len(widths) < 2:
            raise Refused(f"{path}.widths", "not a list of at least two sizes of an mlp")
    for key in ("activation", "stats", "dtype", "range"):
        checks.name(checks.member(params, key, path), f"{path}.{key}")
    for key in params:
        checks.name(key, path)
    for key in {"slope", "bias_std"} & params.keys():
        if key == "slope" or params[key] is not None:  # null: biases of the framework init names
            checks.number(params[key], f"{path}.{key}")
    inits = {key: _init(params[key], f"{path}.{key}") for key in ("init", "input_init") if key in params}
    checks.member(inits, "init", path)
    return {key: inits[key] if key in inits else _scalar(value, f"{path}.{key}")
            for key, value in params.items()}


def _init(init, path):
    checks.name(checks.member(checks.a(dict, init, path), "name", path), f"{path}.name")
    return {checks.name(key, path): _scalar(value, f"{path}.{key}") for key, value in init.items()}


def _scalar(value, path):
    if path.endswith(".widths"):
        return value
    if type(value) in (int, float):
        checks.number(value, path, -1e300, 1e300)
        return value
    if value is None and path.endswith(".bias_std"):
        return None
    return value if type(value) is bool else checks.shown(checks.a(str, value, path), 60)


# ---- comparing ----

def key_of(params, without):
    """What is equal for cells that agree in everything but the parameters `without`."""
    return json.dumps({k: v for k, v in params.items() if k not in without}, sort_keys=True)


def value_key(value):
    return json.dumps(value, sort_keys=True)


# ---- words ----

# Values that need no words, as cells' names leave them out.
_PLAIN = {"std": 1, "fan": "in", "slope": 0, "gain": 1}
_QUIET = {"launch": "auto", "loop": "auto", "bias_std": 0,
          "range": "extended", "stats": None, "jacobian": None, "tied": True, "loss": "linear", "loss_at": "last",
          "dtype": "f32"}


# Initialisations that set biases and input weights too; then it is their absence that needs words.
_FRAMEWORKS = ("torch_default", "keras_default")


def _quiet(key, params):
    """Whether a parameter's value needs no words beside the others."""
    if params["init"]["name"] in _FRAMEWORKS and key in ("bias_std", "input_init"):
        return params[key] in (None, params["init"])
    return key in _QUIET and key != "dtype" and _QUIET[key] in (None, params[key])


_COUNTED = {"hidden": "hidden unit", "input": "input", "seq_len": "step", "replicas": "replica"}


def number_text(value):
    return str(value) if isinstance(value, int) else f"{value:.6g}"


def init_text(init):
    """An initialisation as the command line takes it: scaled:sigma_w2=1."""
    parts = [f"{key}={number_text(value) if type(value) in (int, float) else value}"
             for key, value in init.items() if key != "name" and _PLAIN.get(key) != value]
    return ":".join([init["name"], ",".join(parts)]) if parts else init["name"]


def activation_text(params):
    """The activation, with what else belongs to it."""
    text = params["activation"]
    if text == "leaky_relu" and "slope" in params:
        text += f" {number_text(params['slope'])}"
    output = params.get("output_activation", params["activation"])
    return text if output == params["activation"] else f"{text}, {output} output"


def words(key, value):
    """One parameter in words, with its name."""
    if key == "model" or key == "activation":
        return str(value)
    if key in ("init", "input_init"):
        return ("input " if key == "input_init" else "") + init_text(value)
    if key in _COUNTED:
        return f"{value} {_COUNTED[key]}{'' if value == 1 else 's'}"
    if key == "output_activation":
        return f"{value} output"
    if key == "tied":
        return "tied" if value else "untied"
    if key == "dtype":
        return str(value)
    if key == "widths":
        text = ", ".join(map(str, value)) if len(value) <= 8 else f"{value[0]}, ..., {value[-1]}"
        return f"widths {text}"
    named = {"bias_std": "bias std", "loss_at": "loss at step", "stats": "statistics"}.get(key, key)
    shown = number_text(value) if type(value) in (int, float) else value
    return f"{named} {shown}"


def held_fixed(cells, told=()):
    """The parameters that all cells share, in words: without those in `told`, which
    the picture shows itself, without the activation, which every picture tells, and
    without defaults that change nothing. A size that differs is a range."""
    text = []
    for key in cells[0].params:
        if key in told or key in ("activation", "slope", "output_activation"):
            continue
        values = {value_key(c.params.get(key)): c.params.get(key) for c in cells}
        first = cells[0].params[key]
        if len(values) == 1:
            if not _quiet(key, cells[0].params):
                text.append(words(key, first))
        elif all(type(v) is int for v in values.values()):
            text.append(f"{min(values.values())} to {words(key, max(values.values()))}"
                        if key in _COUNTED else
                        f"{words(key, min(values.values()))} to {max(values.values())}")
    return text
