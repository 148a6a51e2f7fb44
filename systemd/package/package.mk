# Builds packages: programs, and the root folders that they are linked against. The Makefile
# includes this file, so run all targets from the root of the repository.
# docs/decisions/27-distribution-opencv.md gives the reasons.

# Version of the packages and of --version. Set it to build without git.
RELEASE ?= $(shell systemd/package/release)
# Every date in a package is that of the commit, so that the same commit always has the same bytes.
export SOURCE_DATE_EPOCH ?= $(shell git log -1 --format=%ct)

# No build ids: they depend on the flags, and those on the name of this folder.
GO_RELEASE = go build -buildvcs=auto -trimpath -ldflags '-s -w -buildid= -B none \
	-X tirewatch/cmd/internal/version.release=$(RELEASE) $(GO_LINK)'

# The distribution of the stations, for its OpenCV. Raspberry Pi OS 12 is Debian bookworm with
# another kernel.
SUITE = bookworm

# The GNU name of each architecture, and the packages with its compiler for amd64.
TRIPLET_amd64 = x86_64-linux-gnu
TRIPLET_arm64 = aarch64-linux-gnu
COMPILER_amd64 = gcc g++
COMPILER_arm64 = gcc-aarch64-linux-gnu g++-aarch64-linux-gnu

.PHONY: cross archives agents deb test-package reproducible agent-% linux-% archive-% deb-% package-common

##@ Packages

# Without cameras the programs are pure Go: any PC builds them for all architectures, as static
# files.
cross: linux-amd64 linux-arm64 linux-armv7 ## both programs without cameras, for all architectures
linux-%: ## both programs without cameras, for one architecture; into bin/linux-ARCH
	CGO_ENABLED=0 GOOS=linux GOARCH=$(patsubst armv7,arm,$*) GOARM=7 $(GO_RELEASE) -o bin/linux-$*/ ./cmd/...

# For PCs without apt. The pretrained network lies beside the program, which finds it there.
archives: archive-amd64 archive-arm64 archive-armv7 ## both programs without cameras as .tar.gz, with licences; into bin
archive-%: linux-% package-common base ## the .tar.gz for one of amd64, arm64, armv7
	rm -rf bin/archive/$* && mkdir -p bin/archive/$*/tirewatch
	cp bin/linux-$*/tirewatch bin/linux-$*/tirewatch-agent bin/base/base-mobile.ckpt trainer/base/NOTICE \
	  systemd/package/apache-2.0 README.md bin/archive/$*/tirewatch/
	for program in tirewatch tirewatch-agent; do \
	  cp bin/package/doc/$$program/third-party-licences.gz \
	    bin/archive/$*/tirewatch/third-party-licences-$$program.gz || exit 1; \
	done
	tar --sort=name --mtime=@$(SOURCE_DATE_EPOCH) --owner=0 --group=0 --numeric-owner --mode=go=rX,u+rw \
	  -C bin/archive/$* -c tirewatch | gzip -9n >bin/tirewatch_$*.tar.gz

# A root folder with the OpenCV of an architecture, for the linker only. mmdebstrap deletes the debs
# after it has extracted them, so the hook saves their shlibs files first.
.PRECIOUS: bin/root-%/shlibs
bin/root-%/shlibs:
	@.ci/need mmdebstrap
	mkdir -p bin && rm -rf bin/root-$* bin/root-$*.new
	mmdebstrap --quiet --variant=extract --architectures=$* \
	  --include=libopencv-dev,libc6-dev,libstdc++-12-dev --extract-hook=' \
	    for deb in "$$1"/var/cache/apt/archives/*.deb; do \
	      dpkg-deb --info "$$deb" shlibs 2>/dev/null || true; \
	    done >"$$1/shlibs"' $(SUITE) bin/root-$*.new
	mv bin/root-$*.new bin/root-$*

# The agent with cameras. gocv wraps all of OpenCV and links all of its 50 libraries. With the tag
# customenv we set the linker flags: the linker then drops unused wrappers and the libraries that
# only those need.
agents: agent-amd64 agent-arm64 ## the agent with cameras, for amd64 and arm64
agent-%: ROOT = $(CURDIR)/bin/root-$*
agent-%: LIB = $(ROOT)/usr/lib/$(TRIPLET_$*)
agent-%: GO_LINK = -extldflags "-Wl,--gc-sections -Wl,--as-needed -Wl,-rpath-link=$(LIB)/lapack:$(LIB)/blas $(OPENCV)"
agent-%: bin/root-%/shlibs ## the agent with cameras for one of amd64, arm64; into bin/station-ARCH
	@.ci/need $(COMPILER_$*)
	CGO_ENABLED=1 GOOS=linux GOARCH=$* \
	  CC='$(TRIPLET_$*)-gcc --sysroot=$(ROOT)' CXX='$(TRIPLET_$*)-g++ --sysroot=$(ROOT)' \
	  CGO_CFLAGS='-O2 $(SECTIONS)' CGO_CXXFLAGS='-O2 -std=c++11 $(SECTIONS) -I=/usr/include/opencv4' \
	  $(GO_RELEASE) -tags opencv,customenv -o bin/station-$*/tirewatch-agent ./cmd/tirewatch-agent
SECTIONS = -ffunction-sections -fdata-sections
OPENCV = -lopencv_videoio -lopencv_imgcodecs -lopencv_imgproc -lopencv_core

# nfpm has a hundred dependencies; `go run` keeps them out of go.mod. Later versions need modules
# that not every proxy has.
NFPM = go run github.com/goreleaser/nfpm/v2/cmd/nfpm@v2.43.4

# tirewatch-agent is for stations, tirewatch, the toolbox, for PCs.
deb: deb-amd64 deb-arm64 ## the packages tirewatch-agent and tirewatch, for amd64 and arm64
deb-%: agent-% linux-% package-common base ## both packages for one of amd64, arm64; into bin
	mkdir -p bin/package/$*
	cp bin/station-$*/tirewatch-agent bin/linux-$*/tirewatch bin/package/$*/
	depends=$$(systemd/package/depends bin/package/$*/tirewatch-agent bin/root-$*/shlibs) && \
	  ARCH=$* RELEASE='$(RELEASE)' DEPENDS="$$depends" $(NFPM) package \
	  --config systemd/package/agent.yaml --packager deb --target bin/tirewatch-agent_$*.deb
	ARCH=$* RELEASE='$(RELEASE)' $(NFPM) package \
	  --config systemd/package/toolbox.yaml --packager deb --target bin/tirewatch_$*.deb

UNITS = $(notdir $(wildcard systemd/*.service systemd/*.timer systemd/*.socket systemd/*.path))
ENABLED = $(notdir $(shell grep -l '^\[Install\]' $(addprefix systemd/,$(UNITS))))
package-common: ## the parts of the packages that are the same for every architecture
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

# Installs the packages in a Debian root as docs/station.md says, uses, upgrades, removes and purges
# them. The root stays in bin/ for the next time; creating it takes minutes.
test-package: test-package-arm64 ## install, upgrade and purge the arm64 packages; 5 minutes
test-package-%: deb-% ## test the packages for one of amd64, arm64
	@.ci/need mmdebstrap qemu-user-static mosquitto
	REQUIRE_MOSQUITTO=1 go test -count=1 -timeout 1h -v -run '^TestPackages$$' ./systemd/package -package.arch $*

# Builds the same commit in two folders, which share only the sources and the downloads. The hashes
# must be equal.
reproducible: deb ## build the packages twice and compare them; 10 minutes
	@case '$(RELEASE)' in *+changed) echo "commit your changes first: only a commit can be built twice" >&2; exit 1 ;; esac
	rm -rf bin/again
	git clone --quiet . bin/again
	mkdir -p bin/again/bin/base && cp bin/base/base-mobile.ckpt bin/again/bin/base/
	GOCACHE=$(CURDIR)/bin/again/bin/cache $(MAKE) -C bin/again deb RELEASE='$(RELEASE)'
	for deb in bin/tirewatch*_*.deb; do sha256sum $$deb bin/again/$$deb; cmp $$deb bin/again/$$deb || exit 1; done
	rm -rf bin/again
