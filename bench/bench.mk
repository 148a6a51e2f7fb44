# Long tests, experiments and measurements. The Makefile includes this file, so run all targets from
# the root of the repository. `make help` lists them. Times are for two idle cores.

.PHONY: attacks torture soak line test-writeloss test-peers test-peers-emulated \
	real-tires whole-tire finetune-line \
	bench-journal bench-start bench-page bench-peers bench-arm64 bench-train bench-brickwork \
	bench-rubber bench-sound bench-thesis bench-tool bench-build

# Other runtimes and frameworks are used by module bench. ONNX Runtime is the library in an npm
# package. 1.20.1 is the last version whose arm64 library runs under Debian's qemu.
BENCH = $(CURDIR)/bin/bench
ORT_X64 = $(BENCH)/ort-1.30.0
ORT_ARM64 = $(BENCH)/ort-1.20.1
ORT_X64_LIBRARY = $(ORT_X64)/node_modules/onnxruntime-node/bin/napi-v6/linux/x64/libonnxruntime.so.1
ORT_ARM64_LIBRARY = $(ORT_ARM64)/node_modules/onnxruntime-node/bin/napi-v3/linux/arm64/libonnxruntime.so.1
ORT_X64_INSTALLED = $(ORT_X64)/node_modules/.package-lock.json
ORT_ARM64_INSTALLED = $(ORT_ARM64)/node_modules/.package-lock.json

ARM64_CGO = CGO_ENABLED=1 GOARCH=arm64 CC=aarch64-linux-gnu-gcc

##@ Long tests

# The attacks of SECURITY.md, and a power cut at each step of an installation. -v prints the counts.
attacks: deps-test ## the attacks in SECURITY.md, with counts; a few minutes
	REQUIRE_MOSQUITTO=1 go test -count=1 -v -run 'TestAttack|TestPowerCut' \
	  ./agent/models ./agent/uplink ./agent/web

# Kills at random times and at system calls. `make test` has 200 of them.
KILLS = 2000
torture: deps-test ## kill the real agent 2,000 times (KILLS=N); up to 3 hours
	REQUIRE_MOSQUITTO=1 go test -count=1 -timeout 3h -run '^TestTorture$$' -v \
	  ./cmd/tirewatch-agent -torture.kills $(KILLS)

# Memory must not grow during a million frames, after a quarter of a million to warm up. Verdicts go
# to a real Mosquitto. TMPDIR=/dev/shm avoids writes to the disk.
FRAMES = 1250000
soak: deps-opencv deps-test ## a million frames through OpenCV: memory must not grow; 10 minutes
	REQUIRE_MOSQUITTO=1 go test -tags opencv -count=1 -timeout 5h -run '^TestSoak$$' -v \
	  ./cmd/tirewatch-agent -soak.frames $(FRAMES)

# All kinds of triggers, bad photo-eyes and an ejector. Votes are compared with single frames.
# `make test` has 40 tires.
TIRES_ON_LINE = 200
line: deps-opencv ## 200 drawn tires on a rough belt: triggers, votes, ejector; 10 minutes
	go test -tags opencv -count=1 -timeout 2h -run '^TestLine$$' -v \
	  ./cmd/tirewatch -line.tires $(TIRES_ON_LINE) -line.images 900 -line.epochs 16

# Writes that were not synced are lost, kept or torn. TMPDIR=/dev/shm avoids writes to the disk.
test-writeloss: ## a power cut at each point in a journal of 1,000 verdicts; a few minutes
	WRITELOSS_VERDICTS=1000 go test -count=1 -timeout 2h -run TestPowerCuts -v ./agent/journal

# The int8 networks, thesis and mobile, equal ONNX Runtime to the last bit: sums, all activations,
# random networks, QLinearConv and QDQ. The float networks and those that we import have its
# probabilities. The losses of a training equal PyTorch's.
test-peers: $(ORT_X64_INSTALLED) ## compare results with ONNX Runtime and PyTorch; up to 30 minutes
	@.ci/need python3-torch python3-numpy
	ORT_LIBRARY=$(ORT_X64_LIBRARY) REQUIRE_TORCH=1 go -C bench test -count=1 -timeout 30m -v .

# With fewer images: NEON, NEON with dot product, AVX2 without VNNI.
test-peers-emulated: ## the comparisons of test-peers for other CPUs, under qemu; a few minutes
test-peers-emulated: $(ORT_X64_INSTALLED) $(ORT_ARM64_INSTALLED)
	@.ci/need gcc qemu-user gcc-aarch64-linux-gnu libstdc++6-arm64-cross
	go -C bench test -c -o $(BENCH)/exact .
	$(ARM64_CGO) go -C bench test -c -o $(BENCH)/exact-arm64 .
	for core in cortex-a72 cortex-a76; do \
	  ORT_LIBRARY=$(ORT_ARM64_LIBRARY) QEMU_LD_PREFIX=/usr/aarch64-linux-gnu \
	  qemu-aarch64 -cpu $$core $(BENCH)/exact-arm64 -test.v -test.short || exit 1; \
	done
	ORT_LIBRARY=$(ORT_X64_LIBRARY) qemu-x86_64 -cpu max $(BENCH)/exact -test.v -test.short

##@ Experiments

# How close drawn tires are to photographs. It trains on drawn close-ups only, with three seeds, and
# ranks patches of the photographs.
real-tires: ## rank photographs with a model of drawn tires; TIRES=DIR; 30 minutes
	@test -d '$(TIRES)' || { echo "usage: make real-tires TIRES=DIR, a folder with crack/ and normal/"; exit 2; }
	TIREWATCH_REAL_TIRES='$(abspath $(TIRES))' go test -count=1 -timeout 3h -v -run '^TestRealTires$$' \
	  ./trainer/synth -args -real-seeds 3

# One network is trained further twice: on whole tires and on tiles. Then the recall of both is
# compared on drawn hairlines. WHOLE_TIRES=2 trains on twice as many tires.
WHOLE_TIRES = 1
whole-tire: ## tiles of the side wall against whole tires, on drawn hairlines; 15 minutes
	TIREWATCH_WHOLE_TIRE=$(WHOLE_TIRES) go test -count=1 -timeout 3h -v \
	  -run '^(TestWholeTire|TestWallIsFound)$$' ./trainer/synth

# A network that was trained on drawn tires inspects a line with another look. Some of the stored
# images are labelled, exported and trained on. Other tires are inspected before and after.
LINE_TIRES = 600
LINE_LABELS = 60
finetune-line: ## what labels of tires from the line improve; a few minutes
	go test -count=1 -timeout 3h -v -run '^TestLearnFromTheLine$$' \
	  ./cmd/tirewatch -learn.tires $(LINE_TIRES) -learn.label $(LINE_LABELS)

##@ Measurements

# Journals with 1,000, 100,000 and a million verdicts must cost the same. Then an outage of 100,000
# verdicts drains into a real Mosquitto, at 2,000 a second or more. BENCH_DIR chooses the disk.
bench-journal: deps-test ## growth of the journal, and the drain after an outage; a few minutes
	go test -run '^$$' -bench Growth -benchtime 1x ./agent/journal
	REQUIRE_MOSQUITTO=1 BENCH_DIR=$(or $(BENCH_DIR),$(CURDIR)) \
	  go test -run '^$$' -bench Drain -benchtime 1x ./agent/uplink

bench-start: deps-opencv deps-test ## start of the agent: time and memory; a few minutes
	REQUIRE_MOSQUITTO=1 go test -tags opencv -run '^TestResidentMemory$$' -v \
	  -bench '^BenchmarkStart$$' -benchtime 10x ./cmd/tirewatch-agent | \
	  grep -E 'resident|processor|^Benchmark.*op|FAIL|^ok'

bench-page: ## frames a second of a station with a viewer on its page and without; a minute
	go test -run '^$$' -bench Viewer -benchtime 1x ./agent/web

# All runtimes take turns.
bench-peers: $(ORT_X64_INSTALLED) bench-build ## time of one inference in all runtimes; 8 minutes
	@.ci/need g++ libdnnl-dev
	g++ -O2 -std=c++17 -Wall -Wextra -o $(BENCH)/onednn bench/onednn/onednn.cpp -ldnnl
	ORT_LIBRARY=$(ORT_X64_LIBRARY) $(BENCH)/bench peers $(BENCH)

# Instructions for one image of each network on two ARM cores under qemu, and the cycles of the
# inner loops from llvm-mca's models.
bench-arm64: ## instructions of one inference on ARM, under qemu; a few minutes
bench-arm64: $(ORT_ARM64_INSTALLED) bench-build
	@.ci/need gcc qemu-user gcc-aarch64-linux-gnu libstdc++6-arm64-cross llvm-19
	gcc -O2 -Wall -Wextra -shared -fPIC -o $(BENCH)/icount.so bench/icount/icount.c
	$(ARM64_CGO) go -C bench build -o $(BENCH)/bench-arm64 .
	ORT_LIBRARY=$(ORT_ARM64_LIBRARY) QEMU_LD_PREFIX=/usr/aarch64-linux-gnu $(BENCH)/bench arm64 $(BENCH)
	$(BENCH)/bench loops $(BENCH)/bench-arm64

# Training steps in turns, as images a second and ratios: of the thesis network, then fine-tuning of
# the mobile one at 448 px. Then tirewatch train on files compared with its own steps alone. PyTorch
# with its default settings takes most of the time.
ROUNDS = 5
bench-train: build bench-tool ## training steps: tirewatch, oneDNN and PyTorch; 20 minutes
	@.ci/need g++ libdnnl-dev python3-torch python3-numpy
	g++ -O2 -std=c++17 -Wall -Wextra -o $(BENCH)/onednn-train bench/onednn/train.cpp -ldnnl
	$(BENCH)/bench training $(BENCH)/training bench/torch $(ROUNDS)
	$(BENCH)/bench finetune $(BENCH)/finetune bench/torch $(ROUNDS)
	$(BENCH)/bench endtoend bin/tirewatch $(BENCH)/endtoend

# BRICKWORK=DIR holds crack and normal. 50 epochs on the first 200 images of each class, tested on
# the rest, with tirewatch and with PyTorch, then five folds with tirewatch. TRAIN_FLAGS are passed
# to tirewatch train. The run folders with their reports stay in bin/bench/brickwork.
bench-brickwork: build bench-tool ## train on photographs, also PyTorch; BRICKWORK=DIR; 15 minutes
	@.ci/need python3-torch python3-numpy python3-pil
	@[ -n "$(BRICKWORK)" ] || { \
	  echo "usage: make bench-brickwork BRICKWORK=DIR, a folder with crack and normal, 250 images each" >&2; exit 1; }
	rm -rf $(BENCH)/brickwork
	$(BENCH)/bench rival bin/tirewatch bench/torch $(BRICKWORK) $(BENCH)/brickwork/last $(TRAIN_FLAGS)
	$(BENCH)/bench folds groups bin/tirewatch $(BRICKWORK) $(BENCH)/brickwork/folds $(TRAIN_FLAGS)

# Five trainings for each network, and a learning curve. Finished folds stay in bin/bench/rubber, so
# an interrupted run continues. Without the pretrained base (make base) only the thesis network.
bench-rubber: build bench-tool ## all networks on real tires, out of fold; RUBBER=DIR; an hour
	@[ -n "$(RUBBER)" ] || { \
	  echo "usage: make bench-rubber RUBBER=DIR, with crack, normal and a manifest.csv: file, group, fold" >&2; exit 1; }
	$(BENCH)/bench rubber bin/tirewatch $(RUBBER) $(BENCH)/rubber $(TRAIN_FLAGS)

# What each part of the training brings: the defaults, and the defaults with one part taken back.
# Finished folds stay in bin/bench/thesis, so an interrupted run continues; more SEEDS add to it.
SEEDS = 1
bench-thesis: build bench-tool ## the thesis network without each part of its training; RUBBER=DIR; 2 hours
	@[ -n "$(RUBBER)" ] || { \
	  echo "usage: make bench-thesis RUBBER=DIR [SEEDS=5], with crack, normal and a manifest.csv" >&2; exit 1; }
	$(BENCH)/bench thesis bin/tirewatch $(RUBBER) $(BENCH)/thesis $(SEEDS) $(TRAIN_FLAGS)

bench-sound: bench-tool ## a second opinion from 10 sound photographs; CKPT=FILE SOUND=DIR; a minute
	@[ -n "$(CKPT)" ] && [ -n "$(SOUND)" ] || { \
	  echo "usage: make bench-sound CKPT=runs/monday/best.ckpt SOUND=DIR, with normal and crack" >&2; exit 1; }
	$(BENCH)/bench sound $(CKPT) $(SOUND) 10

bench-tool: ## build the program that measures, bin/bench/bench
	go -C bench build -o $(BENCH)/bench .

bench-build: bench-tool ## write the networks for all runtimes into bin/bench
	$(BENCH)/bench make $(BENCH)

$(BENCH)/ort-%/node_modules/.package-lock.json:
	@command -v npm >/dev/null || .ci/need npm
	npm install --ignore-scripts --no-audit --no-fund --loglevel=error --prefix $(BENCH)/ort-$* onnxruntime-node@$*
