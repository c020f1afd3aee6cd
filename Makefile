# Every target makes .venv by itself, then runs one plain command, which it prints. `make` alone lists them.
# Paths with spaces are fine; a GNU make as old as 3.81 will do.

PYTHON ?= python3
ARGS ?=
BENCH ?= build_time
# The versions of record. The newest that pyproject.toml allows: make test CONSTRAINTS=/dev/null
CONSTRAINTS ?= constraints.txt

# All the checks are made, whichever of them fails; one at a time, since they share .venv and _build.
MAKEFLAGS += --keep-going
.NOTPARALLEL:
.DEFAULT_GOAL := help
.PHONY: help html books lab watch test test-all coverage uncovered peers elsewhere newest oldest accept bench audit check lint types workflows text pages records renew clean

export PYTHON CONSTRAINTS
# Whatever the locale and the user's own pip settings are.
export PYTHONUTF8 := 1
export PIP_USER := 0

help: ## list the targets (the default)
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1|\2/p' Makefile | while IFS='|' read -r name text; do printf '%-14s %s\n' "$$name" "$$text"; done
	@echo 'The first call makes .venv, with torch in it; the next ones start at once. Another Python: make html PYTHON=python3.12'

build = .venv/bin/python -m sphinx -n -W --keep-going -c . -d _build/doctrees
html: .venv/installed ## build the book into _build/html; fails if any printed output differs from its page
	$(build) -b html docs _build/html
	@echo 'The book is in _build/html: open _build/html/index.html in a browser, or serve it with'
	@echo '  python3 -m http.server --bind 127.0.0.1 -d _build/html    (then look at http://localhost:8000)'

# A build exits with 1 where an output differs here: the book is whole all the same.
lab: .venv/lab ## build the book and open its pages as notebooks in JupyterLab, in _build/lab; what you change there stays
	$(build) -b html docs _build/html || [ $$? = 1 ]
	.venv/bin/python docs/_ext/book/downloads/lab.py _build/html/download docs _build/lab
	.venv/bin/python -m jupyterlab --ServerApp.root_dir=_build/lab $(ARGS)
.venv/lab: .venv/installed
	.venv/bin/python -m pip install --disable-pip-version-check --constraint "$$CONSTRAINTS" --editable '.[lab]'
	touch $@

# What carries a date carries the commit's, so that a commit makes the same books each time.
books: export SOURCE_DATE_EPOCH ?= $(or $(shell git log -1 --format=%ct 2>/dev/null),315532800)
books: .venv/installed ## build the book as an EPUB too, as a PDF where a browser is, and a site that offers them
	$(build) -b epub docs _build/epub
	$(build) -b epub-paper docs _build/paper
	$(build) -b html -D takeaway_books=_build/epub/snn_docs.epub,_build/paper/snn_docs.pdf docs _build/html

# In a folder of its own: pages that are published keep their policy, which lets no inline script run.
watch: .venv/installed ## serve the book and build it again whenever a file of it is saved, until Ctrl-C; in a browser: make watch ARGS=--open-browser
	.venv/bin/python -m sphinx_autobuild --watch snn_docs --watch conf.py --re-ignore __pycache__ $(ARGS) -n -c . -d _build/doctrees -b html -D head_policy=0 docs _build/watch

# Each file has its tests run by one process, which shares what it has set up for them; tests/conftest.py orders them.
parallel = -m pytest --numprocesses=auto --dist=loadfile --no-loadscope-reorder
python = .venv/bin/python
ifeq ($(strip $(ARGS)),)
test: .venv/installed ## run all tests but the slow ones, and every cell of the book; a part: make test ARGS="tests/test_x.py -x"
	$(python) $(parallel) -m "not slow"
else
test: .venv/installed
	.venv/bin/python -m pytest $(ARGS)
endif

test-all: .venv/installed ## run every test
	$(python) $(parallel)

# It doubles the time of every test, so nothing else waits for it. Old files would count as this run's; what is left
# to remove at the end is half a file of a process that a test has killed.
coverage: python = .venv/bin/python -m coverage run
coverage: uncovered test-all ## run every test and measure which lines they reach
	.venv/bin/python -m coverage combine --quiet
	rm -f .coverage.*
	.venv/bin/python -m coverage report
uncovered:
	rm -f .coverage .coverage.*

others = docs/peers.md docs/nir.md docs/beyond.md docs/experiments/peers.md docs/experiments/peer_settings.md docs/experiments/peer_gradients.md docs/experiments/nir.md docs/experiments/nir_limits.md docs/experiments/chip_rules.md docs/experiments/neurobench.md
# The nir that Sinabs pins is too old for the others: so there are two environments.
# The pages whose cells need them show records elsewhere: here, each cell runs in one of the two.
peers: .venv-peers/installed .venv-sinabs/installed ## run the same equations in four other libraries, and count as NeuroBench does, in environments of their own
	.venv-peers/bin/python -m pytest tests/neurons/peers/test_*norse.py tests/neurons/peers/test_*snntorch.py tests/neurons/peers/test_*spikingjelly.py tests/neurons/peers/test_*tonic.py tests/neurons/peers/test_*neurobench.py
	.venv-sinabs/bin/python -m pytest tests/neurons/peers/test_*sinabs.py tests/neurons/test_nir.py
	.venv-peers/bin/python -m bookproof check $(others)
	.venv-sinabs/bin/python -m bookproof check $(others)

# Other versions of everything but torch, whose arithmetic is another matter. What is newest changes from day to day.
newest: ## run all cells and examples with the newest packages that pyproject.toml allows, in an environment of its own
oldest: ## the same with the oldest
newest oldest: %: .venv-%/installed
	$(install) --quiet --upgrade --upgrade-strategy=eager
	.venv-$@/bin/python -m bookproof check docs
	.venv-$@/bin/python -m pytest --doctest-modules snn_docs

# What each of these environments holds beside the book, and what it is held to.
install = .venv-$*/bin/python -m pip install --disable-pip-version-check --constraint .venv-$*/constraints.txt --editable "./engine[test]" --editable ".[book,dev$(more)]"
.venv-peers/installed .venv-sinabs/installed: more = ,$*
.venv-peers/installed: pins = cat constraints.txt
.venv-sinabs/installed: pins = grep -v '^nir' constraints.txt
.venv-newest/installed: pins = grep '^torch==' constraints.txt
.venv-oldest/installed: pins = grep '^torch==' constraints.txt && "$$PYTHON" .ci/oldest.py | grep -v '^torch=='
.venv-%/installed: pyproject.toml engine/pyproject.toml constraints.txt .ci/oldest.py
	rm -rf .venv-$*
	"$$PYTHON" -m venv .venv-$*
	{ $(pins); } >.venv-$*/constraints.txt
	$(install)
	touch $@

accept: .venv/installed ## write what the cells printed into the pages as the expected outputs, and show the diff; of one page: make accept ARGS=docs/lif.md
	.venv/bin/python -m bookproof accept $(or $(ARGS),docs)

# Each environment of other packages that is there has its turn too: make peers, newest and oldest make them.
elsewhere: .venv/installed ## run the pages and the package's examples as other processors, threads and roundings would; all of it: ARGS=--all
	.venv/bin/python -m bookproof vary docs$(if $(ARGS), $(ARGS)) -- .venv/bin/python -m pytest -q --doctest-modules snn_docs
	@for name in peers sinabs; do \
	  if [ -e .venv-$$name/installed ]; then (set -x; .venv-$$name/bin/python -m bookproof vary $(others)) || exit 1; \
	  else echo "skipped: the cells that need what .venv-$$name holds; make peers makes it"; fi; done
	@for name in newest oldest; do \
	  if [ -e .venv-$$name/installed ]; then (set -x; .venv-$$name/bin/python -m bookproof check docs) || exit 1; \
	  else echo "skipped: the $$name packages; make $$name makes their environment"; fi; done

bench: .venv/installed ## measure how long builds take, as ratios; it takes some minutes; others: make bench BENCH=if_speed
	.venv/bin/python benchmarks/$(BENCH).py $(ARGS)

audit: .venv/installed ## rate the built site page by page, in a table: Lighthouse, axe, HTML, weight; some of it: make audit ARGS=index
	@$(npm_ci)
	$(build) -b html docs _build/html
	.venv/bin/python tests/helpers/audit.py _build/html $(ARGS)

check: lint types workflows text pages records ## lint, formatting, types, workflows, the Japanese text where node is present, the rules of pages; what records were made by other code

lint: .venv/installed
	.venv/bin/python -m ruff check
	.venv/bin/python -m ruff format --check

types: .venv/installed
	.venv/bin/python -m mypy

schema = .venv/bin/python -m check_jsonschema --builtin-schema
workflows: .venv/installed
	.venv/bin/zizmor --offline --quiet .github
	$(schema) vendor.github-workflows .github/workflows/*.yml
	$(schema) custom.github-workflows-require-timeout .github/workflows/*.yml
	$(schema) vendor.dependabot .github/dependabot.yml
	$(schema) vendor.readthedocs .readthedocs.yaml
	$(schema) vendor.citation-file-format CITATION.cff

# npm ci begins by removing node_modules, and with it the mark of a finished install. Without node, or with an older
# one, nothing is installed, and whoever needs it says so.
node_is_new = node -e 'process.exit(parseInt(process.versions.node) < 20 ? 1 : 0)' 2>/dev/null
npm_ci = ! $(node_is_new) || cmp -s package-lock.json node_modules/.installed.json || { \
	  npm ci --no-audit --no-fund --ignore-scripts && cp package-lock.json node_modules/.installed.json; }
text:
	@if $(node_is_new); then { $(npm_ci); } && echo 'npm run textlint' && npm run --silent textlint; \
	elif [ -z "$$CI" ]; then echo 'skipped: textlint, which needs node 20 or newer'; \
	else echo 'textlint needs node 20 or newer, and with CI set nothing is skipped' >&2; exit 1; fi

pages: .venv/installed
	.venv/bin/python tests/site/page_rules.py $(ARGS)

records: .venv/installed
	.venv/bin/python benchmarks/record.py

# For every Python and system that we allow at once. Torch stays, and is written in by hand: what trained networks print
# depends on it. The nir that Sinabs needs is no other's.
compile = .venv/bin/python -m uv pip compile - --quiet --universal --python-version=3.11 --fork-strategy=fewest --no-header --no-annotate --no-emit-package=snn-docs --no-emit-package=bookproof
renew: .venv/installed ## write the newest versions that pyproject.toml allows into constraints.txt, as those of record
	{ grep '^torch==' constraints.txt; printf '%s\n' '-e ./engine[test]' '-e .[book,dev,lab,peers]'; } | $(compile) >.venv/pins.txt
	grep -v '^nir' .venv/pins.txt >.venv/held.txt
	printf '%s\n' '-c .venv/held.txt' '-e ./engine[test]' '-e .[book,dev,sinabs]' | $(compile) | grep -v '^nir' >>.venv/pins.txt
	{ echo '# The versions of record, which make installs. Written by make renew.'; LC_ALL=C sort -u .venv/pins.txt; } >constraints.txt

clean: ## remove what the other targets made, except environments and node_modules
	rm -rf _build dist .coverage .coverage.* .hypothesis .mypy_cache .pytest_cache .ruff_cache

# The environment holds all that the targets above need: more packages later would have every page run again. The mark of
# a finished install says for which folder and versions; without it, what is there is made anew.
ifneq ($(shell .venv/bin/python -c 'print(open(".venv/installed").read())' 2>/dev/null),$(CURDIR) $(CONSTRAINTS))
.PHONY: .venv/installed
endif
.venv/installed: pyproject.toml engine/pyproject.toml $(CONSTRAINTS)
	@"$$PYTHON" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo 'Python 3.11 or newer is needed; name one, for example: make html PYTHON=python3.12' >&2; exit 1; }
	"$$PYTHON" -m venv $(if $(wildcard $@),,--clear) .venv
	@rm -f $@; echo 'The first install takes some minutes, most of them for torch.'
	.venv/bin/python -m pip install --disable-pip-version-check --constraint "$$CONSTRAINTS" --editable './engine[test]' --editable '.[book,dev]'
	@echo "$$(pwd -P) $$CONSTRAINTS" >$@
