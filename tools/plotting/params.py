"""The parameters of a cell: checked, compared, and put into words."""
import json

from . import checks
from .checks import Refused
from .parameter_table import INITIALISATIONS, MODELS, PARAMETERS

def is_of_steps(model):
    """Whether a model's axis is one of time steps, not of layers."""
    return MODELS[model]["point"] == "step"


# What pictures need of every file; the rest of the table may be missing.
_NEEDED = ("activation", "stats", "dtype", "range", "init")


def _sizes(model, params):
    """The sizes that a model's cell must have; one way of saying them is instead of others."""
    own = {key: about for key, about in PARAMETERS.items() if model in about["models"]}
    replaced = {other for key, about in own.items() if key in params for other in about["instead_of"]}
    return [key for key, about in own.items()
            if about["type"] == "size" and key not in replaced and model not in about["optional"]]


def _checked_number(value, path):
    checks.number(value, path)


def _checked_bias(value, path):
    if value is not None:  # null: biases of the framework init names
        checks.number(value, path)


_CHECKED = {"activation": checks.name, "choice": checks.name, "real": _checked_number,
            "slope": _checked_number, "bias": _checked_bias}


def checked_params(params, path):
    """The parameters, checked: sizes, names, and scalars for the rest."""
    model = checks.one_of(checks.member(params, "model", path), MODELS, f"{path}.model")
    for key in _sizes(model, params):
        checks.integer(checks.member(params, key, path), f"{path}.{key}")
    if "widths" in params:
        widths = checks.integers(params, "widths", path, None, 1)
        if model not in PARAMETERS["widths"]["models"] or len(widths) < 2:
            raise Refused(f"{path}.widths", "not a list of at least two sizes of an mlp")
    for key in _NEEDED:
        checks.member(params, key, path)
    for key in params:
        checks.name(key, path)
        kind = PARAMETERS.get(key, {}).get("type")
        if kind in _CHECKED:
            _CHECKED[kind](params[key], f"{path}.{key}")
    return {key: _init(value, f"{path}.{key}") if PARAMETERS.get(key, {}).get("type") == "init"
            else _scalar(value, f"{path}.{key}") for key, value in params.items()}


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

# Values that need no words, as cells' names leave them out. A scale is always told.
_PLAIN = {key: value[0] if isinstance(value, list) else value
          for about in INITIALISATIONS.values() for key, value in about["takes"].items()
          if key != "sigma_w2"}
_QUIET = {key: about["default"] for key, about in PARAMETERS.items()
          if about["in_name"] == "unusual" and about["type"] in ("choice", "flag", "bias")}
_QUIET.update(stats=None, jacobian=None)  # whatever they are
del _QUIET["dtype"]  # is always told


# Initialisations that set biases and input weights too; then it is their absence that needs words.
_FRAMEWORKS = [name for name, about in INITIALISATIONS.items() if about["framework"]]


def _quiet(key, params):
    """Whether a parameter's value needs no words beside the others."""
    if params["init"]["name"] in _FRAMEWORKS and key in ("bias_std", "input_init"):
        return params[key] in (None, params["init"])
    return key in _QUIET and _QUIET[key] in (None, params[key])


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
