# `make` lists the targets. Everything that is built or kept goes into .postern, which git ignores.
SHELL := /bin/bash
BIN   := .postern/bin
STACK := $(BIN)/stack

.DEFAULT_GOAL := help

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z][a-z0-9-]*:.*## / { printf "  %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)


# The supervisor is a small program of the standard library and YAML; go build knows whether it is up to date.
.PHONY: stack
stack: ## build the supervisor of the development stack
	@cd bench/stack && CGO_ENABLED=0 go build -o ../../$(STACK) ./cmd/stack

.PHONY: run
run: stack ## a Kubernetes API with fake nodes, and Postern in front of it (KUBECONFIG=file: that cluster instead)
	@exec $(STACK) up --kubeconfig "$(KUBECONFIG)" --prometheus "$(PROMETHEUS)"

.PHONY: deps
deps: stack ## fetch and build what `run` needs, without starting it
	@exec $(STACK) build
