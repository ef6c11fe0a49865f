# Two commands: `make demo` shows the whole system at work, `make test` checks it. Both set up what they need.
root := $(patsubst %/,%,$(dir $(abspath $(lastword $(MAKEFILE_LIST)))))

.PHONY: help demo test test-fast docs generate build setup

help:
	@echo "make demo       data, nets, four training steps, evaluation, parity, report (about 10 minutes on two cores)"
	@echo "make test       format, lint, types, all tests (about 12 minutes on two cores); make test-fast leaves out the slow ones"
	@echo "make docs       builds the documentation site into out/site, which opens from the disk"
	@echo "make generate   remakes every generated file"
	@echo "make build      builds wheel and sdist into dist/, checks them, and lists what they were built with"

setup:
	@$(root)/scripts/setup

demo: setup
	@cd $(root) && .venv/bin/python tools/demo.py $(ARGS)

test: setup
	@$(root)/scripts/check

test-fast: setup
	@FAST=1 $(root)/scripts/check

docs: setup
	@$(root)/scripts/docs

build: setup
	@$(root)/scripts/build

generate: setup
	@$(root)/scripts/generate
