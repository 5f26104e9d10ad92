"""What every command asks of a model: data, formula, prior, and the columns with a role; as options and as a record."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from importlib import resources
from pathlib import Path
from typing import Any

from bayeslogit import datasets
from bayeslogit._fit import DEFAULT_PRIOR, fit
from bayeslogit._priors import Prior
from bayeslogit.cli_options import prior_of
from bayeslogit.design import Design
from bayeslogit.errors import ArgumentError
from bayeslogit.manifest import Input, manifest_path, relative
from bayeslogit.presets import as_prior
from bayeslogit.results import Fit
from bayeslogit.sql import Query

_BUNDLED = "dataset:"
_SETTINGS = ("formula", "prior", "prior_for", "trials", "weights", "offset", "event", "drop_missing", "query", "label")


@contextmanager
def file_of(data: str, folder: Path | None = None) -> Iterator[Path]:
    """The file that DATA means, seen from a folder; ``dataset:NAME`` is one that travels with the package."""
    if data.startswith(_BUNDLED):
        with resources.as_file(datasets.file(data.removeprefix(_BUNDLED))) as path:
            yield path
        return
    yield Path(data) if folder is None else folder / data


@dataclass(frozen=True)
class Question:
    """A model and its data, as they are asked for.

    Attributes
    ----------
    data : str
        A file, or ``dataset:NAME`` for one that travels with the package.
    settings : mapping
        The options that were given, by the names of their parameters.
    """

    data: str
    settings: Mapping[str, Any]

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> Question:
        """From the parameters of a command, or from the config of a manifest.

        Raises
        ------
        ArgumentError
            If there are no data, or no formula.
        """
        if given.get("data") is None:
            raise ArgumentError("Missing argument 'DATA': name a file, here or as data in --config.")
        if given.get("formula") is None:
            raise ArgumentError("Missing option '--formula': give the model, such as 'switch ~ arsenic + dist100'.")
        settings = {key: given[key] for key in _SETTINGS if given.get(key) not in (None, False, [], ())}
        return cls(str(given["data"]), {k: list(v) if isinstance(v, tuple) else v for k, v in settings.items()})

    @property
    def formula(self) -> str:
        return str(self.settings["formula"])

    @cached_property
    def design(self) -> Design:
        """The design; read and coded once."""
        own = self.settings
        with file_of(self.data) as path:
            return Design.from_formula(
                self.formula,
                path if "query" not in own else Query(own["query"], path),
                trials=own.get("trials"),
                weights=own.get("weights"),
                offset=own.get("offset"),
                event=own.get("event"),
                missing="drop" if own.get("drop_missing") else "raise",
            )

    @property
    def prior(self) -> Prior | str:
        """The prior that was asked for; the default in its own person where none was."""
        return self.prior_from(self.settings.get("prior"))

    @property
    def scales_unknown(self) -> bool:
        """Whether the prior has scales of its own to find, so that there is no fit without a posterior."""
        return as_prior(self.prior).resolve(self.design).open

    def prior_from(self, text: str | None) -> Prior | str:
        """A prior from text, with those of single terms; the default where there is neither."""
        terms = self.settings.get("prior_for", ())
        return DEFAULT_PRIOR if text is None and not terms else prior_of(text or DEFAULT_PRIOR, terms)

    @property
    def labels(self) -> dict[str, str]:
        """What coefficients or variables are called in words."""
        found = {}
        for text in self.settings.get("label", ()):
            name, equals, label = text.partition("=")
            if not equals or not name.strip() or not label.strip():
                raise ArgumentError(f"--label {text!r}: write NAME=TEXT, for example dist100='Distance (100 m)'.")
            found[name.strip()] = label.strip()
        return found

    @property
    def resolved(self) -> dict[str, Any]:
        """The settings with the default prior by its name: another version may have another default."""
        return {"formula": self.formula, "prior": f"preset:{DEFAULT_PRIOR}", **self.settings}

    def fit(self, prior: Prior | str | None = None) -> Fit:
        """The fit under the prior that was asked for, or under another."""
        asked, labels = self.prior if prior is None else prior, self.labels  # looked at before the data are read
        return fit(self.design, prior=asked, labels=labels or None)

    def input(self, folder: Path) -> Input:
        """The data, for a manifest in ``folder``."""
        design = self.design
        path = self.data if self.data.startswith(_BUNDLED) else relative(Path(self.data), folder)
        rows = design.provenance.n_rows, design.n_rows, design.n_dropped
        return Input("data", path, str(design.provenance.sha256), *rows)


def not_an_input(out: Path, *inputs: Path | None) -> Path:
    """The output, if it is none of the files that are read.

    Raises
    ------
    ArgumentError
        If it is one of them.
    """
    for each in inputs:
        if each is not None and out.resolve() == each.resolve():
            raise ArgumentError(f"--out {out.name}: this is the file that is read; name another.")
    if out.name and manifest_path(out).is_dir():
        raise ArgumentError(f"--out {out.name}: its manifest cannot be written, {manifest_path(out).name} is a folder.")
    return out


def command_line() -> str:
    """What was typed, as a shell would read it."""
    return shlex.join(["bayeslogit", *sys.argv[1:]])
