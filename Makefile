# Two commands do everything: `make chaos` and `make test`.
.DEFAULT_GOAL := help
SHELL := /bin/sh

DURATION ?= 60s
NODES    ?= 5
CLIENTS  ?= 8
KEYS     ?= 4
SEED     ?=
FAULTS   ?=
BACKEND  ?= process
OUT      ?=
RUN      ?= .
COUNT    ?= 5

# Tests run under the race detector where there is a C compiler for it.
RACE := $(shell if [ "$$(go env CGO_ENABLED)" = 1 ] && command -v "$$(go env CC)" >/dev/null 2>&1; then echo -race; fi)
TOOL := go tool -modfile=tools/go.mod

.PHONY: help chaos test verify fmt bench mutants clean redis-server

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

chaos: redis-server ## lock under real faults for DURATION and judge what the clients saw (NODES, CLIENTS, KEYS, SEED, FAULTS, BACKEND, OUT)
	@go build -o bin/redlock-chaos ./cmd/redlock-chaos
	@QUORUMLOCK_REDIS_SERVER="$$(sh scripts/redis-server.sh)" bin/redlock-chaos run \
		--duration $(DURATION) --nodes $(NODES) --clients $(CLIENTS) --keys $(KEYS) --backend $(BACKEND) \
		$(if $(SEED),--seed $(SEED)) $(if $(FAULTS),--faults $(FAULTS)) $(if $(OUT),--out $(OUT))

test: redis-server ## run all tests against real Redis servers (RUN selects some)
	@$(if $(RACE),,echo "no C compiler for $$(go env CC): tests run without the race detector")
	QUORUMLOCK_REDIS_SERVER="$$(sh scripts/redis-server.sh)" go test $(RACE) -timeout 15m -run '$(RUN)' ./...

verify: ## format, vet, staticcheck, known vulnerabilities, tidy modules
	@sh scripts/verify.sh

fmt: ## format the source
	gofmt -w $$(git ls-files -co --exclude-standard '*.go')

bench: redis-server ## measure against redsync, one of five nodes frozen, in one run (COUNT repetitions)
	cd bench && QUORUMLOCK_REDIS_SERVER="$$(sh ../scripts/redis-server.sh)" go test -run '^$$' -bench . -count $(COUNT) -timeout 30m ./...

mutants: redis-server ## plant one mistake after the other and see the harness convict it (COUNT runs each)
	@QUORUMLOCK_REDIS_SERVER="$$(sh scripts/redis-server.sh)" go run ./cmd/redlock-chaos mutants --runs $(COUNT)

redis-server:
	@sh scripts/redis-server.sh >/dev/null

clean: ## remove what was built and every run's output
	rm -rf bin runs .cache
