"""What users of a GPU see: the whole program over the CUDA backend, on a simulated GPU
(README.md here). Its numbers are held against the CPU backend's; the GPU is absent, lost,
too small or another one; launches and allocations fail. Nothing finished may be lost, and
every message is one line."""
import json
import pathlib
import re
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "endtoend"))
from program import ProgramTest, compared, main  # noqa: E402

UUID = "GPU-10111213-1415-1617-1819-1a1b1c1d1e"  # and two digits, the serial number
DTYPES = ["f32", "f64", "tf32", "bf16", "f16"]
MLP = {"model": "mlp", "depth": 3, "width": 9, "batch": 4, "replicas": 2}
RNN = {"model": "rnn", "seq_len": 4, "hidden": 10, "input": 7, "batch": 3, "replicas": 2,
       "bias_std": 0.1}
EVERY = [
    dict(MLP, activation="tanh", dtype=DTYPES, range=["native", "extended"]),
    dict(MLP, activation="relu", init="he_normal", bias_std=0.1, loss="mse",
         stats=["off", "norms", "full"], launch=["graph", "eager"]),
    dict(MLP, depth=2, activation="gelu", init="orthogonal", dtype=["f32", "f64"]),
    dict(RNN, activation="tanh", dtype=DTYPES, range=["native", "extended"], loop="steps",
         loss_at="every"),
    dict(RNN, activation="silu", dtype=["f32", "bf16", "f16", "f64"], loop="persistent",
         launch=["graph", "eager"]),
]
# Of log10 of norms, and of losses, whose terms cancel.
TOLERANCE = {"f64": 1e-11, "f32": 1e-4, "tf32": 1e-2, "bf16": 1e-1, "f16": 5e-2}
# The second cell takes by far the most calls.
THREE = ["--depth=2,60,3", "--width=8", "--batch=4", "--replicas=2", "--time-limit=0"]


def name_of(cell):
    """What a cell and the CPU's reference have in common."""
    params = cell["params"]
    return json.dumps({k: v for k, v in params.items()
                       if k not in ("backend", "device", "dtype", "launch", "loop")}, sort_keys=True)


def norms_of(cell):
    """Every log10 of a measurement: {where: numbers}."""
    norms = {"loss": cell["summary"]["loss"]["log10_abs"],
             "decades": cell["summary"]["decades"]["values"]}
    for quantity, layers in cell["layers"].items():
        norms[quantity] = layers["log10_norm"]["p05"] + layers["log10_norm"]["p95"]
    return norms


class SimulatedTest(ProgramTest):
    def assert_given_up(self, done, words):
        """A worker says why it ends, another is tried, and the third one's reason is the run's."""
        self.assert_code(done, 71)
        *workers, error = done.stderr.splitlines()
        self.assertEqual(len(workers), 2, done.stderr)
        for line in workers:
            self.assertRegex(line, f"^worker: .*{words}")
        self.assertRegex(error, f"^gradsweep: error: .*{words}")
        self.assert_nothing_written()

    def program(self, *arguments, sim=None, **more):
        """sim: settings of the simulated GPU."""
        variables = {f"GRADSWEEP_SIM_{key}": str(value) for key, value in (sim or {}).items()}
        done = super().program(*arguments, variables=variables, **more)
        for words in ("CUDA on the CPU", "Sanitizer", "runtime error"):
            self.assertNotIn(words, done.stderr)
        return done

    def run_three(self, *arguments, out=None, **more):
        return self.program("run", "mlp", *THREE, "--backend=cuda", "--out", out or self.out,
                            *arguments, **more)

    def error_of(self, index):
        words = self.results()["cells"][index]["error"]
        self.assertNotIn("\n", words)
        return words


class Numbers(SimulatedTest):
    def run_sweep(self, blocks, backend, time_limit):
        path = self.scratch / "sweep.json"
        path.write_text(json.dumps({"blocks": blocks, "timing": {"time_limit_s": time_limit}}))
        out = self.scratch / backend
        done = self.program("run", path, "--backend", backend, "--out", out)
        self.assert_code(done, 0)
        return self.results(out), done

    def reference(self):
        """The CPU's cells by name and dtype. It has no graphs and no persistent loops."""
        blocks = [{k: v for k, v in block.items() if k not in ("launch", "loop", "stats")}
                  for block in EVERY]
        blocks = [dict(b, dtype=["f32", "f64"], stats=["norms", "full"]) for b in blocks]
        cells = self.run_sweep(blocks, "cpu", 0)[0]["cells"]
        return {(name_of(cell), cell["params"]["dtype"]): cell for cell in cells}

    def assert_close(self, cell, reference):
        tolerance = TOLERANCE[cell["params"]["dtype"]]
        wanted = norms_of(reference)
        for where, values in norms_of(cell).items():
            for got, want in zip(values, wanted[where], strict=True):
                self.assertTrue(abs(got - want) <= tolerance,
                                f"{cell['name']}, {where}: {got}, the CPU's {want}")

    def assert_right(self, cell, reference):
        params, dtype = cell["params"], cell["params"]["dtype"]
        if params.get("loop") == "persistent" and dtype == "f64":
            self.assertEqual(cell["status"], "skipped")
            self.assertIn("no persistent loop: its arithmetic is that of f32", cell["error"])
            return
        self.assertEqual(cell["status"], "ok", cell["error"])
        launch = "graph" if params["launch"] == "auto" else params["launch"]
        self.assertEqual(cell["timing"]["launch"], launch)
        self.assertTrue(cell["timing"]["fraction_of_floor"] > 0)
        if params["stats"] == "off":
            self.assertNotIn("layers", cell)
            return
        same = reference[name_of(cell), "f64" if dtype == "f64" else "f32"]
        self.assert_close(cell, same)
        if dtype in ("f32", "f64", "tf32"):
            self.assertEqual(cell["weights_hash"], same["weights_hash"], cell["name"])

    def test_every_kind_of_cell(self):
        document, done = self.run_sweep(EVERY, "cuda", 0.001)
        device = document["context"]["device"]
        self.assertEqual((device["backend"], device["dtypes"]), ("cuda", DTYPES))
        for rate in [*(f"flops_per_s_{dtype}" for dtype in DTYPES), "copy_bytes_per_s", "launch_ns",
                     "block_barrier_ns", "grid_barrier_ns"]:
            self.assertTrue(document["context"]["floor"][rate] > 0, rate)
        reference = self.reference()
        for cell in document["cells"]:
            self.assertEqual(cell["backend"], {"name": "cuda", "device": "simulated GPU", "threads": 0})
            self.assert_right(cell, reference)
        self.assertIn("2 skipped", done.stdout)

    def test_a_replay_is_what_was_enqueued(self):
        """Not timing, nor what chose it: the records of graph and eager are the same."""
        blocks = [dict(MLP, launch=["graph", "eager"]), dict(RNN, launch=["graph", "eager"])]
        cells = self.run_sweep(blocks, "cuda", 0)[0]["cells"]
        for graph, eager in zip(cells[::2], cells[1::2], strict=True):
            for key in ("weights_hash", "summary", "layers"):
                self.assertEqual(graph[key], eager[key])


class Products(SimulatedTest):
    """What cuBLASLt suggests, and what is made of it (algorithms.h)."""

    def records(self, sim, *arguments):
        done = self.program("run", *arguments, "--time-limit=0", "--backend=cuda", "--overwrite", "--out", self.out,
                            sim=sim)
        self.assert_code(done, 0)
        return self.results()["cells"]

    def test_the_fastest_changes_no_bits(self):
        """Whichever of its algorithms the clock prefers, in every dtype."""
        cells = {}
        for model in (["mlp", "--width=33"], ["rnn", "--seq-len=5", "--hidden=17", "--input=9", "--loop=steps"]):
            for fastest in (0, 2, 5):
                cells[fastest] = self.records({"FAST": fastest}, *model, "--batch=9", "--replicas=2",
                                              f"--dtype={','.join(DTYPES)}", "--stats=full")
            for other in (2, 5):
                for cell, same in zip(cells[other], cells[0], strict=True):
                    for key in ("weights_hash", "summary", "layers"):
                        self.assertEqual(cell[key], same[key], cell["name"])

    def test_no_algorithm(self):
        """What the library has not cannot be: it is skipped, and is no failure."""
        self.records({"NO_PRODUCT": 12}, "mlp", "--depth=2", "--width=8,12,16", "--batch=4")
        self.assertEqual(self.statuses(), ["ok", "skipped", "ok"])
        self.assertRegex(self.error_of(1), "^cuBLASLt has no algorithm for a product of 4 x 12 x 12$")


class Joined(SimulatedTest):
    def test_results_of_two_devices(self):
        """The same cells by id and by name, and a row for each in a comparison."""
        runs = []
        for backend in ("cpu", "cuda"):
            out = self.scratch / backend
            self.assert_code(self.program("run", "mlp", *THREE[:-1], "--time-limit=0.001", "--backend", backend,
                                          "--out", out), 0)
            runs.append(self.results(out)["cells"])
        self.assertEqual(*([(c["id"], c["name"]) for c in cells] for cells in runs))
        self.assertEqual([{c["backend"]["name"] for c in cells} for cells in runs], [{"cpu"}, {"cuda"}])
        self.assertEqual([{c["params"]["backend"] for c in cells} for cells in runs], [{"cpu"}, {"cuda"}])
        rows = compared(self.scratch / "cpu" / "results.json", self.scratch / "cuda" / "results.json")
        for cell in runs[0]:
            self.assertRegex(rows, re.escape(cell["name"]) + r" +[+-]")


class Latencies(SimulatedTest):
    """What waits for what; clusters come with compute capability 9.0."""

    WORDS = {"block_barrier_ns": "block barrier", "cluster_hop_ns": "cluster hop",
             "cluster_barrier_ns": "cluster barrier", "grid_barrier_ns": "grid barrier"}
    MLP = ["run", "mlp", "--depth=2", "--batch=4", "--time-limit=0.001", "--backend=cuda", "--overwrite"]

    def test_info(self):
        """Also kernels that the driver translates from an older architecture have none."""
        for capability, compiled_for in ((75, 75), (90, 90), (90, 80), (110, 75), (120, 120)):
            done = self.program("info", "--backend=cuda", sim={"CAPABILITY": capability, "PTX": compiled_for})
            self.assert_code(done, 0)
            line = next(line for line in done.stdout.splitlines() if line.startswith("latencies"))
            there = {words for words in self.WORDS.values() if f"({words})" in line}
            self.assertEqual(there, {words for words in self.WORDS.values()
                                     if compiled_for >= 90 or "cluster" not in words})
            self.assertRegex(line, r" ns \(graph node\), measured now$")

    def test_record(self):
        for capability, clusters in ((80, False), (90, True)):
            done = self.program(*self.MLP, "--width=33,32", "--out", self.out, sim={"CAPABILITY": capability})
            self.assert_code(done, 0)
            floor = self.results()["context"]["floor"]
            self.assertEqual({key for key in self.WORDS if floor[key] is None},
                             set() if clusters else {"cluster_hop_ns", "cluster_barrier_ns"})
            for cell, barriers in zip(self.results()["cells"], (4, 0), strict=True):
                cost, timing = cell["cost"], cell["timing"]
                self.assertEqual((cost["dependent"], cost["barriers"], cost["launches"]), (4, barriers, 4))
                self.assertAlmostEqual(timing["fraction_of_barriers"] * timing["median_ns"],
                                       barriers * floor["block_barrier_ns"], delta=1e-6 * timing["median_ns"])
                self.assertAlmostEqual(timing["fraction_of_launches"] * timing["median_ns"],
                                       4 * floor["launch_ns"], delta=1e-6 * timing["median_ns"])
                self.assertEqual(timing["fraction_of_floor"],
                                 max(timing[f"fraction_of_{of}"] for of in ("flops", "copy", "barriers")))


class Devices(SimulatedTest):
    TWO = {"DEVICES": 2}

    def test_names(self):
        for name, uuid in (("auto", "00"), ("0", "00"), ("1", "01"), (f"{UUID}01", "01"),
                           (f"{UUID}01".lower(), "01"), ("0000:02:00.0", "01")):
            done = self.run_three("--device", name, "--filter=L2/", "--overwrite", "--identify", sim=self.TWO)
            self.assert_code(done, 0)
            self.assertEqual({cell["params"]["device"] for cell in self.results()["cells"]}, {name})
            self.assertEqual(self.results()["context"]["device"]["uuid"], UUID + uuid)
        self.assert_code(self.run_three("--device", "GPU-1011", "--filter=L2/", "--overwrite"), 0)

    def test_instances_of_mig(self):
        """A part of a GPU has a UUID of its own, and that is what it is called by."""
        mig = UUID.replace("GPU-", "MIG-")
        for name, uuid in (("auto", "00"), (f"{mig}01", "01"), (f"{mig}01".lower(), "01")):
            done = self.run_three("--device", name, "--filter=L2/", "--overwrite", "--identify",
                                  sim={"DEVICES": 2, "MIG": 1})
            self.assert_code(done, 0)
            self.assertEqual(self.results()["context"]["device"]["uuid"], mig + uuid)
        self.assert_one_line(self.program("info", "--backend=cuda", f"--device={UUID}00", sim={"MIG": 1}), 69,
                             f"no GPU '{UUID}00'", mig)

    def test_registers(self):
        """Blocks that meet must run together: fewer do where threads take more registers."""
        for hidden, registers, status in ((512, 64, "ok"), (512, 168, "skipped"), (256, 168, "ok")):
            done = self.program("run", "rnn", "--seq-len=2", f"--hidden={hidden},8", "--batch=2", "--stats=off",
                                "--loop=persistent", "--time-limit=0", "--backend=cuda", "--overwrite", "--out",
                                self.out, sim={"REGISTERS": registers})
            self.assert_code(done, 0)
            self.assertEqual(self.statuses(), [status, "ok"], (hidden, registers))

    def test_names_of_nothing(self):
        for name in ("2", "99999", "GPU-ff", f"{UUID}02", "0000:03:00.0", "0000:02:00", "card"):
            for command in (["run", "mlp", "--out", self.out], ["info"]):
                done = self.program(*command, "--backend=cuda", "--device", name, sim=self.TWO)
                self.assert_one_line(done, 69, f"no GPU '{name}'", "has 2", "simulated GPU", UUID)
        done = self.run_three("--device", UUID, sim=self.TWO)
        self.assert_one_line(done, 69, f"several GPUs '{UUID}'", "has 2")
        self.assert_one_line(self.run_three("--backend=auto", "--device=GPU-ff"), 69, "GPU-ff", UUID)
        self.assert_nothing_written()

    def test_info(self):
        done = self.program("info", "--backend=cuda", "--device=1", sim=self.TWO)
        self.assert_code(done, 0)
        for words in ("simulated GPU", f"{UUID}01", "0000:02:00.0", "8.0", "240 MiB", "graph node",
                      "graphs: yes", "cuBLASLt", *DTYPES):
            self.assertIn(words, done.stdout)
        self.assertEqual(done.stderr, "")

    def test_identify(self):
        """Without it no file and no line of words says which of all GPUs it was."""
        for name in ("auto", "0", UUID[:9], f"{UUID}00", "0000:01:00.0"):
            for identify in ([], ["--identify"]):
                done = self.run_three("--device", name, "--filter=L2/", "--overwrite", *identify)
                self.assert_code(done, 0)
                files = "".join((self.out / file).read_text() for file in ("results.json", "journal.jsonl"))
                for secret in (UUID[4:], "10111213", "01:00.0"):
                    self.assertEqual(secret in files, bool(identify), secret)
                device = self.results()["context"]["device"]
                self.assertEqual((device.get("uuid"), device.get("pci")),
                                 (f"{UUID}00", "0000:01:00.0") if identify else (None, None))
                for more in ([], ["--identify"]):
                    self.assert_code(self.run_three("--device", name, "--filter=L2/", "--resume", *more), 0)
                    self.assertEqual("uuid" in self.results()["context"]["device"], bool(more))
                    self.assert_one_line(self.run_three("--device=0", "--filter=L2/", "--resume", *more,
                                                        sim={"SERIAL": 1}), 65, "another device")

    def test_require(self):
        """A nightly run on a machine whose GPU is gone does not end well."""
        for words in ("backend=cuda", "device=simulated", f"device={UUID}00", "device=0000:01:00.0",
                      "backend=cuda,cells>=1,no-skips"):
            done = self.run_three("--backend=auto", "--filter=L2/", "--overwrite", "--require", words)
            self.assert_code(done, 0)
        for words, sim in (("backend=cpu", {}), (f"device={UUID}01", {}), ("device=H100", {}),
                           ("backend=cuda", {"DEVICES": 0})):
            done = self.run_three("--backend=auto", "--require", words, out=self.scratch / "none", sim=sim)
            self.assert_one_line(done, 3, f"not met: --require {words}: the run's ")
            self.assertFalse((self.scratch / "none").exists())

    def test_resume(self):
        done = self.run_three(sim={"STICKY_LAUNCH": 250})
        self.assert_code(done, 2)
        self.assertEqual(self.statuses(), ["ok", "failed", "ok"])
        before = (self.out / "journal.jsonl").read_bytes()
        for other, code, words in (({"SERIAL": 1}, 65, "another device"),
                                   ({"DEVICES": 0}, 69, "no CUDA device")):
            self.assert_one_line(self.run_three("--resume", sim=other), code, words)
            self.assertEqual((self.out / "journal.jsonl").read_bytes(), before)
        self.assert_code(self.run_three("--resume", sim=self.TWO), 0)
        self.assertEqual(len(self.journal()), 5)  # the header, three cells, and one again
        clean = self.scratch / "clean"
        self.assert_code(self.run_three(out=clean), 0)
        self.assert_same_results(self.out, clean)

    def test_none(self):
        absent = [({"DEVICES": 0}, "no NVIDIA GPU")]
        absent += [({"DEVICE_ERROR": error}, words) for error, words in (
            (3, "could not be initialised"), (35, "older than this build"), (100, "no NVIDIA GPU"),
            (803, "kernel and user parts differ"))]
        for sim, words in absent:
            for command in (["run", "mlp", "--out", self.out], ["info"]):
                done = self.program(*command, "--backend=cuda", sim=sim)
                self.assert_one_line(done, 69, "no CUDA device", words)
            self.assert_one_line(self.run_three("--backend=auto", "--device=GPU-10", sim=sim), 69, words)
            self.assert_nothing_written()
        for sim in (absent[0][0], absent[2][0]):
            self.assert_code(self.run_three("--backend=auto", "--overwrite", sim=sim), 0)
            self.assertEqual({cell["backend"]["name"] for cell in self.results()["cells"]}, {"cpu"})
            self.assertEqual(self.results()["context"]["device"]["backend"], "cpu")

    def test_there_but_broken(self):
        """No reason to compute on the CPU in silence."""
        for error, words in ((2, "no memory left"), (999, "CUDA error 999")):
            for backend in ("cuda", "auto"):
                done = self.run_three("--backend", backend, sim={"DEVICE_ERROR": error})
                self.assert_one_line(done, 71, words)
        self.assert_nothing_written()


class Memory(SimulatedTest):
    def test_a_small_gpu(self):
        done = self.program("run", "mlp", "--depth=2,3000,3", "--width=16", "--batch=4",
                            "--time-limit=0", "--backend=cuda", "--out", self.out,
                            sim={"MEMORY": 8 << 20})
        self.assert_code(done, 0)
        self.assertEqual(self.statuses(), ["ok", "skipped", "ok"])
        self.assertRegex(self.error_of(1), r"^needs [0-9.]+ MiB of memory, 8\.0 MiB are all there is$")
        self.assertIn("2 ok, 1 skipped", done.stdout)

    def test_an_allocation_that_should_have_fitted(self):
        """Of each worker: the first is the device's own; a cell's network costs the cell,
        until memory is there again; the others, for trials of algorithms, cost nothing, and
        no bits."""
        clean = self.scratch / "clean"
        self.assert_code(self.run_three(out=clean), 0)
        whole = self.results(clean)["cells"]
        seen, unharmed = set(), 0
        for k in range(2, 33):
            done = self.run_three("--overwrite", sim={"FAIL_MALLOC": k})
            cells = self.results()["cells"]
            lost = [i for i, cell in enumerate(cells) if cell["status"] == "failed"]
            self.assert_code(done, 2 if lost else 0)
            for i in range(3):
                if i in lost:
                    self.assertRegex(self.error_of(i), r"^the GPU cannot allocate [0-9]+ bytes$")
                else:
                    self.assertEqual(cells[i], whole[i])
            if set(lost) - seen:
                self.assert_code(self.run_three("--resume"), 0)
                self.assert_same_results(self.out, clean)
            seen.update(lost)
            unharmed += not lost
            if seen == {0, 1, 2} and unharmed > 2:
                return
        self.fail(f"of three cells {seen} were ever lost, and {unharmed} runs were not harmed")

    def test_no_memory_to_begin_with(self):
        for sim in ({"FAIL_MALLOC": 1}, {"MEMORY": 100}):
            self.assert_one_line(self.run_three(sim=sim), 71, "out of memory")
        done = self.run_three("--time-limit=0.001", sim={"FAIL_MALLOC": 2})  # measuring limits
        self.assert_given_up(done, "the GPU cannot allocate")


class Errors(SimulatedTest):
    """The k-th launch of each worker: k is past the first cell's, and the third's alone."""

    def assert_costs_the_second_cell(self, sim, words):
        done = self.run_three(sim=sim)
        self.assert_code(done, 2)
        self.assertEqual(self.statuses(), ["ok", "failed", "ok"])
        self.assertRegex(self.error_of(1), words)
        self.assertIn("2 ok, 1 failed", done.stdout)
        for line in done.stderr.splitlines():
            self.assertRegex(line, r"^\[[1-3]/3\] ")
        clean = self.scratch / "clean"
        self.assert_code(self.run_three("--overwrite", out=clean), 0)
        kept, whole = self.results()["cells"], self.results(clean)["cells"]
        self.assertEqual([kept[0], kept[2]], [whole[0], whole[2]])
        self.assert_code(self.run_three("--resume"), 0)
        self.assert_same_results(self.out, clean)

    def test_a_launch(self):
        self.assert_costs_the_second_cell({"FAIL_LAUNCH": 249}, "^(launching|multiplying|timing) .*: "
                                          "(CUDA error 701, too many|cuBLASLt status 13, )")

    def test_for_good(self):
        self.assert_costs_the_second_cell({"STICKY_LAUNCH": 250}, ": CUDA error 700, illegal memory access$")

    def test_every_worker(self):
        """Each cell loses its worker, and the run goes on to its end."""
        done = self.run_three(sim={"STICKY_LAUNCH": 3})
        self.assert_code(done, 2)
        self.assertEqual(self.statuses(), ["failed"] * 3)
        self.assertIn("3 failed", done.stdout)
        for line in done.stderr.splitlines():
            self.assertRegex(line, r"^\[[1-3]/3\] failed .*: launching a fill: CUDA error 700, ")
        self.assert_code(self.run_three("--resume"), 0)

    def test_while_limits_are_measured(self):
        done = self.run_three("--time-limit=0.001", sim={"STICKY_LAUNCH": 2})
        self.assert_given_up(done, "CUDA error 700")


if __name__ == "__main__":
    main()
