# The build of longwire. `make help` lists the targets; CI runs `make test`.
#
# The lists of modules and fuzz targets are found, not kept: a new one is tested because it is there.

GO       ?= go
FUZZTIME ?= 3s
# A test that hangs is told so with its stacks after this time, not after go test's ten minutes.
TIMEOUT  ?= 8m
# For make torture.
DURATION ?= 10m
SEED     ?= 0

# Modules of their own below this one. tools has no packages, only tool directives.
NESTED := $(patsubst ./%/go.mod,%,$(shell find . -mindepth 2 -name go.mod \
	-not -path './.*' -not -path './tools/*' -not -path '*/node_modules/*' -not -path '*/testdata/*' | sort))

LINT    = $(CURDIR)/.cache/bin/golangci-lint
step    = @printf '\n== %s\n' '$(1)'
# $(call nested,COMMAND): the same command in every nested module, stopping at the first failure.
nested  = @set -e; for m in $(NESTED); do printf '%s\n' "-- $$m"; (cd $$m && $(1)); done

.PHONY: help test check deps fmt vet fix lint race modules fuzz cross interop torture rivals
.NOTPARALLEL:

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-9s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

test: deps check race modules fuzz cross ## everything that CI runs: install what tests need, then pass them
	$(call step,all passed)

check: fmt vet fix lint ## everything that needs no run: gofmt, vet, go fix, lint

deps: ## install what tests need (Debian packages as root or by sudo, npm packages)
	$(call step,programs and packages that tests need)
	@GO='$(GO)' tools/deps.sh

fmt:
	$(call step,gofmt)
	@tools/empty.sh 'gofmt these files' gofmt -l .

vet:
	$(call step,go vet)
	$(GO) vet ./...
	$(call nested,$(GO) vet ./...)

fix:
	$(call step,go fix changes nothing)
	@tools/empty.sh 'run go fix ./...' $(GO) fix -diff ./...
	$(call nested,$(CURDIR)/tools/empty.sh 'run go fix ./... here' $(GO) fix -diff ./...)

lint: $(LINT) ## golangci-lint with .golangci.yml
	$(call step,lint)
	$(LINT) run ./...
	$(call nested,$(LINT) run --config $(CURDIR)/.golangci.yml ./...)

# Built every time: with nothing changed that takes half a second, and a new Go release is noticed.
.PHONY: $(LINT)
$(LINT):
	$(call step,build the linter)
	cd tools && $(GO) build -o $@ github.com/golangci/golangci-lint/v2/cmd/golangci-lint

race: ## all tests of the root module under the race detector, in random order
	$(call step,go test -race)
	$(GO) test -race -shuffle=on -timeout $(TIMEOUT) ./...

modules: ## build and test every nested module
	$(call step,nested modules: $(NESTED))
	$(call nested,$(GO) build -o /dev/null ./... && $(GO) test -race -shuffle=on -timeout $(TIMEOUT) ./...)

fuzz: ## every fuzz target for FUZZTIME (3s)
	$(call step,fuzz targets$(comma) $(FUZZTIME) each)
	@GO='$(GO)' tools/fuzz.sh '$(FUZZTIME)'

cross: ## vet for macOS and for 32 bits, build for Windows
	$(call step,vet for darwin and linux/386$(comma) build for windows)
	GOOS=darwin $(GO) vet ./...
	GOOS=linux GOARCH=386 $(GO) vet ./...
	GOOS=windows $(GO) build ./...

interop: deps ## only the tests against other people's clients and proxies
	$(call step,interop)
	$(GO) test -race -timeout $(TIMEOUT) ./internal/interop/...

torture: ## kill a server while everybody uses it, for DURATION (10m), then one that keeps little
	$(call step,torture for $(DURATION))
	@mkdir -p .cache
	$(GO) test -race -timeout 0 -v -run '^TestTorture(Gaps)?$$' -artifacts -outputdir $(CURDIR)/.cache ./internal/torture -torture.duration=$(DURATION) -torture.seed=$(SEED)

rivals: ## measure against other libraries and print one table (minutes; not part of test)
	cd rivals && $(GO) run . table

comma := ,
