"""What the tests of the numbers share: seeded data, the bundled data, and a second opinion in 50-digit arithmetic.

`ExactModel` is written from the formula of the log posterior in the standard library's `decimal`, and shares no line
with the package. It is concave, so a point where its Newton iteration comes to rest is the mode, wherever it began.
"""

from __future__ import annotations

import decimal
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from hypothesis import settings

import bayeslogit as bl

settings.register_profile("bayeslogit", deadline=None, derandomize=True, database=None, max_examples=20)
settings.load_profile("bayeslogit")

# Tables are as wide here as where nobody says how wide the terminal is.
for name in ("COLUMNS", "LINES"):
    os.environ.pop(name, None)

DIGITS = 50
PI = Decimal("3.14159265358979323846264338327950288419716939937510582097494")

# A float becomes the decimal number that it is, not the one that it prints as.
to_decimal = np.frompyfunc(lambda value: Decimal(float(value)), 1, 1)


def log1p_exp_minus(size: Decimal) -> Decimal:
    """``log(1 + exp(-size))`` for size >= 0, to all digits."""
    small = (-size).exp()
    if small > Decimal("1e-20"):
        return (1 + small).ln()
    return small - small**2 / 2 + small**3 / 3


def expit_exact(eta: Decimal) -> Decimal:
    small = (-abs(eta)).exp()
    return 1 / (1 + small) if eta >= 0 else small / (1 + small)


def log_expit_exact(eta: Decimal) -> Decimal:
    return min(eta, Decimal(0)) - log1p_exp_minus(abs(eta))


_expit = np.frompyfunc(expit_exact, 1, 1)
_log_expit = np.frompyfunc(log_expit_exact, 1, 1)


class ExactModel:
    """A log posterior with Gaussian priors ``A beta ~ N(mean, precision^-1)``, to `DIGITS` decimal digits.

    X holds every column, the intercept too if there is one; ``blocks`` is a list of (A, mean, precision).
    """

    def __init__(
        self,
        X: Any,
        y: Any,
        *,
        trials: Any = None,
        weights: Any = None,
        offset: Any = None,
        blocks: Iterable[tuple[Any, Any, Any]] = (),
    ) -> None:
        n = len(y)
        self.X = to_decimal(np.asarray(X, dtype=float))
        ones = np.ones(n)
        y, m, w = (np.asarray(ones if v is None else v, dtype=float) for v in (y, trials, weights))
        self.ones = to_decimal(w) * to_decimal(y)
        self.zeros = to_decimal(w) * (to_decimal(m) - to_decimal(y))
        self.offset = to_decimal(np.zeros(n) if offset is None else np.asarray(offset, dtype=float))
        self.blocks = [tuple(_decimals(part) for part in block) for block in blocks]

    @classmethod
    def of(cls, fit: bl.Fit) -> ExactModel:
        """The model that a fit is meant to be of; its data and its prior's printed record are all that is read."""
        blocks = list(fit.design.source.blocks())
        X = np.vstack([block.X.toarray() for block in blocks])
        y, m, w, o = (np.concatenate([getattr(b, k) for b in blocks]) for k in ("y", "trials", "weights", "offset"))
        return cls(X, y, trials=m, weights=w, offset=o, blocks=gaussian_blocks(fit.prior))

    @staticmethod
    def blocks_of(prior: Any) -> list[tuple[Any, Any, Any]]:
        """The proper terms of a resolved prior."""
        return gaussian_blocks(prior)

    def _eta(self, beta: Any) -> Any:
        return self.X @ beta + self.offset

    def log_likelihood(self, beta: Any) -> Decimal:
        with decimal.localcontext(prec=DIGITS):
            eta = self._eta(_decimals(beta))
            return sum(self.ones * _log_expit(eta) + self.zeros * _log_expit(-eta), Decimal(0))

    def log_prior(self, beta: Any) -> Decimal:
        """Normalised."""
        with decimal.localcontext(prec=DIGITS):
            total = Decimal(0)
            for A, mean, precision in self.blocks:
                z = A @ _decimals(beta) - mean
                total += (log_determinant(precision) - len(mean) * (2 * PI).ln() - z @ precision @ z) / 2
            return total

    def log_posterior(self, beta: Any) -> Decimal:
        return self.log_likelihood(beta) + self.log_prior(beta)

    def score(self, beta: Any) -> Any:
        with decimal.localcontext(prec=DIGITS):
            beta = _decimals(beta)
            eta = self._eta(beta)
            total = self.X.T @ (self.ones * _expit(-eta) - self.zeros * _expit(eta))
            for A, mean, precision in self.blocks:
                total = total - A.T @ (precision @ (A @ beta - mean))
            return total

    def information(self, beta: Any) -> Any:
        with decimal.localcontext(prec=DIGITS):
            beta = _decimals(beta)
            eta = self._eta(beta)
            weight = (self.ones + self.zeros) * _expit(eta) * _expit(-eta)
            total = self.X.T @ (weight[:, None] * self.X)
            for A, _, precision in self.blocks:
                total = total + A.T @ precision @ A
            return total

    def covariance(self, beta: Any) -> Any:
        with decimal.localcontext(prec=DIGITS):
            return inverse(self.information(beta))

    def sd(self, beta: Any) -> np.ndarray:
        with decimal.localcontext(prec=DIGITS):
            return np.array([float(v.sqrt()) for v in np.diag(self.covariance(beta))])

    def newton(self, start: Any) -> Any:
        """The mode, to about forty digits; fails if the iteration does not come to rest."""
        beta = _decimals(start)
        with decimal.localcontext(prec=DIGITS):
            for _ in range(60):
                score = self.score(beta)
                step = self.covariance(beta) @ score
                beta = beta + step
                if step @ score < Decimal("1e-60"):
                    return beta
        raise AssertionError("the reference iteration did not come to rest")

    def compare(self, fit: bl.Fit) -> tuple[float, float]:
        """Largest distance of the fit's mode from the true one in true sds, and largest relative error of its sds."""
        mode = self.newton(fit.params.to_numpy())
        sd = self.sd(mode)
        with decimal.localcontext(prec=DIGITS):
            away = np.array([float(v) for v in _decimals(fit.params.to_numpy()) - mode])
        return float(np.max(np.abs(away) / sd)), float(np.max(np.abs(fit.bse.to_numpy() / sd - 1.0)))

    def violation(self, fit: bl.Fit) -> float:
        """Largest component of the score at the fit's mode, in posterior sds: ``max |v_j| sd_j``."""
        beta = fit.params.to_numpy()
        return float(np.max(np.abs(np.array([float(v) for v in self.score(beta)])) * self.sd(beta)))


def _decimals(beta: Any) -> Any:
    beta = np.asarray(beta)
    return beta if beta.dtype == object else to_decimal(beta)


def inverse(matrix: Any) -> Any:
    """Gauss-Jordan with partial pivoting, on columns and rows scaled to a unit diagonal."""
    p = len(matrix)
    scale = np.array([v.sqrt() for v in np.diag(matrix)], dtype=object)
    work = np.concatenate([matrix / scale / scale[:, None], to_decimal(np.eye(p))], axis=1)
    for k in range(p):
        pivot = k + max(range(p - k), key=lambda i: abs(work[k + i, k]))
        work[[k, pivot]] = work[[pivot, k]]
        work[k] = work[k] / work[k, k]
        for i in range(p):
            if i != k:
                work[i] = work[i] - work[i, k] * work[k]
    return work[:, p:] / scale / scale[:, None]


def log_determinant(matrix: Any) -> Decimal:
    """Of a positive definite matrix, by elimination."""
    work, total = matrix.copy(), Decimal(0)
    for k in range(len(work)):
        total += work[k, k].ln()
        for i in range(k + 1, len(work)):
            work[i] = work[i] - work[i, k] / work[k, k] * work[k]
    return total


def gaussian_blocks(prior: Any) -> list[tuple[Any, Any, Any]]:
    """The proper terms of a resolved prior's printed record as (A, mean, precision)."""
    blocks = []
    for term in prior.describe():
        if term["family"] == "flat":
            continue
        rows = np.eye(len(prior.columns))[[prior.columns.index(name) for name in term["columns"]]]
        A = rows if term["map"] is None else np.array(term["map"])
        given = term["parameters"]
        if term["family"] == "normal":
            with decimal.localcontext(prec=DIGITS):
                precision = to_decimal(np.zeros((len(A), len(A))))
                np.fill_diagonal(precision, 1 / to_decimal(np.array(given["scale"])) ** 2)
        else:
            precision = to_decimal(np.array(given["precision"]))
        blocks.append((A, given["mean"], precision))
    return blocks


def simulate(n: int, slopes: Any, *, intercept: float = 0.0, seed: int = 1, sd: Any = 1.0) -> tuple[Any, Any]:
    """Standard normal columns (times ``sd``) and a Bernoulli outcome from a logistic model in the unscaled columns."""
    rng = np.random.default_rng(seed)
    Z = rng.standard_normal((n, len(slopes)))
    y = (rng.random(n) < 1.0 / (1.0 + np.exp(-(intercept + Z @ np.asarray(slopes))))).astype(float)
    return Z * np.asarray(sd), y


@pytest.fixture
def started() -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start Python processes that heed Ctrl-C, as a shell's background jobs do not; whatever happens, they end."""
    processes = []

    def start(*arguments: str, **given: Any) -> subprocess.Popen[str]:
        made = subprocess.Popen(
            [sys.executable, *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
            **given,
        )
        processes.append(made)
        return made

    yield start
    for process in processes:
        process.kill()
        process.communicate()


# The command line, which says when it opens the data: loading is done then, and the work begins.
COMMAND = """
import sys
from bayeslogit.cli import main
told = []
def tell(event, given):
    if event == "open" and str(given[0]).endswith("d.csv") and not told:
        told.append(print("opened", flush=True))
sys.addaudithook(tell)
sys.argv[0] = "bayeslogit"
main()
"""


@pytest.fixture
def at_work(started: Callable[..., subprocess.Popen[str]]) -> Callable[..., subprocess.Popen[str]]:
    """Start a command of bayeslogit on d.csv, and return when it has opened that file."""

    def start(*arguments: str, **given: Any) -> subprocess.Popen[str]:
        process = started("-c", COMMAND, *arguments, **given)
        assert process.stdout is not None
        if process.stdout.readline() != "opened\n":
            process.kill()
            raise AssertionError(process.communicate()[1][-2000:])
        return process

    return start


@pytest.fixture(scope="session")
def exact() -> type[ExactModel]:
    return ExactModel


@pytest.fixture(scope="session")
def simulated() -> Callable[..., tuple[Any, Any]]:
    return simulate


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(20240229)


@pytest.fixture(scope="session")
def wells() -> Any:
    return bl.datasets.load("wells")


@pytest.fixture(scope="session")
def pima() -> Any:
    return bl.datasets.load("pima")


@pytest.fixture(scope="session")
def wells_design(wells: Any) -> bl.Design:
    return bl.Design.from_arrays(wells[["dist100", "arsenic"]], wells["switch"].to_numpy())


@pytest.fixture(scope="session")
def pima_design(pima: Any) -> bl.Design:
    names = ["npreg", "glu", "bp", "skin", "bmi", "ped", "age"]
    return bl.Design.from_arrays(pima[names], (pima["type"] == "Yes").to_numpy().astype(float))


@pytest.fixture(scope="session")
def berkeley_design() -> bl.Design:
    data = bl.datasets.load("berkeley")
    levels = sorted(data["department"].unique())[1:]
    X = np.column_stack([data["gender"] == "male", *(data["department"] == level for level in levels)]).astype(float)
    trials = data["applicants"].to_numpy()
    return bl.Design.from_arrays(X, data["admitted"].to_numpy(), names=["male", *levels], trials=trials)
