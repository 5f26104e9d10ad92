"""Figures: what they say and at which numbers, harmless whatever things are called, and the same bytes each time."""

from __future__ import annotations

import io
import itertools
import math
import subprocess
import sys
import textwrap
from xml.etree import ElementTree

import matplotlib
import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text
from scipy import stats
from scipy.special import expit

import bayeslogit as bl
from bayeslogit import outlines
from bayeslogit.charts_fit import forest_chart, overlay_chart, prior_posterior_chart
from bayeslogit.charts_model import calibration_of, influence_of, left_out_probability, predictive_of, residuals_of
from bayeslogit.effect_curves import effect_curve
from bayeslogit.errors import ArgumentError, FitError, PriorError
from bayeslogit.marks import Band, Intervals, Line, Points
from bayeslogit.palette import DARK, LIGHT

HOSTILE = ("<script>alert(1)</script>", "$x_1$", "100 %", "データ", "a_b^c\\alpha", "x\ty\nz", "_hidden", '&amp; "q"')
SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def lbw():
    return bl.datasets.load("lbw")


@pytest.fixture(scope="module")
def fit(lbw):
    prior = bl.priors(default=bl.Normal(2.5), intercept=bl.Normal(5.0))
    return bl.fit("low ~ age + lwt + C(race) + smoke + smoke:lwt", lbw, prior=prior)


@pytest.fixture(scope="module")
def draws(fit):
    return fit.sample("importance", draws=1000, rng=1)


@pytest.fixture(scope="module")
def hostile():
    rng = np.random.default_rng(1)
    X = rng.normal(size=(120, len(HOSTILE)))
    y = (rng.random(120) < expit(X[:, 0])).astype(float)
    return bl.fit(bl.Design.from_arrays(X, y, names=list(HOSTILE)), prior=bl.Normal(1.0))


def texts_of(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.findobj(Text) if text.get_text()]


def settings() -> dict[str, str]:
    return {key: repr(dict.__getitem__(matplotlib.rcParams, key)) for key in matplotlib.rcParams}


@pytest.fixture(scope="module")
def everything(fit, draws):
    """One figure of each kind."""
    design = fit.design
    other = bl.fit(design, prior=bl.Laplace(0.3))
    before = settings()
    made = {
        "forest": bl.plot.forest(fit),
        "several": bl.plot.forest({"normal": fit, "laplace": other, "draws": draws}),
        "prior_posterior": bl.plot.prior_posterior(draws),
        "overlay": bl.plot.overlay(fit, draws),
        "path": bl.plot.path(bl.path(design, prior=bl.Normal(1.0), scales=[0.1, 1.0, 10.0])),
        "sensitivity": bl.plot.sensitivity(draws),
        "calibration": bl.plot.calibration(fit),
        "binned_residuals": bl.plot.binned_residuals(fit),
        "predictive": bl.plot.predictive(draws, draws=200),
        "influence": bl.plot.influence(fit),
        "effects": bl.plot.marginal_effects(draws, "lwt", by={"smoke": [0, 1]}),
        "levels": bl.plot.marginal_effects(draws, "race"),
        "prior_predictive": bl.plot.prior_predictive(fit, draws=200),
    }
    assert settings() == before
    return made


# --- every figure ------------------------------------------------------------------------------------------------


def test_every_figure_says_what_it_shows_and_touches_nothing(everything):
    before = settings()
    for name, figure in everything.items():
        assert isinstance(figure, Figure), name
        chart = figure.chart
        assert chart.table is chart.data
        assert chart.data.rows, name
        shown = "".join(texts_of(figure)).replace("\n", "").replace(" ", "")
        for words in (chart.title, chart.x.label, chart.y.label, *(layer.label for layer in chart.layers)):
            assert words.replace(" ", "") in shown, (name, words)
        assert figure.axes[0].get_xlim() == pytest.approx((chart.x.lower, chart.x.upper), rel=1e-12), name
        assert figure.get_facecolor()[3] == 0.0
        root = ElementTree.fromstring(figure.svg())
        assert root.get("role") == "img"
        said = {each.get("id"): each.text for each in root if each.get("id")}
        title, description = (said[key] for key in root.get("aria-labelledby").split())
        assert (title, description) == (chart.title, chart.description), name
        ElementTree.fromstring(chart.svg())
    assert settings() == before


def test_dark_figures_differ_by_their_colours_alone(fit):
    light, dark = bl.plot.forest(fit), bl.plot.forest(fit, dark=True)
    assert texts_of(light) == texts_of(dark)
    assert LIGHT.ink in light.svg()
    assert LIGHT.ink not in dark.svg()
    assert DARK.ink in dark.svg()


def test_nothing_loads_pyplot_and_two_processes_write_the_same_bytes(tmp_path):
    script = textwrap.dedent(
        """
        import sys, matplotlib, bayeslogit as bl
        if sys.argv[2] == "own":
            own = {"font.size": 20.0, "axes.grid": True, "lines.linewidth": 9.0, "svg.fonttype": "path"}
            matplotlib.rcParams.update(own)
        fit = bl.fit("low ~ age + lwt + C(race)", bl.datasets.load("lbw"), prior=bl.Normal(2.5))
        figure = bl.plot.forest(fit)
        for kind in ("svg", "pdf", "png"):
            figure.savefig(f"{sys.argv[1]}-forest.{kind}", dpi=50)
        bl.plot.calibration(fit).savefig(f"{sys.argv[1]}-calibration.svg")
        assert "matplotlib.pyplot" not in sys.modules
        assert sys.argv[2] != "own" or matplotlib.rcParams["font.size"] == 20.0
        """
    )
    for k, how in enumerate(("default", "own")):
        subprocess.run([sys.executable, "-c", script, str(tmp_path / str(k)), how], check=True, timeout=120)
    for name in ("forest.svg", "forest.pdf", "forest.png", "calibration.svg"):
        first, second = ((tmp_path / f"{k}-{name}").read_bytes() for k in (0, 1))
        assert first == second, name


def test_figures_are_saved_wherever_matplotlib_saves(fit, tmp_path):
    figure = bl.plot.forest(fit)
    figure.savefig(tmp_path / "a.svg")
    figure.savefig(str(tmp_path / "b"), format="svg")
    text = io.StringIO()
    figure.savefig(text, format="svg")
    assert (tmp_path / "a.svg").read_text("utf-8") == (tmp_path / "b").read_text("utf-8") == text.getvalue()
    assert "<dc:date>" not in text.getvalue()
    figure.savefig(tmp_path / "c.png", dpi=40)
    assert b"Coefficients with their intervals" in (tmp_path / "c.png").read_bytes()
    assert figure._repr_svg_() == text.getvalue()


def test_what_things_are_called_stays_text(hostile):
    figures = [
        bl.plot.forest(hostile),
        bl.plot.forest({name: hostile for name in HOSTILE}, terms=HOSTILE[:2]),
        bl.plot.prior_posterior(hostile),
        bl.plot.overlay(hostile, hostile, names=("$a$", "<b>")),
        bl.plot.marginal_effects(hostile, "$x_1$", by={HOSTILE[0]: [0.0, 1.0]}, title="<i>$t$</i>"),
        bl.plot.influence(hostile),
        bl.plot.path(bl.path(hostile.design, prior=bl.Normal(1.0), scales=[0.1, 1.0])),
    ]
    for figure in figures:
        for text in figure.findobj(Text):
            assert not text.get_parse_math()
            assert not text.get_usetex()
        for svg in (figure.svg(), figure.chart.svg()):
            assert "<script" not in svg
            root = ElementTree.fromstring(svg)
            assert not root.findall(f".//{SVG}script")
    shown = texts_of(figures[0])
    for name in HOSTILE:
        assert name.replace("\t", "\\t").replace("\n", "\\n") in shown
    legend = [text.get_text() for text in figures[1].legends[0].get_texts()]
    assert len(legend) == len(HOSTILE) + 1
    assert "$x_1$" in "".join(ElementTree.fromstring(figures[0].svg()).itertext())


def test_sixty_long_names_and_one_short_one():
    rng = np.random.default_rng(2)
    X = rng.normal(size=(300, 70))
    y = (rng.random(300) < expit(X[:, 0])).astype(float)
    names = [f"C(region)[T.a level number {i} with a name that nobody shortened at all]" for i in range(70)]
    wide = bl.fit(bl.Design.from_arrays(X, y, names=names), prior=bl.Normal(1.0))
    figure = bl.plot.forest(wide)
    labels = [text.get_text() for text in figure.axes[0].get_yticklabels()]
    assert len(labels) == 60
    assert all(label.count("\n") <= 1 for label in labels)
    assert any("10 of 70 rows are not drawn" in text for text in texts_of(figure))
    assert len(figure.chart.table.rows) == 70
    figure.draw_without_rendering()
    boxes = [text.get_window_extent() for text in figure.axes[0].get_yticklabels()]
    assert all(box.x0 >= 0.0 for box in boxes)
    assert all(upper.y0 >= lower.y1 - 2.0 for upper, lower in itertools.pairwise(boxes))
    one = bl.fit(bl.Design.from_arrays(X[:, :1], y, names=["x"]), prior=bl.Normal(1.0))
    assert [text.get_text() for text in bl.plot.forest(one).axes[0].get_yticklabels()] == ["x"]
    heights = [point[1] for point in points_of(bl.plot.prior_posterior(one).chart.svg())]
    assert max(heights) - min(heights) > 20.0  # a density in the only row is not flat


def points_of(svg: str) -> list[tuple[float, float]]:
    paths = [e for e in ElementTree.fromstring(svg).iter(f"{SVG}path") if "hue" in (e.get("class") or "")]
    return [tuple(map(float, pair.split())) for e in paths for pair in e.get("d").lstrip("M").split(" L")]


def test_legends_notes_and_axes_do_not_cover_each_other(everything):
    for name, figure in everything.items():
        bottom = min(axes.get_tightbbox().y0 for axes in figure.axes)
        notes = [t.get_window_extent() for t in figure.texts if t is not figure._suptitle]
        top = max((box.y1 for box in notes), default=0.0)
        for legend in figure.legends:
            box = legend.get_window_extent()
            assert box.y1 <= bottom + 1.0, name
            assert box.y0 >= top - 1.0, name
            assert box.x1 <= figure.bbox.width + 1.0, name
        assert top <= bottom + 1.0, name
        assert all(axes.get_tightbbox().x1 <= figure.bbox.width + 1.0 for axes in figure.axes), name


def test_sizes_and_titles(fit):
    assert bl.plot.forest(fit, size=5).get_figwidth() == 5.0
    assert tuple(bl.plot.forest(fit, size=(4, 3)).get_size_inches()) == (4.0, 3.0)
    assert bl.plot.forest(fit, title="Mine")._suptitle.get_text() == "Mine"
    untitled = bl.plot.forest(fit, title="")
    assert untitled._suptitle is None
    assert untitled.chart.title in untitled.svg()
    for size in (0, (1, 2, 3), (5, -1)):
        with pytest.raises(ArgumentError, match="give a width in inches"):
            bl.plot.forest(fit, size=size)


def machado(colors: tuple[str, ...], matrix) -> np.ndarray:
    """CIELAB of colours as seen under a matrix of Machado, Oliveira and Fernandes (2009)."""
    srgb = np.array([[int(c[i : i + 2], 16) / 255 for i in (1, 3, 5)] for c in colors])
    linear = np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)
    seen = np.clip(linear @ np.array(matrix).T, 0.0, 1.0)
    xyz = seen @ np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]).T
    f = np.where((r := xyz / [0.9505, 1.0, 1.089]) > 0.008856, np.cbrt(r), 7.787 * r + 16 / 116)
    return np.stack([116 * f[:, 1] - 16, 500 * (f[:, 0] - f[:, 1]), 200 * (f[:, 1] - f[:, 2])], axis=1)


@pytest.mark.parametrize("palette", [LIGHT, DARK], ids=["light", "dark"])
@pytest.mark.parametrize(
    "matrix",
    [
        np.eye(3),
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
        [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
    ],
    ids=["normal", "protan", "deutan", "tritan"],
)
def test_hues_can_be_told_apart(palette, matrix):
    lab = machado(palette.hues, matrix)
    distance = np.linalg.norm(lab[:, None] - lab[None], axis=2) + 1e9 * np.eye(8)
    assert distance[:6, :6].min() >= 13.0
    assert distance.min() >= 7.0


# --- coefficients ------------------------------------------------------------------------------------------------


def test_a_forest_has_the_numbers_of_the_fit(fit, draws):
    for source in (fit, draws):
        chart = forest_chart(source, per="unit", prob=0.8)
        names = [name for name in fit.columns if name != "Intercept"]
        ends = source.conf_int(0.8).loc[names]
        middle = (source.params if source is fit else source.quantile(0.5)).loc[names]
        assert chart.table.column("term") == tuple(names)
        assert np.allclose(chart.table.column("estimate"), middle, rtol=1e-12)
        assert np.allclose(chart.table.column("lower"), ends["lower"], rtol=1e-12)
        assert np.allclose(chart.table.column("upper"), ends["upper"], rtol=1e-12)
        assert np.allclose(chart.table.column("prior_upper"), 2.5 * stats.norm.ppf(0.9), rtol=1e-9)
    drawn = bl.plot.forest(fit, per="unit").axes[0].collections
    offsets = next(c.get_offsets() for c in drawn if len(c.get_offsets()) == len(names))
    assert np.allclose(offsets[:, 0], fit.params.loc[names])


def test_terms_steps_and_labels(fit):
    chart = forest_chart(fit, terms=["smoke", "C(race)"], labels={"smoke": "Smoker"}, per="unit")
    assert chart.rows[0].label == "Smoker"
    assert set(chart.table.column("term")[1:]) == {n for n in fit.columns if n.startswith("C(race)")}
    ten = forest_chart(fit, terms=["lwt"], per={"lwt": -10})
    assert ten.rows[0].label == "lwt (per -10)"
    assert ten.table.column("estimate")[0] == pytest.approx(-10 * fit.params["lwt"])
    assert ten.table.column("lower")[0] < ten.table.column("upper")[0]
    sd = forest_chart(fit, terms=["lwt"], per="sd")
    assert sd.table.column("estimate")[0] == pytest.approx(
        fit.params["lwt"] * fit.design.column_sds[fit.columns.index("lwt")]
    )
    assert "per sd" in forest_chart(fit).x.label  # spreads of 30 and 0.5


def test_odds_ratios_stand_at_their_logarithms(fit):
    plain, ratio = forest_chart(fit, per="unit"), forest_chart(fit, per="unit", exponentiate=True)
    assert ratio.top is None
    assert ratio.x.label.startswith("odds ratio per unit")
    for position, text in ratio.x.ticks:
        assert math.exp(position) == pytest.approx(float(text), rel=1e-9)
    assert ratio.layers == plain.layers


def test_several_fits_stand_side_by_side_and_may_lack_terms(fit, lbw):
    small = bl.fit("low ~ age + smoke", lbw, prior=bl.Normal(1.0))
    chart = forest_chart({"all": fit, "few": small}, per="unit")
    rows = chart.table.records()
    assert {row["fit"] for row in rows} == {"all", "few"}
    found = {(row["term"], row["fit"]): row["estimate"] for row in rows}
    assert found["age", "few"] == pytest.approx(small.params["age"])
    assert math.isnan(found["lwt", "few"])
    points = [layer for layer in chart.layers if isinstance(layer, Points)]
    assert [layer.label for layer in points] == ["all", "few"]
    assert len(points[1].x) == 2
    comparison = bl.compare({"a": fit, "b": bl.fit(fit.design, prior=bl.Normal(0.5))})
    assert {row["fit"] for row in forest_chart(comparison).table.records()} == {"a", "b"}
    alike = forest_chart(fit, fit)
    assert {row["fit"] for row in alike.table.records()} == {fit.prior.name, f"{fit.prior.name} (2)"}


def test_an_overlay_says_how_far_apart_two_posteriors_are(fit, draws):
    chart = overlay_chart(draws, fit, terms=["lwt", "smoke"], per="unit")
    for name, row in zip(("lwt", "smoke"), chart.rows, strict=True):
        shift = (draws.mean[name] - fit.params[name]) / fit.bse[name]
        assert row.value == f"{shift:+.2f}; {draws.sd[name] / fit.bse[name]:.2f}"
    lines = [layer for layer in chart.layers if isinstance(layer, Line)]
    assert [line.label for line in lines if line.label] == ["importance", "Gaussian at the mode"]
    peak = lines[2].x[int(np.argmin(lines[2].y))]
    assert peak == pytest.approx(fit.params["lwt"], abs=0.05 * fit.bse["lwt"])
    assert all(line.dashed for line in lines)


def test_prior_and_posterior_share_the_scale_of_a_row(fit):
    chart = prior_posterior_chart(fit, terms=["smoke"], per="unit")
    rows = chart.table.records()
    prior = [(r["at"], r["height"]) for r in rows if r["density"] == "prior"]
    posterior = [(r["at"], r["height"]) for r in rows if r["density"] != "prior"]
    assert np.allclose([h for _, h in prior], stats.norm(0, 2.5).pdf([x for x, _ in prior]), rtol=1e-9)
    expected = stats.norm(fit.params["smoke"], fit.bse["smoke"]).pdf([x for x, _ in posterior])
    assert np.allclose([h for _, h in posterior], expected, rtol=1e-9)
    assert max(h for _, h in posterior) > max(h for _, h in prior)
    bands = [layer for layer in chart.layers if isinstance(layer, Band)]
    assert {band.style for band in bands} == {"muted", "h0"}
    flat = prior_posterior_chart(bl.fit(fit.design, prior=None), terms=["smoke"])
    assert flat.notes == ("No prior density to draw (flat, or of the whole model): smoke.",)


def test_what_cannot_be_drawn_is_refused(fit, lbw):
    with pytest.raises(ArgumentError, match=r"plot.forest\(DataFrame, ...\): a fit is needed"):
        bl.plot.forest(lbw)
    with pytest.raises(ArgumentError, match="no column 'height'; there are Intercept, age"):
        bl.plot.forest(fit, terms=["height"])
    with pytest.raises(ArgumentError, match=r"labels=...\): no columns hight here"):
        bl.plot.forest(fit, labels={"hight": "Height"})
    with pytest.raises(ArgumentError, match="all in one mapping"):
        bl.plot.forest({"a": fit}, fit)
    with pytest.raises(ArgumentError, match="two names are needed"):
        bl.plot.overlay(fit, fit, names=("a",))
    with pytest.raises(ArgumentError, match=r"what bayeslogit\.path returns is needed"):
        bl.plot.path(fit)
    with pytest.raises(ArgumentError, match="a Chart is needed"):
        bl.plot.figure(fit)
    with pytest.raises(PriorError, match="flat"):
        bl.plot.prior_predictive(bl.fit(fit.design, prior=bl.Normal(1.0)))
    with pytest.raises(ArgumentError, match="no variable of this model"):
        bl.plot.marginal_effects(fit, "C(race)")
    with pytest.raises(ArgumentError, match="different ones"):
        bl.plot.marginal_effects(fit, "lwt", at={"lwt": 1.0})
    with pytest.raises(ArgumentError, match="bins need a column of numbers"):
        bl.plot.binned_residuals(fit, by="race")


def test_a_loaded_fit_draws_what_it_can(fit, tmp_path):
    fit.to_json(tmp_path / "fit.json")
    loaded = bl.load(tmp_path / "fit.json")
    assert forest_chart(loaded, per="unit").table.rows == forest_chart(fit, per="unit").table.rows
    with pytest.raises(FitError, match=r"plot.calibration\(\) needs the data"):
        bl.plot.calibration(loaded)


# --- outlines ----------------------------------------------------------------------------------------------------


def test_the_kernel_estimate_is_the_textbook_one():
    rng = np.random.default_rng(3)
    values, log_weights = rng.normal(1.0, 2.0, 4000), rng.normal(size=4000) * 0.3
    at = np.linspace(-6.0, 8.0, 50)
    found = outlines.kernel_density(values, log_weights, at)
    w = np.exp(log_weights) / np.exp(log_weights).sum()
    sd = math.sqrt(w @ (values - w @ values) ** 2)
    order = np.argsort(values)
    quarters = np.interp([0.25, 0.75], np.cumsum(w[order]) - 0.5 * w[order], values[order])
    width = 1.06 * min(sd, (quarters[1] - quarters[0]) / 1.34) * (1 / np.sum(w**2)) ** -0.2
    exact = stats.norm.pdf((at[:, None] - values) / width) @ w / width
    assert np.allclose(found, exact, atol=1e-3 * exact.max())
    assert np.allclose(found, stats.norm(1.0, 2.0).pdf(at), atol=0.015)


@pytest.mark.parametrize(
    ("prior", "density"),
    [
        (bl.Normal(2.0, mean=0.5), stats.norm(0.5, 2.0)),
        (bl.Laplace(0.7), stats.laplace(0.0, 0.7)),
        (bl.StudentT(4, 1.5), stats.t(4, 0.0, 1.5)),
        (bl.Cauchy(2.5), stats.cauchy(0.0, 2.5)),
    ],
    ids=["normal", "laplace", "student", "cauchy"],
)
def test_prior_densities_are_those_of_their_families(prior, density):
    X = np.random.default_rng(4).normal(size=(40, 2))
    design = bl.Design.from_arrays(X, (X[:, 0] > 0).astype(float), names=["a", "b"])
    at = np.linspace(-4.0, 4.0, 33)
    assert np.allclose(outlines.prior_density(prior.resolve(design), 2, at), density.pdf(at), rtol=1e-9)
    assert outlines.prior_density(prior.resolve(design), 0, at) is None  # a flat intercept


def test_joint_and_group_priors_have_marginals():
    X = np.random.default_rng(5).normal(size=(40, 2))
    design = bl.Design.from_arrays(X, (X[:, 0] > 0).astype(float), names=["a", "b"])
    at = np.linspace(-4.0, 4.0, 33)
    cov = np.array([[2.0, 0.9], [0.9, 1.0]])
    joint = bl.MultivariateNormal(mean=[0.5, -1.0], cov=cov, columns=["a", "b"])
    found = outlines.prior_density(joint.resolve(design), 2, at)
    assert np.allclose(found, stats.norm(-1.0, 1.0).pdf(at), rtol=1e-6)
    # A vector of density exp(-|b| / s): its length is Gamma(2, s), and its direction uniform.
    group = outlines.prior_density(bl.GroupLaplace(0.8, groups=[["a", "b"]]).resolve(design), 1, at)
    radius = np.linspace(0.0, 40.0, 200_001)
    exact = [np.trapezoid(np.exp(-np.hypot(a, radius) / 0.8), radius) * 2 / (2 * np.pi * 0.8**2) for a in at]
    assert np.allclose(group, exact, rtol=1e-6)


def test_the_posterior_on_a_lattice_is_outlined_by_its_distribution():
    rng = np.random.default_rng(6)
    x = rng.normal(size=60)
    y = (rng.random(60) < expit(x)).astype(float)
    fit = bl.fit(bl.Design.from_arrays(x[:, None], y, names=["x"], intercept=False), prior=bl.Normal(1.0))
    draws = fit.sample("auto", nuts=False)
    found = outlines.posterior_outline(draws.rung, 0)
    eta = found.x[:, None] * x
    log = (y * eta - np.logaddexp(0.0, eta)).sum(axis=1) - 0.5 * found.x**2
    exact = np.exp(log - log.max())
    exact /= np.trapezoid(exact, found.x)
    assert np.allclose(found.density, exact, atol=(0.02 if draws.method == "quadrature" else 0.06) * exact.max())


def test_prior_histograms_count_probabilities(fit):
    values = np.random.default_rng(7).normal(size=(50, len(fit.columns))) * 0.02
    found = outlines.prior_histograms(values, fit.design, bins=10)
    X = np.concatenate([b.X.toarray() for b in fit.design.source.blocks()])
    p = expit(values @ X.T)
    assert np.allclose(found.probabilities, np.histogram(p, 10, (0, 1))[0] / p.size)
    assert np.allclose(found.rates, np.histogram(p.mean(axis=1), 10, (0, 1))[0] / 50)
    assert found.extreme == pytest.approx(float(np.mean((p < 0.01) | (p > 0.99))))
    assert found.median == pytest.approx(float(np.median(p.mean(axis=1))))


# --- probabilities -----------------------------------------------------------------------------------------------


def test_an_effect_curve_moves_the_variable_and_averages_over_rows(fit, draws, lbw):
    curve = effect_curve(draws, "lwt", values=[100.0, 150.0], prob=0.9)
    for k, value in enumerate((100.0, 150.0)):
        rows = fit.spec.rows(lbw.assign(lwt=value)).toarray()
        p = expit(draws.values @ rows.T).mean(axis=1)
        assert curve.mean[0, k] == pytest.approx(p.mean(), rel=1e-12)
        assert [curve.lower[0, k], curve.upper[0, k]] == pytest.approx(np.quantile(p, [0.05, 0.95]), rel=1e-12)
    person = {"age": 25, "race": "white"}
    held = effect_curve(draws, "lwt", at=person, by={"smoke": [0, 1]}, values=[120.0])
    for g in (0, 1):
        rows = fit.spec.rows(lbw.iloc[:1].assign(lwt=120.0, smoke=g, **person)).toarray()
        p = expit(draws.values @ rows.T)[:, 0]
        assert held.mean[g, 0] == pytest.approx(p.mean(), rel=1e-12)
    assert held.groups == ("smoke = 0", "smoke = 1")
    assert "at age = 25, race = white" in held.how


def test_a_factor_has_its_levels_and_a_number_its_range(draws, lbw):
    levels = effect_curve(draws, "race")
    assert levels.values == tuple(sorted(lbw["race"].unique()))
    chart = levels.chart("Ethnicity")
    assert [row.label for row in chart.rows] == list(levels.values)
    assert any(isinstance(layer, Intervals) for layer in chart.layers)
    number = effect_curve(draws, "lwt")
    assert (number.values[0], number.values[-1]) == (lbw["lwt"].min(), lbw["lwt"].max())
    assert len(number.values) == 41
    assert number.chart().strip.heights == tuple(map(float, np.histogram(lbw["lwt"], 40)[0]))
    assert effect_curve(draws, "smoke").values == (0.0, 1.0)


def test_checks_of_a_fit_use_its_predictions(fit, draws, lbw):
    for source in (fit, draws):
        p = np.asarray(source.predict()["probability"])
        found, chart = calibration_of(source)
        assert np.array_equal(found.predicted, np.unique(p))
        assert "somewhat too good" in chart.notes[-1]
        bins, _ = residuals_of(source, bins=5)
        assert bins.residual @ bins.count == pytest.approx(float(np.sum(lbw["low"] - p)), abs=1e-9)
    by_age, chart = residuals_of(fit, by="age", bins=4)
    assert by_age.by == chart.x.label == "age"
    statistics, _ = predictive_of(draws, by=["smoke"], draws=50)
    assert "event rate: smoke = 1" in statistics.names
    rate = lbw.loc[lbw["smoke"] == 1, "low"].mean()
    assert statistics.observed[statistics.names.index("event rate: smoke = 1")] == pytest.approx(rate)
    assert "event rate: race = black" in predictive_of(draws, draws=50)[0].names


def test_leave_one_out_probabilities_are_those_of_refits(fit, lbw):
    prior = bl.priors(default=bl.Normal(2.5), intercept=bl.Normal(5.0))
    p = left_out_probability(fit.design, fit.loo())
    for i in (0, 50, 188):
        again = bl.fit("low ~ age + lwt + C(race) + smoke + smoke:lwt", lbw.drop(index=lbw.index[i]), prior=prior)
        again = again.sample("importance", draws=2000)
        assert p[i] == pytest.approx(float(again.predict(lbw.iloc[[i]])["probability"].iloc[0]), abs=0.004)
    p = left_out_probability(fit.design, fit.loo(kind="mode"))
    y = lbw["low"].to_numpy()
    inside = np.asarray(fit.predict(kind="mode")["probability"])
    assert np.all(np.where(y == 1, p <= inside, p >= inside))  # leaving a row out never helps it
    _, chart = calibration_of(fit, loo=fit.loo(refits=0))
    assert "leave-one-out" in chart.notes[-1]
    grouped = bl.Design.from_arrays(np.arange(4.0)[:, None], np.array([1.0, 2, 2, 4]), trials=np.full(4, 5.0))
    with pytest.raises(ArgumentError, match="no one leave-one-out probability"):
        left_out_probability(grouped, bl.fit(grouped, prior=bl.Normal(1.0)).loo(refits=0))


def test_influence_takes_pareto_k_from_draws(fit, draws):
    found, chart = influence_of(draws)
    assert np.isfinite(found.pareto_k).all()
    assert chart.x.label == "Pareto k"
    plain, chart = influence_of(fit)
    assert chart.x.label == "leverage"
    assert np.allclose(plain.leverage, fit.augment()["leverage"])
    named = [layer.text for layer in chart.layers if type(layer).__name__ == "Note"]
    assert named == [plain.labels[i] for i in plain.order[:5]]
