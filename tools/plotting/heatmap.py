"""Decades as a map of depth (or time steps) and initialisation, a panel for each
activation. Colours are for a glance; the number and the verdict's sign in each box
tell the same without them."""
import math

import numpy
from matplotlib import colormaps, colors
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle

from . import params as parameters
from . import selection
from .sheet import Sheet

NAME = "heatmap"
ABOUT = "decades by depth and initialisation"

BOX = (1.02, 0.46)  # inches
MAX_ROWS, MAX_COLUMNS = 14, 9
SIGNS = {"vanishing": "▼", "stable": "●", "exploding": "▲", "mixed": "◆", None: ""}
MARKERS = {"vanishing": "v", "stable": "o", "exploding": "^", "mixed": "D"}
COLOURS = colormaps["PuOr_r"]  # light in the middle; safe for the colour-blind


def plans(document, options):
    cells = [c for c in options.cells if c.measured or c.params["stats"] != "off"]
    found = []
    for of_model in selection.grouped(cells, lambda c: c.model).values():
        free = (*selection.PANEL, *selection.LENGTH, "init")
        groups = selection.grouped(of_model, lambda c, free=free: parameters.key_of(c.params, free))
        apart = selection.telling_apart(list(groups.values()), free)
        for group in groups.values():
            if not any(c.measured for c in group) or len({_location(c) for c in group}) < 2:
                continue
            decades = {c.id: c.decades() for c in group if c.measured}
            name = selection.file_name(NAME, group, apart)
            left_out = _left_out(group)
            drawn = [c for c in group if not any(c in cells for _, cells in left_out)]
            found.append(options.Plan(name, lambda g=group, d=decades: _draw(document, g, d), drawn, left_out))
    if not found:
        raise options.Nothing("no cells with statistics that differ in depth or initialisation alone")
    return found


def _location(cell):
    return cell.length, parameters.value_key(cell.params["init"])


def _axes_of(group):
    lengths = sorted({c.length for c in group})
    inits = {parameters.value_key(c.params["init"]): c.params["init"] for c in group}
    return lengths, inits


def _chosen(group):
    """What finds room: (lengths, panels, initialisations of each panel)."""
    lengths = selection.evenly(_axes_of(group)[0], MAX_ROWS)
    panels = selection.evenly(list(selection.grouped(group, selection.key_of_panel).values()),
                              selection.MAX_PANELS)
    return lengths, panels, [selection.evenly(list(_axes_of(panel)[1].values()), MAX_COLUMNS) for panel in panels]


def _left_out(group):
    lengths, panels, columns = _chosen(group)
    left_out = selection.left(list(selection.grouped(group, selection.key_of_panel).values()), panels,
                              f"more than {selection.MAX_PANELS} activations")
    for panel, inits in zip(panels, columns):
        for cell in panel:
            if cell.length not in lengths:
                left_out.append((f"more than {MAX_ROWS} depths", [cell]))
            elif cell.params["init"] not in inits:
                left_out.append((f"more than {MAX_COLUMNS} initialisations", [cell]))
    return left_out


def why_not(cell, options):
    """Why a cell is in no picture of this kind."""
    return cell.not_measured() if not cell.measured else "no other depth or initialisation to compare with"


def _draw(document, group, decades):
    lengths, panels, columns = _chosen(group)
    widest = max(len(c) for c in columns)
    sheet = Sheet(len(panels), size=(BOX[0] * widest, BOX[1] * len(lengths)), gap=(0.35, 0.4), bottom=0.62,
                  left=0.8, minimum=0.7 * BOX[0] * widest)
    sheet.words_below = True
    steps = parameters.is_of_steps(group[0].model)
    sheet.title = f"How far the gradient gets, by {'time steps' if steps else 'depth'} and initialisation"
    sheet.fixed = parameters.held_fixed(group, ("init", *selection.LENGTH)) + [document.device]
    threshold = max([d.threshold for d in decades.values()] + [1e-3])
    largest = max([abs(d.p50) for d in decades.values() if math.isfinite(d.p50)] + [10 * threshold])
    scale = colors.SymLogNorm(threshold, linscale=0.7, vmin=-largest, vmax=largest)
    for axes, panel, inits in zip(sheet.flat, panels, columns):
        axes.set_title(parameters.activation_text(panel[0].params), loc="left", fontweight="bold")
        for cell in panel:
            if cell.length in lengths and cell.params["init"] in inits:
                location = inits.index(cell.params["init"]), lengths.index(cell.length)
                _box(axes, location, cell, decades.get(cell.id), scale)
        axes.set(xlim=(-0.5, widest - 0.5), ylim=(len(lengths) - 0.5, -0.5), xlabel="initialisation")
        axes.set_xticks(range(len(inits)), [parameters.init_text(i).replace(":", ":\n") for i in inits], fontsize=7.5)
        axes.set_yticks(range(len(lengths)), lengths if axes is sheet.flat[0] else [""] * len(lengths))
        axes.tick_params(length=0)
        axes.grid(False)
        axes.spines[:].set_visible(False)
    sheet.flat[0].set_ylabel("time steps T" if steps else "depth L  [layers]")
    used = {d.verdict for d in decades.values()}
    sheet.keys = [Line2D([], [], linestyle="none", marker=MARKERS[v], color="black", markersize=6, label=v)
                  for v in MARKERS if v in used]
    what = "step 1 over step T" if steps else "layer 1 over layer L"
    sheet.notes.append(f"Numbers and colours: decades, log10 of ‖delta‖, {what}; median of the replicas. Negative "
                       f"(violet): vanished; positive (orange): exploded. Verdict: beyond ± {threshold:g}.")
    return sheet


def _box(axes, location, cell, decades, scale):
    x, y = location
    if decades is None:
        face, text = "#E4E4E4", cell.status
    elif math.isfinite(decades.p50):
        face = COLOURS(scale(decades.p50))
        text = f"{SIGNS[decades.verdict]} {_decimal(decades.p50)}"
    else:
        face, text = "#E4E4E4", f"{SIGNS[decades.verdict]} {'dead' if decades.p50 < 0 else 'not finite'}"
    text = text.strip()  # without a verdict there is no sign
    lost = decades.dead + decades.not_finite if decades else 0
    axes.add_patch(Rectangle((x - 0.48, y - 0.46), 0.96, 0.92, facecolor=face, edgecolor="none"))
    light = numpy.dot(colors.to_rgb(face), (0.299, 0.587, 0.114)) < 0.5
    ink = "white" if light else "black"
    axes.text(x, y - (0.14 if lost else 0), text, ha="center", va="center", fontsize=8.5, color=ink)
    if lost:
        words = [f"{n} {what}" for n, what in ((decades.dead, "dead"), (decades.not_finite, "∞ or NaN")) if n]
        axes.text(x, y + 0.24, f"of {cell.params['replicas']}: {', '.join(words)}", ha="center", va="center",
                  fontsize=6, color=ink)


def _decimal(value):
    digits = 2 if abs(value) < 10 else 1 if abs(value) < 100 else 0
    return f"{round(value, digits) + 0.0:.{digits}f}".replace("-", "\N{MINUS SIGN}")
