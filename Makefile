# `make` lists the targets. Everything that is built or kept goes into .postern, which git ignores.
SHELL := /bin/bash
BIN   := .postern/bin
STACK := $(BIN)/stack

.DEFAULT_GOAL := help

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z][a-z0-9-]*:.*## / { printf "  %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)


# The supervisor is a small program of the standard library and YAML; go build knows whether it is up to date.
.PHONY: stack
stack: ## build the supervisor of the development stack
	@cd bench/stack && CGO_ENABLED=0 go build -o ../../$(STACK) ./cmd/stack

.PHONY: run
run: stack ## a Kubernetes API with fake nodes, and Postern in front of it (KUBECONFIG=file: that cluster instead)
	@exec $(STACK) up --kubeconfig "$(KUBECONFIG)" --prometheus "$(PROMETHEUS)"

.PHONY: deps
deps: toolchain servers ## fetch and build what `run` and the tests need, without starting anything
	@exec $(STACK) build

# clang, rustc and asc for modules that are not written in Go: Debian packages and npm's, unpacked into .postern/toolchain.
.PHONY: toolchain
toolchain: stack ## fetch the compilers of modules in C, Rust and AssemblyScript (once, under a minute)
	@exec $(STACK) toolchain

# OpenLDAP and Redis, which the tests of gateway/idp and gateway/session start: Debian packages, unpacked into .postern/servers.
.PHONY: servers
servers: stack ## fetch the servers that tests start for themselves (once, seconds)
	@exec $(STACK) servers

# Versions of the tools are pinned here, not in go.mod: it is the product's.
STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2
GOFUMPT     := mvdan.cc/gofumpt@v0.12.0
# Everything but the end-to-end tests, which need the stack.
UNIT := $$(go list ./... | grep -v /bench/e2e)
# The stack's own packages without the control plane, which imports all of Kubernetes.
STACKUNIT := $$(go list ./... | grep -v /kube$$)

.PHONY: build
build: ## build the program and the modules into .postern
	@go build -o $(BIN)/postern ./cmd/postern
	@mkdir -p .postern/modules
	@for dir in wasm-modules/*/; do name=$$(basename $$dir); \
		[ -f $$dir/module.yaml ] && $(BIN)/postern module build $$dir -o .postern/modules/$$name.wasm || exit 1; done

.PHONY: check
check: vet unit ## the quick inner loop: vet and unit tests

.PHONY: unit
unit: toolchain servers ## unit tests
	@go test $(UNIT)

.PHONY: race
race: toolchain servers ## unit tests with the race detector
	@go test -race $(UNIT)

.PHONY: e2e
e2e: deps ## end-to-end tests on the real stack
	@go test -count=1 -timeout 25m -v ./bench/e2e

.PHONY: vet
vet: ## go vet, also of guests and of the stack
	@go vet ./...
	@GOOS=wasip1 GOARCH=wasm go vet ./hostabi/...
	@cd bench/stack && go vet $(STACKUNIT)

.PHONY: lint
lint: vet ## vet, staticcheck and formatting
	@go run $(STATICCHECK) ./...
	@out=$$(go run $(GOFUMPT) -l cmd config gateway hostabi wasm-modules bench); \
		if [ -n "$$out" ]; then echo "not formatted (make fmt):"; echo "$$out"; exit 1; fi

.PHONY: fmt
fmt: ## format
	@go run $(GOFUMPT) -w cmd config gateway hostabi wasm-modules bench

.PHONY: stack-test
stack-test: ## unit tests of the development stack
	@cd bench/stack && go test $(STACKUNIT)

.PHONY: test
test: deps lint race stack-test e2e ## everything: lint, race-detected unit tests, end-to-end tests

# Short runs of every fuzz target; FUZZTIME=10m for longer ones.
FUZZTIME ?= 20s
.PHONY: fuzz
fuzz: ## run every fuzz target for FUZZTIME (20s)
	@for pkg in $$(grep -rl --include=*_test.go '^func Fuzz' config gateway hostabi wasm-modules | xargs -n1 dirname | sort -u); do \
		for f in $$(grep -h '^func Fuzz' $$pkg/*_test.go | sed 's/func \(Fuzz[A-Za-z0-9]*\).*/\1/'); do \
			echo "$$pkg $$f"; go test ./$$pkg -run '^$$' -fuzz "^$$f$$" -fuzztime $(FUZZTIME) || exit 1; done; done

.PHONY: clean
clean: ## remove the state of runs; what was built stays
	@rm -rf .postern/run

# BENCH takes flags, for instance BENCH=--stack (after `make deps`): a real kube-apiserver as a third backend.
.PHONY: bench
bench: ## CPU per request against nginx, HAProxy and ReverseProxy, 3 minutes (BENCH="--stack": kube-apiserver, too)
	@go build -o $(BIN)/postern ./cmd/postern
	@mkdir -p $(BIN)/passthrough && go build -o $(BIN)/passthrough ./bench/passthrough/...
	@exec $(BIN)/passthrough/passthrough $(BENCH)

# MODULES takes flags, for instance MODULES="--only swap": one scenario only.
.PHONY: bench-modules
bench-modules: ## what modules cost: swaps under load, soak, memory, waking, cold start, 9 minutes
	@go build -o $(BIN)/postern ./cmd/postern
	@mkdir -p $(BIN)/passthrough && go build -o $(BIN)/passthrough ./bench/passthrough/... && go build -o $(BIN)/bench-modules ./bench/modules
	@exec $(BIN)/bench-modules $(MODULES)

# ACCESS takes flags, for instance ACCESS=--stack (after `make deps`): 65,000 objects in a real kube-apiserver, too.
.PHONY: bench-access
bench-access: ## who asks and may they: decisions, memory, updates, start at 50,000 bindings, 2 minutes (ACCESS="--stack": 10)
	@go build -o $(BIN)/postern ./cmd/postern && go build -o $(BIN)/bench-access ./bench/access
	@exec $(BIN)/bench-access $(ACCESS)
