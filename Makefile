# `make demo` does the main job on synthetic people; `make test` runs lint, types and the fast tests.
# Both set themselves up in .venv on first use. Faster CPU-only torch on Linux:
#   make demo TORCH_INDEX=https://download.pytorch.org/whl/cpu
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
TORCH_INDEX ?=
EXTRAS ?= all
STAMP := $(VENV)/.ready

.PHONY: demo test test-slow test-arm arm-tools lint clean

demo: $(STAMP)
	$(BIN)/ecgkd demo

test: lint
	$(BIN)/pytest -q

test-slow: $(STAMP)
	$(BIN)/pytest -q -m "slow and not arm"

# The C engine on emulated targets with its budgets, and an emulated ARM machine that is laid and booted. What lacks its
# tools is skipped and named; `make arm-tools` brings them.
test-arm: $(STAMP)
	$(BIN)/pytest -q -rs -m "arm"

ARM_PACKAGES := qemu-system-arm qemu-user mmdebstrap debian-archive-keyring adb openssh-client openssh-server cpio util-linux \
	gcc libc6-dev clang libclang-rt-dev gcc-arm-none-eabi libnewlib-arm-none-eabi gcc-aarch64-linux-gnu \
	libc6-dev-arm64-cross gcc-arm-linux-gnueabihf libc6-dev-armhf-cross cmake default-jdk-headless
SUDO := $(if $(filter 0,$(shell id -u)),,sudo)

arm-tools:
	$(SUDO) apt-get update
	$(SUDO) env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $(ARM_PACKAGES)

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; assert sys.version_info >= (3, 11), "ecgkd needs Python 3.11 or newer"'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -q --upgrade "pip>=25.1"
	$(BIN)/python -m pip install -q -c constraints.txt $(if $(TORCH_INDEX),--index-url $(TORCH_INDEX)) torch
	$(BIN)/python -m pip install -q -c constraints.txt -e ".[$(EXTRAS)]" --group dev
	touch $@

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache
