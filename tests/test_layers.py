"""The floors of the house: who may import whom, inside functions too, and how long a file may be.

A new room (file) gets its place in FLOORS; a room that is not in the table fails. On one floor a room may import from
the rooms named to its left. What comes from outside is listed by room in OUTSIDE; numpy and scipy are for all.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent / "bayeslogit"

FLOORS: tuple[tuple[str, ...], ...] = (
    (
        "interrupts",
        "errors",
        "blas",
        "boundary",
        "budget",
        "densities",
        "prior_widths",
        "unknown_scales",
        "logistic",
        "plaintext",
        "formats",
        "table",
        "marks",
        "lettering",
        "palette",
        "canvas",
        "svg",
        "figure_drawing",
        "figures",
        "chart",
        "curves",
        "charts_checks",
        "charts_posteriors",
        "charts_effects",
        "loops",
        "loops.compile",
        "loops.dense",
        "loops.columns",
        "loops.sparse",
        "loops.algebra",
        "loops.rows",
        "loops.descent",
        "loops.groups",
        "loops.panels",
        "kernels",
        "workers",
        "waiting",
    ),
    (
        *(
            "sources",
            "sources.matrix",
            "sources.memory",
            "sources.parts",
            "sources.drawn",
            "sources.spread",
            "sources.stream",
            "sources.dask",
            "sources.centered",
            "sources.pseudo",
            "sources.condense",
            "tallies",
            "files",
            "sql",
            "data",
            "missing",
            "outcome",
            "arrays",
        ),
        *("formula_guard", "coding", "factors", "formula"),
        *("arithmetic", "column_plan", "row_coder", "array_coder", "learning", "text_types", "streamed", "design"),
        *("resolved", "arguments", "draw_arguments", "prior_draws", "hyperpriors", "families", "families_joint"),
        *("families_whole", "families_unknown", "_priors"),
        *("preset_rules", "presets", "multiples"),
        *("datasets", "datasets._facts"),
        *("checks", "penalties", "rules", "rules_libraries", "rules_statsmodels", "rules_own", "conventions"),
    ),
    ("expansion", "coordinates", "prior_target", "jeffreys", "target", "facts"),
    (
        *("plane", "steps", "sides", "solitary", "overlap", "programme", "recession", "estimable"),
        *("existence", "subspace", "mode", "limited", "newton"),
        *("panels", "separable", "chords", "continuation", "proximal", "working_set"),
        *("group_descent", "group_sets"),
        *("quasi_newton", "firth", "subsample", "wide", "multimodal", "solve", "held", "plateau"),
        *("warm_start", "abreast"),
    ),
    (
        *("diagnostics", "posterior", "posterior.laplace", "posterior.covariances", "profile", "propriety"),
        *("posterior.nuts",),
    ),
    (
        *("labels", "predict", "summary", "quantities", "verdict", "posterior_table", "marginal"),
        *("ladder", "calibration"),
        *("criteria", "criteria_rows", "criteria_refits", "criteria_abreast", "criteria_modes"),
        *("criteria_cavity", "criteria_gaussians", "criteria_without", "criteria_pairs"),
        *("criteria_draws", "criteria_loo", "criteria_folds", "criteria_cv", "elicited_chart", "_elicit"),
        *("prior_checks", "collinearity", "proof", "_path", "_convert"),
        *("_compare", "disagreement", "comparison_rows", "comparison_tables", "comparison_chart", "comparison_words"),
        *("power_scaling", "tipping"),
        *("corp", "binned", "replicated", "influences", "model_checks", "outlines"),
        *("scores", "by_outcome", "prior_rates"),
        *("scale_curves", "scale_evidence", "scale_folds", "scale_criteria", "scale_average"),
        *("scale_groups", "scale_chart", "error_chart"),
    ),
    (
        *(
            "frames",
            "habits",
            "new_rows",
            "storage",
            "conforming",
            "fit_record",
            "handover",
            "estimates",
            "draw_numbers",
            "far_out",
            "units",
        ),
        *("readings", "draws"),
        *(
            "prediction_results",
            "results",
            "_effects",
            "average_effects",
            "_fit",
            "unknown_draws",
            "_sample",
            "_coverage",
        ),
        *("separation_record", "_separation", "_check", "validation", "paths"),
        *("compared", "comparisons", "_sensitivity", "tipping_points"),
        *("scale_averaged", "scale_record", "scale_choice", "scale_axes", "scale_grouped", "_bias_variance"),
        *("effect_curves", "charts_fit", "charts_model"),
    ),
    (
        *(
            "arviz_scales",
            "arviz_export",
            "marginaleffects_export",
            "estimator",
            "_peers",
            "pseudo_rows",
            "site_records",
            "sites",
            "plot_scales",
            "plot",
            "versions",
        ),
        *("manifest", "config", "render", "reporting"),
        *("comparison_report", "_report"),
        *("cli_options", "cli_posterior", "cli_question", "cli_numbers", "cli_plan", "cli_fit"),
        *("cli_convert", "cli_path"),
        *("cli_compare", "cli_predict", "cli_verify", "cli_report", "cli_check", "cli_datasets", "cli_demo"),
        *("cli_app", "cli", "__main__"),
    ),
)

# Entry methods of Fit and Draws that open a room above their own: (room, function) -> what it may import there.
ENTRY_METHODS: dict[tuple[str, str], set[str]] = {
    ("draws", "to_arviz"): {"arviz_export"},
    ("draws", "effects"): {"_effects"},
    ("results", "effects"): {"_effects"},
    ("readings", "to_marginaleffects"): {"marginaleffects_export"},
    ("table", "to_csv"): {"render.data"},
    ("table", "to_json"): {"render.data"},
    ("table", "to_markdown"): {"render.markdown"},
    ("table", "to_latex"): {"render.latex"},
}

# Packages from outside that a room may use, inside its functions, besides numpy, scipy and the standard library.
OUTSIDE: dict[str, set[str]] = {
    "blas": {"threadpoolctl"},
    "datasets": {"pandas", "polars"},
    "files": {"openpyxl", "pandas", "pyarrow", "pyreadstat"},
    "sql": {"duckdb"},
    "table": {"pandas"},
    "data": {"narwhals", "pandas"},
    "formula_guard": {"formulaic"},
    "coding": {"formulaic", "pandas"},
    "factors": {"pandas"},
    "missing": {"pandas"},
    "formula": {"formulaic"},
    "preset_rules": {"formulaic"},
    "design": {"pandas"},
    "sources.parts": {"pyarrow"},
    "sources.dask": {"dask"},
    "column_plan": {"formulaic", "pandas"},
    "row_coder": {"pyarrow"},
    "learning": {"pandas", "pyarrow"},
    "text_types": {"pandas", "pyarrow"},
    "streamed": {"pyarrow"},
    "posterior.nuts": {"pymc", "pytensor"},
    "posterior.nuts_scales": {"pymc"},
    "posterior.scale_nuts": {"pymc"},
    "posterior.nuts_model": {"pymc"},
    "posterior.nuts_sampling": {"pymc"},
    "posterior.nuts_chains": {"arviz_stats"},
    "arviz_export": {"arviz"},
    "marginaleffects_export": {"pandas"},
    "cli_posterior": {"rich"},
    "frames": {"narwhals", "pandas"},
    "new_rows": {"pandas"},
    "render.html": {"jinja2", "markupsafe"},
    "render.template": {"jinja2", "markupsafe"},
    "render.terminal": {"rich"},
}

# Rooms built upon a package (base classes, declarations) have it at their top; `import bayeslogit` loads none of them.
AT_THE_TOP: dict[str, set[str]] = {
    "loops.compile": {"numba"},
    "figure_drawing": {"matplotlib"},
    "figures": {"matplotlib"},
    "estimator": {"sklearn"},
    "cli_options": {"typer"},
    "cli_fit": {"typer"},
    "cli_report": {"typer"},
    "cli_check": {"typer"},
    "cli_predict": {"typer"},
    "cli_datasets": {"typer"},
    "cli_demo": {"typer"},
    "cli_posterior": {"typer"},
    "cli_convert": {"typer"},
    "cli_path": {"typer"},
    "cli_compare": {"typer"},
    "cli_app": {"typer"},
}

LONGEST_FILE = 400


@dataclass(frozen=True)
class Import:
    """One import statement: which room has it, inside which function ("" = none), and the module that it names."""

    room: str
    function: str
    target: str
    line: int
    only_types: bool

    def __str__(self) -> str:
        where = f" in {self.function}()" if self.function else ""
        return f"{self.room}:{self.line}{where} imports {self.target}"


def room_of(path: Path, root: Path = ROOT) -> str:
    parts = list(path.relative_to(root).with_suffix("").parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def rooms() -> dict[str, Path]:
    return {room_of(path): path for path in sorted(ROOT.rglob("*.py"))}


def imports_of(room: str, path: Path, text: str, known: set[str]) -> Iterator[Import]:
    """Every import of a file; `from bayeslogit import solve` counts as the room solve."""
    package = room if path.name == "__init__.py" else room.rpartition(".")[0]

    def absolute(node: ast.ImportFrom) -> str:
        if not node.level:
            return node.module or ""
        here = ["bayeslogit", *package.split(".")] if package else ["bayeslogit"]
        base = here[: len(here) - node.level + 1]
        return ".".join([*base, *([node.module] if node.module else [])])

    def walk(node: ast.AST, function: str, only_types: bool) -> Iterator[Import]:
        for child in ast.iter_child_nodes(node):
            inside, types = function, only_types
            if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
                inside = child.name
            if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.dump(child.test):
                types = True
            if isinstance(child, ast.Import):
                for alias in child.names:
                    yield Import(room, function, alias.name, child.lineno, types)
            elif isinstance(child, ast.ImportFrom):
                module = absolute(child)
                for alias in child.names:
                    full = f"{module}.{alias.name}"
                    is_room = full.removeprefix("bayeslogit.") in known and module.startswith("bayeslogit")
                    yield Import(room, function, full if is_room else module, child.lineno, types)
            yield from walk(child, inside, types)

    yield from walk(ast.parse(text), "", False)


def place(room: str) -> tuple[int, int] | None:
    """Floor and position on it; a package named in the table stands for all its rooms."""
    for floor, names in enumerate(FLOORS):
        for candidate in (room, room.rpartition(".")[0]):
            if candidate and candidate in names:
                return floor, names.index(candidate)
    return None


def may_import(room: str, target: str) -> bool:
    """Whether a room may import another: a lower floor, its left on its own floor, or its own package."""
    here, there = place(room), place(target)
    if here is None or there is None:
        return False
    same_package = room.partition(".")[0] == target.partition(".")[0] and "." in f"{room}{target}"
    return there[0] < here[0] or (there[0] == here[0] and (there[1] < here[1] or same_package))


def all_imports() -> list[Import]:
    table = rooms()
    known = set(table)
    return [
        found
        for room, path in table.items()
        for found in imports_of(room, path, path.read_text(encoding="utf-8"), known)
    ]


def test_every_room_stands_in_the_floor_table():
    strangers = [room for room in rooms() if room and place(room) is None]
    assert not strangers, f"give these files a place in FLOORS (tests/test_layers.py): {', '.join(strangers)}"


def test_every_room_of_the_table_is_there_once():
    named = [room for floor in FLOORS for room in floor]
    assert sorted(set(named)) == sorted(named)
    gone = [room for room in named if room not in rooms()]
    assert not gone, f"FLOORS names files that are not there: {', '.join(gone)}"


def test_imports_go_down_or_left():
    wrong = []
    for found in all_imports():
        if not found.room or not found.target.startswith("bayeslogit"):
            continue  # the package itself gathers the public names
        target = found.target.removeprefix("bayeslogit").removeprefix(".")
        allowed = ENTRY_METHODS.get((found.room, found.function), set())
        if target not in allowed and not may_import(found.room, target):
            wrong.append(str(found))
    assert not wrong, "\n".join(wrong)


def test_exceptions_are_still_needed():
    seen = {
        (found.room, found.function, found.target.removeprefix("bayeslogit."))
        for found in all_imports()
        if found.target.startswith("bayeslogit.")
    }
    listed = {(room, function, target) for (room, function), targets in ENTRY_METHODS.items() for target in targets}
    assert listed - seen == set()


def test_packages_from_outside_stay_in_their_rooms():
    wrong = []
    for found in all_imports():
        package = found.target.partition(".")[0]
        if package in {"bayeslogit", "numpy", "scipy"} | sys.stdlib_module_names or found.only_types:
            continue
        allowed = (OUTSIDE if found.function else AT_THE_TOP).get(found.room, set())
        if package not in allowed:
            wrong.append(str(found))
    assert not wrong, "\n".join(wrong)


def test_no_file_is_longer_than_400_lines():
    lengths = {path.name: len(path.read_text(encoding="utf-8").splitlines()) for path in ROOT.rglob("*.py")}
    longer = {name: lines for name, lines in lengths.items() if lines > LONGEST_FILE}
    assert not longer, f"split these files: {longer}"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("from bayeslogit.solve import Mode", ["bayeslogit.solve"]),
        ("from bayeslogit import solve, table", ["bayeslogit.solve", "bayeslogit.table"]),
        ("def f():\n    from . import solve", ["bayeslogit.solve"]),
        ("class A:\n    def f(self):\n        import bayeslogit.solve as s", ["bayeslogit.solve"]),
        (
            "if x:\n    try:\n        from .posterior import laplace\n    except E: pass",
            ["bayeslogit.posterior.laplace"],
        ),
    ],
)
def test_the_reader_finds_imports_wherever_they_hide(text, expected):
    found = list(imports_of("target", ROOT / "target.py", text, {"solve", "table", "posterior", "posterior.laplace"}))
    assert [each.target for each in found] == expected


def test_the_rule_refuses_up_and_right():
    assert may_import("solve", "target")
    assert may_import("solve", "steps")
    assert not may_import("steps", "solve")
    assert not may_import("target", "solve")
    assert not may_import("target", "nowhere")
