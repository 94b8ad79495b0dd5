"""gradsweep's step server (bench/step_server.c) in a process of its own."""

import json
import os
import subprocess

import torch


class ServerError(Exception):
    """The step server refused a request."""


class Server:
    """Asks for networks, times and tensors, one request at a time."""

    def __init__(self, program, backend, threads):
        # threads as the program starts its workers (host/sweep/process.c)
        environment = {"GOMP_SPINCOUNT": "2000", **os.environ, "OMP_NUM_THREADS": str(threads),
                       "GRADSWEEP_BACKEND": backend}
        self.process = subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        text=True, env=environment)

    def ask(self, request):
        """The words after "ok", and the lines before them."""
        lines = []
        try:
            self.process.stdin.write(request + "\n")
            self.process.stdin.flush()
        except BrokenPipeError as error:
            raise ServerError("the step server has ended") from error
        while True:
            line = self.process.stdout.readline()
            if not line:
                raise ServerError(f"the step server ended during: {request}")
            word, _, rest = line.rstrip("\n").partition(" ")
            if word == "error":
                raise ServerError(rest)
            if word == "ok":
                return rest.split(" "), lines
            lines.append(rest)

    def device(self):
        """What the server works on, as in a record's context.device."""
        return json.loads(self.ask("device")[1][0])

    def cells(self, sweep):
        return [json.loads(line) for line in self.ask(f"cells {sweep}")[1]]

    def create(self, case, backend):
        self.ask("create " + json.dumps(dict(case, stats="off", backend=backend)))

    def time(self, seconds):
        """Median nanoseconds of a step, and how it was launched."""
        words, _ = self.ask(f"time {seconds}")
        return float(words[1]), words[3]

    def normals(self, rows, cols, dtype, seconds):
        """Median nanoseconds of filling a tensor with normal numbers."""
        return float(self.ask(f"normals {rows} {cols} {dtype} {seconds}")[0][0])

    def tensor(self, role, index, path):
        """A tensor's true values in float64, [replicas, rows, columns]."""
        shape, _ = self.ask(f"tensor {role} {index} {path}")
        values = torch.frombuffer(bytearray(path.read_bytes()), dtype=torch.float64)
        return values.reshape([int(n) for n in shape])

    def close(self):
        self.process.stdin.close()
        self.process.wait()
