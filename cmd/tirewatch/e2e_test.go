//go:build opencv

package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tirewatch/agent/uplink/brokertest"
	"tirewatch/trainer/synth"
	"tirewatch/vision/verdict"
)

// subscriber is a real mosquitto_sub, a reader that shares no code with this project.
type subscriber struct {
	lines chan string
}

func subscribe(t *testing.T, port int) *subscriber {
	t.Helper()
	cmd := exec.Command("mosquitto_sub", "-h", "127.0.0.1", "-p", fmt.Sprint(port), "-q", "1", "-v", "-t", "tirewatch/#", "-t", "ready")
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	s := &subscriber{make(chan string, 1000)}
	go func() {
		in := bufio.NewScanner(out)
		in.Buffer(nil, 1<<26) // large enough for a pushed bundle
		for in.Scan() {
			s.lines <- in.Text()
		}
	}()
	// publish until the subscription is active
	for {
		if err := exec.Command("mosquitto_pub", "-h", "127.0.0.1", "-p", fmt.Sprint(port), "-t", "ready", "-m", "x").Run(); err != nil {
			t.Fatal(err)
		}
		select {
		case <-s.lines:
			return s
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// patience limits the wait for what takes seconds on an idle machine. It fails a test that would
// hang, on a busy machine too.
const patience = 15 * time.Minute

// await returns the payload of the next message on a topic that contains text.
func (s *subscriber) await(t *testing.T, topic, text string) string {
	t.Helper()
	timeout := time.After(patience)
	for {
		select {
		case line := <-s.lines:
			if name, payload, _ := strings.Cut(line, " "); name == topic && strings.Contains(payload, text) {
				return payload
			}
		case <-timeout:
			t.Fatalf("no message on %s with %q within %v", topic, text, patience)
		}
	}
}

// The main task with real parts: drawn tires, a trained and signed bundle, pushed through a real
// Mosquitto to the real agent, which reads a real video with OpenCV. mosquitto_sub reads the
// verdicts.
func TestFromTrainingToVerdicts(t *testing.T) {
	broker := brokertest.Start(t)
	dir := t.TempDir()
	in := func(name string) string { return filepath.Join(dir, name) }
	const tires = 5
	tirewatch(t, "dataset", "synth", in("tires"), "--view", "side", "--size", "128", "--train", "40", "--test", "10")
	tirewatch(t, "train", in("tires"), "--out", in("run"), "--epochs", "1", "--batch", "16")
	tirewatch(t, "keygen", in("plant.key"))
	tirewatch(t, "quantize", in("run/best.ckpt"), "--calibration", in("tires"), "--key", in("plant.key"), "-o", in("model.tire"), "--force")
	tirewatch(t, "dataset", "synth", "--video", in("belt.avi"), "--tires", fmt.Sprint(tires))
	if out := tirewatch(t, "verify", in("model.tire"), "--key", in("plant.key.pub")); !strings.Contains(out, "model.tire") {
		t.Errorf("verify printed %q", out)
	}

	agent := buildAgent(t, dir)
	config := fmt.Sprintf(`
[station]
site = "hamburg"
line = "line1"
name = "station3"
[camera]
source = "file:belt.avi"
[model]
keys = ["plant.key.pub"]
dir = "models"
[journal]
path = "journal.db"
[mqtt]
broker = "mqtt://127.0.0.1:%d"
`, broker.Port)
	if err := os.WriteFile(in("station.toml"), []byte(config), 0o644); err != nil {
		t.Fatal(err)
	}
	const base = "tirewatch/hamburg/line1/station3/"
	sub := subscribe(t, broker.Port)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	station := exec.CommandContext(ctx, agent, "run", "--config", in("station.toml"))
	var log bytes.Buffer
	station.Stderr = &log
	if err := station.Start(); err != nil {
		t.Fatal(err)
	}

	// the station waits for its first model from the broker
	sub.await(t, base+"status", `"online"`)
	if out := tirewatch(t, "push", in("model.tire"), "--broker", fmt.Sprintf("mqtt://127.0.0.1:%d", broker.Port), "--station", "hamburg/line1/station3"); out == "" {
		t.Error("push printed nothing")
	}
	truth, err := synth.ReadTruth(synth.TruthPath(in("belt.avi")))
	if err != nil {
		t.Fatal(err)
	}
	labels := map[verdict.Label]int{}
	for i, tire := range truth.Tires {
		v, err := verdict.Decode([]byte(sub.await(t, base+"verdict", "")))
		if err != nil {
			t.Fatal(err)
		}
		if v.Seq != uint64(i+1) || v.Station != "hamburg/line1/station3" || !showsTire(v, tire) {
			t.Errorf("tire %d: verdict %+v, the tire passes in frames %d to %d", i+1, v, tire.FirstFrame+1, tire.LastFrame+1)
		}
		labels[v.Label]++
	}
	sub.await(t, base+"status", `"offline"`)
	if err := station.Wait(); err != nil {
		t.Errorf("the agent: %v\n%s", err, log.String())
	}

	// the technician can still read its last figures
	out := tirewatch(t, "station", "status", "--broker", fmt.Sprintf("mqtt://127.0.0.1:%d", broker.Port), "--station", "hamburg/line1/station3")
	for _, want := range []string{"offline, stopped", fmt.Sprintf("%d verdicts normal, %d crack", labels[verdict.Normal], labels[verdict.Crack]), "empty", "disk free"} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is not in the station's state:\n%s", want, out)
		}
	}
}

// buildAgent builds the agent into dir.
func buildAgent(t *testing.T, dir string) (path string) {
	t.Helper()
	path = filepath.Join(dir, "tirewatch-agent")
	if out, err := exec.Command("go", "build", "-tags", "opencv", "-o", path, "tirewatch/cmd/tirewatch-agent").CombinedOutput(); err != nil {
		t.Fatalf("build the agent: %v\n%s", err, out)
	}
	return path
}
