# make demo   sets everything up and copies recorded traders on the embedded simulated exchange
# make test   sets everything up, lints, and runs every test
# make fuzz   feeds everything that reads bytes from outside with coverage-guided nonsense; RUNS=100000000 for more
# make mistakes puts in each mistake of tests/mistakes.toml and runs the test that is named for it
# make planted  plants defects one by one and runs the test that finds each
# make gameday  runs the engine through simulated disasters: the long form, 20,000 seeds
# make bench  sets everything up and measures; BENCH=--short for the form that CI runs
# Needs Python 3.11+, a C compiler, make and a Rust toolchain; `make demo` and `make test` install the rest into .venv.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
ORACLE := .venv-oracle
PEER   := .venv-oracle-coincurve
RUST   := $(shell find rust -path rust/fuzz -prune -o -name '*.rs' -print -o -name Cargo.toml -print) Cargo.toml Cargo.lock
PIP    := -m pip install --quiet --disable-pip-version-check --require-hashes --only-binary :all: --no-deps

# Python writes down what it compiled: each of some hundred processes of the tests would compile the package again.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo gameday planted mistakes hunt test ready lint rust-lint py-lint rust-test py-test bench fmt clean setup oracle fuzz

setup: $(VENV)/.built

$(VENV)/.locked: requirements/dev.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "hlfast needs Python 3.11 or newer; set PYTHON=")'
	@echo 'Installing the locked requirements into $(VENV) …'
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python $(PIP) -r requirements/dev.txt
	@touch $@

# Editable: the extension is built in release mode beside the Python sources.
$(VENV)/.built: $(VENV)/.locked $(RUST) pyproject.toml
	@echo 'Building the extension in release mode (about a minute the first time) …'
	@VIRTUAL_ENV=$(abspath $(VENV)) $(BIN)/maturin develop --release --locked > $(VENV)/build.log 2>&1 || (cat $(VENV)/build.log; exit 1)
	@touch $@

# The official SDK, in an environment of its own: it caps versions that the rest needs newer.
oracle: $(ORACLE)/.locked
$(ORACLE)/.locked: requirements/oracle.txt
	@echo 'Installing the official SDK into $(ORACLE) …'
	@$(PYTHON) -m venv $(ORACLE)
	@$(ORACLE)/bin/python $(PIP) -r requirements/oracle.txt
	@touch $@

demo: setup
	$(BIN)/hlfast demo

# GAMEDAY="--seeds 500 --hours 80" is the form of one CI run.
GAMEDAY ?= --seeds 20000 --hours 3200
gameday: setup
	$(BIN)/hlfast gameday $(GAMEDAY)
	$(BIN)/hlfast gameday --drill

# Changes files of the tree and puts them back.
mistakes: setup
	$(BIN)/python -m tests.mistakes

# Each planted defect must be found by the test that is named for it (tests/gameday/killers.toml).
planted: setup
	$(BIN)/python -m tests.gameday.killers

# Builds the extension with defects that can be switched on, and lets seeds find each of them: up to 50 seeds a defect.
hunt: setup
	cargo build --quiet --release --locked -p hlfast-py --features planted --target-dir target/planted
	cp target/planted/release/libhlfast_py.so target/planted/_core.abi3.so
	$(BIN)/python -m tests.gameday.planted target/planted/_core.abi3.so

# Two at a time: one core waits for the net, the disk or the linker while the other works. The tests of Python, which mind a
# busy machine, have it for themselves.
test:
	@$(MAKE) -j 2 --output-sync=target ready
	@$(MAKE) py-test

ready: setup rust-test py-lint oracle rust-lint

lint: rust-lint py-lint

rust-lint:
	cargo fmt --all --check
	cargo clippy --quiet --workspace --all-targets --locked -- -D warnings

py-lint: setup
	$(BIN)/ruff format --quiet --check .
	$(BIN)/ruff check --quiet .
	$(BIN)/mypy --no-error-summary
	$(BIN)/python -m mypy.stubtest hlfast._core --concise
	$(BIN)/lint-imports --no-cache > $(VENV)/lint-imports.log || (cat $(VENV)/lint-imports.log; exit 1)

# With the switches of planted defects compiled in, and off, so that `make planted` finds its programs here. What ships is
# built without them, and is what the tests of Python run.
rust-test:
	cargo test --quiet --workspace --locked --features hlfast-py/planted
	$(PYTHON) bench/e2e/failpoints.py

# Most of these tests wait for processes; more than three at a time would make the demo late.
py-test: setup oracle
	$(BIN)/pytest -n 3 --dist worksteal

# The same beside coincurve: a peer of the benches.
$(PEER)/.locked: requirements/oracle-coincurve.txt
	@echo 'Installing the official SDK and coincurve into $(PEER) …'
	@$(PYTHON) -m venv $(PEER)
	@$(PEER)/bin/python $(PIP) -r requirements/oracle-coincurve.txt
	@touch $@

bench: setup oracle $(PEER)/.locked
	$(BIN)/python bench/run.py $(BENCH)

RUNS ?= 10000000
fuzz:
	$(PYTHON) rust/fuzz/run.py --runs $(RUNS)

fmt: setup
	cargo fmt --all
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean:
	rm -rf target $(VENV) $(ORACLE) $(PEER) python/hlfast/*.so
