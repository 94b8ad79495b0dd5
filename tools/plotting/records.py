"""Cells of a results.json. What every cell has is checked when it is made; the
long arrays when they are asked for, so that only what is used costs time.
Every field is defined in results/README.md."""
import dataclasses
import math
import re

import numpy

from . import checks
from .checks import Refused
from .params import checked_params, is_of_steps

STATUSES = ("ok", "skipped", "failed", "timeout", "crashed")
VERDICTS = ("vanishing", "stable", "exploding", "mixed")
LOST = {"dead": -math.inf, "not_finite": math.inf}  # what quantiles of decades may be besides numbers
QUANTITIES = ("delta", "activation", "grad_weight", "grad_bias", "grad_input_weight")
VALIDITIES = ("exact", "wide limit", "outside reach")
MAX_POINTS = 2000  # of a line; more than a picture is wide
MAX_COLUMNS = 512  # of a histogram

_ID = re.compile(r"[0-9a-f]{16}")


@dataclasses.dataclass
class Series:
    """log10 of a norm over layers or steps. `lost_low`, `lost_high`: entries where
    some replica's norm is zero, or not finite; thinning keeps both."""
    index: numpy.ndarray
    p05: numpy.ndarray
    p50: numpy.ndarray
    p95: numpy.ndarray
    lost_low: numpy.ndarray
    lost_high: numpy.ndarray


@dataclasses.dataclass
class Prediction:
    """Theory's log10 of a norm over layers or steps; NaN: it makes none."""
    index: numpy.ndarray
    rms: numpy.ndarray
    typical: numpy.ndarray
    sd: numpy.ndarray


@dataclasses.dataclass
class Decades:
    """Quantiles over all networks: -inf is a dead one's, inf one's that is not finite.
    verdict: None where nothing can vanish (one layer or step)."""
    p05: float
    p50: float
    p95: float
    dead: int
    not_finite: int
    verdict: str | None
    threshold: float


@dataclasses.dataclass
class Timing:
    samples: float
    median_ns: float
    p5_ns: float
    p95_ns: float
    floor_ns: float
    interval: numpy.ndarray | None  # of the median over rounds, 95 %

    def ends(self):
        """The interval where there is one, otherwise what most samples lie in."""
        return (self.p5_ns, self.p95_ns) if self.interval is None else tuple(self.interval)


@dataclasses.dataclass
class Histogram:
    """For each kept layer or step: exponents with elements, and how many; and the
    shares of all elements that are zero, and infinite or NaN."""
    index: numpy.ndarray
    columns: list
    zero_share: numpy.ndarray
    not_finite: numpy.ndarray


@dataclasses.dataclass
class Jacobian:
    """Means over replicas: singular values by layer or step (0: some of them are 0), and
    Lyapunov exponents by number (NaN: of a lost rank)."""
    index: numpy.ndarray
    mean: numpy.ndarray
    largest: numpy.ndarray
    smallest: numpy.ndarray
    numbers: numpy.ndarray
    exponents: numpy.ndarray


def thinned(length, limit):
    """Positions of at most so many of `length` entries, evenly, with both ends."""
    if length <= limit:
        return numpy.arange(length)
    return numpy.round(numpy.linspace(0, length - 1, limit)).astype(numpy.int64)


class Cell:
    """One record of `cells`, at `path`."""

    def __init__(self, record, path):
        self.path = path
        self.record = checks.a(dict, record, path)
        self.id = checks.text(record, "id", path)
        if not _ID.fullmatch(self.id):
            raise Refused(f"{path}.id", "not 16 hexadecimal digits")
        self.name = checks.shown(checks.text(record, "name", path))
        self.status = checks.one_of(checks.member(record, "status", path), STATUSES, f"{path}.status")
        params = checked_params(checks.table(record, "params", path), f"{path}.params")
        # where a cell was to run is no part of what it is
        self.params = {key: value for key, value in params.items() if key not in ("backend", "device")}
        if self.measured:
            checks.table(record, "layers", path)
            checks.table(record, "summary", path)

    @property
    def model(self):
        return self.params["model"]

    @property
    def length(self):
        """Layers of an mlp, time steps of an rnn."""
        if is_of_steps(self.model):
            return self.params["seq_len"]
        return len(self.params["widths"]) - 1 if "widths" in self.params else self.params["depth"]

    @property
    def measured(self):
        return self.status == "ok" and self.params["stats"] != "off"

    @property
    def timed(self):
        return self.status == "ok" and "timing" in self.record

    @property
    def has_histogram(self):
        return self.measured and self.params["stats"] == "full"

    def not_measured(self):
        """Why there are no statistics of layers."""
        return self.status if self.status != "ok" else "no statistics (stats: off)"

    def has(self, quantity):
        return self.measured and quantity in checks.table(self.record, "layers", self.path)

    def _quantity(self, quantity):
        """(record, path, index) of layers.<quantity>, or None where there is none."""
        layers = checks.table(self.record, "layers", self.path)
        if quantity not in layers:
            return None
        path = f"{self.path}.layers.{quantity}"
        record = checks.table(layers, quantity, f"{self.path}.layers")
        return record, path, _index(record, path, self.length)

    def series(self, quantity):
        found = self._quantity(quantity)
        if found is None:
            return None
        record, path, index = found
        norm, at = checks.table(record, "log10_norm", path), f"{path}.log10_norm"
        p05, p50, p95 = (checks.numbers(norm, key, at, len(index)) for key in ("p05", "p50", "p95"))
        finite = checks.integers(norm, "finite", at, len(index), 0, self.params["replicas"])
        zero, not_finite = (checks.integers(norm, key, at, len(index), 0, self.params["replicas"])
                            for key in ("zero", "not_finite"))
        for i in numpy.flatnonzero(numpy.isnan(p50) & (finite == self.params["replicas"]))[:1]:
            raise Refused(f"{at}.p50[{i}]", f"null for {finite[i]} finite replicas")
        keep = thinned(len(index), MAX_POINTS)
        low, high = (numpy.logical_or.reduceat(x > 0, keep) for x in (zero, not_finite))
        return Series(index[keep], p05[keep], p50[keep], p95[keep], low, high)

    def elements(self, quantity, index):
        """Elements of one replica's tensor at each layer or step."""
        params = self.params
        if is_of_steps(self.model):
            one = {"grad_weight": params["hidden"]**2, "grad_bias": params["hidden"],
                   "grad_input_weight": params["hidden"] * params["input"]}
            return numpy.full(len(index), float(one.get(quantity, params["batch"] * params["hidden"])))
        if "widths" in params:
            widths = numpy.array(params["widths"], dtype=float)
        else:
            widths = numpy.full(params["depth"] + 1, float(params["width"]))
            widths[0] = params.get("input", params["width"])
            widths[-1] = params.get("output", params["width"])
        out, into = widths[index], widths[index - 1]
        return {"grad_weight": out * into, "grad_bias": out}.get(quantity, params["batch"] * out)

    def lost(self, quantity):
        """{format: first layer or step lost} of those that lose one."""
        path = f"{self.path}.summary"
        lost = checks.table(checks.table(self.record, "summary", self.path), "first_layer_lost", path)
        if quantity not in lost:
            return {}
        path += f".first_layer_lost.{quantity}"
        formats = checks.a(dict, lost[quantity], path)
        return {checks.name(key, path): checks.integer(value, f"{path}.{checks.shown(key, 40)}", 1, self.length)
                for key, value in formats.items() if value is not None}

    @staticmethod
    def _quantile(decades, key, path):
        """A number, or what its class says in its place."""
        value = checks.number_or_null(checks.member(decades, key, path), f"{path}.{key}")
        found = checks.member(checks.table(decades, "class", path), key, f"{path}.class")
        checks.one_of(found, ("finite", *LOST), f"{path}.class.{key}")
        if math.isnan(value) != (found in LOST):
            raise Refused(f"{path}.{key}", f"{'null' if math.isnan(value) else 'a number'} of class {found}")
        return LOST.get(found, value)

    def decades(self):
        path = f"{self.path}.summary"
        summary = checks.table(self.record, "summary", self.path)
        decades = checks.table(summary, "decades", path)
        p05, p50, p95 = (self._quantile(decades, key, f"{path}.decades") for key in ("p05", "p50", "p95"))
        dead, not_finite = (checks.integer(checks.member(decades, key, f"{path}.decades"),
                                           f"{path}.decades.{key}", 0, self.params["replicas"])
                            for key in ("dead", "not_finite"))
        verdict = checks.member(summary, "verdict", path)
        if verdict is not None:
            checks.one_of(verdict, VERDICTS, f"{path}.verdict")
        return Decades(p05, p50, p95, dead, not_finite, verdict,
                       checks.number(checks.member(summary, "threshold_decades", path),
                                     f"{path}.threshold_decades", 0))

    def timing(self):
        path = f"{self.path}.timing"
        timing = checks.table(self.record, "timing", self.path)
        cost = checks.table(self.record, "cost", self.path)
        values = {key: checks.number(checks.member(timing, key, path), f"{path}.{key}", 1e-9, 1e18)
                  for key in ("median_ns", "p5_ns", "p95_ns")}
        floor = checks.number(checks.member(timing, "floor_ns", path), f"{path}.floor_ns", 0, 1e18)
        interval = checks.member(timing, "median_interval_ns", path)
        if interval is not None:
            interval = checks.number_list(interval, f"{path}.median_interval_ns", 2, 1e-9, 1e18)
            if numpy.isnan(interval).any():
                raise Refused(f"{path}.median_interval_ns", "an end that is null")
        samples = checks.number(checks.member(cost, "samples", f"{self.path}.cost"),
                                f"{self.path}.cost.samples", 1e-9, 1e18)
        return Timing(samples=samples, floor_ns=floor, interval=interval, **values)

    @property
    def has_jacobian(self):
        return self.status == "ok" and "jacobian" in self.record

    def jacobian(self):
        path = f"{self.path}.jacobian"
        record = checks.table(self.record, "jacobian", self.path)
        layers = checks.table(record, "layers", path)
        index = _index(layers, f"{path}.layers", self.length)
        means = [checks.numbers(checks.table(layers, key, f"{path}.layers"), "mean", f"{path}.layers.{key}",
                                len(index), 0, 1e300) for key in ("mean", "largest", "smallest")]
        spectrum, at = checks.table(record, "lyapunov", path), f"{path}.lyapunov"
        numbers = _index(spectrum, at, checks.LARGEST_INTEGER)
        exponents = checks.numbers(checks.table(spectrum, "exponent", at), "mean", f"{at}.exponent", len(numbers))
        keep, kept = thinned(len(index), MAX_POINTS), thinned(len(numbers), MAX_POINTS)
        return Jacobian(index[keep], *(mean[keep] for mean in means), numbers[kept], exponents[kept])

    # ---- theory; a record may be without ----

    def _theory(self):
        theory = self.record.get("theory")
        return None if theory is None else checks.a(dict, theory, f"{self.path}.theory")

    def validity(self):
        theory = self._theory()
        if theory is None:
            return None
        path = f"{self.path}.theory"
        return checks.one_of(checks.member(theory, "validity", path), VALIDITIES, f"{path}.validity")

    def predicted_decades(self):
        """(rms, typical, sd), NaN where theory makes no prediction; or None."""
        theory = self._theory()
        if theory is None:
            return None
        path = f"{self.path}.theory.decades"
        decades = checks.table(theory, "decades", f"{self.path}.theory")
        numbers = tuple(checks.number_or_null(checks.member(decades, key, path), f"{path}.{key}")
                        for key in ("rms", "typical", "sd"))
        return (numpy.nan,) * 3 if self.validity() == "outside reach" else numbers

    def prediction(self, quantity):
        theory = self._theory()
        if theory is None:
            return None
        layers = checks.table(theory, "layers", f"{self.path}.theory")
        if quantity not in layers:
            return None
        path = f"{self.path}.theory.layers.{quantity}"
        record = checks.table(layers, quantity, f"{self.path}.theory.layers")
        index = _index(record, path, self.length)
        columns = [checks.numbers(record, key, path, len(index)) for key in ("rms", "typical", "sd")]
        if self.validity() == "outside reach":
            return None
        keep = thinned(len(index), MAX_POINTS)
        return Prediction(index[keep], *(column[keep] for column in columns))

    # ---- histograms ----

    def histogram(self, quantity):
        found = self._quantity(quantity)
        if found is None:
            return None
        record, path, index = found
        table, at = checks.table(record, "histogram", path), f"{path}.histogram"
        first = checks.numbers(table, "first_exponent", at, len(index), -1e9, 1e9)
        for i in numpy.flatnonzero(first % 1 > 0)[:1]:
            raise Refused(f"{at}.first_exponent[{i}]", "not an integer")
        counts = checks.array(table, "counts", at)
        if len(counts) != len(index):
            raise Refused(f"{at}.counts", f"{len(counts)} entries, expected {len(index)}")
        shares = checks.numbers(record, "zero_share", path, len(index), 0, 1)
        bad = sum(checks.integers(record, key, path, len(index)) for key in ("nan", "inf"))
        all_elements = self.elements(quantity, index) * self.params["replicas"]
        keep = thinned(len(index), MAX_COLUMNS)
        columns = [_column(counts[i], first[i], f"{at}.counts[{i}]") for i in keep]
        return Histogram(index[keep], columns, shares[keep], (bad / all_elements)[keep])


def _column(values, first, path):
    """(exponents, elements) of one entry; -k stands for k empty bins in a row."""
    bins = checks.integer_list(values, path, None, -10**9)
    if not len(bins):
        return numpy.empty(0), numpy.empty(0)
    if math.isnan(first):
        raise Refused(path, "counts without a first exponent")
    steps = numpy.where(bins < 0, -bins, 1)
    exponents = first + numpy.concatenate(([0], numpy.cumsum(steps[:-1])))
    return exponents[bins > 0], bins[bins > 0].astype(float)


def _index(record, path, length):
    index = checks.integers(record, "index", path, None, 1, length)
    if not len(index):
        raise Refused(f"{path}.index", "empty")
    if (numpy.diff(index) <= 0).any():
        raise Refused(f"{path}.index", "not increasing")
    return index
