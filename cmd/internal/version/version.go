// Package version says which build of tirewatch this is. [String] is the name that a station
// reports and that a model records as its origin; [Details] is the output of --version.
package version

import (
	"fmt"
	"runtime/debug"
	"strings"
)

// release is the version of a package, from `git describe`: go build -ldflags '-X
// tirewatch/cmd/internal/version.release=1.2.3'. The toolchain records everything else.
var release string

// String is the release or, in other builds, the version that the Go toolchain has recorded.
func String() string {
	info, _ := debug.ReadBuildInfo()
	return name(release, info)
}

// Details is String with the commit and the build flags.
func Details() string {
	info, _ := debug.ReadBuildInfo()
	return details(release, info)
}

func name(release string, info *debug.BuildInfo) string {
	switch {
	case release != "":
		return release
	case info != nil && info.Main.Version != "":
		return info.Main.Version
	}
	return "(unknown)"
}

func details(release string, info *debug.BuildInfo) string {
	var b strings.Builder
	fmt.Fprintln(&b, name(release, info))
	if info == nil {
		return b.String()
	}
	set := map[string]string{}
	for _, s := range info.Settings {
		set[s.Key] = s.Value
	}
	commit := "unknown: built outside the repository, or with -buildvcs=false"
	if rev := set["vcs.revision"]; rev != "" {
		commit = rev + ", " + set["vcs.time"]
		if set["vcs.modified"] == "true" {
			commit += ", with uncommitted changes"
		}
	}
	tags := set["-tags"]
	if tags == "" {
		tags = "none"
	}
	fmt.Fprintf(&b, "commit   %s\nbuilt    by %s for %s/%s%s, cgo %s, tags %s", commit, info.GoVersion, set["GOOS"],
		set["GOARCH"], level(set),
		map[string]string{"1": "on", "0": "off"}[set["CGO_ENABLED"]], tags)
	if set["-trimpath"] == "true" {
		b.WriteString(", trimpath")
	}
	b.WriteByte('\n')
	return b.String()
}

// level is the part of an architecture that limits a build to some processors: " 7" for GOARM=7.
func level(set map[string]string) string {
	for _, key := range []string{"GOARM", "GOAMD64", "GOARM64"} {
		if v := set[key]; v != "" {
			return " " + v
		}
	}
	return ""
}
