"""log10 of a norm against layer or time step: measured (median and the band of the
replicas), predicted (rms and typical), and where number formats end."""
import numpy
from matplotlib.lines import Line2D

from . import params as parameters
from . import selection, strokes, style
from .formats import DRAWN
from .sheet import Sheet

NAME = "gradient"
ABOUT = "log10 of the gradient's norm against layer or time step"

TITLES = {"delta": "Gradient (delta)", "activation": "Activations", "grad_weight": "Gradient of the weights",
          "grad_bias": "Gradient of the biases", "grad_input_weight": "Gradient of the input weights"}
COUNTS = {"delta": "batch x units", "activation": "batch x units", "grad_weight": "rows x columns",
          "grad_bias": "units", "grad_input_weight": "rows x columns"}
SYMBOLS = {"delta": "‖delta‖", "activation": "‖h‖", "grad_weight": "‖dW‖", "grad_bias": "‖db‖",
           "grad_input_weight": "‖dU‖"}


def line_parameter(cells):
    """What lines differ in: the initialisation, or else what varies most."""
    without = (*selection.PANEL, *selection.LENGTH, "replicas")
    if selection.varies(cells, "init", without):
        return "init"
    names = [n for n in cells[0].params if n not in without and selection.varies(cells, n, without)]
    return max(names, key=lambda n: len(selection.values_of(cells, n)), default="init")


def plans(document, options):
    cells = [c for c in options.cells if c.measured]
    if not cells:
        raise options.Nothing("no cell has statistics of its layers")
    found = []
    for picture in selection.pictures(cells, line_parameter, selection.LENGTH, options.chosen):
        panels = [(panel.title, [Curve(line.label, line.cells[0], options.quantity)
                                 for line in panel.lines]) for panel in picture.panels]
        if any(curve.series is not None and len(curve.series.index) > 1
               for _, curves in panels for curve in curves):
            name = selection.file_name(f"{NAME}-{options.quantity}", picture.cells, picture.apart)
            drawn = [c for c in picture.cells if c.has(options.quantity)]
            without = [c for c in picture.cells if c not in drawn]
            found.append(options.Plan(name, lambda p=picture, d=panels: _draw(document, p, d, options), drawn,
                                      picture.left_out + [(f"no {options.quantity}", without)]))
    if not found:
        raise options.Nothing(f"no cell has {options.quantity} at several layers or steps")
    return found


def why_not(cell, options):
    """Why a cell is in no picture of this kind."""
    if not cell.measured:
        return cell.not_measured()
    return "only one layer or step" if cell.has(options.quantity) else f"no {options.quantity}"


class Curve:
    """All that is drawn of one cell."""

    def __init__(self, label, cell, quantity):
        self.series = cell.series(quantity)
        self.prediction = cell.prediction(quantity)
        self.label = label
        self.replicas = cell.params["replicas"]
        self.lost = cell.lost(quantity)
        self.elements = None
        if self.series is not None:
            self.elements = cell.elements(quantity, self.series.index)


def _draw(document, picture, panels, options):
    quantity, steps = options.quantity, parameters.is_of_steps(picture.model)
    sheet = Sheet(len(panels))
    sheet.title = f"{TITLES[quantity]}, {'step by step' if steps else 'layer by layer'}"
    sheet.fixed = parameters.held_fixed(picture.cells, picture.told) + [document.device]
    labels = list(dict.fromkeys(curve.label for _, curves in panels for curve in curves))
    shows = set()
    for axes, (title, curves) in zip(sheet.flat, panels):
        axes.set_title(title, loc="left", fontweight="bold")
        for i, curve in enumerate(curves):
            if curve.series is not None:
                shows |= _measured(axes, style.look(labels.index(curve.label)), i, len(curves), curve)
        for curve in curves:
            if curve.prediction is not None:
                shows |= strokes.predicted(axes, curve.prediction)
        axes.set_xlabel("time step t" if steps else "layer l  (1: at the input)")
        axes.margins(x=0.03)
        style.whole_numbers(axes.xaxis)
    sheet.flat[0].set_ylabel(f"log10 {SYMBOLS[quantity]}  [decades]")
    one_scale, longest = style.same_scale(sheet.flat), 0
    for axes, (_, curves) in zip(sheet.flat, panels):
        for curve in curves:
            if curve.series is not None and curve.replicas > 1:
                band = (curve.series.p05, curve.series.p95)
                lost = (curve.series.lost_low, curve.series.lost_high)
                strokes.open_band(axes, curve.series.index, band, lost, style.look(labels.index(curve.label)))
        labels_of = _limits(axes, [c for c in curves if c.series is not None])
        if labels_of:
            shows.add("limits")
        if axes is sheet.flat[-1] or not one_scale:
            strokes.margin_labels(axes, labels_of)
            longest = max([longest, *(len(words) for _, words in labels_of)])
    sheet.right = strokes.margin(longest)
    if not one_scale:
        sheet.gap = (sheet.gap[0] + strokes.margin(longest) - 0.2, sheet.gap[1])
    sheet.lines = [Line2D([], [], label=label, **style.look(i)) for i, label in enumerate(labels)]
    sheet.keys = [handle for key, handle in strokes.keys().items() if key in shows]
    if "limits" in shows:
        sheet.notes.append(
            "Horizontal lines: a number format stores 0 (below) or ∞ (above). Its limits hold for elements; they are "
            f"drawn where an element of root-mean-square size meets them, log10 √N higher, N = {COUNTS[quantity]}.")
    return sheet


def _measured(axes, look, i, count, curve):
    series, shows = curve.series, set()
    colour = look["color"]
    points = len(series.index)
    every = max(1, points // 9)
    if numpy.isfinite(series.p50).any():
        axes.plot(series.index, series.p50, markevery=(i * every // count % every, every), zorder=2.5, linewidth=2.2, **look)
        shows.add("median")
        if curve.replicas > 1:
            axes.fill_between(series.index, series.p05, series.p95, color=colour, alpha=0.25, linewidth=0)
            shows.add("band")
    shows |= strokes.lost_replicas(axes, series.index, series.lost_low, series.lost_high, look["color"], i)
    for at in [curve.lost[f.name] for f in DRAWN if f.name in curve.lost]:
        y = numpy.interp(at, series.index, series.p50)
        if numpy.isfinite(y):
            axes.plot([at], [y], marker="X", markersize=7.5, color="black", markeredgecolor="white", zorder=5)
            shows.add("lost")
    return shows


def _limits(axes, curves):
    """Lines of the formats' limits that lie in the panel, a band where curves have
    tensors of different sizes; their names, for the margin."""
    low, high = axes.get_ylim()
    margin = 0.02 * (high - low)
    lines = []
    for form in DRAWN:
        for limit, what in ((form.log10_zero, "0"), (form.log10_infinite, "∞")):
            sizes = [limit + 0.5 * numpy.log10(curve.elements) for curve in curves]
            lowest, highest = min(s.min() for s in sizes), max(s.max() for s in sizes)
            if low + margin < lowest and highest < high - margin:
                _limit(axes, curves, sizes, lowest, highest)
                lines.append(((lowest + highest) / 2, form.name, what))
    return _labels(lines, (high - low) / 24)


def _limit(axes, curves, sizes, lowest, highest):
    if all(s.min() == s.max() for s in sizes):
        if highest - lowest > 1e-9:
            axes.axhspan(lowest, highest, color=style.FAINT, alpha=0.2, linewidth=0, zorder=1)
        else:
            axes.axhline(highest, color=style.FAINT, linewidth=0.8, zorder=1)
    else:  # layers of different widths
        for curve, size in zip(curves, sizes):
            axes.plot(curve.series.index, size, color=style.FAINT, linewidth=0.8, zorder=1)


def _labels(lines, near):
    """[(height, words)] of limits; equal limits share theirs, and so do those too
    close to be told apart."""
    groups = []
    for y, name, what in sorted(lines):
        if groups and y - groups[-1][0][0] < near and what == groups[-1][0][2]:
            groups[-1].append((y, name, what))
        else:
            groups.append([(y, name, what)])
    return [(sum(y for y, _, _ in group) / len(group),
             f"{group[0][2]} in {', '.join(name for _, name, _ in group)}") for group in groups]
