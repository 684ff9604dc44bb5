# Causeway. Two commands matter: `make run` and `make test`. `make help` lists the rest.

GO      ?= go
VERSION ?= 0.1.0
COMMIT  := $(shell git rev-parse --short=12 HEAD 2>/dev/null || echo unknown)
LDFLAGS := -s -w -X main.version=$(VERSION) -X main.commit=$(COMMIT)

.DEFAULT_GOAL := help
.PHONY: comparison help run build test test-sdk test-llama lint bench bench-quick count fuzz soak soak-race golden handover resilience attacks h2spec bench-logs

help: ## Show this list
	@awk -F':.*## ' '/^[a-z0-9-]+:.*## /{printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: build ## Build and start a working gateway with a sandbox model
	@exec bin/causeway serve

build: scripts/need-go.sh ## Build bin/causeway
	@scripts/need-go.sh
	@mkdir -p bin
	@CGO_ENABLED=0 $(GO) build -trimpath -ldflags '$(LDFLAGS)' -o bin/causeway ./cmd/causeway

test: ## Install what is missing and run every test
	@scripts/test.sh

SDKS ?=
test-sdk: build ## Every official SDK with every task over every provider dialect
	@cd e2e/sdks && npm ci --no-audit --no-fund --ignore-scripts --loglevel=error
	@CAUSEWAY_SDKS=full CAUSEWAY_BIN=$(CURDIR)/bin/causeway $(GO) test ./e2e -count=1 -run '^TestSDKMatrix$$' $(SDKS)

LLAMA_MODEL  ?= $(CAUSEWAY_TEST_GGUF)
LLAMA_SERVER ?= $(CURDIR)/.cache/ollama
test-llama: build ## A real Llama server behind the gateway; LLAMA_MODEL is the GGUF file of a small model
	@test -f "$(LLAMA_MODEL)" || { echo 'make test-llama LLAMA_MODEL=FILE.gguf: name the file of a small Llama model' >&2; exit 2; }
	@mkdir -p .cache
	@test -x "$(LLAMA_SERVER)" || { echo 'building Ollama, once: some minutes'; GOBIN=$(CURDIR)/.cache $(GO) install github.com/ollama/ollama@v0.6.8; }
	@LLAMA_MODEL="$(abspath $(LLAMA_MODEL))" LLAMA_SERVER="$(LLAMA_SERVER)" CAUSEWAY_BIN=$(CURDIR)/bin/causeway $(GO) test ./e2e -count=1 -v -run '^TestLlama$$'

lint: ## go vet, staticcheck and gofumpt
	@scripts/lint.sh

bench: build ## Measure beside nginx and HAProxy; writes docs/benchmarks.md (about 30 minutes)
	@scripts/need.sh nginx haproxy
	@$(GO) run ./bench -causeway bin/causeway $(BENCH)

bench-quick: build ## The same, short and noisy
	@scripts/need.sh nginx haproxy
	@$(GO) run ./bench -causeway bin/causeway -quick $(BENCH)

count: scripts/need-go.sh ## Count instructions and allocations of a call beside the baseline's (some minutes)
	@scripts/need-go.sh
	@scripts/need.sh valgrind
	@$(GO) run ./bench/count

comparison: build ## What nginx, HAProxy, Apache and Caddy say of the same failures; writes docs/comparison.md
	@scripts/need.sh nginx haproxy apache2 caddy python3-requests python3-httpx
	@$(GO) run ./bench/compare -causeway bin/causeway

FUZZTIME ?= 60s
fuzz: ## Run every fuzzer for FUZZTIME (default 60s) each
	@scripts/fuzz.sh $(FUZZTIME)

SOAK ?= 10m
soak: build ## Mixed load of every protocol for SOAK (default 10m): nothing is left behind
	@CAUSEWAY_BIN=$(CURDIR)/bin/causeway SOAK=$(SOAK) $(GO) test ./e2e -run '^TestSoak$$' -count=1 -v -timeout 24h

soak-race: scripts/need-go.sh ## The same with the race detector in the program
	@scripts/need-go.sh
	@mkdir -p .cache
	@$(GO) build -race -o .cache/causeway-race ./cmd/causeway
	@CAUSEWAY_BIN=$(CURDIR)/.cache/causeway-race SOAK=$(SOAK) $(GO) test ./e2e -run '^TestSoak$$' -count=1 -v -timeout 24h

handover: build ## 100 reloads, 20 hand-overs and 20 certificate changes under 1,000 calls a second
	@CAUSEWAY_HANDOVER=full CAUSEWAY_BIN=$(CURDIR)/bin/causeway $(GO) test ./e2e -count=1 -timeout 20m -run TestHandOverUnderLoad -v

RATE ?= 2000
resilience: build ## One of three targets killed, hung, slow or answering 500 under RATE (default 2000) calls a second; wants a quiet machine
	@CAUSEWAY_RESILIENCE=$(RATE) CAUSEWAY_BIN=$(CURDIR)/bin/causeway $(GO) test ./e2e -count=1 -timeout 20m -v -run '^TestResilience|^TestNoRetryStorm'

h2spec: build ## h2spec's cases on HTTP/2 with and without TLS, beside x/net/http2 alone
	@CAUSEWAY_BIN=$(CURDIR)/bin/causeway $(GO) test ./e2e -count=1 -v -run '^TestH2spec$$'

ATTACKS ?= 10s
attacks: build ## Each attack alone, in full, for ATTACKS (default 10s), into docs/attacks.md; wants a quiet machine
	@CAUSEWAY_ATTACKS=$(ATTACKS) CAUSEWAY_ATTACKS_DOC=$(CURDIR)/docs/attacks.md CAUSEWAY_BIN=$(CURDIR)/bin/causeway $(GO) test ./e2e -count=1 -timeout 60m -v -run '^TestAttacksAlone'

bench-logs: ## causeway doctor logs on 1 GiB
	@LOGS_BENCH_MIB=1024 $(GO) test ./internal/logs -run '^$$' -bench '^BenchmarkRead$$' -benchtime 3x -benchmem

golden: ## Rewrite the generated documents and golden files
	@scripts/golden.sh
