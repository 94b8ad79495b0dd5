"""The JSON reader against Python's, made strict: both take the same documents, and read
the same values.

Documents are hand-picked ones and random mutations of them: bytes changed, pieces cut,
doubled and swapped, numbers, escapes and brackets put in.

    tests/json_differential.py SEED COUNT     other documents, or more
"""
import json
import math
import os
import pathlib
import random
import re
import subprocess
import sys

SEED, COUNT = 1, 60000
MAX_DEPTH, MAX_NUMBER = 100, 63
SEEDS = [
    b'{"blocks": [{"model": "mlp", "depth": [10, 50], "init": {"name": "normal", "std": 0.02}}]}',
    b'[0, -0, 1.5, -1e-3, 1E+10, 123456789012345678901234567890, 1e308, 1e-400, 0.1]',
    '["\\u00e4\\ud83d\\ude00 \\" \\\\ \\/ \\b\\f\\n\\r\\t", "\u00e4\u5c64\U0001f600", "\x7f"]'.encode(),
    b' \t\r\n{ "a" : { } , "b" : [ ] , "c" : [ null , true , false ] } ',
    b'"text"', b"7", b"null", b"[[[[[[[[[[]]]]]]]]]]", b'{"a":1,"\\u0061":2}', b"",
]
PIECES = [b"0", b"1", b"-", b"+", b".", b"e", b"E", b"e5", b"00", b"1e999", b"NaN", b"Infinity", b'"', b"\\",
          b"\\u0000", b"\\u00", b"\\ud800", b"\\udc00", b"\\x", b"[", b"]", b"{", b"}", b",", b":", b" ", b"\n",
          b"\t", b"\x00", b"\x0b", b"\x1f", b"\x7f", b"\x80", b"\xc2\x9b", b"\xc0\x80", b"\xed\xa0\x80",
          b"\xf4\x90\x80\x80", b"\xef\xbb\xbf", b"//", b"/**/", b"'", b"true", b"nul", b'"a":1', b"[" * 101,
          b"1" * 64, b"9" * 63]


def refuse(*_):
    raise ValueError


def number(text):
    value = float(text)
    if len(text) > MAX_NUMBER or not math.isfinite(value):
        raise ValueError
    return value


def pairs(items):
    made = dict(items)
    if len(made) != len(items):
        raise ValueError
    return made


def depth(value):
    inside = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    return 0 if inside is None else 1 + max(map(depth, inside), default=0)


def has_lone_surrogate_or_zero(value):
    if isinstance(value, str):
        return bool(re.search("[\x00\ud800-\udfff]", value))
    if isinstance(value, dict):
        return any(map(has_lone_surrogate_or_zero, [*value, *value.values()]))
    return isinstance(value, list) and any(map(has_lone_surrogate_or_zero, value))


def strictly(document):
    """What Python reads, all numbers as floats; ValueError for what no strict reader takes."""
    value = json.loads(document.decode("utf-8"), parse_int=number, parse_float=number,
                       parse_constant=refuse, object_pairs_hook=pairs)
    if depth(value) > MAX_DEPTH or has_lone_surrogate_or_zero(value):
        raise ValueError
    return value


def mutate(draw, document):
    changed = bytearray(document)
    for _ in range(draw.choice([1, 1, 1, 2, 3, 8])):
        at = draw.randint(0, len(changed))
        end = min(len(changed), at + draw.choice([1, 1, 2, 5, 20]))
        kind = draw.randrange(6)
        if kind == 0 and at < len(changed):
            changed[at] = draw.randrange(256)
        elif kind == 1:
            del changed[at:end]
        elif kind == 2:
            changed[at:at] = changed[at:end]
        elif kind == 3:
            changed[at:end] = draw.choice(PIECES)
        else:
            changed[at:at] = draw.choice(PIECES)
    return bytes(changed)


def same(a, b):
    if isinstance(a, float) and isinstance(b, float):
        return a == b and math.copysign(1, a) == math.copysign(1, b)
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(same, a, b))
    return type(a) is type(b) and a == b


def main():
    seed, count = (int(sys.argv[1]), int(sys.argv[2])) if len(sys.argv) == 3 else (SEED, COUNT)
    draw = random.Random(seed)
    documents = SEEDS + [mutate(draw, draw.choice(SEEDS)) for _ in range(count)]
    reader = pathlib.Path(os.environ["GRADSWEEP_BUILD_DIR"]) / "tests" / "json_reader"
    sent = b"".join(b"%d\n%s" % (len(document), document) for document in documents)
    done = subprocess.run([reader], input=sent, capture_output=True, check=True)
    answers = done.stdout.split(b"\n")[:-1]
    assert len(answers) == len(documents), (len(answers), len(documents))
    taken = 0
    for document, answer in zip(documents, answers):
        try:
            expected = strictly(document)
        except (ValueError, RecursionError):
            assert answer == b"no", (document, answer)
            continue
        assert answer != b"no", document
        assert same(expected, strictly(answer)), (document, answer)
        taken += 1
    print(f"{len(documents)} documents, {taken} taken by both, no difference")
    assert taken > count / 50, "hardly any document was JSON"


if __name__ == "__main__":
    main()
