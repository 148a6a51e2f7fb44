# tirewatch: `make demo` shows it, `make test` tests it. Both install what they need on Debian 12 (or say what to install).

# With OpenCV the agent opens cameras and video files; without it, folders of photographs only.
TAGS = $(shell pkg-config --exists opencv4 2>/dev/null && echo opencv)
GO_BUILD = go build -tags '$(TAGS)' -trimpath

.PHONY: all build demo test lint cross fuzz clean deps-opencv deps-test

all: build

build:
	$(GO_BUILD) -o bin/ ./cmd/tirewatch ./cmd/tirewatch-agent

# From training to verdicts on a broker: about five minutes.
demo: deps-opencv
	$(MAKE) build
	bin/tirewatch demo

# Unit, property, golden, command and end-to-end tests; the last run the real agent against a real Mosquitto.
test: deps-opencv deps-test
	REQUIRE_MOSQUITTO=1 go test -tags opencv -timeout 20m ./...

lint:
	@files=$$(gofmt -l $$(git ls-files '*.go')); [ -z "$$files" ] || { echo "run gofmt -w on:" $$files; exit 1; }
	GOARCH=amd64 CGO_ENABLED=0 go vet ./...
	GOARCH=arm64 CGO_ENABLED=0 go vet ./...
	go tool staticcheck ./...
	go mod tidy -diff

# Everything but OpenCV is Go, so a station's program builds for any of these from any PC.
cross:
	CGO_ENABLED=0 GOOS=linux GOARCH=arm64 go build -trimpath -o bin/linux-arm64/ ./cmd/...
	CGO_ENABLED=0 GOOS=linux GOARCH=arm GOARM=7 go build -trimpath -o bin/linux-armv7/ ./cmd/...

# Ten seconds for each parser; `make fuzz FUZZTIME=10m` before a release.
FUZZTIME = 10s
fuzz:
	@set -e; for file in $$(git ls-files '*_test.go' | xargs grep -l '^func Fuzz'); do \
	  for target in $$(sed -n 's/^func \(Fuzz[A-Za-z0-9_]*\).*/\1/p' $$file); do \
	    echo "$$file $$target"; go test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) ./$$(dirname $$file); \
	  done; done

clean:
	rm -rf bin

deps-opencv:
	@.ci/need g++ pkg-config libopencv-dev

deps-test:
	@.ci/need mosquitto mosquitto-clients
