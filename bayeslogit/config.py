"""An analysis as a TOML file: the options of the command line under their own names.

Keys at the top are options of whichever command is run; a table named after a command holds options of that command
alone. Dashes and underscores are alike. Paths are read from the folder of the file. The command line beats the file.
"""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from bayeslogit.errors import ArgumentError

_PATHS = ("data", "model", "out")
_NOT_FOR_FILES = ("config", "help", "verify", "version")


class Kind(NamedTuple):
    """What an option takes: ``name`` is that of the parameter, ``many`` and ``flag`` say how it is written."""

    name: str
    many: bool
    flag: bool


def read_config(path: Path, command: str, options: Mapping[str, Mapping[str, Kind]]) -> dict[str, Any]:
    """The options of ``command`` that a file gives, by the names of its parameters.

    Parameters
    ----------
    path : Path
    command : str
    options : mapping of str to mapping of str to Kind
        For every command its options, by their names without dashes in front.

    Raises
    ------
    ArgumentError
        If the file cannot be read, a key is no option of any command, or a value is not of the option's kind.
    """
    name = path.name
    given = _parsed(path)
    tables = {key: value for key, value in given.items() if key in options and isinstance(value, dict)}
    shared = {key: value for key, value in given.items() if key not in tables}
    known = {key for each in options.values() for key in each} - set(_NOT_FOR_FILES)
    for key in shared:
        if _plain(key) not in known:
            raise ArgumentError(f"{name}: {_unknown(key, {*known, *options})}")
    for table, values in tables.items():
        for key in values:
            if _plain(key) not in set(options[table]) - set(_NOT_FOR_FILES):
                raise ArgumentError(f"{name}: in [{table}], {_unknown(key, set(options[table]))}")
    found: dict[str, Any] = {}
    for place, values in (("", shared), (f"[{command}] ", tables.get(command, {}))):
        for key, value in values.items():
            kind = options[command].get(_plain(key))
            if kind is not None:  # what belongs to other commands is theirs
                found[kind.name] = _value(f"{name}: {place}{key}", value, kind, path.parent)
    return found


def _parsed(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_bytes().decode("utf-8-sig"))
    except OSError as error:
        raise ArgumentError(f"--config {path.name}: cannot be read ({error.strerror}).") from None
    except UnicodeDecodeError:
        raise ArgumentError(f"--config {path.name}: is not UTF-8; save the file as UTF-8.") from None
    except tomllib.TOMLDecodeError as error:
        raise ArgumentError(f"--config {path.name}: is not TOML ({error}).") from None


def _plain(key: str) -> str:
    return key.replace("_", "-")


def _unknown(key: str, known: set[str]) -> str:
    near = difflib.get_close_matches(_plain(key), sorted(known - set(_NOT_FOR_FILES)), n=1)
    if near:
        return f"there is no option {key!r}; did you mean {near[0]!r}?"
    return f"there is no option {key!r}; there are {', '.join(sorted(known - set(_NOT_FOR_FILES)))}."


def _value(place: str, value: Any, kind: Kind, folder: Path) -> Any:
    if kind.flag:
        if not isinstance(value, bool):
            raise ArgumentError(f"{place} = {value!r}: this is true or false.")
        return value
    if kind.many:
        return _several(place, value)
    if isinstance(value, list) and value and all(_is_number(each) for each in value):
        return ",".join(map(_text, value))
    if isinstance(value, bool | dict | list) or not isinstance(value, str | int | float):
        raise ArgumentError(f"{place} = {value!r}: this is one text or number.")
    if kind.name in _PATHS and isinstance(value, str) and not value.startswith("dataset:"):
        return str(folder / value)
    return value


def _several(place: str, value: Any) -> list[str]:
    """Repeated options: one text, a list of texts, or a table of names with their values."""
    if isinstance(value, dict):
        return [f"{key}={_text(each)}" for key, each in value.items() if _checked(place, each)]
    values = value if isinstance(value, list) else [value]
    if not all(isinstance(each, str) for each in values):
        raise ArgumentError(f"{place} = {value!r}: this is a text, a list of texts, or a table of names and values.")
    return list(values)


def _checked(place: str, value: Any) -> bool:
    parts = value if isinstance(value, list) else [value]
    if not all(isinstance(each, str | int | float) for each in parts):
        raise ArgumentError(f"{place}: {value!r} is neither text, number nor a list of them.")
    return True


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _text(value: Any) -> str:
    if isinstance(value, list):
        return ",".join(map(_text, value))
    return str(value).lower() if isinstance(value, bool) else value if isinstance(value, str) else repr(value)
