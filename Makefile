# Everything here makes its own environment (.venv) first; `make` alone says what there is.
.DEFAULT_GOAL := help
.PHONY: help demo reports docs test check coverage prove mutants lowest lint format bench clean package develop

# BLAS on one thread: two test processes already fill two cores.
THREADS := OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 MKL_NUM_THREADS=1
PYTEST := $(THREADS) .venv/bin/python -m pytest
DEMO := reports/demo

help: ## say what each target does
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-8s %s\n", $$1, $$2 }' Makefile

demo: package ## fit the bundled wells data, print the summary, write an HTML report
	@echo "make demo: fitting the bundled wells data; the report goes to $(DEMO)/"
	@.venv/bin/bayeslogit demo --out $(DEMO)
	@report=$$(ls -t $(DEMO)/*.html 2>/dev/null | head -n 1); \
	if [ -z "$$report" ]; then echo "make demo: no report was written to $(DEMO)/" >&2; exit 1; fi; \
	echo "make demo: wrote the report $$report"

reports: develop ## run the examples and write the pages in reports/ anew (a minute)
	@$(THREADS) .venv/bin/python tools/gallery.py

docs: develop ## run the pages of docs/ and the README, write their answers and the API reference anew
	@$(THREADS) .venv/bin/python tools/docs.py

test: develop ## run every test that needs only Python (minutes)
	@echo "make test: every test that needs only Python, in two processes"
	@$(PYTEST) -n 2 --dist loadfile -m "not prove"

check: lint ## style, types and the quick tests (under a minute)
	@echo "make check: the quick tests, in two processes"
	@$(PYTEST) -n 2 --dist loadfile -m "not slow and not prove"

coverage: develop ## say which lines of bayeslogit/ the tests of `make test` do not run (ten minutes)
	@echo "make coverage: the tests of make test, with every line that they run noted"
	@.venv/bin/python -m coverage erase
	@$(THREADS) .venv/bin/python -m coverage run -m pytest -n 2 --dist loadfile -m "not prove"
	@echo "make coverage: the compiled loops once more as Python, because compiled code leaves no trace"
	@# As Python they warn where hashes wrap around and infinities meet; compiled they do not.
	@NUMBA_DISABLE_JIT=1 $(THREADS) .venv/bin/python -m coverage run -m pytest -q tests/test_kernels.py -m "not prove" \
	  -W ignore::RuntimeWarning
	@.venv/bin/python -m coverage combine --quiet
	@.venv/bin/python -m coverage report

prove: develop ## what needs Chromium, LaTeX, R or an hour, and the oldest supported versions
	@echo "make prove: the long checks and the oldest supported versions of our dependencies"
	@for program in chromium pdflatex Rscript; do \
	  if ! command -v $$program >/dev/null 2>&1; then \
	    echo "make prove: the program $$program is missing; install it and run make prove again" >&2; exit 1; fi; \
	done
	@$(MAKE) --no-print-directory lowest
	@$(PYTEST) -m prove || { status=$$?; \
	  if [ $$status -eq 5 ]; then echo "make prove: no test is marked prove yet"; else exit $$status; fi; }

mutants: develop ## put small faults into logistic, priors, target and solve; say which no test notices (an hour)
	@$(THREADS) .venv/bin/python tools/mutants.py logistic _priors target solve

lowest: develop ## run the quick tests with the oldest dependencies that pyproject.toml allows (Python 3.12)
	@echo "make lowest: the quick tests with the oldest versions that pyproject.toml allows, in .venv-lowest"
	@python=$$(tools/find-python 3.12) && rm -rf .venv-lowest && "$$python" -m venv .venv-lowest
	@.venv-lowest/bin/python -c 'import tomllib; text = tomllib.load(open("pyproject.toml", "rb"))["project"]; \
	print(*(line.replace(">=", "==") for line in text["dependencies"]), sep="\n")' >.venv-lowest/oldest.txt
	@.venv-lowest/bin/python -m pip install --quiet --upgrade "pip>=25.1"
	@.venv-lowest/bin/python -m pip install --quiet --editable . --group test --constraint .venv-lowest/oldest.txt
	@# Old releases of other packages use what newer ones have deprecated.
	@$(THREADS) .venv-lowest/bin/python -m pytest -n 2 --dist loadfile -m "not slow and not prove" -W ignore::DeprecationWarning

lint: develop ## check style (ruff) and types (mypy), change nothing
	@echo "make lint: ruff and mypy"
	@.venv/bin/ruff check .
	@.venv/bin/ruff format --check .
	@.venv/bin/mypy

format: develop ## rewrite the files in the common style (ruff)
	@echo "make format: ruff rewrites the files in place"
	@.venv/bin/ruff check --fix .
	@.venv/bin/ruff format .

bench: develop ## time the import, then run the scripts in benchmarks/
	@echo "make bench: seconds for 'import bayeslogit' and what fit needs, in a new process, five times (the first fills the disk cache)"
	@for run in 1 2 3 4 5; do .venv/bin/python -c 'import time; start = time.perf_counter(); import bayeslogit; bayeslogit.fit; \
	print(f"  {time.perf_counter() - start:.2f} s")'; done
	@for script in benchmarks/*.py; do [ ! -e "$$script" ] || { echo "$$script"; .venv/bin/python "$$script"; }; done

clean: ## remove what make has made: environments, caches, builds, reports/demo
	@echo "make clean: removing .venv, .venv-lowest, caches, builds and $(DEMO)"
	@rm -rf .venv .venv-lowest dist build .pytest_cache .mypy_cache .ruff_cache .hypothesis $(DEMO)
	@find bayeslogit tests -name __pycache__ -type d -prune -exec rm -rf {} +

# The two levels of the environment; tools/environment says when it is rebuilt.
package:
	@tools/environment package

develop:
	@tools/environment develop
