# SPDX-License-Identifier: MIT
# A thin front for Meson and Ninja. `make demo` and `make test` are all that a newcomer needs.

BUILD ?= build
SUDO  := $(if $(filter 0,$(shell id -u)),,sudo)

.PHONY: help deps deps-test build demo demo-stop test test-long bench lint asan fmt install clean

help:
	@echo "make demo        install what is missing, build, and run the sample app behind the balancer"
	@echo "make demo-stop   end it; nothing stays running or mounted"
	@echo "make test        every test (needs root for containers; says what it skips without)"
	@echo "make test-long   the long ones: fuzzers, 20,000 simulations, many more kills"
	@echo "make bench       the figures, one JSON object a line (bench/run NAME for one)"
	@echo "make lint asan fmt build deps deps-test install clean"

deps:
	@$(SUDO) tools/install-deps build

deps-test:
	@$(SUDO) tools/install-deps test

$(BUILD)/build.ninja:
	@meson setup $(BUILD) > /dev/null || meson setup $(BUILD)

build: deps $(BUILD)/build.ninja
	@ninja -C $(BUILD)

demo: build
	@$(SUDO) tools/demo start $(BUILD)

demo-stop:
	@$(SUDO) tools/demo stop $(BUILD)

test: deps-test build
	@tools/run-tests $(BUILD)

test-long: deps-test build
	@VR_TEST_LONG=1 tools/run-tests $(BUILD)

bench: deps-test build
	@bench/run

lint: deps-test $(BUILD)/build.ninja
	@tools/lint $(BUILD)

asan: deps-test
	@test -d build-asan || meson setup build-asan -Db_sanitize=address,undefined -Db_lundef=false
	@ninja -C build-asan
	@VR_TEST_ASAN=1 tools/run-tests build-asan

fmt:
	clang-format-14 -i $$(git ls-files '*.c' '*.h')

install: build
	@$(SUDO) tools/create-users
	@$(SUDO) meson install -C $(BUILD) --no-rebuild

clean:
	rm -rf $(BUILD) build-asan build-clang
