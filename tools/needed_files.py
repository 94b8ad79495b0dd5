"""tools/needed_files.py FOLDER: the files in this build folder, one a line, that tests need.

Reads the tests as `ctest --show-only=json-v1` lists them. Their REQUIRED_FILES are
also names of Ninja's targets.
"""
import json
import os
import sys

needed = set()
for test in json.load(sys.stdin)["tests"]:
    for entry in test["properties"]:
        if entry["name"] == "REQUIRED_FILES":
            needed.update(os.path.relpath(file, sys.argv[1]) for file in entry["value"])
for file in sorted(needed):
    print(file)
