# Everything that is done in this repository, by people and by CI alike. `make help` lists it.

SHELL := /bin/sh
.DEFAULT_GOAL := help

# Every module of the repository by its directory, the root first as ".".
MODULES := $(patsubst %/,%,$(dir $(patsubst ./%,%,$(sort $(shell find . -name go.mod -not -path '*/testdata/*')))))
MODULES := . $(filter-out . ./,$(MODULES))
# Those whose tests run with the race detector, and that build for other architectures.
TESTED  := $(filter . examples internal/lincheck internal/sfvtest internal/telemetrytest,$(MODULES))

TOOLS     := internal/tools
BIN       := $(CURDIR)/bin
SETUP     := $(TOOLS)/setup.sh
# go test that fails in CI when a test was skipped: $(GOTEST) DIR ARGUMENTS
GOTEST    := go -C $(TOOLS) run ./noskip

FUZZTIME  ?= 20s
BENCH     ?=
BASE      ?=

.PHONY: help
help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: setup
setup: ## Install what the other targets need, and download all modules
	@$(SETUP)
	@for m in $(MODULES); do go -C $$m mod download || exit; done

.PHONY: demo
demo: ## Run the example service with an upstream of its own, and print what to try
	@go -C examples run ./users $(ARGS)

.PHONY: metastable
metastable: ## Show what retries do to servers that stumble: a table, and the plots of the example drawn anew
	@go -C examples/metastable run . $(ARGS)

.PHONY: test
test: ## Run the tests with the race detector, after setting up what they need
	@$(SETUP)
	@for m in $(TESTED); do \
		CGO_ENABLED=1 $(GOTEST) $(CURDIR)/$$m -race -timeout 5m ./... || exit; \
	done
	go vet ./...

.PHONY: test-plain
test-plain: # All tests of all modules without the race detector: some count allocations
	@for m in $(MODULES); do $(GOTEST) $(CURDIR)/$$m -timeout 5m ./... || exit; done

.PHONY: test-long
test-long: ## Run the tests again and again: on 1, 2 and 4 cores, properties with many more cases; throughput
	@$(SETUP)
	$(GOTEST) $(CURDIR)/examples -tags long -run BareHandler -count 1 -v ./...
	$(GOTEST) $(CURDIR) -tags long -timeout 20m -count 1 -v ./ratelimit
	CGO_ENABLED=1 $(GOTEST) $(CURDIR) -race -timeout 20m -count 3 -cpu 1,2,4 ./...
	@rapid=$$(go list -f '{{range .TestImports}}{{if eq . "pgregory.net/rapid"}}{{$$.ImportPath}}{{end}}{{end}} {{range .XTestImports}}{{if eq . "pgregory.net/rapid"}}{{$$.ImportPath}}{{end}}{{end}}' ./...); \
	if [ -n "$$(echo $$rapid)" ]; then $(GOTEST) $(CURDIR) -timeout 20m -count 1 $$rapid -rapid.checks=5000; fi

.PHONY: lint
lint: $(BIN)/.tools ## Check format, code and workflows
	@unformatted=$$(gofmt -l .); if [ -n "$$unformatted" ]; then echo "not formatted with gofmt:"; echo "$$unformatted"; exit 1; fi
	@for m in $(MODULES); do echo "golangci-lint $$m"; (cd $$m && $(BIN)/golangci-lint run --allow-parallel-runners ./...) || exit; done
	$(BIN)/actionlint .github/workflows/*.yml

.PHONY: bench
bench: ## Measure every block beside its peers; BENCH="-only cache -quick" for less
	go -C internal/benchmarks run . $(BENCH)

.PHONY: bench-allocs
bench-allocs: # The benchmarks' allocation goals alone, which hold on any machine
	@if [ -f internal/benchmarks/go.mod ]; then go -C internal/benchmarks run . -quick -allocs; fi

.PHONY: fuzz
fuzz: ## Run each fuzz target for FUZZTIME (20s)
	@for m in $(MODULES); do \
		list=$$(go -C $$m test -list '^Fuzz' ./...) || { echo "$$list"; exit 1; }; \
		echo "$$list" | awk '/^Fuzz/ { names[n++] = $$1 } /^ok / { for (i = 0; i < n; i++) print $$2, names[i]; n = 0 }' | \
		while read -r pkg name; do \
			echo "fuzz $$pkg $$name"; \
			go -C $$m test -run '^$$' -fuzz "^$$name\$$" -fuzztime $(FUZZTIME) "$$pkg" || exit 1; \
		done || exit; \
	done

.PHONY: docs
docs: ## Write the generated parts of the docs anew: the benchmarks' table of the README
	go -C $(TOOLS) build -o $(BIN)/readme ./readme
	$(BIN)/readme $(BENCH)

.PHONY: tidy
tidy: # Check that every go.mod and go.sum is tidy
	@for m in $(MODULES); do go -C $$m mod tidy -diff || { echo "$$m/go.mod is not tidy"; exit 1; }; done

.PHONY: cross
cross: # Build and vet for other architectures: 32 bits, and arm64
	@for m in $(TESTED); do for arch in 386 arm64; do \
		echo "GOARCH=$$arch $$m"; \
		CGO_ENABLED=0 GOOS=linux GOARCH=$$arch go -C $$m build -o /dev/null ./... && \
		CGO_ENABLED=0 GOOS=linux GOARCH=$$arch go -C $$m vet ./... || exit; \
	done; done

.PHONY: api
api: $(BIN)/.tools # Show what changed in the exported API since BASE, by default the last release
	@$(TOOLS)/api.sh $(BIN)/apidiff $(BASE)

$(BIN)/.tools: $(TOOLS)/go.mod $(TOOLS)/go.sum
	@mkdir -p $(BIN)
	CGO_ENABLED=0 go -C $(TOOLS) build -o $(BIN)/ tool
	@touch $@
