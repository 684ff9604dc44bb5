# Causeway. Two commands matter: `make run` and `make test`. `make help` lists the rest.

GO      ?= go
VERSION ?= 0.1.0
COMMIT  := $(shell git rev-parse --short=12 HEAD 2>/dev/null || echo unknown)
LDFLAGS := -s -w -X main.version=$(VERSION) -X main.commit=$(COMMIT)

.DEFAULT_GOAL := help
.PHONY: help run build test lint bench bench-quick fuzz soak golden

help: ## Show this list
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: build ## Build and start a working gateway with a sandbox model
	@exec bin/causeway serve

build: scripts/need-go.sh ## Build bin/causeway
	@scripts/need-go.sh
	@mkdir -p bin
	@CGO_ENABLED=0 $(GO) build -trimpath -ldflags '$(LDFLAGS)' -o bin/causeway ./cmd/causeway

test: ## Install what is missing and run every test
	@scripts/test.sh

lint: ## go vet, staticcheck and gofumpt
	@scripts/lint.sh

bench: build ## Measure beside nginx and HAProxy; writes docs/benchmarks.md (about 25 minutes)
	@scripts/need.sh nginx haproxy
	@$(GO) run ./bench -causeway bin/causeway $(BENCH)

bench-quick: build ## The same, short and noisy
	@scripts/need.sh nginx haproxy
	@$(GO) run ./bench -causeway bin/causeway -quick $(BENCH)

FUZZTIME ?= 60s
fuzz: ## Run every fuzzer for FUZZTIME (default 60s) each
	@scripts/fuzz.sh $(FUZZTIME)

golden: ## Rewrite the generated documents and golden files
	@scripts/golden.sh
