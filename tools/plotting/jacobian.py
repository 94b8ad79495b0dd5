"""Singular values of each layer's Jacobian, from the smallest to the largest with their
mean, and below the Lyapunov spectrum of the whole network."""
import numpy
from matplotlib import ticker
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from . import params as parameters
from . import selection, style
from .gradient import line_parameter
from .sheet import Sheet

NAME = "jacobian"
ABOUT = "singular values of the layers' Jacobians, and Lyapunov exponents"


def plans(document, options):
    cells = [c for c in options.cells if c.has_jacobian]
    if not cells:
        raise options.Nothing("no cell has Jacobians (jacobian: true)")
    found = []
    for picture in selection.pictures(cells, line_parameter, selection.LENGTH, options.chosen):
        panels = [(panel.title, [(line.label, line.cells[0].jacobian()) for line in panel.lines])
                  for panel in picture.panels]
        name = selection.file_name(NAME, picture.cells, picture.apart)
        found.append(options.Plan(name, lambda p=picture, d=panels: _draw(document, p, d), picture.cells,
                                  picture.left_out))
    return found


def why_not(cell, options):
    """Why a cell is in no picture of this kind."""
    return cell.status if cell.status != "ok" else "no Jacobians (jacobian: true)"


def _draw(document, picture, panels):
    steps = parameters.is_of_steps(picture.model)
    sheet = Sheet(len(panels), 2, heights=[2.4, 2.0], gap=(0.62, 0.72), left=0.9)
    sheet.title = f"Jacobians, {'step by step' if steps else 'layer by layer'}"
    sheet.fixed = parameters.held_fixed(picture.cells, picture.told) + [document.device]
    labels = list(dict.fromkeys(label for _, curves in panels for label, _ in curves))
    for (title, curves), upper, lower in zip(panels, *sheet.axes):
        upper.set_title(title, loc="left", fontweight="bold")
        for i, (label, jacobian) in enumerate(curves):
            look = style.look(labels.index(label))
            _layers(upper, look, i, len(curves), jacobian)
            _spectrum(lower, look, i, len(curves), jacobian)
        upper.set_yscale("log")
        style.logarithmic(upper.yaxis)
        upper.yaxis.set_major_locator(ticker.LogLocator(subs=(1,)))
        style.whole_numbers(upper.xaxis)
        upper.set_xlabel("time step t" if steps else "layer l  (1: at the input)")
        lower.axhline(0, color=style.INK, linewidth=0.8, zorder=1)
        lower.set_xlabel("exponent i, of n  [% of n]")
        lower.set_xlim(-2, 102)
    _same_decades(sheet.axes[0])
    style.same_scale(sheet.axes[1])
    sheet.axes[0][0].set_ylabel(f"singular values of {'dh_t/dh_(t-1)' if steps else 'dh^l/dh^(l-1)'}  [1]")
    sheet.axes[1][0].set_ylabel(f"Lyapunov exponent\n[nats per {'step' if steps else 'layer'}]")
    sheet.lines = [Line2D([], [], label=label, **style.look(i)) for i, label in enumerate(labels)]
    sheet.keys = [Line2D([], [], color="#555555", linewidth=1.5, label="mean singular value; exponent"),
                  Patch(color="#555555", alpha=0.2, linewidth=0, label="from the smallest to the largest"),
                  Line2D([], [], color="#555555", linewidth=0.8, linestyle=style.TYPICAL, label="edges of that")]
    sheet.notes.append("Of the first example; means over replicas. A band without a lower edge reaches down to 0: "
                       "some unit passes nothing on. Exponents of a lost rank are not drawn.")
    return sheet


def _layers(axes, look, i, count, jacobian):
    every = max(1, len(jacobian.index) // 9)
    where = (i * every // count % every, every)
    smallest = numpy.where(jacobian.smallest > 0, jacobian.smallest, numpy.nan)
    bottom = numpy.where(jacobian.smallest > 0, jacobian.smallest, 1e-300)
    axes.fill_between(jacobian.index, bottom, jacobian.largest, color=look["color"], alpha=0.12, linewidth=0)
    for edge in (smallest, jacobian.largest):
        axes.plot(jacobian.index, edge, color=look["color"], linewidth=0.8, linestyle=style.TYPICAL)
    axes.plot(jacobian.index, jacobian.mean, markevery=where, zorder=2.5, **look)


def _spectrum(axes, look, i, count, jacobian):
    every = max(1, len(jacobian.exponents) // 9)
    percent = 100 * (jacobian.numbers - 0.5) / jacobian.numbers[-1]
    axes.plot(percent, jacobian.exponents, markevery=(i * every // count % every, every), **look)


def _same_decades(all_axes):
    """One scale that fits every mean and every edge that is not 0, to 8 decades."""
    drawn = numpy.concatenate([numpy.asarray(line.get_ydata(), float) for axes in all_axes for line in axes.lines])
    drawn = drawn[numpy.isfinite(drawn) & (drawn > 0)]
    if not len(drawn):
        return
    high = drawn.max() * 1.6
    low = max(drawn.min() / 1.6, high * 1e-8)
    for axes in all_axes:
        axes.set_ylim(low, high)
