"""Exponent histograms through the layers: how the magnitudes of a tensor's elements
spread over the binades, beside the ranges of number formats. What has no exponent
(zeros, infinities, NaN) has a strip of its own."""
import numpy
from matplotlib import colormaps, colors
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from mpl_toolkits.axes_grid1 import make_axes_locatable

from . import params as parameters
from . import selection, strokes, style
from .formats import DRAWN
from .gradient import line_parameter
from .sheet import Sheet

NAME = "histogram"
ABOUT = "exponent histograms through the layers"

MAX_ROWS = 400  # of a picture; wider histograms have several binades to a row
MAX_ACROSS = 3
SHADES = colors.LinearSegmentedColormap.from_list("shades", colormaps["Blues"](numpy.linspace(0.12, 1, 256)))
DASHES = {"subnormal": (0, (1, 1.5)), "normal": (0, (4, 2)), "largest": "solid"}
WHAT = {"delta": "delta, the gradient", "activation": "activations", "grad_weight": "weight gradients",
        "grad_bias": "bias gradients", "grad_input_weight": "input weight gradients"}


def plans(document, options):
    cells = [c for c in options.cells if c.has_histogram]
    if not cells:
        raise options.Nothing("no cell has histograms (stats: full)")
    found = []
    for picture in selection.pictures(cells, line_parameter, selection.LENGTH, options.chosen):
        panels = [(f"{panel.title}, {line.label}", line.cells[0].histogram(options.quantity), line.cells[0])
                  for panel in picture.panels for line in panel.lines]
        several = [panel for panel in panels if panel[1] is not None and len(panel[1].index) > 1]
        if several:
            chosen = selection.evenly(several, MAX_ACROSS * MAX_ACROSS)
            drawn = [cell for _, _, cell in chosen]
            left_out = picture.left_out + [(why_not(c, options), [c]) for c in picture.cells if c not in drawn]
            name = selection.file_name(f"{NAME}-{options.quantity}", picture.cells, picture.apart)
            found.append(options.Plan(name, lambda p=picture, d=[panel[:2] for panel in chosen]:
                                      _draw(document, p, d, options.quantity), drawn, left_out))
    if not found:
        raise options.Nothing(f"no cell has histograms of {options.quantity} at several layers or steps")
    return found


def why_not(cell, options):
    """Why a cell is in no picture of this kind."""
    if not cell.has_histogram:
        return cell.not_measured() if not cell.measured else "no histograms (stats: full)"
    histogram = cell.histogram(options.quantity)
    if histogram is None:
        return f"no {options.quantity}"
    return ("only one layer or step" if len(histogram.index) < 2
            else f"more than {MAX_ACROSS * MAX_ACROSS} panels")


def _draw(document, picture, panels, quantity):
    across = 2 if len(panels) == 4 else min(MAX_ACROSS, len(panels))
    rows = -(-len(panels) // across)
    sheet = Sheet(across, rows, size=(2.7, 2.1), gap=(1.45, 0.72), right=1.1, left=0.85)
    steps = parameters.is_of_steps(picture.model)
    sheet.title = f"Magnitudes of {WHAT[quantity]}, {'step by step' if steps else 'layer by layer'}"
    sheet.fixed = parameters.held_fixed(picture.cells, picture.told) + [document.device]
    shows = set()
    for i, axes in enumerate(sheet.flat):
        if i >= len(panels):
            axes.set_visible(False)
            continue
        title, histogram = panels[i]
        shows |= _panel(axes, title, histogram, i // across == rows - 1 or i + across >= len(panels), steps)
        if i % across == 0:
            axes.set_ylabel("exponent, log2 of magnitude\n[binades]")
    line = {"color": "black", "linewidth": 1}
    keys = {"largest": "largest number of a format", "normal": "its smallest normal",
            "subnormal": "its smallest subnormal"}
    sheet.keys = [Line2D([], [], linestyle=DASHES[key], label=words, **line)
                  for key, words in keys.items() if key in shows]
    shades = ((0.5, "50 %"), (0.1, "10 %"), (0.01, "1 %"), (0.0001, "0.01 %"))
    sheet.lines = [Patch(facecolor=SHADES(_scale()(share)), edgecolor=style.FAINT, linewidth=0.4,
                         label=f"{words} of a {'step' if steps else 'layer'}'s elements per binade")
                   for share, words in shades]
    if "strip" in shows:
        sheet.notes.append("Strips below and above a panel: elements that are zero (0), and infinite or NaN (∞), in the "
                           "same shades.")
    return sheet


def _scale():
    return colors.PowerNorm(0.4, 0, 0.5, clip=True)


def _panel(axes, title, histogram, lowest, steps):
    shows = set()
    index = histogram.index.astype(float)
    edges = numpy.concatenate(([index[0] - 0.5], (index[1:] + index[:-1]) / 2, [index[-1] + 0.5]))
    low, high, step, shares = _grid(histogram)
    axes.grid(False)
    if shares is not None:
        heights = low + step * numpy.arange(shares.shape[0] + 1)
        axes.pcolormesh(edges, heights, numpy.ma.masked_equal(shares, 0), cmap=SHADES, norm=_scale(),
                        rasterized=True, linewidth=0)
        axes.set_ylim(low - 0.04 * (high - low) - 1, high + 0.04 * (high - low) + 1)
        shows |= _limits(axes)
    axes.set_xlim(edges[0], edges[-1])
    style.whole_numbers(axes.xaxis)
    bottom = top = axes
    divider = make_axes_locatable(axes)
    for values, side, sign in ((histogram.zero_share, "bottom", "0"), (histogram.not_finite, "top", "∞")):
        if (values > 0).any():
            strip = divider.append_axes(side, size=0.09, pad=0.04, sharex=axes)
            strip.pcolormesh(edges, [0, 1], numpy.ma.masked_equal(values[None, :], 0), cmap=SHADES, norm=_scale(),
                             rasterized=True, linewidth=0)
            strip.set_yticks([0.5], [sign])
            strip.tick_params(axis="y", length=0, labelsize=7)
            strip.tick_params(axis="x", labelbottom=False, length=0)
            strip.grid(False)
            if side == "bottom":
                axes.tick_params(axis="x", labelbottom=False, length=0)
                strip.tick_params(axis="x", labelbottom=True, length=3)
                bottom = strip
            else:
                top = strip
            shows.add("strip")
    top.set_title(title, loc="left", fontsize=8.5, fontweight="bold")
    if lowest:
        bottom.set_xlabel("time step t" if steps else "layer l  (1: at the input)")
    return shows


def _grid(histogram):
    """(lowest exponent, end, binades per row, shares) with shares per binade of each
    entry's elements; no shares where nothing has an exponent."""
    filled = [exponents for exponents, _ in histogram.columns if len(exponents)]
    if not filled:
        return 0.0, 1.0, 1.0, None
    low, high = min(e[0] for e in filled), max(e[-1] for e in filled) + 1
    step = max(1.0, numpy.ceil((high - low) / MAX_ROWS))
    rows = int(numpy.ceil((high - low) / step))
    shares = numpy.zeros((rows, len(histogram.columns)))
    with_exponent = numpy.clip(1 - histogram.zero_share - histogram.not_finite, 0, 1)
    for i, (exponents, counts) in enumerate(histogram.columns):
        if len(exponents):
            row = ((exponents - low) // step).astype(int)
            numpy.add.at(shares[:, i], row, counts / counts.sum() * with_exponent[i])
    return low, low + rows * step, step, shares / step


def _limits(axes):
    low, high = axes.get_ylim()
    lines = []
    for form in DRAWN:
        for what, exponent in (("subnormal", form.subnormal), ("normal", form.normal), ("largest", form.largest + 1)):
            if low < exponent < high:
                axes.axhline(exponent, color="black", linewidth=0.8, linestyle=DASHES[what], zorder=3,
                             path_effects=style.halo(1.6))
                lines.append((exponent, form.name, what))
    labels = {}
    for exponent, name, what in lines:
        labels.setdefault((exponent, what), []).append(name)
    strokes.margin_labels(axes, [(y, f"{', '.join(names)} {what}") for (y, what), names in labels.items()], 0.065)
    return {what for _, _, what in lines}
