"""Bad input as a table: what is given, which error it is, and words that name the object and what to do.

Below the table every argument of every public function is replaced in turn by what it cannot be: nothing but the
errors of `bayeslogit.errors` may come out, and no warning of NumPy.
"""

from __future__ import annotations

import ast
import inspect
import os
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import bayeslogit as bl
from bayeslogit import plot
from bayeslogit.boundary import short
from bayeslogit.cli import run
from bayeslogit.cli_app import app
from bayeslogit.errors import (
    ArgumentError,
    BayeslogitError,
    DataError,
    FileFormatError,
    FitError,
    FitWarning,
    FormulaError,
    PriorError,
)
from bayeslogit.estimator import BayesianLogisticRegression, BayesianLogisticRegressionCV

N = 40
_rng = np.random.default_rng(5)
X = _rng.normal(size=(N, 2))
Y = (_rng.random(N) < 0.5).astype(float)
FRAME = pd.DataFrame({"y": Y, "x": X[:, 0], "z": X[:, 1], "g": list("abcd" * 10), "n": 3, "w": 1.0})
FORMULA = "y ~ x + z"
PRIOR = bl.Normal(1.0)
NAN, INF, HUGE = float("nan"), float("inf"), 10**400
DESIGN = bl.Design.from_formula(FORMULA, FRAME)
FIT = bl.fit(DESIGN, prior=PRIOR)
DRAWS = FIT.sample("laplace", draws=60, rng=1)
PATH = bl.path(DESIGN, prior=bl.Laplace(1.0), scales=4)
TABLE = FIT.summary()
CHART = PATH.figure()
TO_MATPLOTLIB = CHART.to_matplotlib
SITE = bl.site_summary(DESIGN, site="north")


def put(**columns):
    return FRAME.assign(**columns)


def array(X=X, y=Y, **given):
    return bl.Design.from_arrays(X, y, **given)


def with_value(values, row, value):
    changed = np.array(values, dtype=float)
    changed[row] = value
    return changed


def formula(text=FORMULA, frame=FRAME, **given):
    return bl.Design.from_formula(text, frame, **given)


A, D, F, FF, FI, P = ArgumentError, DataError, FormulaError, FileFormatError, FitError, PriorError
HERE = str  # a path under the test's own folder

ROWS = [
    # --- formulas and frames
    ("no column", lambda: formula("y ~ nope"), D, "no column 'nope'"),
    ("no outcome", lambda: formula("nope ~ x"), D, "no column 'nope'"),
    ("no tilde", lambda: formula("x + z"), F, "outcome"),
    ("empty formula", lambda: formula(""), F, "formula"),
    ("two outcomes", lambda: formula("y + w ~ x"), F, "outcome"),
    ("formula is a number", lambda: formula(3), A, "formula=3: a text is needed"),
    ("code in a formula", lambda: formula("y ~ __import__('os').getpid()"), F, "a formula is data, not code"),
    ("lambda in a formula", lambda: formula("y ~ (lambda: 1)()"), D, "no column 'lambda'"),
    ("attribute in a formula", lambda: formula("y ~ x.real"), D, "no column 'x.real'"),
    ("frame is None", lambda: bl.fit(FORMULA, None), A, "a formula needs data"),
    ("frame is a number", lambda: formula(frame=3), D, "data frame"),
    ("frame is a list", lambda: formula(frame=[1, 2]), D, "data frame"),
    ("model is an array", lambda: bl.fit(X, Y), A, "Design.from_arrays"),
    ("data beside a design", lambda: bl.fit(DESIGN, FRAME), A, "belong(s) to the design"),
    ("no rows", lambda: formula(frame=FRAME.head(0)), D, "no rows"),
    ("missing value", lambda: formula(frame=put(x=with_value(X[:, 0], 3, NAN))), D, "missing"),
    ("infinite value", lambda: formula(frame=put(x=with_value(X[:, 0], 3, INF))), D, "values must be finite"),
    ("missing outcome", lambda: formula(frame=put(y=with_value(Y, 3, NAN))), D, "missing"),
    ("mixed types", lambda: formula(frame=put(x=[1, "a"] * 20)), D, "'x'"),
    ("numbers as text", lambda: formula("y ~ x", put(x=[str(v) for v in X[:, 0]])), D, "numbers as text"),
    ("dates", lambda: formula("y ~ x", put(x=pd.date_range("2020", periods=N))), D, "'x'"),
    ("complex numbers", lambda: formula("y ~ x", put(x=X[:, 0] * 1j)), D, "'x'"),
    ("objects", lambda: formula("y ~ x", put(x=[object()] * N)), D, "'x'"),
    ("huge whole numbers", lambda: formula("y ~ x", put(x=[10**400, *range(N - 1)])), D, "'x'"),
    ("squares overflow", lambda: formula("y ~ x", put(x=X[:, 0] * 1e200)), D, "Give it a smaller unit"),
    ("squares vanish", lambda: formula("y ~ x", put(x=X[:, 0] * 1e-200)), D, "Give it a larger unit"),
    ("repeated names", lambda: formula(frame=FRAME.set_axis(["y", "x", "x", "z", "g", "w"], axis=1)), D, "more than"),
    ("unequal columns", lambda: formula(frame={"y": [0, 1], "x": [1.0]}), D, "length"),
    ("empty dict", lambda: formula(frame={}), D, "no rows"),
    ("one level", lambda: formula("y ~ g", put(g="a")), D, "single level"),
    ("identifier as a factor", lambda: formula("y ~ g", put(g=[f"id{k}" for k in range(N)])), D, "levels in"),
    ("factor of 5,000 levels by itself", lambda: wide_factor(), D, "more than can be held"),
    ("polynomial of degree 10000", lambda: formula("y ~ poly(x, 10000)"), F, "a whole number up to 100"),
    ("spline of 5000", lambda: formula("y ~ bs(x, df=5000)"), F, "a whole number up to 100"),
    ("unicode column is missing", lambda: formula("y ~ größe"), D, "größe"),
    ("missing= unknown", lambda: formula(missing="ignore"), A, "'raise' an error or are dropped"),
    ("survey weights", lambda: formula(weight_type="survey"), A, "only 'frequency' weights"),
    ("stream a frame", lambda: formula(stream=True), A, "no file or folder"),
    # --- outcomes, trials, weights, offsets
    ("three classes", lambda: formula(frame=put(y=[0, 1, 2, 1] * 10)), D, "not two-valued"),
    ("three classes as text", lambda: formula(frame=put(y=list("abca" * 10))), D, "not two-valued"),
    ("one class as text", lambda: formula(frame=put(y="a")), D, "'y'"),
    ("event is no level", lambda: formula(frame=put(y=list("abab" * 10)), event="c"), D, "no level 'c'"),
    ("event is a list", lambda: formula(frame=put(y=list("abab" * 10)), event=[["a"], "b"]), D, "no level"),
    ("trials below successes", lambda: formula(frame=put(y=4), trials="n"), D, "successes out of"),
    ("trials of zero", lambda: formula(frame=put(n=0), trials="n"), D, "whole number of at least 1"),
    ("trials of 1.5", lambda: formula(frame=put(n=1.5), trials="n"), D, "whole number of at least 1"),
    ("proportions", lambda: formula(frame=put(y=0.5), trials="n"), D, "Proportions must be multiplied"),
    ("event with trials", lambda: formula(trials="n", event=1), D, "has no meaning with trials="),
    ("negative weight", lambda: formula(weights=with_value(np.ones(N), 2, -1.0)), D, "is negative"),
    ("weights of zero", lambda: formula(weights=np.zeros(N)), D, "All weights are zero"),
    ("infinite weight", lambda: formula(weights=with_value(np.ones(N), 2, INF)), D, "not a finite number"),
    ("text weights", lambda: array(weights=["a"] * N), D, "weights must be numbers"),
    ("huge weight", lambda: array(weights=[HUGE] * N), D, "weights must be numbers"),
    ("weights too short", lambda: array(weights=np.ones(3)), D, "one number for each of the 40 rows"),
    ("weights unknown", lambda: formula(weights="nope"), D, "nope"),
    ("offset is NaN", lambda: array(offset=with_value(np.zeros(N), 0, NAN)), D, "offset: the value nan in row 0"),
    ("offset too long", lambda: array(offset=np.zeros(N + 1)), D, "offset has shape (41,)"),
    ("outcome as trials", lambda: formula(trials="y"), D, "trials"),
    # --- arrays
    ("X is one column", lambda: array(X[:, 0]), D, "X.reshape(-1, 1) for one column"),
    ("X is three-dimensional", lambda: array(X[:, :, None]), D, "two dimensions"),
    ("X is text", lambda: array(np.full((N, 2), "a")), D, "number"),
    ("X is complex", lambda: array(X * 1j), D, "X"),
    ("X is empty", lambda: array(np.zeros((0, 2)), []), D, "X has no rows"),
    ("X and y disagree", lambda: array(X, Y[:5]), D, "y has shape (5,), X has 40 rows"),
    ("X is NaN", lambda: array(with_value(X, (3, 1), NAN)), D, "not finite"),
    ("y is ragged", lambda: array(X, [[1, 2], [3]]), D, "rows of different lengths"),
    ("y is two columns", lambda: array(X, np.ones((N, 2))), D, "y has shape (40, 2)"),
    ("y is missing", lambda: array(X, [None] * N), D, "outcomes are missing"),
    ("names too few", lambda: array(names=["a"]), D, "name"),
    ("names twice", lambda: array(names=["a", "a"]), D, "names must differ"),
    ("names in a set", lambda: array(names={"a", "b"}), A, "a list is needed"),
    ("names is a flag", lambda: array(names=True), A, "names=True: a list is needed"),
    ("a column named Intercept", lambda: array(names=["Intercept", "b"]), D, "Intercept"),
    ("intercept= is text", lambda: array(intercept="no"), A, "intercept='no': True or False is needed"),
    ("groups too short", lambda: DESIGN.group_codes([1, 2]), D, "the design has 40 rows"),
    ("groups are ragged", lambda: DESIGN.group_codes([[1, 2], [3]]), D, "rows of different lengths"),
    # --- priors
    *[(f"Normal({v!r})"[:20], lambda v=v: bl.Normal(v), P, "positive finite number") for v in (0, -1, NAN, INF, "1")],
    *[
        (
            f"{family.__name__}, scale {v}",
            lambda family=family, v=v: family(v),
            P,
            "scale must be a positive finite number",
        )
        for family in (bl.Laplace, bl.Cauchy, bl.GroupLaplace, bl.HalfNormal)
        for v in (0, -1, NAN, INF)
    ],
    *[
        (
            f"{family.__name__}, {a} and {b}",
            lambda family=family, a=a, b=b: family(a, b),
            P,
            "must be a positive finite",
        )
        for family in (bl.StudentT, bl.HalfT)
        for a, b in ((0, 1), (-1, 1), (NAN, 1), (INF, 1), (3, 0), (3, -1), (3, NAN), (3, INF))
    ],
    ("Normal(huge)", lambda: bl.Normal(HUGE), P, "positive finite number"),
    ("Normal(1e200)", lambda: bl.Normal(1e200), P, "rescale the column"),
    ("Normal(mean)", lambda: bl.Normal(1.0, mean=NAN), P, "mean must be a finite number"),
    ("Laplace(None)", lambda: bl.Laplace(None), P, "positive finite number"),
    ("Cauchy(-2)", lambda: bl.Cauchy(-2), P, "positive finite number"),
    ("StudentT df 0", lambda: bl.StudentT(0, 1), P, "df must be"),
    ("StudentT df -1", lambda: bl.StudentT(-1, 1), P, "df must be"),
    ("StudentT df NaN", lambda: bl.StudentT(NAN, 1), P, "df must be"),
    ("ElasticNet", lambda: bl.ElasticNet(l1=-1, l2=1), P, "l1"),
    ("ElasticNet of nothing", lambda: bl.ElasticNet(l1=0, l2=0), P, "l1"),
    ("covariance is indefinite", lambda: normals(cov=[[1, 2], [2, 1]]), P, "not positive definite"),
    ("covariance is lopsided", lambda: normals(cov=[[1, 0.5], [0, 1]]), P, "not symmetric"),
    ("covariance too large", lambda: normals(cov=np.eye(3)), P, "has shape (3, 3), the mean needs (2, 2)"),
    ("covariance is NaN", lambda: normals(cov=np.full((2, 2), NAN)), P, "not finite"),
    ("covariance is text", lambda: normals(cov="a"), P, "matrix of numbers"),
    ("covariance and precision", lambda: normals(cov=np.eye(2), precision=np.eye(2)), P, "exactly one"),
    ("columns are a flag", lambda: normals(cov=np.eye(2), columns=True), P, "names of columns are needed"),
    ("columns twice", lambda: normals(cov=np.eye(2), columns=("x", "x")), P, "MultivariateNormal"),
    ("GroupLaplace(0)", lambda: bl.GroupLaplace(0), P, "positive finite number"),
    ("GroupLaplace groups", lambda: bl.GroupLaplace(1, groups=None), P, "lists of column names"),
    ("Hierarchical toward", lambda: bl.Hierarchical(toward="one"), P, "'zero', or 'mean'"),
    ("Hierarchical per", lambda: bl.Hierarchical(per=[]), P, "'unit'"),
    ("Horseshoe scale", lambda: bl.Horseshoe(global_scale=0), P, "global_scale must be"),
    ("HalfNormal(-1)", lambda: bl.HalfNormal(-1), P, "positive finite number"),
    ("HalfT df", lambda: bl.HalfT(0, 1), P, "df must be"),
    ("unknown term", lambda: bl.fit(DESIGN, prior=bl.priors(terms={"nope": PRIOR})), P, "does not have"),
    ("terms is a list", lambda: bl.priors(terms=[("x", 1)]), P, "must map term names to priors"),
    ("a number as prior", lambda: bl.priors(default=2.5), P, "prior"),
    ("prior is a number", lambda: bl.fit(DESIGN, prior=2.5), P, "prior"),
    ("prior is a class", lambda: bl.fit(DESIGN, prior=bl.Normal), P, "Normal"),
    ("unknown preset", lambda: bl.preset("rstanram"), P, "rstanarm"),
    ("preset is None", lambda: bl.preset(None), A, "name=None: a text is needed"),
    ("resolve nothing", lambda: PRIOR.resolve(None), A, "a bayeslogit.Design is needed"),
    ("sample a flat prior", lambda: bl.Flat().sample(DESIGN, 5), P, "flat"),
    # --- fits
    ("tol of 0", lambda: bl.fit(DESIGN, prior=PRIOR, tol=0), A, "tol"),
    ("tol NaN", lambda: bl.fit(DESIGN, prior=PRIOR, tol=NAN), A, "tol"),
    ("max_iter of 0", lambda: bl.fit(DESIGN, prior=PRIOR, max_iter=0), A, "max_iter"),
    ("max_iter 2.0", lambda: bl.fit(DESIGN, max_iter=2.0), A, "a whole number is needed: write max_iter=2"),
    ("max_iter huge", lambda: bl.fit(DESIGN, max_iter=HUGE), A, "below 2^53"),
    ("covariance unknown", lambda: bl.fit(DESIGN, covariance="full"), A, "it is 'exact', or 'none'"),
    ("labels is a list", lambda: bl.fit(DESIGN, labels=["x"]), A, "a mapping such as a dict is needed"),
    ("label of nothing", lambda: bl.fit(DESIGN, labels={"nope": "a"}), A, "no column or variable of this fit"),
    *[(f"prob {v}", lambda v=v: FIT.conf_int(v), A, "between 0 and 1") for v in (0, 1, 95, -1, NAN, "0.9", None)],
    ("kind unknown", lambda: FIT.conf_int(kind="bayes"), A, "kind="),
    ("covariance kind", lambda: FIT.cov_params("sandwich"), A, "kind="),
    ("covariance terms", lambda: FIT.cov_params(terms=["nope"]), A, "nope"),
    ("covariance of a number", lambda: FIT.cov_params(terms=[1]), A, "1"),
    ("new lacks a column", lambda: FIT.predict(FRAME[["x"]]), D, "'z'"),
    ("new has an unseen level", lambda: factor_fit().predict({"x": 1.0, "g": "q"}), D, "'q'"),
    ("new has NaN", lambda: FIT.predict(put(x=NAN)), D, "missing"),
    ("new is a number", lambda: FIT.predict(3), D, "int is not a data frame"),
    ("new is wide", lambda: array_fit().predict(np.zeros((2, 3))), D, "new data have 3 columns"),
    ("predict kind", lambda: FIT.predict(kind="odds"), A, "kind="),
    ("predict draws of nothing", lambda: FIT.predict(draws=3), A, "a bayeslogit.Draws is needed"),
    ("draws of another fit", lambda: array_fit().summary(draws=DRAWS), A, "draws"),
    ("offset asked for", lambda: offset_fit().predict(X), D, "offset"),
    ("contrast of nothing", lambda: FIT.contrast({"nope": 1.0}), A, "nope"),
    ("contrast of text", lambda: FIT.contrast({"x": "a"}), A, "each weight is a finite number"),
    ("odds ratio per", lambda: FIT.odds_ratios(per={"x": "iqr"}), A, "give 'unit', 'sd'"),
    ("odds ratio per huge", lambda: FIT.odds_ratios(per=HUGE), A, "give 'unit', 'sd'"),
    ("effects of nothing", lambda: FIT.effects("nope"), A, "nope"),
    ("effects kind", lambda: FIT.effects("x", "slope"), A, "kind"),
    ("effects between", lambda: FIT.effects("x", between=[[1, 2], [3]]), A, "give the two values to compare"),
    ("relabel", lambda: FIT.relabel(None), A, "a mapping such as a dict"),
    ("relabel by a number", lambda: FIT.relabel({"x": 3}), A, "a label is text"),
    ("loo kind", lambda: FIT.loo(kind="mean"), A, "kind="),
    ("loo refits", lambda: FIT.loo(refits=NAN), A, "refits=nan: a whole number is needed"),
    ("loo unit", lambda: FIT.loo(unit="group"), A, "unit="),
    ("as_prior draws", lambda: FIT.as_prior(FRAME), A, "a bayeslogit.Draws is needed"),
    ("augment", lambda: FIT.augment(FRAME[["z"]]), D, "'x'"),
    ("save to a folder", lambda: FIT.to_json("."), A, "folder"),
    ("save to a number", lambda: FIT.to_json(3), A, "path=3: a text or a path is needed"),
    ("save nowhere", lambda: FIT.to_json("no/such/folder/f.json"), A, "there is no folder"),
    ("load nothing", lambda: bl.load("none.json"), FF, "cannot be read"),
    ("load a number", lambda: bl.load(3), A, "a text or a path is needed"),
    ("load a folder", lambda: bl.load("."), FF, "cannot be read"),
    ("load_prior nothing", lambda: bl.load_prior("none.json"), FF, "cannot be read"),
    # --- draws
    ("method unknown", lambda: FIT.sample("gibbs"), A, "a posterior is 'auto'"),
    ("no draws", lambda: FIT.sample(draws=0), A, "at least one is needed"),
    ("draws 10.5", lambda: FIT.sample(draws=10.5), A, "a whole number is needed"),
    ("draws beyond memory", lambda: FIT.sample("laplace", draws=10**14), A, "GB of memory"),
    ("seed -1", lambda: FIT.sample(rng=-1), A, "a whole number from 0 up is needed as seed"),
    ("seed text", lambda: bl.cross_validate(DESIGN, prior=PRIOR, rng="a"), A, "a whole number from 0 up"),
    ("nuts= is text", lambda: FIT.sample(nuts="nope"), A, "True or False is needed"),
    ("quantile", lambda: DRAWS.quantile([0.5, 2]), A, "between 0 and 1"),
    ("quantile of nothing", lambda: DRAWS.quantile([]), A, "between 0 and 1"),
    ("probability", lambda: DRAWS.probability("nope"), A, "nope"),
    ("probability above", lambda: DRAWS.probability("x", above=NAN), A, "above"),
    ("equivalence", lambda: DRAWS.equivalence(-1), A, "within"),
    ("equivalence columns", lambda: DRAWS.equivalence(columns=True), A, "a list is needed"),
    ("apply", lambda: DRAWS.apply(3), A, "function"),
    ("no mode to sample", lambda: separated().sample(), FI, "nothing to sample"),
    # --- paths, scales, comparisons
    ("path scales", lambda: bl.path(DESIGN, scales=[-1.0, 1.0]), A, "positive finite numbers"),
    ("path tol", lambda: bl.path(DESIGN, tol=None), A, "tol=None: a number is needed"),
    ("path of a flat prior", lambda: bl.path(DESIGN, prior=bl.Flat()), A, "scale"),
    ("path at", lambda: PATH.at(0), A, "a scale is a positive number"),
    ("path prior_at", lambda: PATH.prior_at(-1), A, "a scale is a positive number"),
    ("path figure", lambda: PATH.figure(named="x"), A, "a whole number is needed"),
    ("choose_scale by", lambda: bl.choose_scale(DESIGN, by="aic"), A, "by="),
    ("choose_scale scales", lambda: bl.choose_scale(DESIGN, scales="a"), A, "two positive numbers"),
    ("choose_scales groups", lambda: bl.choose_scales(DESIGN, groups={"a": 1}), A, "a list of columns or terms"),
    ("scale_axis folds", lambda: bl.scale_axis(DESIGN, folds=1), A, "at least two folds"),
    ("average_scales nodes", lambda: bl.average_scales(DESIGN, nodes=2), A, "5 to 200 scales"),
    ("compare one", lambda: bl.compare({"a": FIT}), A, "at least two fits"),
    ("compare a number", lambda: bl.compare({"a": FIT, "b": 3}), A, "b"),
    ("cross_validate folds", lambda: bl.cross_validate(DESIGN, folds=1), A, "at least two folds"),
    ("coverage simulations", lambda: bl.coverage(DESIGN, prior=PRIOR, simulations=0), A, "simulations"),
    ("coverage truth", lambda: bl.coverage(DESIGN, prior=PRIOR, truth="guess"), A, "truth"),
    ("sensitivity", lambda: bl.sensitivity(3), A, "sensitivity"),
    ("sensitivity alphas", lambda: bl.sensitivity(DRAWS, alphas=(2, 1)), A, "alphas"),
    ("tipping point", lambda: bl.tipping_point(FIT, "x is great"), A, "claim"),
    ("claim of bytes", lambda: bl.Claim.parse(b"x"), A, "a text is needed"),
    ("convert source", lambda: bl.convert(source="spss", to="glmnet", design=DESIGN), A, "spss"),
    ("convert options", lambda: bl.convert(source="sklearn", to="glmnet", design=DESIGN, C=1, options=3), A, "options"),
    ("convert C", lambda: bl.convert(source="sklearn", to="glmnet", design=DESIGN, C=-1), A, "C"),
    ("elicit", lambda: bl.elicit(-1), A, "odds_ratio"),
    ("elicit huge", lambda: bl.elicit(HUGE), A, "odds_ratio"),
    ("elicit columns", lambda: bl.elicit(2.0, columns=3), A, "a text or a list"),
    ("implied", lambda: bl.implied(PRIOR, None), A, "a bayeslogit.Design is needed"),
    ("prior_predictive", lambda: bl.prior_predictive(None, PRIOR), A, "a bayeslogit.Design is needed"),
    ("pseudo_rows", lambda: bl.pseudo_rows(DESIGN, PRIOR, sharpness=-1), A, "sharpness"),
    ("to_pymc", lambda: bl.to_pymc(None, PRIOR), A, "a bayeslogit.Design is needed"),
    ("separation", lambda: bl.separation(3), A, "separation"),
    ("check", lambda: bl.check(3), A, "check"),
    ("from_sklearn", lambda: bl.from_sklearn(3, X, Y), A, "a fitted LogisticRegression"),
    ("from_statsmodels", lambda: bl.from_statsmodels(3), A, "statsmodels"),
    ("site beta", lambda: bl.site_summary(DESIGN, [1.0], site="a"), A, "one finite number a column"),
    ("pool nothing", lambda: bl.pool_sites([], PRIOR), A, "give a list of summaries"),
    ("pool tol", lambda: bl.pool_sites([SITE], PRIOR, tol=NAN), A, "tol"),
    ("pool previous", lambda: bl.pool_sites([SITE], PRIOR, FIT), A, "a bayeslogit.Pooled is needed"),
    ("read_sql", lambda: bl.read_sql(3, "d.csv"), A, "sql=3: a text is needed"),
    ("save_prior", lambda: bl.save_prior(PRIOR, "p.json"), P, "it names no columns"),
    ("report of nothing", lambda: bl.report(3, "r.md"), A, "report"),
    ("report suffix", lambda: bl.report(FIT, "r.docx"), A, "docx"),
    ("report draws", lambda: bl.report(FIT, "r.md", draws=True), A, "a bayeslogit.Draws is needed"),
    ("report effort", lambda: bl.report(FIT, "r.md", effort="huge"), A, "effort"),
    ("report template", lambda: bl.report(FIT, "r.md", template="none.md"), A, "none.md"),
    ("dataset", lambda: bl.datasets.load("iris"), A, "iris"),
    ("table column", lambda: TABLE.column("nope"), A, "has no column 'nope'; it has term"),
    ("chart width", lambda: CHART.svg(NAN), A, "a size is positive and finite"),
    ("chart height", lambda: CHART.to_matplotlib(height=-1), A, "a size is positive and finite"),
    # --- the same on draws, paths, scales, tables
    ("effects of no fit", lambda: bl.effects(3, "x"), A, "a fit is needed, or its draws"),
    ("sample by a method unknown", lambda: bl.sample(DESIGN, prior=PRIOR, method="gibbs"), A, "a posterior is 'auto'"),
    ("sample an array", lambda: bl.sample(X, Y), A, "Design.from_arrays"),
    ("get_prediction", lambda: FIT.get_prediction(FRAME[["x"]]), D, "no column 'z'"),
    ("tidy", lambda: FIT.tidy(exponentiate="yes"), A, "True or False is needed"),
    ("summary prob", lambda: FIT.summary(95), A, "between 0 and 1, for example 0.95"),
    ("draws: contrast", lambda: DRAWS.contrast({"nope": 1.0}), A, "no columns nope; this fit has Intercept, x, z"),
    ("draws: effects", lambda: DRAWS.effects("nope"), A, "no variable of this model, which has x, z"),
    ("draws: odds ratios", lambda: DRAWS.odds_ratios(per={"x": "iqr"}), A, "give 'unit', 'sd'"),
    ("draws: replicated", lambda: DRAWS.posterior_predictive(FRAME[["x"]]), D, "no column 'z'"),
    ("draws: predict", lambda: DRAWS.predict(put(x=NAN)), D, "missing values in x (40 rows)"),
    ("draws: relabel", lambda: DRAWS.relabel({"nope": "a"}), A, "no column or variable of this fit"),
    ("draws: summary", lambda: DRAWS.summary(prob=95), A, "between 0 and 1"),
    ("draws: tidy", lambda: DRAWS.tidy(exponentiate=1), A, "True or False is needed"),
    ("draws: to_arviz", lambda: DRAWS.to_arviz(rng=-1), A, "a whole number from 0 up is needed as seed"),
    ("draws: interval", lambda: DRAWS.conf_int(0), A, "between 0 and 1"),
    ("draws: data", lambda: DRAWS.data(3), A, "a text is needed"),
    ("path: interval", lambda: PATH.conf_int(95), A, "between 0 and 1"),
    ("path: relabel", lambda: PATH.relabel({"nope": "a"}), A, "no column or variable of this fit"),
    ("averaged nodes", lambda: chosen().averaged(nodes=1), A, "5 to 200 scales"),
    ("averaged hyperprior", lambda: chosen().averaged("wide"), A, "give bayeslogit.HalfNormal(scale)"),
    ("sensitivity figure", lambda: bl.sensitivity(DRAWS).figure(most_rows=0), A, "a whole number is needed, from 1 up"),
    ("table to_frame", lambda: TABLE.to_frame(labels="no"), A, "True or False is needed"),
    ("pooled nowhere", lambda: pooled().to_json("no/such/folder/p.json"), A, "there is no folder"),
    ("pooled by a number", lambda: pooled().to_json(3), A, "a text or a path is needed"),
    ("site to a folder", lambda: SITE.to_json("."), A, "is a folder; name a file in it"),
    ("site from nothing", lambda: bl.SiteSummary.from_json("none.json"), FF, "cannot be read"),
    ("bias_variance of nothing", lambda: bl.bias_variance(3), A, "a formula such as 'y ~ x' or a Design"),
    ("bias_variance scales", lambda: bl.bias_variance(DESIGN, prior=PRIOR, scales="a"), A, "two positive numbers"),
    ("preset rows", lambda: bl.preset("rstanarm", rows="a"), P, "rows is 'expanded'"),
    ("resolve without columns", lambda: normals(cov=np.eye(2)).resolve(DESIGN), P, "needs columns="),
    ("describe a number", lambda: PRIOR.describe(3), A, "a bayeslogit.Design is needed"),
    ("claim of a kind unknown", lambda: bl.Claim("nonsense", "x"), A, "the kind is 'odds ratio', 'interval'"),
    ("claim of a negative ratio", lambda: bl.Claim("odds ratio", "x", value=-1.0), A, "with a positive number"),
    ("claim of NaN", lambda: bl.Claim("interval", "x", value=NAN), A, "a finite number is needed"),
    ("claim with a list as key", lambda: bl.Claim.parse("p({[]: 1}) > 0.5"), A, "not a dict of plain values"),
    # --- data sets and figures
    ("describe a data set", lambda: bl.datasets.describe("iris"), A, "choose one of berkeley, lbw, pima, wells"),
    ("facts of a number", lambda: bl.datasets.facts(3), A, "a text is needed"),
    ("file of a data set", lambda: bl.datasets.file("iris"), A, "choose one of berkeley, lbw, pima, wells"),
    ("data set in a library", lambda: bl.datasets.load("wells", library="spark"), A, "choose 'pandas' or 'polars'"),
    ("plot: bins", lambda: plot.binned_residuals(FIT, bins=NAN), A, "bins=nan: a whole number is needed"),
    ("plot: band", lambda: plot.calibration(FIT, band="wide"), A, "'consistency', 'confidence'"),
    ("plot: comparison", lambda: plot.comparison(FIT), A, "what bayeslogit.compare returns is needed"),
    ("plot: a table", lambda: plot.figure(TABLE), A, "a Chart is needed"),
    ("plot: size", lambda: plot.figure(CHART, size=(1,)), A, "give a width in inches, or a pair"),
    ("plot: terms", lambda: plot.forest(FIT, terms=["nope"]), A, "no column 'nope'; there are Intercept, x, z"),
    ("plot: rows", lambda: plot.forest(FIT, most_rows=0), A, "a whole number is needed, from 1 up"),
    ("plot: loo", lambda: plot.influence(FIT, loo=3), A, "a bayeslogit.LooResult is needed"),
    ("plot: variable", lambda: plot.marginal_effects(FIT, "nope"), A, "no variable of this model"),
    ("plot: values", lambda: plot.marginal_effects(FIT, "x", values=[[1], [2]]), A, "'x' takes finite numbers"),
    ("plot: overlay", lambda: plot.overlay(FIT, 3), A, "a bayeslogit.Fit or a bayeslogit.Draws is needed"),
    ("plot: names", lambda: plot.overlay(FIT, DRAWS, names=3), A, "two names are needed"),
    ("plot: path", lambda: plot.path(FIT), A, "what bayeslogit.path returns is needed"),
    ("plot: named", lambda: plot.path(PATH, named=-1), A, "a whole number is needed, from 0 up"),
    ("plot: by", lambda: plot.predictive(FIT, by=["nope"]), A, "the data have no column 'nope'"),
    ("plot: per", lambda: plot.prior_posterior(FIT, per="iqr"), A, "give 'unit', 'sd'"),
    ("plot: flat prior", lambda: plot.prior_predictive(FIT), P, "there is nothing to draw"),
    ("plot: scales", lambda: plot.scale_choice(PATH), A, "what bayeslogit.choose_scale or scale_axis returns"),
    ("plot: sensitivity", lambda: plot.sensitivity(3), A, "a bayeslogit.Sensitivity or a bayeslogit.Fit"),
    ("plot: train and test", lambda: plot.train_test(3), A, "what bayeslogit.scale_axis or bias_variance returns"),
    ("plot: bias and variance", lambda: plot.bias_variance(3), A, "what bayeslogit.bias_variance returns is needed"),
    ("plot: elicited", lambda: plot.elicited(3), A, "what bayeslogit.elicit returns is needed"),
]


def normals(**given):
    return bl.MultivariateNormal(mean=[0.0, 0.0], **given)


def chosen():
    return bl.choose_scale(DESIGN, prior=PRIOR, scales=[1.0, 2.0])


def pooled():
    return bl.pool_sites([SITE], PRIOR)


def factor_fit():
    return bl.fit("y ~ x + g", FRAME, prior=PRIOR)


def array_fit():
    return bl.fit(array(), prior=PRIOR)


def offset_fit():
    return bl.fit(array(offset=np.full(N, 0.1)), prior=PRIOR)


def separated():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FitWarning)
        return bl.fit(array(np.arange(N)[:, None], np.arange(N) >= 20), prior=bl.Flat())


def wide_factor():
    names = [f"a{k}" for k in range(N)]
    frame = put(**{k: names for k in "abcd"})
    return formula("y ~ C(a):C(b):C(c):C(d)", frame)


# What can be wrong, and the row or command that shows it.
KINDS = {
    "wrong types": "formula is a number",
    "wrong shapes": "X is three-dimensional",
    "wrong lengths": "weights too short",
    "NaN": "X is NaN",
    "infinity": "infinite value",
    "empty": "X is empty",
    "one class": "one class as text",
    "one level": "one level",
    "three classes": "three classes",
    "negative weights": "negative weight",
    "zero weights": "weights of zero",
    "trials below successes": "trials below successes",
    "scale 0": "Normal(0)",
    "scale NaN": "Normal(nan)",
    "scale inf": "Normal(inf)",
    "df 0": "StudentT df 0",
    "df below 0": "StudentT df -1",
    "covariance not symmetric": "covariance is lopsided",
    "covariance indefinite": "covariance is indefinite",
    "unknown term in priors": "unknown term",
    "unseen level": "new has an unseen level",
    "missing columns at predict": "new lacks a column",
    "duplicate names": "repeated names",
    "Unicode names": "unicode column is missing",
    "huge whole numbers": "huge whole numbers",
    "mixed types": "mixed types",
    "not UTF-8": "fit latin.csv",
    "ragged rows": "fit ragged.csv",
    "a directory": "fit sub",
    "an unreadable file": "fit loop.csv",
    "a truncated file": "fit cut.parquet",
}


def test_every_kind_of_bad_input_has_a_row():
    there = {row[0] for row in ROWS} | {" ".join(row[0][:2]) for row in COMMANDS}
    assert set(KINDS.values()) - there == set()
    assert len(ROWS) == len({row[0] for row in ROWS})


@pytest.mark.parametrize(("call", "error", "words"), [row[1:] for row in ROWS], ids=[row[0] for row in ROWS])
def test_a_bad_argument_is_one_clear_error(call, error, words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(BayeslogitError) as caught:
        call()
    assert isinstance(caught.value, error), repr(caught.value)
    text = str(caught.value)
    assert words in text and len(text) < 1500 and "Traceback" not in text
    assert list(tmp_path.iterdir()) == []


# --- every public function, every argument ------------------------------------------------------------------------

NASTY = [None, True, 0, -1, 3, 2.5, NAN, INF, HUGE, 1j, "", "nope", b"x", object(), [], [1], ["a"], {}, {"a": 1}, ()]
NASTY += [{"x": "a"}, {1, 2}, np.array([]), np.zeros((2, 2)), pd.DataFrame(), FIT, bl.Normal, [[1, 2], [3]], DESIGN]


def calls():
    """Name of a public function or method, a valid call of it."""
    n = {"design": DESIGN, "prior": PRIOR}
    chosen = bl.choose_scale(DESIGN, prior=PRIOR, scales=[1.0, 2.0])
    two = {"a": FIT, "b": bl.fit(DESIGN, prior=bl.Normal(2.0))}
    compared = bl.compare(two, nuts=False)
    model = {"model": DESIGN, "prior": PRIOR}
    pooled = bl.pool_sites([SITE], PRIOR)
    return {
        "fit": (bl.fit, model),
        "sample": (bl.sample, {**model, "method": "laplace", "draws": 20}),
        "path": (bl.path, {**model, "scales": [1.0]}),
        "choose_scale": (bl.choose_scale, {**model, "scales": [1.0, 2.0]}),
        "choose_scales": (bl.choose_scales, model),
        "average_scales": (bl.average_scales, {**model, "nodes": 5}),
        "scale_axis": (bl.scale_axis, {**model, "scales": [1.0, 2.0], "folds": 2}),
        "compare": (bl.compare, {"fits": two, "nuts": False}),
        "convert": (bl.convert, {"source": "sklearn", "to": "glmnet", "design": DESIGN}),
        "coverage": (bl.coverage, {**model, "simulations": 2}),
        "cross_validate": (bl.cross_validate, {**model, "folds": 2}),
        "effects": (bl.effects, {"fit": FIT, "column": "x"}),
        "elicit": (bl.elicit, {"odds_ratio": 2.0}),
        "from_sklearn": (bl.from_sklearn, {"estimator": None, "X": X, "y": Y}),
        "from_statsmodels": (bl.from_statsmodels, {"result": None}),
        "implied": (bl.implied, n),
        "load": (bl.load, {"path": "none.json"}),
        "load_prior": (bl.load_prior, {"path": "none.json"}),
        "save_prior": (bl.save_prior, {"prior": PRIOR, "path": "p.json", "columns": DESIGN}),
        "pool_sites": (bl.pool_sites, {"summaries": [SITE], "prior": PRIOR}),
        "site_summary": (bl.site_summary, {"design": DESIGN, "site": "a"}),
        "preset": (bl.preset, {"name": "rstanarm"}),
        "prior_predictive": (bl.prior_predictive, {**n, "draws": 3}),
        "priors": (bl.priors, {}),
        "pseudo_rows": (bl.pseudo_rows, n),
        "read_sql": (bl.read_sql, {"sql": "select 1", "path": "d.csv"}),
        "report": (bl.report, {"fit": FIT, "path": "none/r.md"}),
        "sensitivity": (bl.sensitivity, {"fit": DRAWS}),
        "separation": (bl.separation, {"model": DESIGN}),
        "tipping_point": (bl.tipping_point, {"fit": FIT, "claim": "x is great"}),
        "check": (bl.check, {"model": FORMULA, "data": FRAME}),
        "to_pymc": (bl.to_pymc, {"design": None, "prior": PRIOR}),
        "Normal": (bl.Normal, {"scale": 1.0}),
        "Laplace": (bl.Laplace, {"scale": 1.0}),
        "Cauchy": (bl.Cauchy, {"scale": 1.0}),
        "StudentT": (bl.StudentT, {"df": 3.0, "scale": 1.0}),
        "ElasticNet": (bl.ElasticNet, {"l1": 1.0, "l2": 1.0}),
        "MultivariateNormal": (bl.MultivariateNormal, {"mean": [0.0, 0.0], "cov": np.eye(2)}),
        "GroupLaplace": (bl.GroupLaplace, {"scale": 1.0}),
        "HalfNormal": (bl.HalfNormal, {"scale": 1.0}),
        "HalfT": (bl.HalfT, {"df": 3.0, "scale": 1.0}),
        "Hierarchical": (bl.Hierarchical, {}),
        "Horseshoe": (bl.Horseshoe, {"global_scale": 1.0}),
        "Flat": (bl.Flat, {}),
        "Jeffreys": (bl.Jeffreys, {}),
        "DiaconisYlvisaker": (bl.DiaconisYlvisaker, {}),
        "Prior.sample": (bl.Normal(1.0).sample, {"design": None}),
        "Prior.resolve": (PRIOR.resolve, {"design": DESIGN}),
        "Prior.describe": (PRIOR.describe, {"design": DESIGN}),
        "Claim.parse": (bl.Claim.parse, {"text": "x is great"}),
        "SiteSummary.to_json": (SITE.to_json, {"path": "s.json"}),
        "SiteSummary.from_json": (bl.SiteSummary.from_json, {"path": "none.json"}),
        "Pooled.to_json": (pooled.to_json, {"path": "s.json"}),
        "Pooled.table": (pooled.table, {}),
        "ScaleChoice.averaged": (chosen.averaged, {"nodes": 2}),
        **{f"ScaleChoice.{name}": (getattr(chosen, name), {}) for name in ("figure", "summary", "table")},
        "Design.from_formula": (bl.Design.from_formula, {"formula": FORMULA, "frame": FRAME}),
        "Design.from_arrays": (bl.Design.from_arrays, {"X": X, "y": Y}),
        "Design.group_codes": (DESIGN.group_codes, {"groups": "g"}),
        "Design.outcome_arrays": (DESIGN.outcome_arrays, {}),
        "Design.used_frame": (DESIGN.used_frame, {}),
        **{f"Fit.{name}": (getattr(FIT, name), given) for name, given in FIT_CALLS.items()},
        **{f"Draws.{name}": (getattr(DRAWS, name), given) for name, given in DRAW_CALLS.items()},
        **{f"Path.{name}": (getattr(PATH, name), given) for name, given in PATH_CALLS.items()},
        **{f"Comparison.{name}": (getattr(compared, name), {}) for name in ("figure", "tidy", "glance")},
        **{f"Table.{name}": (getattr(TABLE, name), given) for name, given in TABLE_CALLS.items()},
        "bias_variance": (bl.bias_variance, {**model, "scales": [1.0, 2.0], "simulations": 5}),
        **{f"datasets.{name}": (getattr(bl.datasets, name), {"name": "wells"}) for name in DATASET_CALLS},
        **{f"plot.{name}": (getattr(plot, name), given) for name, given in PLOT_CALLS.items()},
        "Sensitivity.figure": (bl.sensitivity(DRAWS).figure, {}),
        "plot.comparison": (plot.comparison, {"comparison": compared}),
        "plot.scale_choice": (plot.scale_choice, {"choice": chosen}),
        "Chart.svg": (CHART.svg, {}),
        "Chart.to_matplotlib": (TO_MATPLOTLIB, {"width": -1.0}),
    }


FIT_CALLS = {name: {} for name in ("as_prior", "augment", "conf_int", "cov_params", "glance", "glance_values", "loo")}
FIT_CALLS |= {name: {} for name in ("get_prediction", "odds_ratios", "predict", "summary", "tidy")}
FIT_CALLS |= {"to_marginaleffects": {}}
FIT_CALLS |= {"contrast": {"weights": {"x": 1.0}}, "effects": {"column": "x"}, "relabel": {"labels": {"x": "A"}}}
FIT_CALLS |= {"sample": {"method": "laplace", "draws": 20}, "to_json": {"path": "none/f.json"}}
DRAW_CALLS = {name: {} for name in ("beside_mode", "conf_int", "equivalence", "odds_ratios", "posterior_predictive")}
DRAW_CALLS |= {name: {} for name in ("predict", "summary", "tidy")} | {"apply": {"function": np.sum}}
DRAW_CALLS |= {"contrast": {"weights": {"x": 1.0}}, "effects": {"column": "x"}, "relabel": {"labels": {"x": "A"}}}
DRAW_CALLS |= {
    "probability": {"column": "x"},
    "quantile": {"probs": 0.5},
    "to_arviz": {"rng": -1},
    "data": {"what": ""},
}
PATH_CALLS = {"at": {"scale": 1.0}, "prior_at": {"scale": 1.0}, "relabel": {"labels": {}}}
PATH_CALLS |= {name: {} for name in ("base_table", "conf_int", "figure", "summary", "table")}
TABLE_CALLS = {name: {} for name in ("records", "texts", "to_csv", "to_frame", "to_html", "to_json", "to_latex")}
TABLE_CALLS |= {"to_markdown": {}, "column": {"key": "nope"}}
DATASET_CALLS = ("describe", "facts", "file", "load")
PLOT_CALLS = {name: {"fit": FIT} for name in ("binned_residuals", "calibration", "forest", "influence", "predictive")}
PLOT_CALLS |= {name: {"fit": FIT} for name in ("prior_posterior", "prior_predictive")}
PLOT_CALLS |= {"figure": {"chart": CHART}, "overlay": {"first": FIT, "second": DRAWS}, "path": {"path": PATH}}
PLOT_CALLS |= {"marginal_effects": {"fit": FIT, "variable": "x"}, "sensitivity": {"found": DRAWS}}
PLOT_CALLS |= {"train_test": {"found": None}, "bias_variance": {"found": None}, "elicited": {"found": bl.elicit(2.0)}}

# Not for users to call: what passes over blocks, and what priors, claims and criteria tell each other.
INSIDE = {"Design.reduce", "Design.centered", "Claim.margin", "CvResult.of", "LooResult.of"}
INSIDE |= {"Prior.at", "Prior.beside", "Prior.on", "HalfNormal.log_density", "HalfT.log_density"}
# What the rows of the table call by a shorter name.
SHORT = {"formula": "Design.from_formula", "wide_factor": "Design.from_formula", "array": "Design.from_arrays"}
SHORT |= {"normals": "MultivariateNormal"}


def takes_arguments(function):
    kinds = [each for each in inspect.signature(function).parameters.values() if each.name not in ("self", "cls")]
    return bool(kinds)


def public():
    """Every public function, method and family of priors that can be given something wrong, by name."""
    found = {}
    for name in bl.__all__:
        thing = getattr(bl, name)
        if inspect.isfunction(thing):
            found[name] = thing
        elif inspect.isclass(thing) and not issubclass(thing, Exception | Warning):
            if issubclass(thing, bl.Prior) and thing is not bl.Prior:
                found[name] = thing
            for owner in thing.__mro__:
                if owner.__module__.startswith("bayeslogit"):
                    for key, value in vars(owner).items():
                        if not key.startswith("_") and inspect.isfunction(getattr(value, "__func__", value)):
                            # A family of priors, or a base class, answers for what it inherits or says in its own way.
                            home = "Prior" if issubclass(thing, bl.Prior) else name
                            found.setdefault(f"{home}.{key}", getattr(thing, key))
    found |= {f"datasets.{name}": getattr(bl.datasets, name) for name in bl.datasets.__all__}
    found |= {f"plot.{name}": getattr(plot, name) for name in plot.__all__}
    return {name: each for name, each in found.items() if takes_arguments(each) and name not in INSIDE}


def called_in_rows():
    """What the outermost call of each row of the table is a call of."""
    tree = ast.parse(Path(__file__).read_text(encoding="utf-8"))
    (rows,) = [
        node.value
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and node.targets[0].id == "ROWS"
    ]
    found = set()
    for node in ast.walk(rows):
        if isinstance(node, ast.Lambda):
            assert isinstance(node.body, ast.Call), ast.unparse(node)
            function = node.body.func
            if isinstance(function, ast.Name):
                found.add(SHORT.get(function.id, function.id))
                continue
            assert isinstance(function, ast.Attribute)
            owner, name = ast.unparse(function.value), function.attr
            if owner == "bl":
                found.add(name)
            elif owner in ("plot", "bl.datasets"):
                found.add(f"{owner.removeprefix('bl.')}.{name}")
            else:
                thing = eval(owner, globals())  # "FIT", "pooled()", ...
                kind = thing if inspect.isclass(thing) else type(thing)
                found.add(f"{'Prior' if issubclass(kind, bl.Prior) else kind.__name__}.{name}")
    return found


def test_every_public_function_has_a_row_with_its_words():
    assert len(public()) > 110  # nobody has emptied the list
    assert set(public()) - called_in_rows() == set()


def test_every_argument_of_every_public_function_is_swept():
    assert set(public()) - set(calls()) == set()


def test_every_command_has_a_row():
    commands = {each.name for each in app.registered_commands}
    assert len(commands) >= 9
    assert commands - {row[0][0] for row in COMMANDS} == set()


QUICK = [None, -1, 2.5, NAN, HUGE, "nope", object(), [], {"a": 1}, np.zeros((2, 2)), [[1, 2], [3]]]
# Valid as they stand, and long: minutes of work would tell nothing about the arguments.
SLOW = {"scale_axis", "average_scales", "choose_scales", "compare", "sensitivity", "Fit.loo", "check", "coverage"}
SLOW |= {"bias_variance"}


def sweep(values, skip=frozenset()):
    """Every argument of every call replaced in turn; what came out that is not ours."""
    leaks = []
    for name, (function, given) in calls().items():
        if name in skip:
            continue
        for parameter in inspect.signature(function).parameters.values():
            if parameter.kind in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL) or parameter.name == "progress":
                continue
            for value in values:
                with warnings.catch_warnings():
                    warnings.simplefilter("error")
                    warnings.simplefilter("ignore", FitWarning)
                    try:
                        function(**{**given, parameter.name: value})
                    except BayeslogitError:
                        pass
                    except Exception as error:
                        leaks.append(f"{name}({parameter.name}={value!r:.40}): {error!r:.120}")
    return leaks


def test_no_argument_leaks_an_error_of_another_library(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(bl.Chart, "to_matplotlib", lambda self, **given: None)  # drawing takes longer than the rest
    assert sweep(QUICK, SLOW) == []


@pytest.mark.prove
def test_no_argument_leaks_an_error_of_another_library_all(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert sweep(NASTY) == []


# --- the estimator, whose data are checked by scikit-learn, in its words ---------------------------------------------


def estimated(**given):
    return BayesianLogisticRegression(**{"prior": PRIOR, **given})


ESTIMATORS = [
    ("prior", lambda: estimated(prior=3).fit(X, Y), P, "prior=3: give a prior such as bayeslogit.Normal(2.5)"),
    ("preset", lambda: estimated(prior="rstanram").fit(X, Y), P, "Did you mean 'rstanarm'?"),
    ("tol", lambda: estimated(tol=0).fit(X, Y), A, "must lie between 0 and 1"),
    ("max_iter", lambda: estimated(max_iter=0).fit(X, Y), A, "at least one step"),
    ("prob", lambda: estimated(prob=3).fit(X, Y).predict_proba(X, return_interval=True), A, "between 0 and 1"),
    ("NaN", lambda: estimated().fit(with_value(X, (0, 0), NAN), Y), ValueError, "Input X contains NaN"),
    ("lengths", lambda: estimated().fit(X, Y[:3]), ValueError, "inconsistent numbers of samples: [40, 3]"),
    ("three classes", lambda: estimated().fit(X, np.arange(N) % 3), ValueError, "The target has 3 classes"),
    ("one class", lambda: estimated().fit(X, np.zeros(N)), ValueError, "cannot be fitted to data with one class"),
    ("negative weights", lambda: estimated().fit(X, Y, sample_weight=-np.ones(N)), ValueError, "Negative values"),
    ("weights of zero", lambda: estimated().fit(X, Y, sample_weight=np.zeros(N)), ValueError, "one non-zero number"),
    ("weights too short", lambda: estimated().fit(X, Y, sample_weight=[1.0]), ValueError, "expected (40,)"),
    ("not fitted", lambda: estimated().predict(X), ValueError, "is not fitted yet"),
    ("columns", lambda: estimated().fit(X, Y).decision_function(X[:, :1]), ValueError, "expecting 2 features"),
    ("new NaN", lambda: estimated().fit(X, Y).predict_proba(X * NAN), ValueError, "Input X contains NaN"),
    ("by", lambda: BayesianLogisticRegressionCV(by="aic").fit(X, Y), A, "it is 'evidence', 'loo' or 'cv'"),
]


@pytest.mark.parametrize(("call", "error", "words"), [row[1:] for row in ESTIMATORS], ids=[r[0] for r in ESTIMATORS])
def test_an_estimator_says_what_is_wrong(call, error, words):
    with pytest.raises(error) as caught:
        call()
    assert words in str(caught.value)


# --- the command line ---------------------------------------------------------------------------------------------

FITTED = ["fit", "d.csv", "--formula", FORMULA]
COMMANDS = [
    (["fit", "none.csv", "--formula", FORMULA], 3, "there is no such file"),
    (["fit", "sub", "--formula", FORMULA], 3, "no file of kind"),
    (["fit", "latin.csv", "--formula", FORMULA], 3, "UTF-8"),
    (["fit", "loop.csv", "--formula", FORMULA], 3, "loop.csv"),
    (["predict", "loop.csv", "d.csv"], 3, "cannot be read"),
    (["fit", "ragged.csv", "--formula", FORMULA], 3, "ragged.csv"),
    (["fit", "empty.csv", "--formula", FORMULA], 3, "empty"),
    (["fit", "header.csv", "--formula", FORMULA], 3, "no rows"),
    (["fit", "zeros.csv", "--formula", FORMULA], 3, "zeros.csv"),
    (["fit", "twice.csv", "--formula", FORMULA], 3, "more than once"),
    (["fit", "cut.parquet", "--formula", FORMULA], 3, "not a readable Parquet file"),
    (["fit", "three.csv", "--formula", FORMULA], 3, "not two-valued"),
    (["fit", "d.xyz", "--formula", FORMULA], 3, "d.xyz"),
    (["fit", "d.csv", "--formula", "y ~ nope"], 3, "no column 'nope'"),
    ([*FITTED, "--prior", "normal:nan"], 2, "positive finite number"),
    ([*FITTED, "--prior", "normal:"], 2, "normal"),
    ([*FITTED, "--prior", "student_t:0,1"], 2, "df must be"),
    ([*FITTED, "--prior-for", "nope=normal:1"], 2, "does not have"),
    ([*FITTED, "--prob", "nan"], 2, "between 0 and 1"),
    ([*FITTED, "--draws", "many"], 2, "--draws"),
    ([*FITTED, "--weights", "nope"], 3, "nope"),
    ([*FITTED, "--out", "no/such/f.json"], 2, "there is no folder"),
    ([*FITTED, "--out", "."], 2, "folder"),
    (["report", "d.csv", "--formula", FORMULA, "--out", "r.docx"], 2, "docx"),
    (["report", "--verify", "none.manifest.json"], 3, "cannot be read"),
    (["report", "--verify", "d.csv"], 3, "not a manifest"),
    (["compare", "d.csv", "--formula", FORMULA, "--prior", "normal:1"], 2, "two"),
    (["path", "d.csv", "--formula", FORMULA, "--prior", "flat"], 2, "scale"),
    (["path", "d.csv", "--formula", FORMULA, "--scales", "a,b"], 2, "scales"),
    (["predict", "none.json", "d.csv"], 3, "cannot be read"),
    (["predict", "d.csv", "d.csv"], 3, "not a saved fit"),
    (["convert", "--from", "spss", "--to", "glmnet", "d.csv", "--formula", FORMULA], 2, "spss"),
    (["check", "d.csv", "--formula", "y ~ nope"], 3, "no column 'nope'"),
    (["datasets", "iris"], 2, "iris"),
    (["demo", "--out", "d.csv"], 2, "d.csv"),
    (["dance"], 2, "dance"),
]


@pytest.fixture
def files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sub").mkdir()
    (tmp_path / "loop.csv").symlink_to("loop.csv")  # what nobody can read, the superuser neither
    FRAME.to_csv("d.csv", index=False)
    FRAME.to_csv("d.xyz", index=False)
    (tmp_path / "latin.csv").write_bytes(b"y,x,z\n0,1,\xe4\n1,2,b\n")
    (tmp_path / "ragged.csv").write_text("y,x,z\n0,1,2\n1,2\n0,1,2,3\n")
    (tmp_path / "empty.csv").write_text("")
    (tmp_path / "header.csv").write_text("y,x,z\n")
    (tmp_path / "zeros.csv").write_bytes(b"y,x,z\n0,1,2\n\x00\x00\x00\n")
    (tmp_path / "twice.csv").write_text("y,x,x,z\n0,1,2,3\n1,1,2,3\n")
    put(y=[0, 1, 2, 1] * 10).to_csv("three.csv", index=False)
    FRAME.to_parquet("cut.parquet")
    whole = (tmp_path / "cut.parquet").read_bytes()
    (tmp_path / "cut.parquet").write_bytes(whole[: len(whole) // 2])
    return tmp_path


@pytest.mark.parametrize(("arguments", "code", "words"), COMMANDS, ids=[" ".join(row[0])[:60] for row in COMMANDS])
def test_a_bad_command_is_one_message_and_a_code(arguments, code, words, files, capsys):
    before = sorted(path.name for path in files.iterdir())
    assert run(arguments) == code
    out, err = capsys.readouterr()
    assert words in " ".join(err.split()) and "Traceback" not in err and out == ""
    assert sorted(path.name for path in files.iterdir()) == before


# --- what is unusual and right ------------------------------------------------------------------------------------


def test_columns_of_new_rows_go_by_name_in_any_order():
    turned = FRAME[["z", "w", "g", "x"]]
    assert FIT.predict(turned).to_numpy().tolist() == FIT.predict(FRAME).to_numpy().tolist()
    fit = bl.fit(bl.Design.from_arrays(FRAME[["x", "z"]], Y), prior=PRIOR)
    assert fit.predict(turned[["z", "x"]]).to_numpy().tolist() == fit.predict(FRAME[["x", "z"]]).to_numpy().tolist()


def test_one_row_one_class_constant_columns_and_unicode_names_are_answered():
    one = bl.fit(array([[0.5, 1.0]], [1.0]), prior=bl.priors(default=PRIOR, intercept=PRIOR))
    assert one.converged and np.isfinite(one.bse).all()
    same = bl.fit(array(y=np.ones(N)), prior=bl.priors(default=PRIOR, intercept=PRIOR))
    assert same.converged and same.params["Intercept"] > 0
    constant = bl.fit(array(np.column_stack([X[:, 0], np.ones(N)])), prior=PRIOR)
    assert constant.converged and constant.bse["x2"] <= 1.0 + 1e-9
    named = FRAME.rename(columns={"x": "größe", "z": "身長"})
    fit = bl.fit("y ~ größe + 身長", named, prior=PRIOR)
    assert list(fit.params.index) == ["Intercept", "größe", "身長"]
    assert fit.params.tolist() == FIT.params.tolist()


# --- memory -------------------------------------------------------------------------------------------------------


def test_a_design_or_information_beyond_memory_is_refused_before_it_is_built(monkeypatch):
    from bayeslogit._fit import _check_matrices
    from bayeslogit.budget import available

    assert 1e8 < available() < 1e14
    monkeypatch.setattr("bayeslogit.budget.available", lambda: 1e3)
    with pytest.raises(DataError, match=r"3 columns of 40 rows, would need 0\.0 GB of memory.*stream=True"):
        formula()
    with pytest.raises(DataError, match=r"information of 5,000 coefficients would need 0\.8 GB.*Laplace"):
        _check_matrices(5000)
    monkeypatch.undo()
    names = [f"x{k}" for k in range(5000)]
    levels = pd.DataFrame(
        {"y": np.tile([0, 1], 10_000), "g": pd.Categorical(names * 4), "h": pd.Categorical(names * 4)}
    )
    with pytest.raises(DataError, match=r"at least 25,000,001 columns of 20,000 rows.*GB\)"):
        formula("y ~ C(g):C(h)", levels)


def test_memory_is_the_physical_one_where_the_system_does_not_say_what_is_free(monkeypatch):
    from bayeslogit import budget

    def nothing(*given, **named):
        raise FileNotFoundError

    monkeypatch.setattr(budget.Path, "read_text", nothing)
    assert budget.available() == os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    monkeypatch.delattr(budget.os, "sysconf")
    assert budget.available() == 8e9


def test_a_value_in_a_message_is_short():
    assert short("a" * 100) == "'" + "a" * 39 + "... (str)"
    assert short(10**5000) == "<int>"
    assert short(np.zeros((3, 4))) == "<ndarray of shape (3, 4)>"
