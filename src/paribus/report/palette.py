"""Colours, dashes and markers of series, and the CSS of charts.

Colours are CSS classes (`stroke0`, `fill0`, ...), so that one drawing serves a light page, a dark page and a file of
its own. Each series differs in colour, dash and marker: a grey print stays readable.
"""

LIGHT = {
    "ink": "#1c2530", "soft": "#5b6673", "faint": "#dfe4ea", "paper": "#ffffff",
    "s0": "#0068a8", "s1": "#c8500a", "s2": "#00845f", "s3": "#a3458c",
    "s4": "#8a6a00", "s5": "#3f55c4", "s6": "#b02a3a", "s7": "#4d5a66",
}  # fmt: skip
DARK = {
    "ink": "#e4e9ef", "soft": "#9aa6b3", "faint": "#313b47", "paper": "#171d25",
    "s0": "#5ab4ee", "s1": "#ff9a5c", "s2": "#3ccfa5", "s3": "#e092cb",
    "s4": "#dcbb48", "s5": "#99a9ff", "s6": "#ff8490", "s7": "#b3bec9",
}  # fmt: skip
COLOURS = 8
DASHES = ("", "7 3", "2 2.5", "9 3 2 3", "5 2", "12 3 2 3 2 3", "1.5 4", "14 4")
MARKERS = (
    "M{r},0A{r},{r} 0 1 1 -{r},0A{r},{r} 0 1 1 {r},0Z",  # circle
    "M-{s},-{s}H{s}V{s}H-{s}Z",  # square
    "M0,-{b}L{b},{s}H-{b}Z",  # triangle
    "M0,-{b}L{b},0L0,{b}L-{b},0Z",  # diamond
    "M0,{b}L{b},-{s}H-{b}Z",  # triangle down
    "M-{b},-{t}H-{t}V-{b}H{t}V-{t}H{b}V{t}H{t}V{b}H-{t}V{t}H-{b}Z",  # plus
    "M-{b},0L-{t},-{b}H{t}L{b},0L{t},{b}H-{t}Z",  # hexagon
    "M0,-{b}L{t},-{t}L{b},0L{t},{t}L0,{b}L-{t},{t}L-{b},0L-{t},-{t}Z",  # star
)
STYLE = (
    ".chart text{font:13px system-ui,sans-serif;fill:var(--ink)}.chart .tick{fill:var(--soft);font-size:12px}"
    ".chart .title{font-weight:600}.chart .grid{stroke:var(--faint)}.chart .axis{stroke:var(--soft)}"
    ".chart .line{fill:none;stroke-width:2;stroke-linejoin:round}.chart .band{stroke:none;opacity:.16}"
    ".chart .gap{stroke-width:6;opacity:.35}.chart .whisker,.chart .thick{fill:none;stroke-width:1.6}"
    ".chart .thick{stroke-width:5;opacity:.85}"
    ".chart .mark{stroke:var(--paper);stroke-width:.8}.chart .hollow{fill:var(--paper);stroke-width:1.6}"
    ".chart .zero{stroke:var(--soft);stroke-width:1.2}.chart .margin{stroke:var(--ink);stroke-width:1.6;"
    "stroke-dasharray:5 3}.chart .zone{fill:var(--ink);opacity:.07}.chart .ink{stroke:var(--ink)}"
    ".chart .dot{fill:var(--soft);opacity:.75}.chart .point{opacity:.6}"
    ".chart .cross{fill:none;stroke:var(--ink);stroke-width:1.4}"
    ".chart .iso{stroke:var(--soft);stroke-width:.9;opacity:.45}.chart .ghost{stroke:var(--soft);fill:none;opacity:.6}"
    ".chart .isolabel{fill:var(--soft);font-size:11px}"
    ".chart .said,.chart .isolabel{paint-order:stroke;stroke:var(--paper);stroke-width:3px;stroke-linejoin:round}"
    ".chart .speck{stroke-width:4;stroke-linecap:round;opacity:.65}"
    ".chart .stitch{fill:none;stroke-width:1.3;opacity:.8}"
    ".chart .leader{stroke-width:.8;opacity:.7}.chart .said{font-size:11.5px;font-weight:600}"
    + "".join(
        f".stroke{n}{{stroke:var(--s{n})}}.fill{n}{{fill:var(--s{n})}}.chart .ink{n}{{fill:var(--s{n})}}"
        for n in range(COLOURS)
    )
)


def page_style() -> str:
    """The style of charts and the two sets of colours, for the head of a page."""
    light, dark = (";".join(f"--{name}:{value}" for name, value in colours.items()) for colours in (LIGHT, DARK))
    return f":root{{{light}}}@media(prefers-color-scheme:dark){{:root{{{dark}}}}}{STYLE}"


def marker(series: int, radius: float = 4.0) -> str:
    """The path of a series' marker around the origin."""
    sizes = {"r": radius, "s": 0.87 * radius, "b": 1.22 * radius, "t": 0.45 * radius}
    return MARKERS[series % len(MARKERS)].format(**{name: f"{size:.4g}" for name, size in sizes.items()})


def dash(series: int) -> str:
    """The attribute of a series' dashes; colours repeat after eight series, with other dashes."""
    pattern = DASHES[(series + series // COLOURS * 3) % len(DASHES)]
    return f' stroke-dasharray="{pattern}"' if pattern else ""


def speck(series: int) -> str:
    """What stands for one example of a class, from a place on: a dot; a cross once the colours repeat."""
    return "h0" if series % (2 * COLOURS) < COLOURS else "m-2,-2l4,4m0,-4l-4,4"


def speck_style(series: int) -> str:
    """The CSS class of `speck`."""
    return f"{'speck' if series % (2 * COLOURS) < COLOURS else 'stitch'} stroke{series % COLOURS}"


def speck_swatch(series: int) -> str:
    """A single speck, for a legend."""
    return (
        '<svg class="chart swatch" width="14" height="14" viewBox="0 0 14 14" aria-hidden="true">'
        f'<path class="{speck_style(series)}" transform="translate(7,7) scale(1.7)" d="M0,0{speck(series)}"/></svg>'
    )


def swatch(series: int) -> str:
    """A small drawing of a series' line and marker, for a legend."""
    colour = series % COLOURS
    return (
        f'<svg class="chart swatch" width="34" height="14" viewBox="0 0 34 14" aria-hidden="true">'
        f'<path class="line stroke{colour}" d="M1,7H33"{dash(series)}/>'
        f'<path class="mark fill{colour}" transform="translate(17,7)" d="{marker(series)}"/></svg>'
    )
