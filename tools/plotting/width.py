"""Decades against width: where a network stops vanishing and starts to explode.

docs/THEORY.md, section 4: with N(0,1) weights the sigmoid's gradient vanishes in
narrow networks and explodes in wide ones, because chi carries the factor n.
"""
import numpy
from matplotlib.lines import Line2D

from . import params as parameters
from . import selection, strokes, style
from .records import Prediction
from .sheet import Sheet

NAME = "width"
ABOUT = "decades against width"
NOT_ALONE = "no other width to compare with"


def size_name(cell):
    return "hidden" if parameters.is_of_steps(cell.model) else "width"


class Curve:
    """Decades of the cells of one line, by width."""

    def __init__(self, label, cells):
        self.label = label
        by_width = {}
        for cell in cells:
            best = by_width.setdefault(cell.params[size_name(cell)], cell)
            if cell.params["replicas"] > best.params["replicas"]:
                by_width[cell.params[size_name(cell)]] = cell
        self.widths = numpy.array(sorted(by_width))
        self.cells = [by_width[w] for w in self.widths]
        decades = [cell.decades() for cell in self.cells]
        self.p05, self.p50, self.p95 = (_finite([getattr(d, key) for d in decades])
                                        for key in ("p05", "p50", "p95"))
        self.dead = numpy.array([d.dead for d in decades])
        self.not_finite = numpy.array([d.not_finite for d in decades])
        predicted = [cell.predicted_decades() or (numpy.nan,) * 3 for cell in self.cells]
        self.rms, self.typical, self.sd = numpy.array(predicted, dtype=float).T


def _finite(values):
    """The values as an array, with gaps where they are infinite."""
    values = numpy.array(values)
    return numpy.where(numpy.isfinite(values), values, numpy.nan)


def crossing(widths, values):
    """Widths at which the values pass zero, on straight lines over log n."""
    found = []
    for i in range(len(values) - 1):
        here, there = values[i], values[i + 1]
        if numpy.isfinite(here) and numpy.isfinite(there) and (here < 0) != (there < 0):
            share = here / (here - there)
            found.append(float(numpy.exp(numpy.log(widths[i])
                                         + share * numpy.log(widths[i + 1] / widths[i]))))
    return found


def plans(document, options):
    cells = [c for c in options.cells if c.measured and "widths" not in c.params]
    found = []
    for of_model in selection.grouped(cells, lambda c: c.model).values():
        free = (*selection.PANEL, "init", "width", "hidden", "replicas")
        groups = selection.grouped(of_model, lambda c, free=free: parameters.key_of(c.params, free))
        apart = selection.telling_apart(list(groups.values()), free)
        for group in groups.values():
            panels, left_out = _panels(group)
            if panels:
                name = selection.file_name(NAME, group, apart)
                drawn = [cell for _, curves in panels for curve in curves for cell in curve.cells]
                found.append(options.Plan(name, lambda g=group, p=panels: _draw(document, g, p), drawn, left_out))
    if not found:
        raise options.Nothing("no cells that differ in width alone have statistics")
    return found


def why_not(cell, options):
    """Why a cell is in no picture of this kind."""
    if not cell.measured:
        return cell.not_measured()
    return "unequal widths" if "widths" in cell.params else NOT_ALONE


def _panels(group):
    """[(title, curves)] of lines with at least two widths; and what is left out."""
    panels, left_out = [], []
    for of_panel in selection.grouped(group, selection.key_of_panel).values():
        lines = selection.grouped(of_panel, lambda c: parameters.value_key(c.params["init"])).values()
        curves = [Curve(selection.label_of(line[0], ("init",)), line) for line in lines]
        for curve, line in zip(curves, lines):
            left_out.append((selection.FEWER_REPLICAS, [c for c in line if c not in curve.cells]))
            left_out += [(NOT_ALONE, curve.cells)] if len(curve.widths) < 2 else []
        curves = [curve for curve in curves if len(curve.widths) > 1]
        if curves:
            panels.append((parameters.activation_text(of_panel[0].params), curves))
    drawn = [(title, selection.evenly(curves, selection.MAX_LINES))
             for title, curves in selection.evenly(panels, selection.MAX_PANELS)]
    seen = [curve for _, curves in drawn for curve in curves]
    left_out += [(f"more than {selection.MAX_PANELS} activations or {selection.MAX_LINES} lines", curve.cells)
                 for _, curves in panels for curve in curves if curve not in seen]
    return drawn, left_out


def _draw(document, group, panels):
    cells = [cell for _, curves in panels for curve in curves for cell in curve.cells]
    name = size_name(cells[0])
    labels = list(dict.fromkeys(curve.label for _, curves in panels for curve in curves))
    sheet = Sheet(len(panels), size=(3.4, 2.9))
    sheet.title = "How far the gradient gets, by width"
    told = (name,) if len(labels) == 1 else (name, "init")
    sheet.fixed = parameters.held_fixed(cells, told) + [document.device]
    shows = {"median", "band"}
    for axes, (title, curves) in zip(sheet.flat, panels):
        axes.set_title(title, loc="left", fontweight="bold")
        axes.set_xscale("log")
        axes.axhline(0, color=style.INK, linewidth=0.8, zorder=1.5)
        for curve in curves:
            shows |= _curve(axes, style.look(labels.index(curve.label)), curve)
        widths = sorted({int(w) for curve in curves for w in curve.widths})
        style.logarithmic(axes.xaxis, style.apart(widths))
        axes.set_xlabel("hidden units n" if name == "hidden" else "width n  [units]")
    what = "step 1 over step T" if parameters.is_of_steps(group[0].model) else "layer 1 over layer L"
    sheet.flat[0].set_ylabel(f"log10 of ‖delta‖, {what}  [decades]")
    style.same_scale(sheet.flat)
    for axes, (_, curves) in zip(sheet.flat, panels):
        for curve in curves:
            strokes.open_band(axes, curve.widths, (curve.p05, curve.p95), (curve.dead > 0, curve.not_finite > 0),
                              style.look(labels.index(curve.label)))
        _turning_points(axes, curves)
    if len(labels) > 1:
        sheet.lines = [Line2D([], [], label=label, **style.look(i)) for i, label in enumerate(labels)]
    sheet.keys = [handle for key, handle in strokes.keys().items() if key in shows]
    return sheet


def _curve(axes, look, curve):
    shows = strokes.lost_replicas(axes, curve.widths, curve.dead > 0, curve.not_finite > 0, look["color"])
    axes.fill_between(curve.widths, curve.p05, curve.p95, color=look["color"], alpha=0.25, linewidth=0)
    axes.plot(curve.widths, curve.p50, zorder=2.5, linewidth=2.2, **look)
    shows |= strokes.predicted(axes, Prediction(curve.widths, curve.rms, curve.typical, curve.sd))
    return shows


def _turning_points(axes, curves):
    """Says in the panel where what is drawn passes zero."""
    text = []
    for curve in curves:
        for words, values in (("measured", curve.p50), ("theory, rms", curve.rms),
                              ("theory, typical", curve.typical)):
            for n in crossing(curve.widths, values):
                text.append(f"{words}: 0 at n ≈ {n:.0f}")
                axes.plot([n], [0], marker="|", markersize=9, color="black", zorder=5)
    if text:
        axes.annotate("\n".join(text[:6]), (0.03, 0.97), xycoords="axes fraction", va="top", fontsize=7.5,
                      path_effects=style.halo())
