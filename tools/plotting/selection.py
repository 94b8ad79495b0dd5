"""Which cells stand together in a picture: panels side by side, lines in a panel.

Cells of one picture agree in all parameters but those that the picture shows.
"""
import dataclasses

from . import params as parameters

PANEL = ("activation", "slope", "output_activation")
LENGTH = ("depth", "seq_len")
MAX_LINES = 6
MAX_PANELS = 6
MAX_FIGURES = 12
FEWER_REPLICAS = "fewer replicas than those drawn"


@dataclasses.dataclass
class Line:
    label: str
    cells: list  # in the order of the horizontal axis, or one


@dataclasses.dataclass
class Panel:
    title: str
    lines: list


@dataclasses.dataclass
class Picture:
    """Panels; `told`: parameters that the picture shows; `left_out`: cells that are not
    drawn, [(why, cells)]."""
    model: str
    apart: list  # parameters for its file's name
    told: tuple
    panels: list
    left_out: list

    @property
    def cells(self):
        return [cell for panel in self.panels for line in panel.lines for cell in line.cells]


def grouped(cells, key):
    """{key: cells} in the order of first appearance."""
    groups = {}
    for cell in cells:
        groups.setdefault(key(cell), []).append(cell)
    return groups


def values_of(cells, name):
    """Different values of a parameter, in order: of size for numbers, else as found."""
    values = list({parameters.value_key(c.params.get(name)): c.params.get(name) for c in cells}.values())
    return sorted(values) if all(type(v) in (int, float) for v in values) else values


def varies(cells, name, without):
    """Whether some cells agree in all but this parameter (and those in `without`)."""
    names = PANEL if name == "activation" else (name,)
    groups = grouped(cells, lambda c: parameters.key_of(c.params, (*names, *without)))
    return any(len(values_of(group, name)) > 1 for group in groups.values())


def evenly(items, limit):
    """At most so many of the items, with both ends."""
    if len(items) <= limit:
        return items
    return [items[round(i * (len(items) - 1) / (limit - 1))] for i in range(limit)]


def left(groups, drawn, why):
    """[(why, cells)] of those groups of cells that are not among the drawn."""
    cells = [cell for group in groups if group not in drawn for cell in group]
    return [(why, cells)] if cells else []


def first_varying(cells, names, without):
    return next((name for name in names if varies(cells, name, without)), None)


def telling_apart(groups, free):
    """Parameters that tell the groups from each other, as few as will do; not those
    in `free`, in which the cells of a group differ."""
    chosen, count = [], 1
    for name in dict.fromkeys(name for group in groups for name in group[0].params):
        if name not in free and count < len(groups):
            values = {tuple(parameters.value_key(g[0].params.get(n)) for n in (*chosen, name)) for g in groups}
            if len(values) > count:
                chosen, count = [*chosen, name], len(values)
    return chosen


def file_name(figure, cells, apart):
    """What a picture's file is called: figure, model, and the parameters in `apart`."""
    short = {"width": "n", "hidden": "n", "batch": "B", "replicas": "R", "depth": "L", "seq_len": "T"}
    parts = [figure, cells[0].model]
    for name in apart:
        value = cells[0].params.get(name)
        if name == "tied":
            parts.append("tied" if value else "untied")
        elif name in ("init", "input_init") and value is not None:
            parts.append(parameters.init_text(value))
        elif type(value) is list:
            parts.append("-".join(map(str, (name, *value))))
        elif value is not None:
            parts.append(f"{short.get(name, name + '=')}{value}")
    return "-".join(parts)


def key_of_panel(cell):
    return tuple(parameters.value_key(cell.params.get(name)) for name in PANEL)


def label_of(cell, names):
    """A line's name in the legend: the values of these parameters."""
    text = [parameters.activation_text(cell.params) if name == "activation"
            else parameters.words(name, cell.params[name])
            for name in names if name in cell.params]
    return ", ".join(text)


def pictures(cells, line, along, many_along=False):
    """Pictures by activation (panels) and `line` (a parameter); of cells that differ
    in length alone only the longest, or all of them with many_along; of those that
    differ in replicas alone, the one with most."""
    found = []
    for model, of_model in grouped(cells, lambda c: c.model).items():
        name = line(of_model)
        free = (*PANEL, name, "replicas", *(along if along else ()))
        groups = grouped(of_model, lambda c, free=free: parameters.key_of(c.params, free))
        apart = telling_apart(list(groups.values()), free)
        for group in groups.values():
            found.append(_picture(model, group, name, apart, along, many_along))
    return found


def _picture(model, group, name, apart, along, many_along):
    labels = (name, *along) if many_along else (name,)
    panels = []
    of_panels = list(grouped(group, key_of_panel).values())
    drawn_panels = evenly(of_panels, MAX_PANELS)
    left_out = left(of_panels, drawn_panels, f"more than {MAX_PANELS} activations")
    for of_panel in drawn_panels:
        lines = grouped(of_panel, lambda c: tuple(parameters.value_key(c.params.get(n)) for n in labels))
        chosen = [max(of_line, key=lambda c: (c.length, c.params["replicas"])) for of_line in lines.values()]
        for cell, of_line in zip(chosen, lines.values()):
            left_out += [("shorter than those drawn" if c.length < cell.length else FEWER_REPLICAS, [c])
                         for c in of_line if c is not cell]
        title = parameters.activation_text(of_panel[0].params)
        drawn = evenly(chosen, MAX_LINES)
        left_out += left([[c] for c in chosen], [[c] for c in drawn], f"more than {MAX_LINES} lines in a panel")
        panels.append(Panel(title, [Line(label_of(cell, labels), [cell]) for cell in drawn]))
    told = labels if len(values_of(group, name)) > 1 else labels[1:]
    if along and not many_along and len({c.length for p in panels for l in p.lines for c in l.cells}) > 1:
        told = told + LENGTH
    return Picture(model, apart, told, panels, left_out)
