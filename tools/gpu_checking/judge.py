"""What is wrong with the files that a step left: a line, or "" where nothing is."""
import json
import xml.etree.ElementTree


def read_json(path):
    """The document, or None where there is none."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def benchmarks(path):
    """Google Benchmark ends well whatever happened. What a device does not serve is no fault."""
    document = read_json(path)
    if document is None:
        return f"{path.name} is no JSON document"
    runs = document.get("benchmarks", [])
    words = [run.get("error_message", "") for run in runs if run.get("error_occurred")]
    faults = [text for text in words if not text.startswith("unsupported: ")]
    if faults:
        return f"{len(faults)} of {len(runs)} failed: {faults[0][:80]}"
    return "" if runs else "nothing was measured"


def values_of(tree, key):
    """Whatever stands under this key, anywhere in a document."""
    if isinstance(tree, dict):
        for name, value in tree.items():
            if name == key:
                yield value
            yield from values_of(value, key)
    elif isinstance(tree, list):
        for value in tree:
            yield from values_of(value, key)


def peers(path):
    """Of what tools/peers writes: every case compared, and all gradients agree."""
    document = read_json(path)
    if document is None:
        return f"{path.name} is no JSON document"
    differ = sum(value is False for value in values_of(document, "agree"))
    missing = [value for value in values_of(document, "error") if value]
    if differ:
        return f"gradients differ in {differ} cases"
    if missing:
        return f"{len(missing)} cases were not compared: {str(missing[0])[:80]}"
    return "" if document.get("cases") else "nothing was compared"


def test(path):
    """Of CTest's JUnit file of one test: with a GPU none has a reason to be skipped."""
    try:
        suite = xml.etree.ElementTree.parse(path).getroot()
    except (OSError, xml.etree.ElementTree.ParseError):
        return f"{path.name} is no JUnit file"
    if suite.find(".//testcase") is None:
        return "there is no such test"
    if suite.find(".//skipped") is not None:
        return "was skipped"
    return "failed" if suite.find(".//failure") is not None else ""


def cells(path, minimum):
    """Of results.json: none failed, and at least so many are ok."""
    document = read_json(path)
    if document is None:
        return "there are no results"
    by_status = {}
    for cell in document["cells"]:
        by_status.setdefault(cell["status"], []).append(cell)
    for status in ("crashed", "timeout", "failed"):
        if status in by_status:
            cell = by_status[status][0]
            return f"{len(by_status[status])} cells {status}: {cell['name']}: {cell.get('error')}"[:160]
    done = len(by_status.get("ok", []))
    return "" if done >= minimum else f"only {done} cells are ok"


def same_weights(one, other, minimum):
    """Of two results.json: what both have has the same weights, to the last bit."""
    both = [read_json(one), read_json(other)]
    if None in both:
        return "there are no results"
    hashes = [{cell["id"]: cell["weights_hash"] for cell in document["cells"] if cell["status"] == "ok"}
              for document in both]
    common = hashes[0].keys() & hashes[1].keys()
    differ = [cell for cell in common if hashes[0][cell] != hashes[1][cell]]
    if differ:
        return f"weights of {len(differ)} of {len(common)} cells differ from the CPU's"
    return "" if len(common) >= minimum else f"only {len(common)} cells could be compared"
