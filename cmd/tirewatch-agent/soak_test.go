//go:build opencv

package main

import (
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"tirewatch/agent/uplink/brokertest"
	"tirewatch/cmd/internal/cli"
	"tirewatch/trainer/synth"
)

var soakFrames = flag.Int("soak.frames", 10_000, "how many frames TestSoak plays")

// TestSoak runs the real agent on a video of a belt, in a loop, with OpenCV and a real Mosquitto,
// and reads its memory from its own metrics. The journal is full after the first fifth of the
// frames; from then on it deletes as much as it stores. Until then the memory grows, because SQLite
// keeps every page that it has read. After that it must not grow.
//
//	make soak        1,250,000 frames, a million after the warm-up
func TestSoak(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: thousands of frames take a while")
	}
	const (
		warmUp     = 0.2     // share of the frames
		slopeFrom  = 500_000 // frames; fewer are not enough for a slope
		slopeLimit = 1.0     // MB per million frames
	)
	path := filepath.Join(t.TempDir(), "tirewatch-agent")
	if out, err := exec.Command("go", "build", "-tags", "opencv", "-o", path, ".").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	dir := t.TempDir()
	if err := furnish(dir); err != nil {
		t.Fatal(err)
	}
	// small frames and a fixed region that sees the gaps: the speed does not matter here
	clip := synth.ClipOptions{Tires: 100, Seed: 1, Width: 256, Height: 192, CrackFraction: 0.5}
	if _, err := synth.WriteClip(t.Context(), filepath.Join(dir, "belt.avi"), clip, nil); err != nil {
		t.Fatal(err)
	}
	broker, address := brokertest.Start(t), freeAddress(t)
	config := strings.Replace(stationConfig("max_size = \"1MiB\"\ncrops = \"all\"\ncrops_max_size = \"1MiB\"\n[mqtt]\nbroker = \""+broker.URL()+
		"\"\n[metrics]\nlisten = \""+address+"\"\n[log]\nlevel = \"warn\"\n"), "folder:tires\"", "file:belt.avi\"\nloop = true\n[locate]\nmode = \"region\"\nregion = [112, 4, 144, 36]", 1)
	if err := os.WriteFile(filepath.Join(dir, "station.toml"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	d := program(path).start(t, dir, "run", "--config", "station.toml")

	var all []soakSample
	for {
		time.Sleep(50 * time.Millisecond)
		s, err := scrape(address)
		if err != nil && len(all) == 0 {
			continue // not yet
		}
		if err != nil {
			t.Fatalf("%v; the agent ended with exit code %d", err, d.wait(t))
		}
		all = append(all, s)
		if s.frames >= float64(*soakFrames) {
			break
		}
		time.Sleep(time.Second)
	}
	if err := d.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if code := d.wait(t); code != cli.OK {
		t.Errorf("exit %d", code)
	}

	warm := all
	for warm[0].frames < warmUp*float64(*soakFrames) && len(warm) > 1 {
		warm = warm[1:]
	}
	least, most, low, high := warm[0].goroutines, warm[0].goroutines, warm[0].resident, warm[0].resident
	for _, s := range warm {
		least, most, low, high = min(least, s.goroutines), max(most, s.goroutines), min(low, s.resident), max(high, s.resident)
	}
	slope, heap := slope(warm, func(s soakSample) float64 { return s.resident }), slope(warm, func(s soakSample) float64 { return s.heap })
	last := all[len(all)-1]
	for i := range 5 {
		s := all[(len(all)-1)*(i+1)/5]
		t.Logf("after %.0f frames: resident %.1f MB, Go's heap %.1f MB", s.frames, s.resident/1e6, s.heap/1e6)
	}
	t.Logf("%.0f frames, %.0f verdicts, %d samples after warm-up: resident %.1f to %.1f MB, slope %+.2f MB per million frames, of Go's heap %+.2f; %.0f to %.0f goroutines",
		last.frames, last.verdicts, len(warm), low/1e6, high/1e6, slope, heap, least, most)
	if last.verdicts < last.frames/100 {
		t.Errorf("only %.0f verdicts", last.verdicts)
	}
	// A scrape has one or two goroutines, and so has a verdict that paho is sending.
	if most > least+8 {
		t.Errorf("%.0f to %.0f goroutines: some never end", least, most)
	}
	if *soakFrames >= slopeFrom && slope > slopeLimit {
		t.Errorf("memory grows by %.2f MB per million frames, want %.1f or less", slope, slopeLimit)
	}
}

// soakSample is the agent at one moment.
type soakSample struct {
	frames, verdicts, goroutines float64
	resident, heap               float64 // bytes; heap: Go's part
}

func scrape(address string) (s soakSample, err error) {
	r, err := http.Get("http://" + address + "/metrics")
	if err != nil {
		return s, err
	}
	defer r.Body.Close()
	page, err := io.ReadAll(r.Body)
	if err != nil {
		return s, err
	}
	seen := map[*float64]bool{}
	for line := range strings.Lines(string(page)) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		name, _, _ = strings.Cut(name, "{")
		into := map[string]*float64{"tirewatch_frames_total": &s.frames, "tirewatch_verdicts_total": &s.verdicts, "go_goroutines": &s.goroutines,
			"process_resident_memory_bytes": &s.resident, "go_memstats_heap_inuse_bytes": &s.heap}[name]
		if into == nil {
			continue
		}
		n, err := strconv.ParseFloat(value, 64)
		if err != nil {
			return s, err
		}
		*into += n // verdicts are counted by label
		seen[into] = true
	}
	if len(seen) != 5 {
		return s, fmt.Errorf("%d of 5 figures in %s", len(seen), page)
	}
	return s, nil
}

// slope fits a line to a kind of memory over the frames, by least squares, MB per million frames.
func slope(all []soakSample, of func(soakSample) float64) float64 {
	var n, x, y, xx, xy float64
	for _, s := range all {
		f, m := s.frames/1e6, of(s)/1e6
		n, x, y, xx, xy = n+1, x+f, y+m, xx+f*f, xy+f*m
	}
	if n < 2 {
		return 0
	}
	return (n*xy - x*y) / (n*xx - x*x)
}

// freeAddress returns a free address of this machine.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return fmt.Sprintf("127.0.0.1:%d", l.Addr().(*net.TCPAddr).Port)
}
