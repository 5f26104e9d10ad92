"""Saved records: versioned JSON with a checksum, written atomically, exact to the bit, and no pickle."""

from __future__ import annotations

import base64
import hashlib
import json
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bayeslogit.errors import ArgumentError, FileFormatError

VERSION = 1
# Numbers that JSON does not have.
_WORDS = {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}


def encode(value: Any) -> Any:
    """Plain JSON for a value; arrays become base64 of their little-endian bytes, so no digit is lost."""
    if isinstance(value, np.ndarray):
        data = np.ascontiguousarray(value, dtype="<f8")
        return {"__array__": base64.b64encode(data.tobytes()).decode("ascii"), "shape": list(data.shape)}
    if isinstance(value, np.generic):
        return encode(value.item())
    if isinstance(value, float) and not math.isfinite(value):
        return {"__float__": repr(value)}
    if isinstance(value, Mapping):
        return {str(key): encode(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [encode(item) for item in value]
    return value


def decode(value: Any) -> Any:
    """The inverse of `encode`; sequences come back as lists."""
    if isinstance(value, dict):
        if "__array__" in value:
            return _array(value)
        if "__float__" in value:
            return _WORDS[value["__float__"]]
        return {key: decode(item) for key, item in value.items()}
    if isinstance(value, list):
        return [decode(item) for item in value]
    return value


def _array(value: Mapping[str, Any]) -> NDArray[np.float64]:
    raw = np.frombuffer(base64.b64decode(value["__array__"], validate=True), dtype="<f8")
    shape = value["shape"]
    if not isinstance(shape, list) or not all(type(size) is int and size >= 0 for size in shape):
        raise ValueError(f"shape {shape!r} of an array")
    return raw.reshape(shape).astype(np.float64)


def _checksum(body: Any) -> str:
    canonical = json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    return hashlib.sha256(canonical.encode()).hexdigest()


def write_record(path: str | os.PathLike[str], record: Mapping[str, Any], kind: str = "fit") -> Path:
    """Write a record; a process killed half-way leaves the old file as it was.

    ``kind`` says what it is of, so that a saved prior is not taken for a fit.
    """
    body = encode(record)
    document = {"format": f"bayeslogit-{kind}", "version": VERSION, "checksum": _checksum(body), kind: body}
    text = json.dumps(document, indent=1, ensure_ascii=True, allow_nan=False)
    return write_text(path, text + "\n")


def check_place(path: str | os.PathLike[str]) -> Path:
    """The path, if a file can stand there.

    Raises
    ------
    ArgumentError
        If its folder does not exist, or it is a folder itself.
    """
    target = Path(path)
    name = target.name or str(target)
    if not target.parent.is_dir():
        raise ArgumentError(f"{name}: there is no folder {str(target.parent)!r} to write to; make it first.")
    if target.is_dir():
        raise ArgumentError(f"{name} is a folder; name a file in it.")
    return target


def make_folder(path: str | os.PathLike[str]) -> Path:
    """Make a folder and those above it, unless it is there.

    Raises
    ------
    ArgumentError
        If a file is in the way.
    """
    folder = Path(path)
    for place in (folder, *folder.parents):
        if place.exists() and not place.is_dir():
            raise ArgumentError(f"{place} is a file, not a folder; name another.")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def write_text(path: str | os.PathLike[str], text: str) -> Path:
    """Write a text file atomically: all of it, or nothing."""
    target = check_place(path)
    try:
        return _replace_whole(target, text)
    except OSError as error:  # it names the temporary file, or none
        raise OSError(error.errno, error.strerror, str(target)) from error


def _replace_whole(target: Path, text: str) -> Path:
    # Named before it is made: Ctrl-C between the two would leave a file behind.
    temporary = target.with_name(f".{target.name}.{os.urandom(5).hex()}")
    try:
        with open(temporary, "x", encoding="utf-8", newline="\n") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        os.chmod(temporary, 0o644)
        os.replace(temporary, target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    return target


def read_record(path: str | os.PathLike[str], kind: str = "fit") -> dict[str, Any]:
    """Read a record of that kind that `write_record` wrote.

    Raises
    ------
    FileFormatError
        If the file is missing, is not such a record, was written by a newer version, or its checksum does not fit.
    """
    name = Path(path).name
    try:
        document = json.loads(Path(path).read_bytes().decode("utf-8"))
    except OSError as error:
        raise FileFormatError(f"{name}: cannot be read ({error.strerror}).") from None
    except (ValueError, RecursionError) as error:  # not UTF-8, not JSON, or a number of thousands of digits
        raise FileFormatError(f"{name}: not a saved {kind}, or truncated ({error}).") from None
    if not isinstance(document, dict) or document.get("format") != f"bayeslogit-{kind}":
        raise FileFormatError(f"{name}: not a saved {kind} of bayeslogit (no 'bayeslogit-{kind}' mark).")
    version = document.get("version")
    if type(version) is not int or not 1 <= version <= VERSION:
        raise FileFormatError(
            f"{name}: written in format {version}; this bayeslogit reads up to {VERSION}: upgrade it."
        )
    body = document.get(kind)
    try:
        fits = document.get("checksum") == _checksum(body)
    except (ValueError, RecursionError):  # NaN, which is no JSON, or lists a thousand deep
        fits = False
    if not fits:
        raise FileFormatError(f"{name}: its checksum does not fit, so it was changed or damaged after it was saved.")
    try:
        record = decode(body)
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise FileFormatError(f"{name}: damaged ({error}).") from None
    if not isinstance(record, dict):
        raise FileFormatError(f"{name}: holds no {kind}.")
    return record
