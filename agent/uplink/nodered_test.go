package uplink_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tirewatch/agent/uplink"
	"tirewatch/agent/uplink/brokertest"
	"tirewatch/vision/verdict"
)

// nodeRED is a Node-RED with the flow of firmware-config.
type nodeRED struct {
	t    *testing.T
	dir  string
	page string // address of the flow's page
	cmd  *exec.Cmd
}

func newNodeRED(t *testing.T, broker *brokertest.Broker) *nodeRED {
	t.Helper()
	text, err := os.ReadFile("../../firmware-config/node-red/flow.json")
	if err != nil {
		t.Fatal(err)
	}
	var flow []map[string]any
	if err := json.Unmarshal(text, &flow); err != nil {
		t.Fatal(err)
	}
	for _, node := range flow { // what a user sets after the import
		if node["type"] == "mqtt-broker" {
			node["broker"], node["port"] = "127.0.0.1", fmt.Sprint(broker.Port)
		}
	}
	text, _ = json.Marshal(flow)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	l.Close()
	settings := fmt.Sprintf(`module.exports = {
		uiHost: '127.0.0.1', uiPort: %d, flowFile: 'flow.json', credentialSecret: false, httpAdminRoot: false,
		telemetry: { enabled: false }, mqttReconnectTime: 50, logging: { console: { level: 'error' } } }`, port)
	n := &nodeRED{t: t, dir: t.TempDir(), page: fmt.Sprintf("http://127.0.0.1:%d/tirewatch", port)}
	for name, data := range map[string]string{"flow.json": string(text), "settings.js": settings} {
		if err := os.WriteFile(filepath.Join(n.dir, name), []byte(data), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(n.stop)
	n.start()
	return n
}

func (n *nodeRED) start() {
	n.t.Helper()
	n.cmd = nodeScript(n.t, "node-red", npm+"/node-red/red.js",
		"--userDir", n.dir, "--settings", filepath.Join(n.dir, "settings.js"))
	n.cmd.Stdout, n.cmd.Stderr = n.t.Output(), n.t.Output()
	if err := n.cmd.Start(); err != nil {
		n.t.Fatal(err)
	}
}

func (n *nodeRED) stop() {
	if n.cmd != nil && n.cmd.Process != nil {
		n.cmd.Process.Kill()
		n.cmd.Wait()
		n.cmd = nil
	}
}

// shows waits until the page contains every text.
func (n *nodeRED) shows(texts ...string) {
	n.t.Helper()
	for {
		body := ""
		if r, err := http.Get(n.page); err == nil {
			data, err := io.ReadAll(r.Body)
			r.Body.Close()
			if err == nil && r.StatusCode == http.StatusOK {
				body = string(data)
			}
		}
		missing := ""
		for _, text := range texts {
			if !strings.Contains(body, text) {
				missing = text
			}
		}
		if missing == "" {
			return
		}
		// say what is missing before the test is killed
		if end, ok := n.t.Deadline(); ok && time.Until(end) < 10*time.Second {
			n.t.Fatalf("%s lacks %q:\n%s", n.page, missing, body)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// The flow of firmware-config shows on its page what a station's uplink sends, each tire once.
func TestNodeREDShowsVerdicts(t *testing.T) {
	broker := brokertest.Start(t)
	red := newNodeRED(t, broker)
	red.shows("No station has sent a message yet")

	j := newJournal(t)
	u := uplink.New(settings(broker.URL()), topics, j, quiet, uplink.Options{})
	stop := run(t, u)
	red.shows(strings.ReplaceAll(station, "/", "&#x2F;"), "online") // it has subscribed
	appendN(t, j, 2)
	for _, v := range []*verdict.Verdict{
		{Label: verdict.Crack, Probability: 0.934, Reject: true},
		{Label: verdict.NoDecision, Reject: true, Reason: "late <by> a second"},
	} {
		v.Schema, v.Time, v.Threshold = verdict.SchemaVersion, time.Date(2025, 6, 1, 8, 30, 0, 0, time.UTC), 0.5
		if err := j.Append(v); err != nil {
			t.Fatal(err)
		}
	}
	red.shows("normal 2, crack 1, no decision 1", `<tr class="true"><td>3<td>2025-06-01T08:30:00Z<td>crack<td>93.4<td>`,
		"late &lt;by&gt; a second")

	again, err := j.Recent(1)
	if err != nil {
		t.Fatal(err)
	}
	payload, err := again[0].Encode(verdict.JSON)
	if err != nil {
		t.Fatal(err)
	}
	listen(t, broker.URL()).send(topics.Verdict(), string(payload))
	appendN(t, j, 1)
	red.shows("normal 3, crack 1, no decision 1") // 5 was sent after the repeated 4

	// The broker keeps what is sent while Node-RED is down. Its counts start at 0 again.
	red.stop()
	appendN(t, j, 1)
	drain(t, u)
	red.start()
	red.shows("crack 0, no decision 0", "<td>6<td>")
	stop()
	red.shows("offline", "stopped")
}
