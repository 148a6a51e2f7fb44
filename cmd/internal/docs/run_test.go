package docs

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"tirewatch/agent/uplink/brokertest"
)

// patience bounds each command, also on a loaded machine.
const patience = 5 * time.Minute

// changes is all that is changed in a command before it runs.
var changes = []struct {
	from *regexp.Regexp
	to   string // of the regexp package; $BROKER is the URL of the test's broker
	why  string
}{
	{regexp.MustCompile(`mqtts?://broker\b`), "$BROKER", "the documents' broker has a name that only a plant has"},
	{regexp.MustCompile(`^((?:bin/)?tirewatch (?:train|evaluate --folds \d)) `), "${1} --epochs 2 ", "a full training takes minutes"},
	{regexp.MustCompile(`--epochs 2 (.*--no-finetune)`), "${1}", "only the score layer is fitted, in seconds"},
	{regexp.MustCompile(`^((?:bin/)?tirewatch quantize) `), "${1} --force ", "two epochs make no good int8 network"},
}

// mayFail are commands that may fail here, with this text: a network of two epochs keeps no budget,
// and the pretrained base is there only after `make base`.
var mayFail = []struct{ command, text *regexp.Regexp }{
	{regexp.MustCompile(`tirewatch evaluate .* --max-`), regexp.MustCompile(`error: no threshold for at most`)},
	{regexp.MustCompile(`tirewatch .* --network mobile`), regexp.MustCompile(`error: the base base-mobile.ckpt is missing`)},
	{regexp.MustCompile(`tirewatch quantize .* --second-opinion`), regexp.MustCompile(`open runs/mobile/best.ckpt: no such file`)},
}

// endless finds the commands that end only when they are interrupted.
var endless = regexp.MustCompile(`^(bin/)?(tirewatch watch|tirewatch-agent run)\b`)

// asksStation finds the commands for which the station of the document must run.
var asksStation = regexp.MustCompile(`^(bin/)?tirewatch .*--broker`)

// logBuffer keeps what a running process writes.
type logBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer // guarded by mu
}

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *logBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// place is where the commands of one document run, one after the other.
type place struct {
	t      *testing.T
	dir    string
	broker *brokertest.Broker
	agent  *exec.Cmd // the running station, nil without
	ended  chan error
	log    logBuffer // of the station
}

// hardwareBlocks is how many blocks of each document have the line `hardware`. A new one is a
// decision: its commands are only checked by TestCommands for names and flags.
var hardwareBlocks = map[string]int{
	"README.md":          1,
	"docs/operations.md": 4,
	"docs/page.md":       3,
	"docs/station.md":    5,
}

// runDocuments lists the documents whose commands are run.
func runDocuments(t *testing.T) []string {
	return slices.DeleteFunc(documents(t), func(name string) bool {
		return name != "README.md" && !strings.HasPrefix(name, "docs/")
	})
}

func TestHardwareBlocks(t *testing.T) {
	for _, file := range runDocuments(t) {
		text := read(t, file)
		all, errs := commandBlocks(file, text)
		for _, err := range errs {
			t.Error(err)
		}
		n := 0
		for _, b := range all {
			if b.onHardware {
				n++
			}
		}
		if n != hardwareBlocks[file] {
			t.Errorf("%s has %d blocks with %s, want %d", file, n, hardware, hardwareBlocks[file])
		}
		if marks := strings.Count(text, "\n"+hardware+"\n"); marks != n {
			t.Errorf("%s has %d lines %s, but %d of them are above a block of commands", file, marks, hardware, n)
		}
	}
}

// TestRunCommands runs the commands of each document, in order, in a folder that has what the
// document tells the reader to bring.
func TestRunCommands(t *testing.T) {
	if testing.Short() {
		t.Skip("trains networks")
	}
	for _, program := range []string{"tirewatch", "tirewatch-agent"} {
		if _, err := build(program); err != nil {
			t.Fatal(err)
		}
	}
	for _, file := range runDocuments(t) {
		all, _ := commandBlocks(file, read(t, file))
		all = slices.DeleteFunc(all, func(b commandBlock) bool { return b.onHardware })
		if len(all) == 0 {
			continue
		}
		t.Run(file, func(t *testing.T) {
			p := &place{t: t, dir: t.TempDir(), broker: brokertest.Start(t)}
			if err := os.Symlink(bin, filepath.Join(p.dir, "bin")); err != nil {
				t.Fatal(err)
			}
			if furnish := furnished[file]; furnish != nil {
				furnish(p)
			}
			for _, b := range all {
				for _, command := range b.commands {
					p.do(command)
				}
			}
			p.stopStation()
		})
	}
}

// do runs a command. Targets of make are not run: they build, test or measure the project itself.
// TestCommands checks their names.
func (p *place) do(c commandLine) {
	p.t.Helper()
	text := c.text
	for _, change := range changes {
		text = change.from.ReplaceAllString(text, strings.ReplaceAll(change.to, "$BROKER", p.broker.URL()))
	}
	began := time.Now()
	switch {
	case firstWord(text) == "make":
		return
	case strings.Contains(text, "tirewatch-agent run "):
		p.playForever()
		p.startStation()
	case endless.MatchString(text):
		p.watch(c, text)
	default:
		if p.agent == nil && asksStation.MatchString(text) {
			p.startStation()
		}
		ctx, cancel := context.WithTimeout(p.t.Context(), patience)
		defer cancel()
		cmd := p.command(ctx, text)
		if out, err := cmd.CombinedOutput(); err != nil && !expected(text, out) {
			p.t.Fatalf("%s: %s: %v\n%s\nlog of the station:\n%s", c.where, text, err, out, &p.log)
		}
	}
	p.t.Logf("%5.1f s  %s: %s", time.Since(began).Seconds(), c.where, text)
}

// expected tells whether a failed command may fail with this output.
func expected(text string, out []byte) bool {
	return slices.ContainsFunc(mayFail, func(f struct{ command, text *regexp.Regexp }) bool {
		return f.command.MatchString(text) && f.text.Match(out)
	})
}

func (p *place) command(ctx context.Context, text string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "sh", "-c", text)
	cmd.Dir = p.dir
	cmd.Env = append(os.Environ(), "PATH="+bin+":"+os.Getenv("PATH"))
	return cmd
}

// watch runs a command until it has printed one line, and interrupts it.
func (p *place) watch(c commandLine, text string) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), patience)
	defer cancel()
	cmd := p.command(ctx, "exec "+text)
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		p.t.Fatal(err)
	}
	line, readErr := bufio.NewReader(out).ReadString('\n')
	interruptErr := cmd.Process.Signal(os.Interrupt)
	if err := errors.Join(readErr, interruptErr, cmd.Wait()); err != nil {
		p.t.Fatalf("%s: %s: printed %q, then: %v\nlog of the station:\n%s", c.where, text, line, err, &p.log)
	}
}

// startStation runs the agent with station.toml until the document ends, and returns when the
// broker knows it.
func (p *place) startStation() {
	p.t.Helper()
	cmd := exec.Command(filepath.Join(bin, "tirewatch-agent"), "run", "--config", "station.toml")
	cmd.Dir, cmd.Stderr = p.dir, &p.log
	if err := cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	p.agent, p.ended = cmd, make(chan error, 1)
	ended := p.ended
	go func() { ended <- cmd.Wait() }()
	p.t.Cleanup(func() {
		if p.agent != nil {
			p.agent.Process.Kill()
			<-ended
		}
	})
	online := make(chan error, 1)
	go func() {
		for {
			status, err := p.broker.Retained(stationTopic + "/status")
			if err != nil || strings.Contains(status, `"online"`) {
				online <- err
				return
			}
		}
	}()
	select {
	case err := <-online:
		if err != nil {
			p.t.Fatalf("the station is not online: %v\n%s", err, &p.log)
		}
	case err := <-ended:
		p.agent = nil
		p.t.Fatalf("the agent ended: %v\n%s", err, &p.log)
	}
}

// stopStation ends the agent as systemd does.
func (p *place) stopStation() {
	p.t.Helper()
	if p.agent == nil {
		return
	}
	cmd := p.agent
	p.agent = nil
	if err := errors.Join(cmd.Process.Signal(syscall.SIGTERM), <-p.ended); err != nil {
		p.t.Errorf("tirewatch-agent run: %v\n%s", err, &p.log)
	}
}

// playForever makes the change to station.toml that docs/station.md describes.
func (p *place) playForever() {
	p.t.Helper()
	path := filepath.Join(p.dir, "station.toml")
	data, err := os.ReadFile(path)
	if err != nil {
		p.t.Fatal(err)
	}
	text := strings.Replace(string(data), "[camera]\n", "[camera]\n"+playLines, 1)
	if err := os.WriteFile(path, []byte(text), 0o640); err != nil {
		p.t.Fatal(err)
	}
}

const playLines = "loop = true\nrealtime = true\n"

// docs/station.md tells the reader to add the lines that playForever adds.
func TestPlayLines(t *testing.T) {
	if !strings.Contains(read(t, "docs/station.md"), fmt.Sprintf("```toml\n%s```\n", playLines)) {
		t.Errorf("docs/station.md does not tell to add %q under [camera]", playLines)
	}
}
