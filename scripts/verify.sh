#!/bin/sh
# Checks that need no server: format, vet, staticcheck, known vulnerabilities,
# tidy modules. Ends non-zero at the first that fails.
set -eu
cd "$(dirname "$0")/.."

step() { printf '== %s\n' "$1"; }

step gofmt
unformatted=$(gofmt -l $(git ls-files -co --exclude-standard '*.go'))
if [ -n "$unformatted" ]; then
	printf 'not formatted (make fmt):\n%s\n' "$unformatted" >&2
	exit 1
fi

step vet
go vet ./...
(cd bench && go vet ./...)

step staticcheck
go tool -modfile=tools/go.mod staticcheck ./...
(cd bench && go tool -modfile=../tools/go.mod staticcheck ./...)

step tidy
for dir in . tools bench; do
	if ! (cd "$dir" && go mod tidy -diff); then
		printf '%s/go.mod is not tidy (go mod tidy)\n' "$dir" >&2
		exit 1
	fi
done

step govulncheck
# Its database is on the network. Without it there is nothing to compare with.
if out=$(go tool -modfile=tools/go.mod govulncheck ./... 2>&1); then
	printf '%s\n' "$out" | tail -n 3
elif printf '%s' "$out" | grep -qiE 'fetching vulnerabilities|no such host|dial tcp|connection refused|forbidden|proxyconnect|HTTP GET|i/o timeout'; then
	printf 'SKIP: the vulnerability database cannot be reached: %s\n' "$(printf '%s' "$out" | tail -n 1)"
else
	printf '%s\n' "$out" >&2
	exit 1
fi
