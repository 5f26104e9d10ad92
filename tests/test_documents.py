"""What the docstrings tell users to type runs. The pages are in test_docs.py, the examples in test_examples.py."""

from __future__ import annotations

import doctest

import pytest

import bayeslogit._fit
import bayeslogit._priors


@pytest.mark.parametrize("module", [bayeslogit._fit, bayeslogit._priors])
def test_docstring_examples_hold(module):
    result = doctest.testmod(module)
    assert result.attempted > 0 and result.failed == 0
