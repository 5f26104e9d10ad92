"""Sites that count different things: what each file says of its outcome, and what may not be added."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit

import bayeslogit as bl
from bayeslogit.storage import read_record, write_record


@pytest.fixture(scope="module")
def rows():
    rng = np.random.default_rng(1)
    a = rng.normal(size=600)
    return pd.DataFrame({"a": a, "y": rng.binomial(1, expit(a))})


def pooled(*designs, rounds=1):
    found = None
    for _ in range(rounds):
        sums = [bl.site_summary(each, found, site=name) for name, each in zip("ABC", designs, strict=False)]
        found = bl.pool_sites(sums, bl.Normal(2.5), found)
    return found


def coded(frame, event, other):
    return bl.Design.from_formula("y ~ a", frame.assign(y=np.where(frame["y"] == 1, event, other)))


def test_another_event_or_outcome_is_refused(rows):
    here, rest = bl.Design.from_formula("y ~ a", rows[:300]), rows[300:]
    with pytest.raises(bl.DataError, match="the outcome is 0 against 1 at B and 1 against 0 at A; say which is the ev"):
        pooled(here, bl.Design.from_formula("y ~ a", rest, event=0))
    with pytest.raises(bl.DataError, match="is False against True at B and 1 against 0 at A"):
        pooled(here, bl.Design.from_formula("y ~ a", rest.assign(y=rest["y"] == 1), event=False))
    with pytest.raises(bl.DataError, match="the outcome is 'z' at B and 'y' at A: another outcome has a model of its"):
        pooled(here, bl.Design.from_formula("z ~ a", rest.rename(columns={"y": "z"})))
    counts = bl.Design.from_formula("y ~ a", rest.assign(y=2 * rest["y"], n=2), trials="n")
    with pytest.raises(bl.DataError, match="counts of successes at B and well against sick at A; give 0 and 1"):
        pooled(coded(rows[:300], "sick", "well"), counts)
    # The first site has no row of the other level, and so agrees with each of two that disagree.
    only = bl.Design.from_formula("y ~ a", rest[rest["y"] == 1].assign(y="sick"), event="sick")
    one, another = (
        bl.Design.from_formula("y ~ a", rows[:300].assign(y=np.where(rows["y"][:300] == 1, "sick", word)), event="sick")
        for word in ("well", "lost")
    )
    pooled(only, one)
    with pytest.raises(bl.DataError, match="is sick against lost at C and sick against well at B"):
        pooled(only, one, another)


def test_one_outcome_written_in_other_ways_is_pooled_with_a_note(rows):
    whole = bl.fit("y ~ a", rows, prior=bl.Normal(2.5), tol=1e-10)
    here, rest = bl.Design.from_formula("y ~ a", rows[:300]), rows[300:]
    ways = {
        "1 against 0 at A; True against False at B": rest.assign(y=rest["y"] == 1),
        "1 against 0 at A; 1.0 against 0.0 at B": rest.assign(y=rest["y"].map({0: "0.0", 1: "1.0"})),
    }
    for words, frame in ways.items():
        found = pooled(here, bl.Design.from_formula("y ~ a", frame), rounds=8)
        assert found.converged and found.notes == (f"The outcome is written in 2 ways, taken for the same: {words}.",)
        assert np.max(np.abs(found.params - whole.params) / whole.bse) < 1e-8
        assert words in " ".join(str(found).split())
    assert (
        "Yes against No at A; yes against no at B"
        in pooled(coded(rows[:300], "Yes", "No"), coded(rest, "yes", "no")).notes[0]
    )
    # Levels that differ in their letters' case alone are two levels.
    with pytest.raises(bl.DataError, match="is n against N at B and N against n at A"):
        pooled(
            *(bl.Design.from_formula("y ~ a", rows.assign(y=np.where(rows["y"] == 1, "n", "N")), event=e) for e in "Nn")
        )
    counts = bl.Design.from_formula("y ~ a", rest.assign(n=1 + rest["y"] * 0).assign(n=2), trials="n")
    assert "1 against 0 at A; counts of successes at B" in pooled(here, counts).notes[0]
    array = bl.Design.from_arrays(rest[["a"]], rest["y"])
    assert pooled(here, array).notes == ("The outcome of B is an array without a name, taken for 'y'.",)
    assert pooled(array, bl.Design.from_arrays(rest[["a"]], rest["y"], event=1)).notes == ()


def test_the_outcome_travels_and_files_without_it_are_refused(rows, tmp_path):
    design = bl.Design.from_formula("y ~ a", rows.assign(y=np.where(rows["y"] == 1, "sick", "well")), event="sick")
    file = tmp_path / "s.json"
    bl.site_summary(design, site="A").to_json(file)
    back = bl.SiteSummary.from_json(file)
    assert (back.outcome, back.event, back.other, back.grouped) == ("y", "sick", "well", False)
    one = dataclasses.replace(back, site="B", event="well", other="sick")
    with pytest.raises(bl.DataError, match="well against sick at B and sick against well at A"):
        bl.pool_sites([file, one], bl.Normal(2.5))
    record = read_record(file, "site")
    older = {name: value for name, value in record.items() if name not in ("outcome", "event", "other", "grouped")}
    write_record(file, older, "site")
    with pytest.raises(bl.FileFormatError, match=r"s\.json: does not say which outcome was counted.*make it again"):
        bl.SiteSummary.from_json(file)
    write_record(file, record | {"grouped": "no"}, "site")
    with pytest.raises(bl.FileFormatError, match="grouped is 'no', and bool is needed"):
        bl.SiteSummary.from_json(file)


def test_a_note_does_not_keep_the_rounds_from_their_end_and_a_step_too_far_comes_first(rows):
    designs = [bl.Design.from_formula("y ~ a", rows[:300]), coded(rows[300:], "1.0", "0.0")]
    there = pooled(*designs)
    wild = [bl.site_summary(each, 60.0 * there.next_beta, site=name) for name, each in zip("AB", designs, strict=True)]
    back = bl.pool_sites(wild, bl.Normal(2.5), there)
    assert not back.converged and "half-way back" in back.notes[0] and "written in 2 ways" in back.notes[1]
