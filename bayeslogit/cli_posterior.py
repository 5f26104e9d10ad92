"""Posteriors on the command line: options, a progress bar on long work, and what goes to stdout."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Annotated, Any

import typer

from bayeslogit._priors import Prior
from bayeslogit._sample import sample
from bayeslogit.design import Design
from bayeslogit.draws import Draws
from bayeslogit.ladder import METHODS, check_method
from bayeslogit.posterior.nuts_sampling import Progress
from bayeslogit.render.terminal import print_lines, print_table
from bayeslogit.results import Fit
from bayeslogit.unknown_draws import UnknownDraws

Posterior = Annotated[
    str | None,
    typer.Option(
        "--posterior", metavar="RUNG", help=f"Also give the posterior: {', '.join(METHODS)}.", show_default=False
    ),
]
DrawCount = Annotated[int, typer.Option("--draws", min=1, help="Number of draws of the posterior.")]
Seed = Annotated[int, typer.Option("--seed", min=0, help="Seed of everything that is drawn.")]
Strict = Annotated[bool, typer.Option("--strict", help="Exit with code 5 if the verdict on the posterior is 'failed'.")]


@dataclass(frozen=True)
class Wish:
    """What was asked for: a rung (None for no posterior), how many draws, and the seed."""

    method: str | None
    draws: int = 4000
    seed: int = 0

    def __post_init__(self) -> None:
        if self.method is not None:
            check_method(self.method)

    def granted(self, fit: Fit) -> Draws | None:
        """The posterior, if one was asked for and there is a mode; with a progress bar where stderr is a terminal."""
        if self.method is None or not fit.converged:
            return None
        with _bar() as progress:
            return fit.sample(self.method, self.draws, self.seed, progress=progress)

    def drawn(self, design: Design, prior: Prior | str, labels: Mapping[str, str]) -> Draws:
        """The posterior under a prior with unknown scales, which has no mode to begin with."""
        with _bar() as progress:
            method = "auto" if self.method is None else self.method
            own: dict[str, Any] = {"draws": self.draws, "rng": self.seed, "progress": progress, "labels": labels}
            return sample(design, prior=prior, method=method, **own)


@contextmanager
def _bar() -> Iterator[Progress | None]:
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import Progress as Bar

    with Bar(console=Console(stderr=True), transient=True) as bar:
        tasks: list[Any] = []

        def show(done: int, total: int) -> None:
            # The bar begins with the first draw: most rungs are done before there is anything to show.
            if not tasks:
                tasks.append(bar.add_task("NUTS", total=total))
            bar.update(tasks[0], completed=done, total=total)

        yield show


def print_posterior(draws: Draws, prob: float) -> None:
    """The coefficient table of the posterior, and the verdict in words; with unknown scales how far they shrink."""
    print()
    print_table(draws.summary(prob))
    if isinstance(draws, UnknownDraws):
        print()
        print_table(draws.shrinkage(prob))
    print()
    print_lines((draws.verdict.in_words,))


def posterior_document(draws: Draws, prob: float, seed: int) -> dict[str, Any]:
    """The posterior as plain values, for JSON; its verdict names the rungs."""
    ess = draws.rung.ess
    return {
        "method": draws.method,
        "draws": draws.n,
        "seed": seed,
        "coefficients": draws.summary(prob).records(),
        "mean": draws.mean.tolist(),
        "khat": draws.khat,
        "ess": ess if isinstance(ess, float) else [float(each) for each in ess],
        "log_evidence": draws.log_evidence,
        "log_evidence_se": draws.log_evidence_se,
        "verdict": draws.verdict.to_dict(),
        **({"scales": draws.hyper.table(prob).records()} if isinstance(draws, UnknownDraws) else {}),
    }
