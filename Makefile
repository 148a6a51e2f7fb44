# `make help` lists all targets, with those in systemd/package/package.mk and bench/bench.mk.
#
# Targets install missing Debian 12 packages if they may; otherwise they print the command to run.

# With OpenCV the agent opens cameras and video files. Without it, only folders of images.
TAGS = $(shell pkg-config --exists opencv4 2>/dev/null && echo opencv)
GO_BUILD = go build -tags '$(TAGS)' -trimpath

.PHONY: all build base base-thesis demo screenshots clean help quick test test-kernels lint fuzz \
	deps-opencv deps-test deps-npm

##@ Build and run

all: build ## the default: the same as build

build: ## build both programs into bin/, with OpenCV if it is installed
	$(GO_BUILD) -o bin/ ./cmd/tirewatch ./cmd/tirewatch-agent

# The weights are not part of the repository. The file and its licences: trainer/base/base.go.
base: ## the pretrained network, into bin/base; downloads 144 MB once
	@trainer/base/fetch bin/base

demo: deps-opencv ## from training to verdicts on a broker; 2 minutes and the first build
	$(MAKE) build
	bin/tirewatch demo

# The page and the report show the model and the tires of `make demo`, which this keeps in bin/demo.
screenshots: deps-opencv deps-test build ## draw the images of the documents: page and report
	test -e bin/demo/model.tire || bin/tirewatch demo --dir bin/demo --tires 40
	SCREENSHOTS=$(CURDIR)/agent/web/testdata SCREENSHOTS_DEMO=$(CURDIR)/bin/demo REQUIRE_CHROMIUM=1 \
	  go test -tags opencv -count=1 -v -run '^TestScreenshots$$' ./agent/web
	cd bin/demo && ../tirewatch evaluate run/best.ckpt tires --report report
	chromium --headless --no-sandbox --disable-gpu --hide-scrollbars --window-size=900,1200 \
	  --user-data-dir=bin/demo/chromium --screenshot=docs/report.png file://$(CURDIR)/bin/demo/report/report.html

# The network is part of the repository; make it again when the drawings or the trainer change. The
# same CPU makes the same file. An interrupted run continues from bin/base-thesis.
base-thesis: ## draw close-ups and train trainer/drawn/base-thesis.ckpt on them; 8 minutes
	go run ./trainer/drawn/generate bin/base-thesis trainer/drawn/base-thesis.ckpt

clean: ## delete bin/
	rm -rf bin

# Every target has its text after ## on its own line; ##@ starts a group. TestMakeHelp checks that
# no target is without text.
help: ## print this list
	@awk -F ':.*## ' '/^##@ / { n++; group[n] = substr($$0, 5) } \
	  /^[a-z][a-z0-9%-]*:.*## / { print n "\t" group[n] "\t" $$1 "\t" $$2 }' $(MAKEFILE_LIST) | \
	  sort -t "$$(printf '\t')" -k 1,1n -k 3,3 | \
	  awk -F '\t' '$$1 != last { print (last ? "\n" : "") $$2 ":"; last = $$1 } \
	    { printf "  %-20s %s\n", $$3, $$4 }'

##@ Test

# Needs only Go and git. SLOW lists the packages whose tests take more than five seconds with
# -short, or start programs that must be installed.
quick: ## gofmt, vet and the fast tests; under a minute with a warm build cache
	@$(CHECK_FORMAT)
	CGO_ENABLED=0 go vet ./...
	CGO_ENABLED=0 go test -short $(QUICK)
SLOW = agent/inspection agent/journal agent/models agent/provision agent/uplink agent/web \
	cmd/internal/version cmd/tirewatch cmd/tirewatch-agent systemd \
	trainer/dataset trainer/nn trainer/report trainer/synth vision/kernel vision/locate
QUICK = $(filter-out $(addprefix tirewatch/,$(SLOW)),$(shell go list ./...))

# Real programs are required: Mosquitto, Chromium for pages and reports, and Node for a Sparkplug
# host and Node-RED. The timeout only ends tests that hang: cmd/tirewatch takes five minutes of
# processor time, which may be half an hour on a busy machine. The pretrained network is required
# only with REQUIRE_BASE=1, because `make base` downloads 144 MB.
test: deps-opencv deps-test deps-npm ## all tests, with OpenCV, Mosquitto, Chromium and Node-RED
	@test -e bin/base/base-mobile.ckpt || \
	  echo "left out: the tests of the pretrained network, because make base has not been run"
	REQUIRE_MOSQUITTO=1 REQUIRE_CHROMIUM=1 REQUIRE_NODE=1 go test -tags opencv -timeout 60m ./...

# The kernels for amd64 run on this CPU, and under qemu without AVX-512, where such an instruction
# ends the test. Those for arm64 run under qemu as two cores of stations. A kernel that the CPU has
# and that no test exercised fails the run. A kernel that it lacks prints one line.
test-kernels: ## the kernels of all instruction sets; AVX2 alone and arm64 under qemu
	@.ci/need qemu-user binutils-aarch64-linux-gnu
	export KERNEL_REQUIRE=auto; $(call test_in,$(KERNELS) $(STATION_LOOPS) $(TRAINER_LOOPS))
	export KERNEL_REQUIRE=auto,avx2 GOARCH=amd64 CGO_ENABLED=0; \
	  $(call test_in,$(KERNELS) $(STATION_LOOPS) $(TRAINER_LOOPS),-short -exec $(AVX2_ONLY))
	export KERNEL_REQUIRE=neon $(ARM64); \
	  $(call test_in,$(KERNELS) $(STATION_LOOPS),-short -exec 'qemu-aarch64 -cpu cortex-a72')
	export KERNEL_REQUIRE=neon,sdot $(ARM64); $(call test_in,$(KERNELS),-short -exec 'qemu-aarch64 -cpu cortex-a76')
KERNELS = vision/kernel vision/infer
STATION_LOOPS = vision/preprocess vision/frame
TRAINER_LOOPS = trainer/nn/f32 trainer/augment trainer/dataset
AVX2_ONLY = 'qemu-x86_64 -cpu max,-avx512f'
ARM64 = GOARCH=arm64 CGO_ENABLED=0
# Without the name of a package, go test also shows what a passing test prints.
test_in = for p in $(1); do go -C $$p test $(2) || exit 1; done

lint: ## gofmt, vet for amd64 and arm64, staticcheck, go mod tidy; with module bench
	@$(CHECK_FORMAT)
	GOARCH=amd64 CGO_ENABLED=0 go vet ./...
	GOARCH=arm64 CGO_ENABLED=0 go vet ./...
	go tool staticcheck ./...
	go mod tidy -diff
	@command -v gcc >/dev/null || .ci/need gcc
	go -C bench vet .
	go -C bench mod tidy -diff
CHECK_FORMAT = files=$$(gofmt -l $$(git ls-files '*.go')); \
	[ -z "$$files" ] || { echo "run gofmt -w on:" $$files; exit 1; }

# An input that reaches new code is minimized in at most ten runs: for files of some kilobytes, more
# would take all the time.
FUZZTIME = 10s
fuzz: ## 10 seconds for each parser; FUZZTIME=10m before a release
	@set -e; for file in $$(git ls-files '*_test.go' | xargs grep -l '^func Fuzz'); do \
	  for target in $$(sed -n 's/^func \(Fuzz[A-Za-z0-9_]*\).*/\1/p' $$file); do \
	    echo "$$file $$target"; \
	    go test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 10x ./$$(dirname $$file); \
	  done; done

include systemd/package/package.mk
include bench/bench.mk

##@ Install what targets need

deps-opencv: ## a C++ compiler and OpenCV
	@.ci/need g++ pkg-config libopencv-dev

deps-test: ## the programs of the tests: Mosquitto, Chromium, strace, systemd, GStreamer
	@.ci/need mosquitto mosquitto-clients chromium strace procps systemd gstreamer1.0-tools gstreamer1.0-plugins-base

deps-npm: bin/npm/node_modules/.package-lock.json ## a Sparkplug decoder and Node-RED, into bin/npm
bin/npm/node_modules/.package-lock.json: agent/uplink/testdata/package.json
	@command -v npm >/dev/null || .ci/need nodejs npm
	mkdir -p bin/npm && cp $< bin/npm
	npm install --ignore-scripts --no-audit --no-fund --loglevel=error --prefix bin/npm
	@touch $@
