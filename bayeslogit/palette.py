"""The colours of every drawing, on light and on dark pages.

The first six hues differ by at least 13 units of CIELAB for normal vision and for each of the three kinds of colour
blindness (Machado, Oliveira and Fernandes 2009, full severity), all eight by 7; each has a contrast of 2.9 or more with
its page. Where it matters, lines also differ by dashes and points by shape, so that grey print can be read.
"""

from __future__ import annotations

from dataclasses import dataclass

from bayeslogit.marks import HUES


@dataclass(frozen=True)
class Palette:
    """Colours as "#rrggbb"; `hues` tell several things apart, `main` is for one thing alone."""

    ink: str
    page: str
    main: str
    hues: tuple[str, ...]


LIGHT = Palette(
    ink="#1f2328",
    page="#ffffff",
    main="#1b5e8c",
    hues=("#1b5e8c", "#cf6317", "#2a9c8c", "#8f1d5c", "#4d4200", "#9a86e0", "#c76a8a", "#3a3d42"),
)
DARK = Palette(
    ink="#e6e3dc",
    page="#16181d",
    main="#7db9e8",
    hues=("#7db9e8", "#f0965a", "#66ecd0", "#d86ac0", "#f4e68c", "#8a72f0", "#f04a68", "#f2f2f2"),
)

# Of every SVG: classes of the marks, light and dark by the reader's setting.
_CSS = """
.bl-chart{--bl-a:var(--accent,#1b5e8c);max-width:100%;height:auto;
font:12px/1.3 var(--sans,system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif);
color:var(--ink,#1f2328);overflow:visible;font-variant-numeric:tabular-nums}
.bl-chart text{fill:currentColor}.bl-chart .soft{fill-opacity:.72}.bl-chart .small{font-size:11px}
.bl-chart .end{text-anchor:end}.bl-chart .mid{text-anchor:middle}
.bl-chart .frame{stroke:currentColor;stroke-opacity:.45;fill:none}
.bl-chart .grid{stroke:currentColor;stroke-opacity:.1;fill:none}
.bl-chart .guide{stroke:currentColor;stroke-opacity:.6;stroke-dasharray:4 3;fill:none}
.bl-chart .main{stroke:var(--bl-a);stroke-width:2;fill:none}.bl-chart .dot{fill:var(--bl-a);stroke:none}
.bl-chart .disc{fill:var(--bl-a);fill-opacity:.3;stroke:var(--bl-a);stroke-width:1.5}
.bl-chart .muted{stroke:currentColor;stroke-opacity:.22;stroke-width:7;fill:none}
.bl-chart .tip{stroke:currentColor;stroke-opacity:.5;stroke-width:1.5;fill:none}
.bl-chart .area{fill:currentColor;fill-opacity:.13}.bl-chart .bar{fill:currentColor;fill-opacity:.28}
.bl-chart .thin{stroke:currentColor;stroke-opacity:.3;stroke-width:1;fill:none}
.bl-chart .spot{fill:var(--h);fill-opacity:.75}
.bl-chart .d1{stroke-dasharray:8 3}.bl-chart .d2{stroke-dasharray:3 2}.bl-chart .d3{stroke-dasharray:9 3 2 3}
.bl-chart .hue{stroke:var(--h);stroke-width:2;fill:none}.bl-chart .tint{fill:var(--h);fill-opacity:.15}
@@HUES@@
@media screen and (prefers-color-scheme:dark){.bl-chart{--bl-a:var(--accent,#7db9e8);color:var(--ink,#e6e3dc)}
@@DARK@@}
""".strip().replace("\n", "")


def _hues(palette: Palette) -> str:
    return "".join(f".bl-chart .{name}{{--h:{color}}}" for name, color in zip(HUES, palette.hues, strict=True))


CSS = (
    _CSS.replace("@@HUES@@", _hues(LIGHT))
    .replace("@@DARK@@", _hues(DARK))
    .replace("#1b5e8c)", f"{LIGHT.main})")
    .replace("#7db9e8)", f"{DARK.main})")
)
