package uplink_test

import (
	"bufio"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// npm is where `make deps-npm` installs the packages that the station is tested against.
const npm = "../../bin/npm/node_modules"

// nodeScript prepares a Node.js program that can require these packages. Without them the test is
// skipped, or fails when REQUIRE_NODE=1 is set.
func nodeScript(t *testing.T, needs, script string, args ...string) *exec.Cmd {
	t.Helper()
	modules, err := filepath.Abs(npm)
	if err == nil {
		_, err = os.Stat(filepath.Join(modules, needs))
	}
	if _, noNode := exec.LookPath("node"); err == nil {
		err = noNode
	}
	if err != nil {
		if os.Getenv("REQUIRE_NODE") == "1" {
			t.Fatalf("%v, and REQUIRE_NODE=1 is set", err)
		}
		t.Skipf("%v: make deps-npm", err)
	}
	if !filepath.IsAbs(script) {
		if script, err = filepath.Abs(script); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.CommandContext(t.Context(), "node", append([]string{script}, args...)...)
	cmd.Env = append(os.Environ(), "NODE_PATH="+modules)
	return cmd
}

// hostLine is a line of host.js about one message, or about its own connection.
type hostLine struct {
	Kind    string   `json:"kind"` // NBIRTH and so on, or watching, lost
	Device  string   `json:"device"`
	Seq     *uint64  `json:"seq"`
	Records []record `json:"records"`
}

// record holds the metrics of one verdict.
type record struct {
	Historical bool           `json:"historical"`
	At         int64          `json:"at"` // Unix ms
	Values     map[string]any `json:"values"`
}

// seq returns the number of the verdict, or 0.
func (r record) seq() uint64 {
	n, _ := r.Values["Verdict/Sequence"].(float64)
	return uint64(n)
}

// hostApplication runs host.js.
type hostApplication struct {
	t     *testing.T
	in    io.Writer
	lines chan hostLine
	seen  []hostLine // all that next has returned
}

func newHostApplication(t *testing.T, args ...string) *hostApplication {
	t.Helper()
	cmd := nodeScript(t, "sparkplug-client", "testdata/host.js", args...)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	h := &hostApplication{t: t, in: in, lines: make(chan hostLine, 4096)}
	go func() {
		defer close(h.lines)
		text := bufio.NewScanner(out)
		text.Buffer(nil, 1<<22)
		for text.Scan() {
			var l hostLine
			if err := json.Unmarshal(text.Bytes(), &l); err != nil {
				t.Errorf("host.js printed %s", text.Bytes())
			}
			h.lines <- l
		}
	}()
	t.Cleanup(func() { in.Close(); cmd.Wait() })
	return h
}

// do sends a command to the host.
func (h *hostApplication) do(order string) {
	h.t.Helper()
	if _, err := io.WriteString(h.in, order+"\n"); err != nil {
		h.t.Fatal(err)
	}
}

// until reads until a message of this kind satisfies ok, if that is not nil.
func (h *hostApplication) until(kind string, ok func(l hostLine) bool) hostLine {
	h.t.Helper()
	for l := range h.lines {
		h.seen = append(h.seen, l)
		if l.Kind == kind && (ok == nil || ok(l)) {
			return l
		}
	}
	h.t.Fatalf("the host ended while waiting for %s", kind)
	return hostLine{}
}

// untilVerdict reads until verdict seq is received as data.
func (h *hostApplication) untilVerdict(seq uint64, historical bool) (last record) {
	h.t.Helper()
	h.until("DDATA", func(l hostLine) bool {
		last = l.Records[len(l.Records)-1]
		return last.seq() == seq && last.Historical == historical
	})
	return last
}
