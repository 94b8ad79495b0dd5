"""Checks of single values of a JSON document, each with the place in its message.

Arrays of numbers may have millions of entries: they are judged whole, by C code,
and only a refused one is searched for its first offender.
"""
import math
import re

import numpy

MAX_CHARACTERS = 300  # of a string; longer ones are cut where they are shown
LARGEST = 1e12  # of a logarithm; a million layers of 1000 decades are 1e9
LARGEST_INTEGER = 2**53

_NAME = re.compile(r"[a-z0-9_]{1,40}")


class Refused(Exception):
    """Bad data: where (a JSON path) and what."""

    def __init__(self, path, what):
        super().__init__(f"{path}: {what}")


def shown(text, limit=MAX_CHARACTERS):
    """Text from a file as terminals, fonts and XML can take it: one line of
    printable Latin-1, anything else as '?'."""
    safe = "".join(c if " " <= c <= "~" or "\xa1" <= c <= "\xff" and c != "\xad" else "?"
                   for c in text[:limit + 1])
    return safe if len(safe) <= limit else safe[:limit - 3] + "..."


def kind(value):
    names = {dict: "an object", list: "an array", str: "a string", bool: "a boolean",
             type(None): "null", int: "a number", float: "a number"}
    return names[type(value)]


def a(expected, value, path):
    """value if it is of the type (or types), never a boolean for a number."""
    types = expected if isinstance(expected, tuple) else (expected,)
    if type(value) not in types:
        wanted = " or ".join(dict.fromkeys(kind(t()) for t in types))
        raise Refused(path, f"{kind(value)}, expected {wanted}")
    return value


def member(table, key, path):
    if key not in table:
        raise Refused(path, f'"{key}" is missing')
    return table[key]


def table(parent, key, path):
    return a(dict, member(parent, key, path), f"{path}.{key}")


def array(parent, key, path):
    return a(list, member(parent, key, path), f"{path}.{key}")


def text(parent, key, path):
    value = a(str, member(parent, key, path), f"{path}.{key}")
    if not value:
        raise Refused(f"{path}.{key}", "an empty string")
    return value


def name(value, path):
    """A word as gradsweep's enumerations have them."""
    if not _NAME.fullmatch(a(str, value, path)):
        raise Refused(path, f'"{shown(value, 40)}" is not a name')
    return value


def one_of(value, choices, path):
    if a(str, value, path) not in choices:
        raise Refused(path, f'"{shown(value, 40)}", expected one of {", ".join(choices)}')
    return value


def number(value, path, low=-LARGEST, high=LARGEST):
    a((int, float), value, path)
    if not low <= value <= high:  # so that NaN and infinities fail
        raise Refused(path, f"{shown(repr(value), 40)} is not between {low:g} and {high:g}")
    return float(value)


def number_or_null(value, path, low=-LARGEST, high=LARGEST):
    return math.nan if value is None else number(value, path, low, high)


def integer(value, path, low=1, high=LARGEST_INTEGER):
    a(int, value, path)
    if not low <= value <= high:
        raise Refused(path, f"{shown(str(value), 40)} is not between {low} and {high}")
    return value


def _first(values, wrong):
    return next(i for i, value in enumerate(values) if wrong(value))


def _of_types(values, types, what, path):
    if not set(map(type, values)) <= types:
        i = _first(values, lambda value: type(value) not in types)
        raise Refused(f"{path}[{i}]", f"{kind(values[i])}, expected {what}")


def _of_length(values, length, path):
    if length is not None and len(values) != length:
        raise Refused(path, f"{len(values)} entries, expected {length}")


def number_list(values, path, length=None, low=-LARGEST, high=LARGEST):
    """An array of numbers or null, which is NaN in what is returned."""
    a(list, values, path)
    _of_length(values, length, path)
    _of_types(values, {int, float, type(None)}, "a number or null", path)
    try:
        found = numpy.array(values, dtype=float)
    except OverflowError:  # an integer beyond any double
        i = _first(values, lambda value: value is not None and not abs(value) <= high)
        raise Refused(f"{path}[{i}]", "too large a number") from None
    given = numpy.array([value is not None for value in values])
    good = (found >= low) & (found <= high)
    if len(values) and not (good | ~given).all():
        i = int(numpy.argmin(good | ~given))
        raise Refused(f"{path}[{i}]",
                      f"{shown(repr(values[i]), 40)} is not between {low:g} and {high:g}")
    return found


def integer_list(values, path, length=None, low=0, high=LARGEST_INTEGER):
    a(list, values, path)
    _of_length(values, length, path)
    _of_types(values, {int}, "an integer", path)
    if values and not (min(values) >= low and max(values) <= high):
        i = _first(values, lambda value: not low <= value <= high)
        raise Refused(f"{path}[{i}]",
                      f"{shown(str(values[i]), 40)} is not between {low} and {high}")
    return numpy.array(values, dtype=numpy.int64)


def numbers(parent, key, path, *limits):
    """number_list of a member."""
    return number_list(member(parent, key, path), f"{path}.{key}", *limits)


def integers(parent, key, path, *limits):
    """integer_list of a member."""
    return integer_list(member(parent, key, path), f"{path}.{key}", *limits)
