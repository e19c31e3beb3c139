# Everything that is done to this repository, one target each: `make help` lists them.
# Needs Go, Git and make. What else a target wants (shellcheck, Nix), scripts/setup.sh installs.

GO ?= go
LINTER := $(GO) tool -modfile=$(CURDIR)/tools/go.mod golangci-lint
TFGITOPS := bin/tfgitops
# The modules with Go code of ours; hack/crds and tools only pin programs.
MODULES := . test/bench

.DEFAULT_GOAL := help

.PHONY: help
help: ## List the targets
	@awk 'BEGIN { FS = ":.*## " } /^[a-z0-9-]+:.*## / { printf "%-16s %s\n", $$1, $$2 }' Makefile

.PHONY: setup
setup: ## Install what the checks need beyond Go, Git and make (apt, as root; says so where it cannot)
	scripts/setup.sh

# The version is what Go stamps into the binary from Git: tag, commit, and whether the tree was dirty.
.PHONY: build
build: ## Build bin/tfgitops
	CGO_ENABLED=0 $(GO) build -trimpath -buildvcs=auto -ldflags='-s -w' -o $(TFGITOPS) ./cmd/tfgitops

.PHONY: test
test: ## Run every test, with the seeds of the fuzz targets
	@set -e; for module in $(MODULES); do \
		echo "cd $$module && $(GO) test ./..."; \
		(cd $$module && $(GO) test -timeout=15m ./...); \
	done

.PHONY: e2e
e2e: ## Test against a real API server and real Flux controllers: see docs/testing.md
	cd test/e2e && $(foreach name,FLUX_BIN E2E_KUBECONFIG,$(if $($(name)),$(name)='$(abspath $($(name)))')) $(GO) test -v -count=1 -timeout=40m .

.PHONY: fuzz
fuzz: ## Fuzz every target for FUZZTIME each (default 30s)
	scripts/fuzz.sh

.PHONY: lint
lint: ## Lint Go code, and the scripts with shellcheck
	@set -e; for module in $(MODULES) test/e2e; do \
		echo "cd $$module && golangci-lint run"; \
		(cd $$module && $(LINTER) run --config=$(CURDIR)/.golangci.yml ./...); \
	done
	scripts/shellcheck.sh

.PHONY: fmt
fmt: ## Format Go code
	$(LINTER) fmt ./...

.PHONY: fmt-check
fmt-check: ## Show what fmt would change; fails if anything
	$(LINTER) fmt --diff ./...

.PHONY: generate
generate: ## Make every generated file: schemas, CRDs, reference pages, man pages, the clusters' manifests
	$(GO) generate ./...
	@$(MAKE) --no-print-directory render

.PHONY: golden
golden: ## Rewrite the golden files of the tests: read the difference before committing it
	scripts/golden.sh

.PHONY: generate-check
generate-check: ## Generate in a copy; fails where that differs from what is checked in
	scripts/generate-check.sh

.PHONY: render
render: build ## Render Toolforge's clusters
	$(TFGITOPS) render

.PHONY: render-check
render-check: build ## Show what render would change; fails if anything
	$(TFGITOPS) render --check

.PHONY: validate
validate: build ## Validate Toolforge's control repo
	$(TFGITOPS) validate

.PHONY: demo
demo: build ## Show the main job in a scratch copy of this repository
	scripts/demo.sh

.PHONY: bench
bench: build ## Measure speed and size, beside kustomize and helm; writes docs/benchmarks*.md
	scripts/bench.sh

.PHONY: nix-check
nix-check: ## Check flake.nix and its vendorHash, without a network
	scripts/nix-check.sh

.PHONY: nix-update
nix-update: ## Write the vendorHash that belongs to go.mod into flake.nix
	scripts/nix-check.sh --update

.PHONY: check
check: ## Everything that CI checks
	.ci/run

.PHONY: clean
clean: ## Remove what the targets built
	rm -rf bin test/bench/results
