"""A picture of panels, laid out in inches: title and what was held fixed above,
legend and notes below, so that no legend covers data. And its files."""
import io
import math
import os
import re
import secrets
import textwrap

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from . import style

CHARACTER = 0.063  # inches of an average character at 8.5 points
LINE = 0.165
LEGEND = 0.175  # inches of a row
METADATA = {"svg": {"Date": None, "Creator": None}, "png": {"Software": None},
            "pdf": {"CreationDate": None, "Creator": None, "Producer": None}}


class Sheet:
    """rows x columns of panels, each of `size` inches, with `gap` (x, y) between.
    `axes[row][column]`."""

    def __init__(self, columns, rows=1, size=(2.9, 2.6), gap=(0.62, 0.62), left=0.75, right=0.2,
                 bottom=0.52, heights=None, minimum=1.4):
        self.columns, self.rows, self.size, self.gap = columns, rows, size, gap
        self.left, self.right, self.bottom = left, right, bottom
        self.heights = heights or [size[1]] * rows
        self.title, self.fixed, self.notes = "", [], []
        self.lines, self.keys = [], []  # handles of the legend: of lines; of what all share
        self.width = None  # inches of the whole picture; None: what the panels take
        self.words_below = False  # panels have words, not numbers, on their horizontal axis
        self.minimum = min(minimum, size[0])  # inches of a panel that has others beside it
        self.figure = Figure()
        FigureCanvasAgg(self.figure)
        self.axes = [[self.figure.add_axes([0.1 * (c + 1), 0.1 * (r + 1), 0.05, 0.05])
                      for c in range(columns)] for r in range(rows)]

    @property
    def flat(self):
        return [axes for row in self.axes for axes in row]

    def _wrapped(self, text, width, points=8.5):
        limit = max(20, int((width - 0.3) / (CHARACTER * points / 9)))
        return textwrap.wrap(text, limit, break_on_hyphens=False)

    def _across(self):
        """(panels side by side, inches of each, inches of the picture). Where the width is
        given, panels become narrower, down to a limit, and then stand in several rows."""
        def each(across):
            return (self.width - self.left - self.right - (across - 1) * self.gap[0]) / across
        if self.width is None:
            natural = self.left + self.columns * self.size[0] + (self.columns - 1) * self.gap[0] + self.right
            return self.columns, self.size[0], max(natural, 4.6)
        across = self.columns
        while across > 1 and each(across) < self.minimum:
            across -= 1
        bands = math.ceil(self.columns / across)
        across = math.ceil(self.columns / bands)
        return across, each(across), self.width

    def _shrink(self, factor):
        """Words inside of panels that are narrower than they were made for."""
        if factor >= 1:
            return
        for axes in self.flat:
            for text in (*axes.texts, *(axes.get_xticklabels() if self.words_below else ())):
                text.set_fontsize(text.get_fontsize() * max(factor, 0.5))

    def _label_bands(self, across):
        """The first panel of each further row has the vertical axis' words, too."""
        for row in self.axes:
            for c in range(across, self.columns, across):
                row[c].set_ylabel(row[0].get_ylabel())
                words = [label.get_text() for label in row[0].get_yticklabels()]
                if any(words) and not any(label.get_text() for label in row[c].get_yticklabels()):
                    row[c].set_yticks(row[0].get_yticks(), words)

    def arrange(self):
        """Sets places and sizes once everything is known."""
        across, panel, width = self._across()
        bands = math.ceil(self.columns / across)
        if self.width is not None:
            self._shrink(panel / (0.85 * self.size[0]))
            self._label_bands(across)
        title = self._wrapped(self.title, width, 11.5)
        fixed = self._wrapped(" · ".join(words.replace(" ", "\N{NO-BREAK SPACE}") for words in self.fixed), width)
        notes = [line for note in self.notes for line in self._wrapped(note, width, 7.5)]
        legends = [(handles, *self._legend_shape(handles, width)) for handles in (self.lines, self.keys)]
        legend_rows = sum(rows for _, _, rows in legends)
        above = 0.12 + 0.21 * len(title) + LINE * len(fixed) + 0.36
        below = self.bottom + LEGEND * legend_rows + 0.14 * len(notes) + 0.1
        band = sum(self.heights) + (self.rows - 1) * self.gap[1]
        step = band + self.bottom + 0.36  # from one row of panels to the next
        height = above + (bands - 1) * step + band + below
        self.figure.set_size_inches(width, height)
        for r, row in enumerate(self.axes):
            for c, axes in enumerate(row):
                y = height - above - (c // across) * step - sum(self.heights[:r + 1]) - r * self.gap[1]
                x = self.left + (c % across) * (panel + self.gap[0])
                axes.set_position([x / width, y / height, panel / width, self.heights[r] / height])
        y = height - 0.12
        y = self._lines(title, y, 0.21, width, height, fontsize=11.5, fontweight="bold", color=style.INK)
        self._lines(fixed, y - 0.02, LINE, width, height, fontsize=8.5, color="#444444")
        y = 0.08 + 0.14 * len(notes)
        self._lines(notes, y, 0.14, width, height, fontsize=7.5, color="#444444")
        y += 0.05 + LEGEND * legend_rows
        for handles, columns, rows in legends:
            if handles:
                self.figure.legend(handles=handles, loc="upper left", ncol=columns, borderaxespad=0,
                                   bbox_to_anchor=(0.12 / width, y / height), columnspacing=1.4,
                                   handlelength=2.8, handletextpad=0.6, labelspacing=0.4, borderpad=0)
            y -= LEGEND * rows

    @staticmethod
    def _legend_shape(handles, width):
        if not handles:
            return 1, 0
        longest = max(len(handle.get_label()) for handle in handles)
        columns = min(len(handles), max(1, int((width - 0.1) / (longest * CHARACTER + 0.58))))
        return columns, math.ceil(len(handles) / columns)

    def _lines(self, lines, y, step, width, height, **how):
        for line in lines:
            self.figure.text(0.12 / width, y / height, line, va="top", ha="left", **how)
            y -= step
        return y


def safe_name(text):
    """A file's name: letters, digits and a few signs, whatever the text was."""
    return re.sub(r"[^A-Za-z0-9=_.-]+", "-", text).strip("-.")[:100] or "figure"


def _replace(path, data):
    """The whole file or none of it, under a name that did not exist before; who may read
    it is the umask's to say, as of every file."""
    temporary = os.path.join(os.path.dirname(path), f".plot-{secrets.token_hex(8)}")
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def write(sheet, folder, name, formats):
    """Writes name.FORMAT to the folder for each of METADATA's formats that is asked for;
    the paths. Raises OSError."""
    sheet.arrange()
    paths = []
    for suffix in formats:
        data = io.BytesIO()
        sheet.figure.savefig(data, format=suffix, metadata=dict(METADATA[suffix], Title=sheet.title))
        paths.append(os.path.join(folder, f"{safe_name(name)}.{suffix}"))
        _replace(paths[-1], data.getvalue())
    return paths
