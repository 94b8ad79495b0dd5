"""What the pictures look like: readable in grey, and for the colour-blind.

Lines differ by marker as well as by colour (Okabe and Ito's palette without its
yellow); measured and predicted differ by the dashes.
"""
import warnings

import matplotlib
from matplotlib import patheffects, ticker

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
MARKERS = ("o", "s", "^", "D", "v", "P")
INK = "#222222"
FAINT = "#777777"

RMS = (0, (5, 2))
TYPICAL = (0, (1, 1.3))


def set_up():
    """No user's settings, no window, no formulas in text (`$` is a dollar), and the
    same bytes every time."""
    warnings.simplefilter("ignore")
    matplotlib.use("Agg")
    matplotlib.rcParams.update(matplotlib.rcParamsDefault)
    matplotlib.rcParams.update({
        "text.parse_math": False,
        "svg.hashsalt": "gradsweep",
        "svg.fonttype": "path",
        "pdf.fonttype": 42,  # TrueType: journals refuse type 3
        "font.family": "sans-serif",
        "font.sans-serif": ["DejaVu Sans"],
        "font.size": 8.5,
        "axes.titlesize": 9.5,
        "axes.labelsize": 8.5,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.linewidth": 0.7,
        "axes.edgecolor": INK,
        "axes.unicode_minus": True,
        "axes.axisbelow": True,
        "xtick.major.width": 0.7,
        "ytick.major.width": 0.7,
        "xtick.minor.width": 0.5,
        "grid.color": "#DDDDDD",
        "grid.linewidth": 0.5,
        "axes.grid": True,
        "lines.linewidth": 1.5,
        "lines.markersize": 4.5,
        "legend.frameon": False,
        "figure.dpi": 100,
        "savefig.dpi": 200,
        "path.simplify": True,
    })


def short_number(value, _=None):
    """1000 as 1k: axes that multiply have no powers in their labels."""
    if 1e3 <= abs(value) < 1e4:
        return f"{value:.0f}"
    for scale, unit in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= scale:
            return f"{value / scale:g}{unit}"
    return f"{value:g}"


def logarithmic(axis, ticks=None):
    """An axis that multiplies, labelled in plain numbers; ticks at given places."""
    if ticks is not None:
        axis.set_major_locator(ticker.FixedLocator(ticks))
        axis.set_minor_locator(ticker.NullLocator())
    else:
        axis.set_major_locator(ticker.LogLocator(subs=(1, 2, 5)))
    axis.set_major_formatter(ticker.FuncFormatter(short_number))
    axis.set_minor_formatter(ticker.NullFormatter())


def look(i):
    """Colour and marker of line i; from the seventh on the markers are hollow."""
    colour = COLOURS[i % len(COLOURS)]
    return {"color": colour, "marker": MARKERS[i % len(MARKERS)], "markeredgecolor": colour,
            "markerfacecolor": colour if i < len(COLOURS) else "white"}


def whole_numbers(axis):
    """Ticks of an axis of layers or steps."""
    axis.set_major_locator(ticker.MaxNLocator(6, integer=True, min_n_ticks=1))


def halo(width=2.2):
    return [patheffects.withStroke(linewidth=width, foreground="white")]


def same_scale(all_axes, limit=8):
    """One vertical scale for panels whose spans are comparable; whether they are."""
    limits = [axes.get_ylim() for axes in all_axes]
    spans = [high - low for low, high in limits]
    if not max(spans) <= limit * min(spans):
        return False
    for axes in all_axes:
        axes.set_ylim(min(low for low, _ in limits), max(high for _, high in limits))
    return True


def apart(values, limit=8):
    """At most so many of the values of an axis that multiplies, none too near the next."""
    chosen = []
    ratio = (values[-1] / values[0]) ** (1 / limit) if len(values) > limit else 1.0
    for value in values:
        if not chosen or value >= chosen[-1] * max(ratio, 1.25):
            chosen.append(value)
    return chosen
