package main

import (
	"bufio"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"tirewatch/agent/sparkplug/spb"
	"tirewatch/agent/uplink/brokertest"
	"tirewatch/cmd/internal/cli"
)

// testSparkplug runs a station as an edge node: its births, verdicts and death arrive at the
// broker.
func (p program) testSparkplug(t *testing.T) {
	broker := brokertest.Start(t)
	messages := subscribe(t, broker, "spBv1.0/#")
	dir := newStation(t, broker.URL(), "loop = true\nrealtime = true")
	config, err := os.ReadFile(filepath.Join(dir, "station.toml"))
	if err != nil {
		t.Fatal(err)
	}
	config = append(config, "[sparkplug]\nenabled = true\n"...)
	if err := os.WriteFile(filepath.Join(dir, "station.toml"), config, 0o644); err != nil {
		t.Fatal(err)
	}
	d := p.start(t, dir, "run", "--config", "station.toml")
	next := func(topic string) *spb.Payload {
		t.Helper()
		late := time.After(patience)
		for {
			select {
			case m := <-messages:
				if name, data, _ := strings.Cut(m, " "); name == "spBv1.0/"+topic {
					body, err := hex.DecodeString(data)
					if err != nil {
						t.Fatal(err)
					}
					payload := new(spb.Payload)
					if err := proto.Unmarshal(body, payload); err != nil {
						t.Fatal(err)
					}
					return payload
				}
			case <-late:
				t.Fatalf("no message on %s", topic)
			}
		}
	}
	birth := map[string]*spb.Payload_Metric{}
	for _, m := range next("plant/NBIRTH/line-1").Metrics {
		birth[m.GetName()] = m
	}
	if birth["Model/Serial"].GetLongValue() != 7 || birth["Station/Name"].GetStringValue() != "plant/line/1" || birth["bdSeq"] == nil {
		t.Errorf("the birth has %v", birth)
	}
	next("plant/DBIRTH/line-1/inspection")
	if m := next("plant/DDATA/line-1/inspection").Metrics; m[0].GetLongValue() != 1 {
		t.Errorf("the first verdict is %v", m)
	}

	if err := d.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	death := next("plant/NDEATH/line-1")
	if death.Metrics[0].GetLongValue() != birth["bdSeq"].GetLongValue() {
		t.Errorf("the death is %v", death)
	}
	if code := d.wait(t); code != cli.OK {
		t.Fatalf("exit %d", code)
	}
	if data, err := os.ReadFile(filepath.Join(dir, "journal.db-sparkplug")); err != nil || !strings.Contains(string(data), `"bd_seq":0`) {
		t.Errorf("the stored state is %s, %v", data, err)
	}
}

// subscribe returns the output of mosquitto_sub, topic and payload in hex for each message, when
// the subscription is active.
func subscribe(t *testing.T, broker *brokertest.Broker, topic string) <-chan string {
	t.Helper()
	port := fmt.Sprint(broker.Port)
	if out, err := exec.Command("mosquitto_pub", "-h", "127.0.0.1", "-p", port, "-r", "-t", "ready", "-m", "x").CombinedOutput(); err != nil {
		t.Fatalf("mosquitto_pub: %v\n%s", err, out)
	}
	cmd := exec.Command("mosquitto_sub", "-h", "127.0.0.1", "-p", port, "-t", topic, "-t", "ready", "-F", "%t %x")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	messages, active := make(chan string, 4096), make(chan struct{})
	go func() {
		lines := bufio.NewScanner(out)
		lines.Buffer(nil, 1<<20)
		for lines.Scan() {
			switch line := lines.Text(); {
			case strings.HasPrefix(line, "ready "): // retained, so it arrives when the subscription is active
				close(active)
			default:
				messages <- line
			}
		}
	}()
	<-active
	return messages
}
