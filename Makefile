# tirewatch: `make demo` shows it, `make test` tests it. Both install what they need on Debian 12 (or say what to install).

# With OpenCV the agent opens cameras and video files; without it, folders of photographs only.
TAGS = $(shell pkg-config --exists opencv4 2>/dev/null && echo opencv)
GO_BUILD = go build -tags '$(TAGS)' -trimpath

.PHONY: all build demo test test-kernels lint fuzz clean deps-opencv deps-test test-peers \
	test-peers-emulated bench-peers bench-arm64 bench-train bench-brickwork bench-build bench-tool real-tires whole-tire \
	bench-journal bench-start bench-page screenshots torture soak attacks test-writeloss finetune-line line deps-npm

all: build

build:
	$(GO_BUILD) -o bin/ ./cmd/tirewatch ./cmd/tirewatch-agent

# From training to verdicts on a broker: some two minutes on two cores, and the first build.
demo: deps-opencv
	$(MAKE) build
	bin/tirewatch demo

# Unit, property, golden, command and end-to-end tests; the last run the real agent against a real Mosquitto, and a
# browser opens the report, a Sparkplug host and Node-RED read what stations send.
test: deps-opencv deps-test deps-npm
	REQUIRE_MOSQUITTO=1 REQUIRE_CHROMIUM=1 REQUIRE_NODE=1 go test -tags opencv -timeout 20m ./...

# The attacks of SECURITY.md and every power cut during an installation, with their counts.
attacks: deps-test
	REQUIRE_MOSQUITTO=1 go test -count=1 -v -run 'TestAttack|TestPowerCut' ./agent/models ./agent/uplink ./agent/web

# The assembly of every instruction set: amd64's on this CPU, arm64's under qemu as two of the stations' cores. A kernel that was not
# exercised fails the run.
test-kernels:
	@.ci/need qemu-user binutils-aarch64-linux-gnu
	KERNEL_REQUIRE=avx2,avx512vnni go test ./vision/kernel ./vision/infer
	KERNEL_REQUIRE=neon $(ARM64_TEST) 'qemu-aarch64 -cpu cortex-a72' ./vision/kernel ./vision/infer ./vision/preprocess ./vision/frame
	KERNEL_REQUIRE=neon,sdot $(ARM64_TEST) 'qemu-aarch64 -cpu cortex-a76' ./vision/kernel ./vision/infer
ARM64_TEST = GOARCH=arm64 CGO_ENABLED=0 go test -short -exec

# The real agent, killed 2,000 times at random instants and at system calls, against a real Mosquitto. `make test` has 200 of these.
KILLS = 2000
torture: deps-test
	REQUIRE_MOSQUITTO=1 go test -count=1 -timeout 3h -run '^TestTorture$$' -v ./cmd/tirewatch-agent -torture.kills $(KILLS)

# A million frames through OpenCV after a warm-up of a quarter of that, with verdicts to a real Mosquitto: memory stays flat. Some ten
# minutes; TMPDIR=/dev/shm spares the disk.
FRAMES = 1250000
soak: deps-opencv deps-test
	REQUIRE_MOSQUITTO=1 go test -tags opencv -count=1 -timeout 5h -run '^TestSoak$$' -v ./cmd/tirewatch-agent -soak.frames $(FRAMES)

# From the start of the agent to its first verdict, with OpenCV and without, and the memory that it takes.
bench-start: deps-opencv deps-test
	REQUIRE_MOSQUITTO=1 go test -tags opencv -run '^TestResidentMemory$$' -v -bench '^BenchmarkStart$$' -benchtime 10x ./cmd/tirewatch-agent | grep -E 'resident|processor|^Benchmark.*op|FAIL|^ok'

# A rough line of 200 tires with every kind of trigger, bad photo-eyes and an ejector; votes beside single frames. Ten minutes on two busy cores;
# `make test` has 40 tires.
TIRES_ON_LINE = 200
line: deps-opencv
	go test -tags opencv -count=1 -timeout 2h -run '^TestLine$$' -v ./cmd/tirewatch -line.tires $(TIRES_ON_LINE) -line.images 900 -line.epochs 16

lint:
	@files=$$(gofmt -l $$(git ls-files '*.go')); [ -z "$$files" ] || { echo "run gofmt -w on:" $$files; exit 1; }
	GOARCH=amd64 CGO_ENABLED=0 go vet ./...
	GOARCH=arm64 CGO_ENABLED=0 go vet ./...
	go tool staticcheck ./...
	go mod tidy -diff
	@command -v gcc >/dev/null || .ci/need gcc
	go -C bench vet .
	go -C bench mod tidy -diff

# How near the drawings come to photographs: trains on drawn close-ups alone, with three seeds, and ranks patches of the photographs in
# TIRES, a folder with crack/ and normal/. Half an hour on two idle cores.
real-tires:
	@test -d '$(TIRES)' || { echo "usage: make real-tires TIRES=DIR, a folder with crack/ and normal/"; exit 2; }
	TIREWATCH_REAL_TIRES='$(abspath $(TIRES))' go test -count=1 -timeout 3h -v -run '^TestRealTires$$' ./trainer/synth -args -real-seeds 3

# What labels of a line's own tires bring: a network that was trained on drawn tires comes to a line with another look, some of the kept
# pictures are labelled, exported and trained on, and tires that nobody labelled are judged before and after. Some minutes on two idle
# cores, most of them for the network that it begins with.
LINE_TIRES = 600
LINE_LABELS = 60
finetune-line:
	go test -count=1 -timeout 3h -v -run '^TestLearnFromTheLine$$' ./cmd/tirewatch -learn.tires $(LINE_TIRES) -learn.label $(LINE_LABELS)

# What tiles of the side wall are worth on drawn hairlines: one network goes on in two trainings, on whole tires and on tiles, then the recall of both. A
# quarter of an hour on two busy cores; WHOLE_TIRES=2 learns from twice as many tires.
WHOLE_TIRES = 1
whole-tire:
	TIREWATCH_WHOLE_TIRE=$(WHOLE_TIRES) go test -count=1 -timeout 3h -v -run '^(TestWholeTire|TestWallIsFound)$$' ./trainer/synth

# Programs and packages of stations: cross, agent-arm64, deb, test-package, reproducible.
include systemd/package/package.mk

# Ten seconds for each parser; `make fuzz FUZZTIME=10m` before a release. Inputs that reach new code are hardly made smaller: for files of some
# kilobytes that alone would take the time.
FUZZTIME = 10s
fuzz:
	@set -e; for file in $$(git ls-files '*_test.go' | xargs grep -l '^func Fuzz'); do \
	  for target in $$(sed -n 's/^func \(Fuzz[A-Za-z0-9_]*\).*/\1/p' $$file); do \
	    echo "$$file $$target"; go test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 10x ./$$(dirname $$file); \
	  done; done

# The journal with 1 k, 100 k and 1 M verdicts, which must cost the same, and an outage of 100,000 verdicts that drains into a real
# Mosquitto at 2,000 a second or more. The disk is the one of BENCH_DIR.
bench-journal: deps-test
	go test -run '^$$' -bench Growth -benchtime 1x ./agent/journal
	REQUIRE_MOSQUITTO=1 BENCH_DIR=$(or $(BENCH_DIR),$(CURDIR)) go test -run '^$$' -bench Drain -benchtime 1x ./agent/uplink

# What a station keeps of its throughput while somebody looks at its page.
bench-page:
	go test -run '^$$' -bench Viewer -benchtime 1x ./agent/web

# The pictures of the README: the model and the film of `make demo`, which is kept in bin/demo, and the page in Chromium.
screenshots: deps-opencv deps-test build
	test -e bin/demo/model.tire || bin/tirewatch demo --dir bin/demo --tires 40
	SCREENSHOTS=$(CURDIR)/agent/web/testdata SCREENSHOTS_DEMO=$(CURDIR)/bin/demo REQUIRE_CHROMIUM=1 \
	  go test -tags opencv -count=1 -v -run '^TestScreenshots$$' ./agent/web

# Every cut point of a journal's life of 1,000 verdicts: writes that were not synced are lost, kept or torn. Some minutes; a folder in
# memory spares the disk (TMPDIR=/dev/shm).
test-writeloss:
	WRITELOSS_VERDICTS=1000 go test -count=1 -timeout 2h -run TestPowerCuts -v ./agent/journal

# Other runtimes and frameworks beside ours: bench, a module of its own. ONNX Runtime comes as a library inside an npm package; 1.20.1 is
# the last whose arm64 library runs under Debian's qemu.
BENCH = $(CURDIR)/bin/bench
ORT_X64 = $(BENCH)/ort-1.30.0
ORT_ARM64 = $(BENCH)/ort-1.20.1
ORT_X64_LIBRARY = $(ORT_X64)/node_modules/onnxruntime-node/bin/napi-v6/linux/x64/libonnxruntime.so.1
ORT_ARM64_LIBRARY = $(ORT_ARM64)/node_modules/onnxruntime-node/bin/napi-v3/linux/arm64/libonnxruntime.so.1

ARM64_CGO = CGO_ENABLED=1 GOARCH=arm64 CC=aarch64-linux-gnu-gcc

# The int8 network is ONNX Runtime's to the last bit: sums, every activation, random networks, QLinearConv and QDQ. The float network has its
# probabilities, and so have the networks that we import. The losses of a training are PyTorch's.
test-peers: $(ORT_X64)/node_modules/.package-lock.json
	@.ci/need python3-torch python3-numpy
	ORT_LIBRARY=$(ORT_X64_LIBRARY) REQUIRE_TORCH=1 go -C bench test -count=1 -timeout 30m -v .

# The same on CPUs that are not at hand, under qemu and with fewer images: NEON, NEON with dot product, AVX2 without VNNI.
test-peers-emulated: $(ORT_X64)/node_modules/.package-lock.json $(ORT_ARM64)/node_modules/.package-lock.json
	@.ci/need gcc qemu-user gcc-aarch64-linux-gnu libstdc++6-arm64-cross
	go -C bench test -c -o $(BENCH)/exact .
	$(ARM64_CGO) go -C bench test -c -o $(BENCH)/exact-arm64 .
	for core in cortex-a72 cortex-a76; do \
	  ORT_LIBRARY=$(ORT_ARM64_LIBRARY) QEMU_LD_PREFIX=/usr/aarch64-linux-gnu qemu-aarch64 -cpu $$core $(BENCH)/exact-arm64 -test.v -test.short || exit 1; \
	done
	ORT_LIBRARY=$(ORT_X64_LIBRARY) qemu-x86_64 -cpu max $(BENCH)/exact -test.v -test.short

# Times on this machine: about two minutes, all runtimes in turns.
bench-peers: $(ORT_X64)/node_modules/.package-lock.json bench-build
	@.ci/need g++ libdnnl-dev
	g++ -O2 -std=c++17 -Wall -Wextra -o $(BENCH)/onednn bench/onednn/onednn.cpp -ldnnl
	ORT_LIBRARY=$(ORT_X64_LIBRARY) $(BENCH)/bench peers $(BENCH)

# Instructions for one image on two ARM cores under qemu, and the cycles of the inner loops by llvm-mca's models.
bench-arm64: $(ORT_ARM64)/node_modules/.package-lock.json bench-build
	@.ci/need gcc qemu-user gcc-aarch64-linux-gnu libstdc++6-arm64-cross llvm-19
	gcc -O2 -Wall -Wextra -shared -fPIC -o $(BENCH)/icount.so bench/icount/icount.c
	$(ARM64_CGO) go -C bench build -o $(BENCH)/bench-arm64 .
	ORT_LIBRARY=$(ORT_ARM64_LIBRARY) QEMU_LD_PREFIX=/usr/aarch64-linux-gnu $(BENCH)/bench arm64 $(BENCH)
	$(BENCH)/bench loops $(BENCH)/bench-arm64

# Steps of training, all frameworks in turns: images/s and ratios; then tirewatch train on files beside its own step. PyTorch as it
# comes is slow, so it takes a quarter of an hour.
ROUNDS = 5
bench-train: build bench-tool
	@.ci/need g++ libdnnl-dev python3-torch python3-numpy
	g++ -O2 -std=c++17 -Wall -Wextra -o $(BENCH)/onednn-train bench/onednn/train.cpp -ldnnl
	$(BENCH)/bench training $(BENCH)/training bench/torch $(ROUNDS)
	$(BENCH)/bench endtoend bin/tirewatch $(BENCH)/endtoend

# Photographs of one crack problem, BRICKWORK=DIR with crack and normal: 50 epochs on the first 200 of each class, tested on the rest, by
# the shipped program and by PyTorch; then five folds of ours. About a quarter of an hour. TRAIN_FLAGS go to tirewatch train; the runs
# with their reports stay in bin/bench/brickwork.
bench-brickwork: build bench-tool
	@.ci/need python3-torch python3-numpy python3-pil
	@[ -n "$(BRICKWORK)" ] || { echo "make bench-brickwork BRICKWORK=DIR: DIR holds crack and normal, 250 photographs each" >&2; exit 1; }
	rm -rf $(BENCH)/brickwork
	$(BENCH)/bench rival bin/tirewatch bench/torch $(BRICKWORK) $(BENCH)/brickwork/last $(TRAIN_FLAGS)
	$(BENCH)/bench folds groups bin/tirewatch $(BRICKWORK) $(BENCH)/brickwork/folds $(TRAIN_FLAGS)

bench-build: bench-tool
	$(BENCH)/bench make $(BENCH)

bench-tool:
	go -C bench build -o $(BENCH)/bench .

$(BENCH)/ort-%/node_modules/.package-lock.json:
	@command -v npm >/dev/null || .ci/need npm
	npm install --ignore-scripts --no-audit --no-fund --loglevel=error --prefix $(BENCH)/ort-$* onnxruntime-node@$*

# Packages of npm that the station is tested against: a Sparkplug decoder, and Node-RED.
deps-npm: bin/npm/node_modules/.package-lock.json
bin/npm/node_modules/.package-lock.json: agent/uplink/testdata/package.json
	@command -v npm >/dev/null || .ci/need nodejs npm
	mkdir -p bin/npm && cp $< bin/npm
	npm install --ignore-scripts --no-audit --no-fund --loglevel=error --prefix bin/npm
	@touch $@

clean:
	rm -rf bin

deps-opencv:
	@.ci/need g++ pkg-config libopencv-dev

deps-test:
	@.ci/need mosquitto mosquitto-clients chromium strace procps systemd gstreamer1.0-tools gstreamer1.0-plugins-base
