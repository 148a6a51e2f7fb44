# From sources to packages: programs, and the roots that they are linked against. Included by the Makefile;
# paths are those of the repository. ARCHITECTURE.md, decision 27, has the reasons.

# Version of packages and of --version; set it to build without git.
RELEASE ?= $(shell systemd/package/release)
# Every date in a package is the commit's, so that the same commit gives the same bytes.
export SOURCE_DATE_EPOCH ?= $(shell git log -1 --format=%ct)

# Build ids are hashes of the flags, and with them of this folder's name: left out.
GO_RELEASE = go build -buildvcs=auto -trimpath -ldflags '-s -w -buildid= -B none -X tirewatch/cmd/internal/version.release=$(RELEASE) $(GO_LINK)'

# The distribution whose OpenCV stations have. Raspberry Pi OS 12 is Debian's bookworm with other kernels.
SUITE = bookworm

# What an architecture is called elsewhere, and the packages with its compiler on amd64.
TRIPLET_amd64 = x86_64-linux-gnu
TRIPLET_arm64 = aarch64-linux-gnu
COMPILER_amd64 = gcc g++
COMPILER_arm64 = gcc-aarch64-linux-gnu g++-aarch64-linux-gnu

.PHONY: cross agents deb test-package reproducible agent-% linux-% deb-% package-common

# Without cameras everything is Go, so a station's programs build for any of these from any PC: one static file each.
cross: linux-amd64 linux-arm64 linux-armv7
linux-%:
	CGO_ENABLED=0 GOOS=linux GOARCH=$(patsubst armv7,arm,$*) GOARM=7 $(GO_RELEASE) -o bin/linux-$*/ ./cmd/...

# A root with the OpenCV of that architecture: files only, nothing of them runs. Debs are gone once they are extracted, so the hook
# keeps what they say about their libraries.
.PRECIOUS: bin/root-%/shlibs
bin/root-%/shlibs:
	@.ci/need mmdebstrap
	mkdir -p bin && rm -rf bin/root-$* bin/root-$*.new
	mmdebstrap --quiet --variant=extract --architectures=$* --include=libopencv-dev,libc6-dev,libstdc++-12-dev --extract-hook=' \
	  for deb in "$$1"/var/cache/apt/archives/*.deb; do dpkg-deb --info "$$deb" shlibs 2>/dev/null || true; done >"$$1/shlibs"' $(SUITE) bin/root-$*.new
	mv bin/root-$*.new bin/root-$*

# The agent with cameras. gocv wraps all of OpenCV and asks to be linked with all of it, 50 libraries. Its tag customenv leaves
# that to us: the sections of wrappers that nobody calls are thrown away, and with them what they wanted from the other libraries.
agents: agent-amd64 agent-arm64
agent-%: ROOT = $(CURDIR)/bin/root-$*
agent-%: LIB = $(ROOT)/usr/lib/$(TRIPLET_$*)
agent-%: GO_LINK = -extldflags "-Wl,--gc-sections -Wl,--as-needed -Wl,-rpath-link=$(LIB)/lapack:$(LIB)/blas $(OPENCV)"
agent-%: bin/root-%/shlibs
	@.ci/need $(COMPILER_$*)
	CGO_ENABLED=1 GOOS=linux GOARCH=$* CC='$(TRIPLET_$*)-gcc --sysroot=$(ROOT)' CXX='$(TRIPLET_$*)-g++ --sysroot=$(ROOT)' \
	  CGO_CFLAGS='-O2 $(SECTIONS)' CGO_CXXFLAGS='-O2 -std=c++11 $(SECTIONS) -I=/usr/include/opencv4' \
	  $(GO_RELEASE) -tags opencv,customenv -o bin/station-$*/tirewatch-agent ./cmd/tirewatch-agent
SECTIONS = -ffunction-sections -fdata-sections
OPENCV = -lopencv_videoio -lopencv_imgcodecs -lopencv_imgproc -lopencv_core

# nfpm has a hundred dependencies of its own, which `go run` keeps out of go.mod. Later versions need modules that not every proxy gives.
NFPM = go run github.com/goreleaser/nfpm/v2/cmd/nfpm@v2.43.4

# Two packages: tirewatch-agent for stations, tirewatch, the toolbox, for PCs.
deb: deb-amd64 deb-arm64
deb-%: agent-% linux-% package-common
	mkdir -p bin/package/$*
	cp bin/station-$*/tirewatch-agent bin/linux-$*/tirewatch bin/package/$*/
	depends=$$(systemd/package/depends bin/package/$*/tirewatch-agent bin/root-$*/shlibs) && \
	  ARCH=$* RELEASE='$(RELEASE)' DEPENDS="$$depends" $(NFPM) package --config systemd/package/agent.yaml --packager deb \
	  --target bin/tirewatch-agent_$*.deb
	ARCH=$* RELEASE='$(RELEASE)' $(NFPM) package --config systemd/package/toolbox.yaml --packager deb --target bin/tirewatch_$*.deb

# What is the same for every architecture.
UNITS = $(notdir $(wildcard systemd/*.service systemd/*.timer systemd/*.socket systemd/*.path))
ENABLED = $(notdir $(shell grep -l '^\[Install\]' $(addprefix systemd/,$(UNITS))))
package-common:
	@.ci/need binutils
	rm -rf bin/package
	mkdir -p bin/package
	for script in postinst prerm postrm; do \
	  sed 's/@UNITS@/$(UNITS)/; s/@ENABLED@/$(ENABLED)/' systemd/package/$$script >bin/package/$$script || exit 1; \
	done
	for program in tirewatch tirewatch-agent; do \
	  go run -tags manual ./cmd/$$program manual bin/package && mkdir -p bin/package/doc/$$program && \
	  systemd/package/notices ./cmd/$$program >bin/package/doc/$$program/third-party-licences || exit 1; \
	done
	gzip -9n bin/package/man?/* bin/package/doc/*/*
	cp agent/config/example.toml bin/package/station.toml

# The packages in a root of Debian, arm64's under qemu: installed after the README, used, upgraded, removed and purged. The root stays in bin/ for
# the next time; making it takes some minutes.
test-package: test-package-arm64
test-package-%: deb-%
	@.ci/need mmdebstrap qemu-user-static mosquitto
	REQUIRE_MOSQUITTO=1 go test -count=1 -timeout 1h -v -run '^TestPackages$$' ./systemd/package -package.arch $*

# The same commit built twice, in two folders, with nothing in common but the sources and what the network gives: one hash.
reproducible: deb
	@case '$(RELEASE)' in *+changed) echo "commit first: only a commit can be built twice" >&2; exit 1 ;; esac
	rm -rf bin/again
	git clone --quiet . bin/again
	GOCACHE=$(CURDIR)/bin/again/bin/cache $(MAKE) -C bin/again deb RELEASE='$(RELEASE)'
	for deb in bin/tirewatch*_*.deb; do sha256sum $$deb bin/again/$$deb; cmp $$deb bin/again/$$deb || exit 1; done
	rm -rf bin/again
