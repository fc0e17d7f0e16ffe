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
ENGINES  ?=
MUTANTS  ?=
REPS     ?= 6
SEEDS    ?= 1..2000
HINT     ?=
OUTSIDE  ?=
SCOPE    ?= ci

# Tests run under the race detector where there is a C compiler for it.
RACE := $(shell if [ "$$(go env CGO_ENABLED)" = 1 ] && command -v "$$(go env CC)" >/dev/null 2>&1; then echo -race; fi)
# A run of all cases renews the figures that the docs show.
BENCH_OUT = $(if $(filter .,$(RUN)),docs/bench,runs/bench)

TOOL := go tool -modfile=tools/go.mod

.PHONY: help chaos test verify fmt bench peers simulate explore mutants dial clean redis-server

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
	cd bench && QUORUMLOCK_REDIS_SERVER="$$(sh ../scripts/redis-server.sh)" go test $(RACE) -timeout 15m -run '$(RUN)' ./...

verify: ## format, vet, staticcheck, known vulnerabilities, tidy modules
	@sh scripts/verify.sh

fmt: ## format the source
	gofmt -w $$(git ls-files -co --exclude-standard '*.go')

bench: redis-server ## measure beside other locks and the floor below them, in one run (REPS repetitions; RUN selects cases)
	@cd bench && go build -o ../bin/locksbench ./cmd/locksbench
	@QUORUMLOCK_REDIS_SERVER="$$(sh scripts/redis-server.sh)" bin/locksbench -reps $(REPS) -run '$(RUN)' -out $(BENCH_OUT)
	@$(TOOL) benchstat -col /lock $(BENCH_OUT)/benchstat.txt

peers: redis-server ## show the defects of other locks, and that they are not here; test what measures them
	cd bench && QUORUMLOCK_REDIS_SERVER="$$(sh ../scripts/redis-server.sh)" go test -timeout 10m -run '$(RUN)' ./...

simulate: ## run the lock in a simulated cluster with faults, once for each of SEEDS, and judge every run (SEEDS, HINT, OUTSIDE)
	@go build -o bin/redlock-chaos ./cmd/redlock-chaos
	@bin/redlock-chaos simulate --seeds $(SEEDS) $(if $(OUTSIDE),--outside) $(if $(HINT),--hint $(HINT))

explore: ## visit every interleaving of the small scopes SCOPE (ci, all, or one's name)
	@go build -o bin/redlock-chaos ./cmd/redlock-chaos
	@bin/redlock-chaos explore --scope $(SCOPE)

mutants: redis-server ## plant one mistake after the other and see ENGINES (explore,simulate,live) convict it (MUTANTS names some; COUNT live runs each)
	@QUORUMLOCK_REDIS_SERVER="$$(sh scripts/redis-server.sh)" go run ./cmd/redlock-chaos mutants --runs $(COUNT) $(if $(ENGINES),--engine $(ENGINES)) $(MUTANTS)

dial: ## break one assumption after the other, further and further, and show from where on what falls
	@go run ./cmd/redlock-chaos dial --svg docs/what-breaks-redlock.svg

redis-server:
	@sh scripts/redis-server.sh >/dev/null

clean: ## remove what was built and every run's output
	rm -rf bin runs .cache
