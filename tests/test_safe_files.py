"""Saved files: whatever happened to one, it is read as it was written or refused with the reason.

A mutant here has its checksum mended, so that what is tested is the reading of each field, not the checksum alone.
"""

from __future__ import annotations

import copy
import json
import random
import time
import warnings
from pathlib import Path

import numpy as np
import pytest

import bayeslogit as bl
from bayeslogit.errors import FileFormatError
from bayeslogit.manifest import read_manifest
from bayeslogit.storage import _checksum, read_record, write_record

WRONG = (None, True, -1, 2.5, 10**30, "", "nope", [], {}, [[1]], {"a": 1}, {"__array__": "AAAA", "shape": [1]})
PLAIN_WRONG = WRONG[:-1]  # a manifest has no arrays
WRONG += ({"__array__": "AAAAAAAAAAA=", "shape": [-1]}, {"__float__": "nan"}, {"__array__": 3, "shape": "x"})


def frame():
    rng = np.random.default_rng(3)
    n = 60
    data = {"y": rng.integers(0, 2, n), "x": rng.normal(size=n), "z": rng.normal(size=n), "g": list("abcab" * 12)}
    return data


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """One saved file of each kind, with its reader."""
    folder = tmp_path_factory.mktemp("saved")
    prior = bl.priors(default=bl.Normal(1.0), terms={"z": bl.Laplace(0.3)})
    bl.fit("y ~ x + poly(z, 2) + g", frame(), prior=bl.Normal(1.0)).to_json(folder / "formula.json")
    fit = bl.fit("y ~ x + z", frame(), prior=prior, labels={"x": "Height"})
    fit.to_json(folder / "terms.json")
    X = np.column_stack([frame()["x"], frame()["z"]])
    bl.fit(bl.Design.from_arrays(X, frame()["y"]), prior=bl.StudentT(3, 1)).to_json(folder / "arrays.json")
    bl.fit(bl.Design.from_arrays(np.eye(12, 20), [0, 1] * 6), prior=bl.Normal(1.0)).to_json(folder / "wide.json")
    bl.save_prior(bl.fit("y ~ x + z", frame(), prior=bl.Normal(1.0)).as_prior(), folder / "prior.json")
    site = bl.site_summary(bl.Design.from_formula("y ~ x + z", frame()), site="north")
    site.to_json(folder / "site.json")
    bl.pool_sites([site], bl.Normal(1.0)).to_json(folder / "round.json")
    return folder


def read_round(path):
    return bl.site_summary(bl.Design.from_formula("y ~ x + z", frame()), path, site="north")


READERS = {
    "formula": (bl.load, "fit"),
    "terms": (bl.load, "fit"),
    "arrays": (bl.load, "fit"),
    "wide": (bl.load, "fit"),
    "prior": (bl.load_prior, "prior"),
    "site": (bl.SiteSummary.from_json, "site"),
    "round": (read_round, "round"),
}


def places(node, path=()):
    """Every node of a JSON document, by its path."""
    yield path
    if isinstance(node, dict):
        for key, item in node.items():
            yield from places(item, (*path, key))
    elif isinstance(node, list):
        for k, item in enumerate(node[:3]):
            yield from places(item, (*path, k))


def changed(document, path, value):
    if not path:
        return value
    made = copy.deepcopy(document)
    node = made
    for step in path[:-1]:
        node = node[step]
    if value is KeyError:
        del node[path[-1]]
    else:
        node[path[-1]] = value
    return made


def mutants(name, folder, values=WRONG):
    """(path, value, text) of every node replaced in turn, its checksum mended."""
    kind = READERS[name][1]
    document = json.loads((folder / f"{name}.json").read_text("utf-8"))
    for path in places(document[kind]):
        for value in (*values, KeyError) if path else values:
            body = changed(document[kind], path, value)
            yield path, value, json.dumps({**document, "checksum": _checksum(body), kind: body})


def outcome(reader, path):
    """None if it was read, else what was raised; no warning of NumPy may get out."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            reader(path)
        except Exception as error:
            return error
    return None


def kind_of(value):
    """Of a JSON value; whole numbers and numbers with a point are alike."""
    if isinstance(value, dict) and ("__array__" in value or "__float__" in value):
        return "array" if "__array__" in value else "number"
    if isinstance(value, bool) or value is None:
        return str(type(value))
    return "number" if isinstance(value, int | float) else type(value).__name__


def at(document, path):
    for step in path:
        document = document[step]
    return document


# What formulaic learned, levels, and words nobody computes with: kinds there are whatever the data had.
FREE = ("state", "levels", "kinds", "reference_levels", "event", "other")


@pytest.mark.parametrize("name", READERS)
def test_every_field_of_the_wrong_kind_is_refused(name, saved, tmp_path):
    reader, kind = READERS[name]
    document = json.loads((saved / f"{name}.json").read_text("utf-8"))[kind]
    place, seen = tmp_path / "m.json", 0
    every = mutants(name, saved)
    few = (each for k, each in enumerate(every) if k % 7 == 0)
    for path, value, text in few:
        place.write_text(text)
        error = outcome(reader, place)
        seen += 1
        if error is None:
            given = at(document, path)
            same = value is not KeyError and kind_of(value) == kind_of(given)
            optional = value is None or value is KeyError or given is None or path[-1] == "labels"
            assert same or optional or any(word in path for word in FREE), (path, value)
        elif name == "round":
            assert isinstance(error, bl.BayeslogitError), (path, value, error)
        else:
            assert isinstance(error, FileFormatError), (path, value, error)
            assert "lacks or mistypes" in str(error) or "m.json" in str(error), error
    assert seen > 20


@pytest.mark.prove
@pytest.mark.parametrize("name", READERS)
def test_every_field_of_the_wrong_kind_is_refused_all(name, saved, tmp_path):
    reader, _ = READERS[name]
    place = tmp_path / "m.json"
    for path, value, text in mutants(name, saved):
        place.write_text(text)
        error = outcome(reader, place)
        allowed = bl.BayeslogitError if name == "round" else FileFormatError
        assert error is None or isinstance(error, allowed), (path, value, error)


@pytest.mark.parametrize("name", READERS)
def test_truncated_and_damaged_files_are_refused(name, saved, tmp_path):
    reader, kind = READERS[name]
    data = (saved / f"{name}.json").read_bytes()
    place = tmp_path / "d.json"
    chance = random.Random(7)
    damaged = [data[: chance.randrange(len(data) - 2)] for _ in range(25)]
    for _ in range(25):
        k = chance.randrange(len(data))
        damaged.append(data[:k] + bytes([data[k] ^ (1 << chance.randrange(7))]) + data[k + 1 :])
    deep = b'{"format": "bayeslogit-' + kind.encode() + b'", "version": 1, "checksum": "x", "' + kind.encode() + b'": '
    damaged += [deep + b"[" * 100_000, deep + b"[" * 3000 + b"]" * 3000 + b"}", b"", b"\xff\xfe", b"null", b"[]"]
    damaged += [deep + b"1" * 5000 + b"}", deep + b"1e999}", deep + b"NaN}", deep + b'{"a": 1, "a": 2}}', b"{" * 10]
    for each in damaged:
        place.write_bytes(each)
        if each == data or _same_document(each, data):
            continue
        error = outcome(reader, place)
        assert isinstance(error, FileFormatError), (each[:80], error)
        assert "d.json" in str(error)


def _same_document(one, other):
    """Whether a flipped bit left the meaning of the JSON as it was."""
    try:
        return json.loads(one) == json.loads(other)
    except (ValueError, RecursionError):
        return False


def test_newer_files_folders_and_other_kinds_are_refused_with_the_reason(saved, tmp_path):
    for name, (reader, _) in READERS.items():
        document = json.loads((saved / f"{name}.json").read_text("utf-8"))
        place = tmp_path / "n.json"
        place.write_text(json.dumps({**document, "version": 99}))
        with pytest.raises(FileFormatError, match="format 99; this bayeslogit reads up to 1: upgrade"):
            reader(place)
        for version in (None, "1", -1, True, 0):
            place.write_text(json.dumps({**document, "version": version}))
            with pytest.raises(FileFormatError, match="format"):
                reader(place)
        place.write_text(json.dumps({**document, "checksum": None}))
        with pytest.raises(FileFormatError, match="changed or damaged after it was saved"):
            reader(place)
        with pytest.raises(FileFormatError, match="cannot be read"):
            reader(tmp_path)
        with pytest.raises(FileFormatError, match="cannot be read"):
            reader(tmp_path / "none.json")
        other = "prior" if name != "prior" else "site"
        with pytest.raises(FileFormatError, match=r"not a saved .* \(no 'bayeslogit-"):
            reader(saved / f"{other}.json")


def test_a_loaded_fit_predicts_bit_for_bit(saved):
    new = {"x": [0.1, -2.0], "z": [0.5, 0.7], "g": ["a", "c"]}
    fit = bl.fit("y ~ x + poly(z, 2) + g", frame(), prior=bl.Normal(1.0))
    again = bl.load(saved / "formula.json")
    for kind in ("mean", "mode"):
        assert fit.predict(new, kind=kind).equals(again.predict(new, kind=kind))
    assert fit.conf_int().equals(again.conf_int()) and str(fit.summary()) == str(again.summary())


MANIFEST = {
    "format": "bayeslogit-manifest",
    "schema_version": 1,
    "command": "fit",
    "config": {"formula": "y ~ x"},
    "inputs": [{"role": "data", "path": "d.csv", "sha256": "00", "rows": 3}],
    "output": {"path": "f.json", "sha256": "00"},
    "seed": 1,
    "versions": {"python": "3.12"},
    "numbers": {"x": [0.5, 1e-9], "y": ["nan", 0.0]},
}


def test_manifests_of_every_wrong_kind_are_refused(tmp_path):
    place = tmp_path / "m.manifest.json"
    place.write_text(json.dumps(MANIFEST))
    read_manifest(place)
    for path in places(MANIFEST):
        for value in (*PLAIN_WRONG, KeyError) if path else PLAIN_WRONG:
            place.write_text(json.dumps(changed(MANIFEST, path, value)))
            error = outcome(read_manifest, place)
            assert error is None or isinstance(error, FileFormatError), (path, value, error)
            if error is None and path:
                same = value is not KeyError and kind_of(value) == kind_of(at(MANIFEST, path))
                number = path[0] == "numbers"
                optional = (
                    path[-1] in ("rows", "seed", 0)
                    or "config" in path
                    or number
                    or value is None
                    or path[0] == "versions"
                )
                assert same or optional, (path, value)


WRITER = """
import sys, numpy as np
from bayeslogit.storage import write_record
k = float(sys.argv[2])
print("ready", flush=True)
while True:
    k += 1
    write_record(sys.argv[1], {"k": k, "values": np.full(20000, k)})
"""


def killed(started, path, seed, *, processes, saved, halved):
    """Start processes that save without end, kill each at a random moment; what is there is whole, and no older.

    At least so many processes, and more until enough of them have saved and enough have left a save cut short: how
    many do depends on the disk and on what else the machine does, and decides how much is tested, not the outcome.
    """
    chance = random.Random(seed)
    write_record(path, {"k": 0, "values": np.zeros(20000)})
    saves, cut_short, last = 0, 0, 0.0
    for number in range(10 * processes):
        if number >= processes and saves >= saved and cut_short >= halved:
            break
        first = 1e6 * (number + 1)
        process = started("-c", WRITER, str(path), str(first))
        assert process.stdout is not None and process.stdout.readline() == "ready\n"
        time.sleep(chance.uniform(0.0, 0.05))
        process.kill()
        process.communicate()
        record = read_record(path)
        assert (record["values"] == record["k"]).all()
        assert record["k"] >= last
        last = record["k"]
        saves += last > first
        cut_short = len(list(path.parent.iterdir())) - 1
    assert saves >= saved and cut_short >= halved


def test_a_killed_process_leaves_a_whole_file(tmp_path, started):
    killed(started, tmp_path / "fit.json", 1, processes=8, saved=2, halved=1)


@pytest.mark.prove
def test_200_killed_processes_leave_a_whole_file(tmp_path, started):
    killed(started, tmp_path / "fit.json", 2, processes=200, saved=100, halved=20)


def test_a_failed_save_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    path = tmp_path / "fit.json"
    fit = bl.fit("y ~ x", frame(), prior=bl.Normal(1.0))
    fit.to_json(path)
    before = path.read_bytes()

    def full(*_args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("bayeslogit.storage.os.fsync", full)
    with pytest.raises(OSError, match=r"No space left.*fit\.json"):
        fit.to_json(path)
    assert path.read_bytes() == before and [each.name for each in tmp_path.iterdir()] == ["fit.json"]
    assert isinstance(bl.load(Path(path)), bl.Fit)
