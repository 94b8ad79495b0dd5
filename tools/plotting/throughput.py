"""Samples per second against depth (or time steps), beside what the machine's own
measured limits allow (README, "of the floor"), and below the share of them."""
import numpy
from matplotlib.lines import Line2D

from . import params as parameters
from . import selection, style
from .sheet import Sheet

NAME = "throughput"
ABOUT = "samples per second against depth, with the floor"

# What lines and panels may differ in, the most telling first.
TELLING = ("width", "hidden", "batch", "dtype", "launch", "loop", "replicas", "init", "activation")


def plans(document, options):
    cells = [c for c in options.cells if c.timed and "widths" not in c.params]
    if not cells:
        raise options.Nothing("no cell is timed")
    found = []
    for of_model in selection.grouped(cells, lambda c: c.model).values():
        of_model = _with_several_lengths(of_model)
        if of_model:
            found += _plans(document, options, of_model)
    if not found:
        raise options.Nothing("no timed cells differ in depth alone")
    return found


def why_not(cell, options):
    """Why a cell is in no picture of this kind."""
    if not cell.timed:
        return cell.status if cell.status != "ok" else "not timed"
    return "unequal widths" if "widths" in cell.params else "no other depth to compare with"


def _with_several_lengths(cells):
    groups = selection.grouped(cells, lambda c: parameters.key_of(c.params, selection.LENGTH)).values()
    return [cell for group in groups if len({c.length for c in group}) > 1 for cell in group]


def _plans(document, options, cells):
    line = selection.first_varying(cells, TELLING, selection.LENGTH) or "activation"
    panel = selection.first_varying(cells, [n for n in TELLING if n != line], selection.LENGTH)
    panel = panel or ("init" if line != "init" else "activation")
    belong = {"activation": selection.PANEL}
    free = (*selection.LENGTH, *belong.get(line, (line,)), *belong.get(panel, (panel,)))
    groups = selection.grouped(cells, lambda c: parameters.key_of(c.params, free))
    apart = selection.telling_apart(list(groups.values()), free)
    for group in groups.values():
        panels, of_panels = [], _by(group, panel)
        drawn_panels = selection.evenly(of_panels, selection.MAX_PANELS)
        left_out = selection.left(of_panels, drawn_panels, f"more than {selection.MAX_PANELS} panels")
        for of_panel in drawn_panels:
            lines = _by(of_panel, line)
            drawn_lines = selection.evenly(lines, selection.MAX_LINES)
            left_out += selection.left(lines, drawn_lines, f"more than {selection.MAX_LINES} lines in a panel")
            panels.append((selection.label_of(of_panel[0], (panel,)),
                           [Curve(selection.label_of(c[0], (line,)), c) for c in drawn_lines]))
        drawn = [c for c in group if not any(c in cells for _, cells in left_out)]
        name = selection.file_name(NAME, group, apart)
        told = (*selection.LENGTH, line, panel)
        yield options.Plan(name, lambda g=group, p=panels, t=told: _draw(document, g, p, t), drawn, left_out)


def _by(cells, name):
    """Cells by a parameter, in the order of sizes."""
    key = selection.key_of_panel if name == "activation" else lambda c: parameters.value_key(c.params.get(name))
    groups = list(selection.grouped(cells, key).values())
    if all(type(group[0].params.get(name)) is int for group in groups):
        groups.sort(key=lambda group: group[0].params[name])
    return groups


class Curve:
    """Throughput of one line's cells, by length."""

    def __init__(self, label, cells):
        self.label = label
        cells = sorted(cells, key=lambda c: c.length)
        timings = [cell.timing() for cell in cells]
        samples, median, floor = (numpy.array([getattr(t, key) for t in timings])
                                  for key in ("samples", "median_ns", "floor_ns"))
        p5, p95 = numpy.array([t.ends() for t in timings]).T
        self.by_round = {t.interval is not None for t in timings}
        self.lengths = numpy.array([cell.length for cell in cells])
        self.rate, self.slow, self.fast = (samples / ns * 1e9 for ns in (median, p95, p5))
        self.limit = numpy.where(floor > 0, samples / numpy.where(floor > 0, floor, 1) * 1e9, numpy.nan)
        self.share = numpy.where(floor > 0, floor / median, numpy.nan)


def _draw(document, group, panels, told):
    sheet = Sheet(len(panels), 2, heights=[2.3, 1.0], gap=(0.62, 0.2), left=0.8)
    steps = parameters.is_of_steps(group[0].model)
    sheet.title = f"Throughput, by {'time steps' if steps else 'depth'}"
    sheet.fixed = parameters.held_fixed(group, told) + [document.device]
    labels = list(dict.fromkeys(curve.label for _, curves in panels for curve in curves))
    for (title, curves), upper, lower in zip(panels, *sheet.axes):
        upper.set_title(title, loc="left", fontweight="bold")
        for curve in curves:
            look = style.look(labels.index(curve.label))
            upper.plot(curve.lengths, curve.limit, linestyle=style.RMS, linewidth=1, color=look["color"], marker=look["marker"],
                       markerfacecolor="white", markersize=3.5, zorder=2)
            upper.errorbar(curve.lengths, curve.rate, numpy.maximum(
                0, [curve.rate - curve.slow, curve.fast - curve.rate]), capsize=2, elinewidth=0.9, zorder=3, **look)
            lower.plot(curve.lengths, 100 * curve.share, clip_on=False, **look)
        lengths = sorted({int(n) for curve in curves for n in curve.lengths})
        for axes in (upper, lower):
            axes.set_xscale("log")
            style.logarithmic(axes.xaxis, style.apart(lengths))
            axes.set_xlim(lengths[0] / 1.15, lengths[-1] * 1.15)
        upper.tick_params(axis="x", labelbottom=False)
        upper.set_yscale("log")
        style.logarithmic(upper.yaxis)
        lower.set_xlabel("time steps T" if steps else "depth L  [layers]")
    for axes in sheet.axes[0]:
        axes.set_ylim(min(a.get_ylim()[0] for a in sheet.axes[0]), max(a.get_ylim()[1] for a in sheet.axes[0]))
    top = max(100, *(a.get_ylim()[1] for a in sheet.axes[1]))
    for axes in sheet.axes[1]:
        axes.set_ylim(0, top)
    sheet.axes[0][0].set_ylabel("throughput  [samples / s]")
    sheet.axes[1][0].set_ylabel("of the floor\n[%]")
    sheet.lines = [Line2D([], [], label=label, **style.look(i)) for i, label in enumerate(labels)]
    by_round = set().union(*(curve.by_round for _, curves in panels for curve in curves))
    bars = [words for kind, words in ((False, "p5 .. p95 of the samples"), (True, "95 % interval over rounds"))
            if kind in by_round]
    sheet.keys = [Line2D([], [], color="#555555", linewidth=1.5, label=f"measured: median, {' or '.join(bars)}"),
                  Line2D([], [], color="#555555", linewidth=1, linestyle=style.RMS, marker="o", markerfacecolor="white",
                         markersize=3.5, label="floor: at the machine's measured limits")]
    return sheet
