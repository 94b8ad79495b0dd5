"""What several kinds of figures draw alike: theory, lost replicas, the legend's keys."""
import numpy
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.transforms import blended_transform_factory

from . import style
from .style import FAINT, INK


def keys():
    """Everything a legend may have to explain besides its lines."""
    line = {"color": "black", "linewidth": 1.1}
    return {
        "median": Line2D([], [], color="#666666", linewidth=2.2, label="measured: median of the replicas"),
        "band": Patch(color="#999999", alpha=0.35, linewidth=0, label="measured: p05 .. p95 of the replicas"),
        "rms": Line2D([], [], linestyle=style.RMS, label="theory: root mean square over networks", **line),
        "typical": Line2D([], [], linestyle=style.TYPICAL, label="theory: typical network (thin: ± 1 sd)", **line),
        "lost": Line2D([], [], linestyle="none", marker="X", markersize=7, color="black", markeredgecolor="white",
                       label="first lost: a format stores over half as 0 or ∞"),
        "low": Line2D([], [], linestyle="none", marker=7, color="black", label="a replica's norm is 0 here"),
        "high": Line2D([], [], linestyle="none", marker=6, color="black", label="a replica's norm is ∞ or NaN here"),
    }


def predicted(axes, prediction):
    """Draws theory's lines where there are numbers: none outside its reach; the keys they need."""
    how = {"color": "black", "zorder": 3, "scalex": False}
    shows = set()
    if numpy.isfinite(prediction.rms).any():
        axes.plot(prediction.index, prediction.rms, linestyle=style.RMS, linewidth=0.9, **how)
        shows.add("rms")
    if numpy.isfinite(prediction.typical).any():
        axes.plot(prediction.index, prediction.typical, linestyle=style.TYPICAL, linewidth=1.3, **how)
        for sign in (-1, 1):
            axes.plot(prediction.index, prediction.typical + sign * prediction.sd, linewidth=0.4, **how)
        shows.add("typical")
    return shows


def lost_replicas(axes, index, low, high, colour, row=0):
    """Triangles on the panel's lower edge where a replica vanished (low) and on the
    upper where one overflowed, so that no lost replica goes unseen; the keys they need."""
    shows = set()
    for kind, marks, edge, marker in (("low", low, 0.015, 7), ("high", high, 0.985, 6)):
        where = numpy.flatnonzero(marks)
        if len(where):
            where = where[numpy.unique(numpy.linspace(0, len(where) - 1, 24).astype(int))]
            inward = 0.03 * row if kind == "low" else -0.03 * row
            axes.plot(index[where], numpy.full(len(where), edge + inward), linestyle="none", marker=marker,
                      color=colour, markersize=5, clip_on=False, zorder=4,
                      transform=blended_transform_factory(axes.transData, axes.transAxes))
            shows.add(kind)
    return shows


def open_band(axes, index, band, lost, look):
    """The band (p05, p95) where one end of it is that of lost replicas (low, high): on to
    the panel's edge. Call it when the panel has its limits."""
    edges = axes.get_ylim()
    there = [numpy.isfinite(end) for end in band]
    ends = [numpy.where(known, end, edge) for known, end, edge in zip(there, band, edges)]
    for end in (0, 1):
        where = ~there[end] & there[1 - end] & lost[end]
        if where.any():
            axes.fill_between(index, *ends, where=where, color=look["color"], alpha=0.25, linewidth=0, zorder=1)
    axes.set_ylim(edges)


def margin(longest):
    """Inches that labels of so many characters take to the right of a panel."""
    return 0.2 if longest == 0 else 0.22 + 0.056 * longest


def margin_labels(axes, labels, near=0.05):
    """[(height, words)] in the right margin, moved apart where they would touch, with
    a thin line to the height meant. `near`: of the panel's height."""
    low, high = axes.get_ylim()
    span = high - low
    heights = sorted((y - low) / span for y, _ in labels)
    for _ in range(100):
        for i in range(1, len(heights)):
            gap = near - (heights[i] - heights[i - 1])
            if gap > 1e-6:
                heights[i - 1] -= gap / 2
                heights[i] += gap / 2
    for height, (y, text) in zip(heights, sorted(labels)):
        axes.annotate(text, ((1.0), (y - low) / span), xytext=(1.045, height), xycoords="axes fraction",
                      textcoords="axes fraction", fontsize=7, va="center", ha="left", color=INK,
                      annotation_clip=False, arrowprops={"arrowstyle": "-", "linewidth": 0.4, "color": FAINT,
                                                         "shrinkA": 0, "shrinkB": 0, "relpos": (0, 0.5)})
