"""Bytes that nobody meant: the kept corpus and mutants of it, by a fixed seed, through every reader."""

from __future__ import annotations

import base64
import importlib.util
import random
from pathlib import Path

import pytest

HERE = Path(__file__).parent
_spec = importlib.util.spec_from_file_location("fuzz_targets", HERE / "targets.py")
assert _spec is not None and _spec.loader is not None
_module = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_module)
TARGETS = _module.TARGETS

WORDS = [b",", b"\n", b'"', b"\x00", b"\xff", b"nan", b"inf", b"1e999", b"-0", b"9" * 400, b"\xef\xbb\xbf", b"{", b"["]
WORDS += [b"~", b"(", b")", b"**", b"__class__", b"`", b"null", b"true", b"\r", b"\t", b";", "é".encode(), b"\\u0000"]


def corpus(name: str) -> list[bytes]:
    """What was written by hand, and what the guided fuzzer found to reach new code (one input a line, base64)."""
    found = HERE / "found" / f"{name}.txt"
    lines = found.read_bytes().split() if found.exists() else []
    seeds = [path.read_bytes() for path in sorted((HERE / "corpus" / name).iterdir())]
    return [*seeds, *(base64.b64decode(line) for line in lines)]


def mutant(seeds: list[bytes], chance: random.Random) -> bytes:
    """A few changes to a seed: bytes flipped, cut, doubled, words put in, two seeds joined."""
    data = bytearray(chance.choice(seeds))
    for _ in range(chance.randint(1, 6)):
        k = chance.randrange(len(data) + 1)
        match chance.randrange(6):
            case 0 if data:
                data[k % len(data)] ^= 1 << chance.randrange(8)
            case 1:
                data[k:k] = chance.choice(WORDS)
            case 2:
                del data[k : k + chance.randint(1, 30)]
            case 3:
                data[k:k] = data[k : k + chance.randint(1, 40)]
            case 4:
                other = chance.choice(seeds)
                data[k:] = other[chance.randrange(len(other) + 1) :]
            case _:
                data[k:k] = bytes(chance.randrange(256) for _ in range(chance.randint(1, 4)))
    return bytes(data)


def fuzz(name: str, count: int, seed: int) -> None:
    seeds, chance = corpus(name), random.Random(seed)
    for each in seeds:
        TARGETS[name](each)
    for number in range(count):
        data = mutant(seeds, chance)
        try:
            TARGETS[name](data)
        except Exception as error:
            raise AssertionError(f"{name}, input {number}: {data[:300]!r} raised {error!r}") from error


@pytest.mark.parametrize("name", TARGETS)
def test_mutants_of_the_corpus(name: str) -> None:
    fuzz(name, 30 if name in ("cli", "config") else 150, seed=1)


@pytest.mark.prove
@pytest.mark.parametrize("name", TARGETS)
def test_10000_mutants_of_the_corpus(name: str) -> None:
    fuzz(name, 10_000, seed=2)


def test_the_corpus_is_small() -> None:
    kept = [path for folder in ("corpus", "found") for path in (HERE / folder).rglob("*") if path.is_file()]
    assert len(kept) > 50 and sum(path.stat().st_size for path in kept) < 300_000


def test_the_targets_reach_what_they_are_for(capsys: pytest.CaptureFixture[str]) -> None:
    for name in TARGETS:
        assert len(corpus(name)) >= 2, name
    _module.command(["fit", "d.csv", "--formula", "y ~ x", "--out", "o.json"])
    assert (_module.PLACE / "commands" / "o.json").exists()
    with pytest.raises(AssertionError):
        _module._done(1)
