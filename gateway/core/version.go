package core

import (
	"encoding/json"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
)

// Version is the release, without it the module's version as Go knows it. Release builds set it:
// -ldflags "-X github.com/posternhq/postern/gateway/core.Version=v1.2.3".
var Version string

// VersionInfo is what runs. It has the fields of Kubernetes' version.Info, and Kubernetes' own among them, as upstream answers it.
type VersionInfo struct {
	GitVersion   string          `json:"gitVersion"`
	GitMajor     string          `json:"gitMajor"`
	GitMinor     string          `json:"gitMinor"`
	GitCommit    string          `json:"gitCommit"`
	GitTreeState string          `json:"gitTreeState"`
	BuildDate    string          `json:"buildDate"`
	GoVersion    string          `json:"goVersion"`
	Compiler     string          `json:"compiler"`
	Platform     string          `json:"platform"`
	Kubernetes   json.RawMessage `json:"kubernetes,omitempty"`
}

// Build is what the toolchain wrote into the binary. The date is that of the commit: builds are reproducible.
var Build = sync.OnceValue(func() VersionInfo {
	v := VersionInfo{
		GitVersion: Version, GoVersion: runtime.Version(), Compiler: runtime.Compiler, Platform: runtime.GOOS + "/" + runtime.GOARCH,
	}
	if b, ok := debug.ReadBuildInfo(); ok {
		if v.GitVersion == "" {
			v.GitVersion = b.Main.Version
		}
		for _, s := range b.Settings {
			switch s.Key {
			case "vcs.revision":
				v.GitCommit = s.Value
			case "vcs.time":
				v.BuildDate = s.Value
			case "vcs.modified":
				v.GitTreeState = map[string]string{"true": "dirty", "false": "clean"}[s.Value]
			}
		}
	}
	if v.GitVersion == "" {
		v.GitVersion = "(devel)" // as Go calls it
	}
	v.GitMajor, v.GitMinor = majorMinor(v.GitVersion)
	return v
})

// majorMinor are the first two numbers of v1.2.3; empty for what is no release.
func majorMinor(version string) (major, minor string) {
	rest, ok := strings.CutPrefix(version, "v")
	if !ok {
		return "", ""
	}
	major, rest, _ = strings.Cut(rest, ".")
	minor, _, _ = strings.Cut(rest, ".")
	return major, minor
}
