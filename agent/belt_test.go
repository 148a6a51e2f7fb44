package agent_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"image"
	"image/png"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"periph.io/x/conn/v3/gpio"
	"periph.io/x/conn/v3/gpio/gpioreg"
	"periph.io/x/conn/v3/gpio/gpiotest"

	"tirewatch/agent"
	"tirewatch/agent/config"
	"tirewatch/agent/message"
	"tirewatch/agent/uplink"
	"tirewatch/agent/uplink/brokertest"
	"tirewatch/vision/bundle"
	"tirewatch/vision/bundle/bundletest"
	"tirewatch/vision/verdict"
)

// ejector is a pin that reports each pulse.
type ejector struct {
	gpiotest.Pin
	pulses chan struct{}
}

func (e *ejector) Out(l gpio.Level) error {
	if l == gpio.High {
		e.pulses <- struct{}{}
	}
	return e.Pin.Out(l)
}

// plc reads and writes topics through Mosquitto's own programs.
type plc struct {
	t     *testing.T
	port  string
	base  string
	lines chan string
	read  map[string][]string // by topic: messages that next has not returned yet
}

func newPLC(t *testing.T, broker *brokertest.Broker, base string) *plc {
	p := &plc{t: t, port: fmt.Sprint(broker.Port), base: base, lines: make(chan string, 1000), read: map[string][]string{}}
	cmd := exec.Command("mosquitto_sub", "-h", "127.0.0.1", "-p", p.port, "-q", "1", "-v", "-t", base+"#")
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	go func() {
		for in := bufio.NewScanner(out); in.Scan(); {
			p.lines <- in.Text()
		}
	}()
	for len(p.lines) == 0 { // until the subscription works
		p.publish("ready", "x")
	}
	return p
}

// next returns the next message of a topic.
func (p *plc) next(topic string) []byte {
	for len(p.read[topic]) == 0 {
		name, payload, _ := strings.Cut(<-p.lines, " ")
		name = strings.TrimPrefix(name, p.base)
		p.read[name] = append(p.read[name], payload)
	}
	first := p.read[topic][0]
	p.read[topic] = p.read[topic][1:]
	return []byte(first)
}

func (p *plc) publish(topic, payload string) {
	p.t.Helper()
	args := []string{"-h", "127.0.0.1", "-p", p.port, "-q", "1", "-t", p.base + topic, "-m", payload}
	if out, err := exec.Command("mosquitto_pub", args...).CombinedOutput(); err != nil {
		p.t.Fatalf("%v\n%s", err, out)
	}
}

// A whole station between a photo-eye or a PLC and an ejector, with a real broker and simulated
// lines.
func TestFromTriggerToEjector(t *testing.T) {
	broker := brokertest.Start(t)
	eye := &gpiotest.Pin{N: "TEST_EYE", Num: 9011, EdgesChan: make(chan gpio.Level)}
	ejector := &ejector{Pin: gpiotest.Pin{N: "TEST_EJECTOR", Num: 9012}, pulses: make(chan struct{}, 16)}
	for _, pin := range []gpio.PinIO{eye, ejector} {
		if err := gpioreg.Register(pin); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { gpioreg.Unregister(pin.Name()) })
	}
	for _, c := range []struct {
		mode, part string
		ask        func(*plc)
	}{
		{"photo-eye", "", func(*plc) {
			eye.EdgesChan <- gpio.High
			eye.EdgesChan <- gpio.Low // a bounce
			eye.EdgesChan <- gpio.High
		}},
		{"command", "4711", func(p *plc) { p.publish("command", `{"id": "7", "command": "trigger", "part": "4711"}`) }},
	} {
		t.Run(c.mode, func(t *testing.T) {
			cfg := stationBetween(t, c.mode, broker.URL())
			p := newPLC(t, broker, "tirewatch/"+cfg.Station.ID()+"/")
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			ended := make(chan error, 1)
			go func() {
				ended <- agent.Run(ctx, cfg, agent.RunOptions{
					Version: "test", DrainTimeout: 10 * time.Second, Log: slog.New(slog.DiscardHandler),
				})
			}()
			for !bytes.Contains(p.next("status"), []byte(`"online"`)) {
			}
			c.ask(p)
			v, err := verdict.Decode(p.next("verdict"))
			if err != nil {
				t.Fatal(err)
			}
			if v.Trigger != c.mode || v.Part != c.part || v.Label != verdict.Crack || !v.Reject || len(v.Votes) != 2 {
				t.Errorf("verdict %+v", v)
			}
			<-ejector.pulses
			var r message.Reject
			if err := json.Unmarshal(p.next("reject"), &r); err != nil || r.Seq != v.Seq || r.Part != c.part || r.Station != v.Station {
				t.Errorf("reject %+v, %v", r, err)
			}
			if c.part != "" {
				var reply message.CommandReply
				if err := json.Unmarshal(p.next("command/reply"), &reply); err != nil || reply.ID != "7" || !reply.OK {
					t.Errorf("reply %+v, %v", reply, err)
				}
			}
			target := uplink.Target{MQTT: config.MQTT{Broker: broker.URL(), Root: "tirewatch"}, Station: cfg.Station.ID()}
			if err := uplink.Ask(t.Context(), target, "lamptest"); err != nil {
				t.Error(err)
			}
			<-ejector.pulses
			cancel()
			if err := <-ended; err != nil {
				t.Error(err)
			}
			if ejector.Read() != gpio.Low || len(ejector.pulses) != 0 {
				t.Errorf("the ejector is %v, %d more pulses", ejector.Read(), len(ejector.pulses))
			}
		})
	}
}

// stationBetween returns the configuration of a station that repeats one image, in which its model
// finds a crack.
func stationBetween(t *testing.T, mode, broker string) *config.Config {
	t.Helper()
	dir := t.TempDir()
	in := func(name string) string { return filepath.Join(dir, name) }
	if _, err := bundle.GenerateKey(in("plant.key")); err != nil {
		t.Fatal(err)
	}
	key, err := bundle.ReadPrivateKey(in("plant.key"))
	if err != nil {
		t.Fatal(err)
	}
	model := bundletest.Small(1)
	model.Threshold = 1e-9
	if err := bundle.Write(in("model.tire"), model, key); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(in("photos"), 0o755); err != nil {
		t.Fatal(err)
	}
	f, err := os.Create(in("photos/a.png"))
	if err == nil {
		err = png.Encode(f, image.NewGray(image.Rect(0, 0, 64, 64)))
		f.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	cfg, err := config.Parse(fmt.Appendf(nil, `
[station]
site = "a"
line = "b"
name = %q
[camera]
source = "folder:photos"
realtime = true
loop = true
fps = 50
[locate]
mode = "region"
region = [0, 0, 64, 64]
[trigger]
mode = %q
gpio = "TEST_EYE"
frames = 2
window = "10s"
[reject]
gpio = "TEST_EJECTOR"
width = "1s" # a busy machine may begin a pulse late, and after its width it counts as missed
mqtt = true
[model]
dir = "models"
keys = ["plant.key.pub"]
initial = "model.tire"
[journal]
path = "journal.db"
[mqtt]
broker = %q
[metrics]
listen = ""
`, mode, mode, broker), in("station.toml"))
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}
