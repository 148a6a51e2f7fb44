//go:build opencv

package main

import (
	"bufio"
	"fmt"
	"image/jpeg"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"tirewatch/agent/uplink/brokertest"
	"tirewatch/cmd/internal/cli"
	"tirewatch/trainer/synth"
	"tirewatch/vision/bundle"
	"tirewatch/vision/bundle/bundletest"
	"tirewatch/vision/graph"
)

// build is one of the two builds of the agent, with a source that it can read.
type build struct {
	name   string
	env    []string // of go build
	tags   string
	camera string // [camera]
	limit  int    // resident memory, 1000 bytes
}

// The folder keeps its colours for the pictures of the camera, which takes 11 MB of the limit.
//
// Each build takes the flags of another one that CI has made: gocv alone compiles for minutes.
var builds = []build{
	{"OpenCV", []string{"CGO_ENABLED=1"}, "opencv", "source = \"file:belt.avi\"\n", 150_000},
	{"camera-free", []string{"CGO_ENABLED=0", "GOFLAGS=-trimpath"}, "", "source = \"folder:photos\"\n", 48_000},
}

// station builds the program and prepares a folder with a belt of 960 x 540 px and a network of the
// usual size.
func (b build) station(t testing.TB, broker, camera, extra string) (program, dir string) {
	t.Helper()
	program = filepath.Join(t.TempDir(), "tirewatch-agent")
	cmd := exec.Command("go", "build", "-tags", b.tags, "-ldflags", "-s -w", "-o", program, ".")
	cmd.Env = append(os.Environ(), b.env...)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	dir = t.TempDir()
	key := filepath.Join(dir, "plant.key")
	if _, err := bundle.GenerateKey(key); err != nil {
		t.Fatal(err)
	}
	private, err := bundle.ReadPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	if err := bundle.Write(filepath.Join(dir, "model.tire"), bundletest.Bundle(*graph.Thesis(), 7), private); err != nil {
		t.Fatal(err)
	}
	if b.tags != "" {
		if _, err := synth.WriteClip(t.Context(), filepath.Join(dir, "belt.avi"), synth.ClipOptions{Tires: 5, Seed: 1, CrackFraction: 0.5}, nil); err != nil {
			t.Fatal(err)
		}
	} else if err := photographs(filepath.Join(dir, "photos")); err != nil {
		t.Fatal(err)
	}
	text := strings.Replace(stationConfig("[mqtt]\nbroker = \""+broker+"\"\n"+extra), "source = \"folder:tires\"\n", b.camera+camera, 1)
	if err := os.WriteFile(filepath.Join(dir, "station.toml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return program, dir
}

// photographs draws ten images, as large as a frame of the video.
func photographs(dir string) error {
	if err := os.Mkdir(dir, 0o755); err != nil {
		return err
	}
	for i := range 10 {
		f, err := os.Create(filepath.Join(dir, fmt.Sprintf("%d.jpg", i)))
		if err != nil {
			return err
		}
		if err := jpeg.Encode(f, synth.Draw(synth.Side, 720, 1, i, i%2 == 0), nil); err != nil {
			f.Close()
			return err
		}
		if err := f.Close(); err != nil {
			return err
		}
	}
	return nil
}

// TestResidentMemory plays some hundred frames and measures the resident set.
func TestResidentMemory(t *testing.T) {
	for _, b := range builds {
		t.Run(b.name, func(t *testing.T) {
			broker, address := brokertest.Start(t), freeAddress(t)
			path, dir := b.station(t, broker.URL(), "loop = true\n", "[metrics]\nlisten = \""+address+"\"\n")
			d := program(path).start(t, dir, "run", "--config", "station.toml")
			var s soakSample
			var peak, high int
			for deadline := time.Now().Add(patience); s.frames < 500 || s.verdicts == 0; time.Sleep(50 * time.Millisecond) {
				if time.Now().After(deadline) {
					t.Fatalf("%+v", s)
				}
				s, _ = scrape(address) // not listening yet
				var now int
				peak, now = residentKB(t, d.cmd.Process.Pid)
				if s.frames > 100 {
					high = max(high, now)
				}
			}
			t.Logf("%s, %.0f frames: %.1f MB resident in playback, %.1f MB with the start", b.name, s.frames, float64(high)*1.024e-3, float64(peak)*1.024e-3)
			if limit := b.limit * 1000 / 1024; high == 0 || high > limit {
				t.Errorf("%d kB resident in playback; want %d", high, limit)
			}
			if err := d.cmd.Process.Signal(syscall.SIGTERM); err != nil {
				t.Fatal(err)
			}
			if code := d.wait(t); code != cli.OK {
				t.Errorf("exit %d", code)
			}
			used := d.cmd.ProcessState.UserTime() + d.cmd.ProcessState.SystemTime()
			t.Logf("%s: %.1f ms of processor time a frame", b.name, used.Seconds()/s.frames*1e3)
		})
	}
}

// residentKB returns the largest and the present resident set of a process. (The rusage of a child
// includes that of its parent.)
func residentKB(t *testing.T, pid int) (peak, now int) {
	t.Helper()
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(data)) {
		fmt.Sscanf(line, "VmHWM: %d kB", &peak)
		fmt.Sscanf(line, "VmRSS: %d kB", &now)
	}
	if peak == 0 || now == 0 {
		t.Fatalf("no figures in %s", data)
	}
	return peak, now
}

// BenchmarkStart measures the time from the start of the program to its first verdict in the log,
// which is written after the verdict is stored. The station has run before: its model is installed.
func BenchmarkStart(b *testing.B) {
	for _, kind := range builds {
		b.Run(kind.name, func(b *testing.B) {
			broker := brokertest.Start(b)
			program, dir := kind.station(b, broker.URL(), "", "")
			var used time.Duration
			for b.Loop() {
				cmd := exec.Command(program, "run", "--config", "station.toml")
				cmd.Dir = dir
				log, err := cmd.StderrPipe()
				if err != nil {
					b.Fatal(err)
				}
				if err := cmd.Start(); err != nil {
					b.Fatal(err)
				}
				found := false
				for lines := bufio.NewScanner(log); !found && lines.Scan(); {
					found = strings.Contains(lines.Text(), "msg=verdict ")
				}
				b.StopTimer()
				cmd.Process.Signal(syscall.SIGTERM) // a kill would count as a crash of the model
				cmd.Wait()
				used += cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
				if !found {
					b.Fatal("the agent ended without a verdict")
				}
				b.StartTimer()
			}
			// includes the end of the program, but no other programs
			b.ReportMetric(used.Seconds()/float64(b.N), "cpu-s/op")
		})
	}
}
