"""The elements of an SVG drawing, in their order: every text that enters it is escaped here."""

from __future__ import annotations

import html
from collections.abc import Iterable

from bayeslogit.plaintext import printable
from bayeslogit.table import prose_with_minus

# Corners of the points of each hue, in radii: circle, diamond, square, triangle.
_SHAPES: tuple[tuple[tuple[float, float], ...], ...] = (
    (),
    ((0, -1.25), (1.25, 0), (0, 1.25), (-1.25, 0)),
    ((-0.95, -0.95), (0.95, -0.95), (0.95, 0.95), (-0.95, 0.95)),
    ((0, -1.25), (1.15, 0.85), (-1.15, 0.85)),
)


def px(value: float) -> str:
    """A coordinate, to a tenth of a pixel."""
    return (
        f"{value:.1f}".removesuffix(".0").replace("-0", "0") if abs(value) < 0.05 else f"{value:.1f}".removesuffix(".0")
    )


class Canvas:
    """Elements in drawing order; every text that enters is escaped here."""

    def __init__(self) -> None:
        self.parts: list[str] = []

    def text(self, x: float, y: float, text: str, classes: str = "", full: str = "", turn: bool = False) -> None:
        """`full` is the whole of a name, which is written as it was given; all other texts are prose."""
        inner = (f"<title>{escaped(full)}</title>" if full and full != text else "") + (
            escaped(text) if full else escaped_prose(text)
        )
        rotate = f' transform="rotate(-90 {px(x)} {px(y)})"' if turn else ""
        name = f' class="{classes}"' if classes else ""
        self.parts.append(f'<text x="{px(x)}" y="{px(y)}"{name}{rotate}>{inner}</text>')

    def line(self, x1: float, y1: float, x2: float, y2: float, classes: str) -> None:
        self.parts.append(f'<line x1="{px(x1)}" y1="{px(y1)}" x2="{px(x2)}" y2="{px(y2)}" class="{classes}"/>')

    def path(self, points: Iterable[tuple[float, float]], classes: str, closed: bool = False) -> None:
        steps = " L".join(f"{px(x)} {px(y)}" for x, y in points)
        self.parts.append(f'<path d="M{steps}{"Z" if closed else ""}" class="{classes}"/>')

    def circle(self, x: float, y: float, radius: float, classes: str) -> None:
        self.parts.append(f'<circle cx="{px(x)}" cy="{px(y)}" r="{px(radius)}" class="{classes}"/>')

    def spot(self, x: float, y: float, radius: float, classes: str) -> None:
        """A point: each hue has a shape of its own."""
        corners = _SHAPES[int(classes[-1]) % 4] if classes.startswith("spot") else ()
        if corners:
            self.path([(x + radius * a, y + radius * b) for a, b in corners], classes, closed=True)
        else:
            self.circle(x, y, radius, classes)

    def box(self, x: float, y: float, width: float, height: float, classes: str) -> None:
        self.parts.append(
            f'<rect x="{px(x)}" y="{px(y)}" width="{px(width)}" height="{px(height)}" class="{classes}"/>'
        )


def escaped_prose(text: str) -> str:
    """Prose of ours, with minus signs before its numbers."""
    return escaped(prose_with_minus(text))


def escaped(text: str) -> str:
    """A name, written as it was given."""
    return html.escape(printable(text))
