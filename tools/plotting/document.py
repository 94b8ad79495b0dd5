"""Reads a results.json: strict JSON, the right version, a list of cells.

Any Python tool may use it: `read(path)` returns a Document or raises
checks.Refused, with a JSON path, for whatever is wrong with the file.
"""
import hashlib
import json
import pathlib

from . import checks
from .checks import Refused
from .records import Cell

SCHEMA = pathlib.Path(__file__).resolve().parents[2] / "results" / "schema.json"
MAX_BYTES = 1 << 29  # as Python's objects about four times that


class Document:
    """A results file: `name` (of the sweep), `device`, `cells`; `edited`: its bytes are not
    those that gradsweep wrote."""

    def __init__(self, name, device, cells, edited):
        self.name, self.device, self.cells, self.edited = name, device, cells, edited


def supported_version():
    """The version of results.json that results/schema.json describes."""
    return json.loads(SCHEMA.read_text(encoding="utf-8"))["properties"]["schema"]["const"]


def _no_constant(word):
    raise Refused("$", f"{word} is not JSON")


def _no_duplicates(pairs):
    table = dict(pairs)
    if len(table) != len(pairs):
        seen = set()
        for key, _ in pairs:
            if key in seen:
                raise Refused("$", f'the key "{checks.shown(key, 40)}" appears twice in one object')
            seen.add(key)
    return table


def parse(data):
    """Bytes of strict JSON to Python's objects. Numbers may still be infinite
    (1e999): whoever uses one checks it."""
    try:
        return json.loads(data.decode("utf-8"), parse_constant=_no_constant,
                          object_pairs_hook=_no_duplicates)
    except UnicodeDecodeError as error:
        raise Refused("$", f"not UTF-8 at byte {error.start}") from None
    except json.JSONDecodeError as error:
        raise Refused("$", f"not JSON at line {error.lineno} column {error.colno}: "
                           f"{checks.shown(error.msg, 80)}") from None
    except RecursionError:
        raise Refused("$", "nested too deeply") from None
    except ValueError:  # an integer of more digits than Python reads
        raise Refused("$", "a number with too many digits") from None


def is_as_written(data):
    """Whether the bytes of a results.json have the checksum that they end with."""
    body, _, rest = data.rpartition(b',\n  "sha256": "')
    return rest == hashlib.sha256(body).hexdigest().encode() + b'"\n}\n'


def load(path):
    """The bytes of a file, not too many."""
    try:
        with open(path, "rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise Refused("$", f"cannot be read: {error.strerror}") from None
    except ValueError:  # a name with a NUL in it
        raise Refused("$", "cannot be read: not a file name") from None
    if len(data) > MAX_BYTES:
        raise Refused("$", f"larger than {MAX_BYTES >> 20} MiB; run fewer cells to a file")
    return data


def read(path):
    data = load(path)
    edited = not is_as_written(data)
    root = checks.a(dict, parse(data), "$")
    version = checks.member(root, "schema", "$")
    if version is True or version != supported_version():
        found = version if type(version) in (int, float) else checks.kind(version)
        raise Refused("$.schema", f"{checks.shown(str(found), 20)}; this program reads version "
                                  f"{supported_version()} of results.json")
    context = checks.table(root, "context", "$")
    device = checks.table(context, "device", "$.context")
    name = checks.text(context, "name", "$.context")
    words = [checks.text(device, key, "$.context.device") for key in ("backend", "name")]
    cells = [Cell(record, f"$.cells[{i}]")
             for i, record in enumerate(checks.array(root, "cells", "$"))]
    if not cells:
        raise Refused("$.cells", "empty: nothing to draw")
    seen = set()
    for cell in cells:
        if cell.id in seen:
            raise Refused(f"{cell.path}.id", f"{cell.id} appears twice")
        seen.add(cell.id)
    return Document(checks.shown(name, 60), checks.shown(": ".join(words), 80), cells, edited)
