// Package brokertest runs a real Mosquitto for tests.
//
// [Start] returns a broker on a free port of the loopback interface. [Broker.Stop] and
// [Broker.Restart] make it vanish and start again on the same port. If Mosquitto is not installed,
// the test is skipped, or fails when REQUIRE_MOSQUITTO=1 is set.
package brokertest

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// Broker is one Mosquitto. Only the test's goroutine may call its methods.
type Broker struct {
	Port int

	t    testing.TB
	bin  string
	conf string // path of the configuration file

	process *exec.Cmd     // nil while the broker is down
	ended   chan struct{} // closed when process has ended
}

// Anonymous is the configuration line of a broker that accepts every client.
const Anonymous = "allow_anonymous true"

// New prepares a broker without starting it. conf are lines of mosquitto.conf in addition to the
// port; the default is Anonymous.
func New(t testing.TB, conf ...string) *Broker {
	t.Helper()
	bin := lookup()
	if bin == "" {
		if os.Getenv("REQUIRE_MOSQUITTO") == "1" {
			t.Fatal("mosquitto is not installed and REQUIRE_MOSQUITTO=1 is set")
		}
		t.Skip("mosquitto is not installed: apt install mosquitto")
	}
	if len(conf) == 0 {
		conf = []string{Anonymous}
	}
	b := &Broker{t: t, bin: bin, Port: freePort(t), conf: filepath.Join(t.TempDir(), "mosquitto.conf")}
	lines := append([]string{fmt.Sprintf("listener %d 127.0.0.1", b.Port)}, conf...)
	lines = append(lines, "log_dest stderr", "log_type all")
	if os.Geteuid() == 0 {
		lines = append(lines, "user root") // otherwise it cannot read the test's files
	}
	if err := os.WriteFile(b.conf, []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Stop)
	return b
}

// Start prepares a broker and starts it.
func Start(t testing.TB, conf ...string) *Broker {
	t.Helper()
	b := New(t, conf...)
	b.Restart()
	return b
}

// URL returns the broker's URL.
func (b *Broker) URL() string { return fmt.Sprintf("mqtt://127.0.0.1:%d", b.Port) }

// Restart starts the broker and waits until it listens. Without persistence it has lost its state.
func (b *Broker) Restart() {
	b.t.Helper()
	b.Stop()
	cmd := exec.Command(b.bin, "-c", b.conf)
	out, err := cmd.StderrPipe()
	if err != nil {
		b.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.t.Fatal(err)
	}
	b.process, b.ended = cmd, make(chan struct{})
	var output []string
	up := make(chan bool, 1)
	ended := b.ended
	go func() {
		defer close(ended)
		defer cmd.Wait()
		lines := bufio.NewScanner(out)
		for lines.Scan() {
			output = append(output, lines.Text())
			if strings.HasSuffix(lines.Text(), " running") {
				up <- true
				io.Copy(io.Discard, out)
				return
			}
		}
		up <- false
	}()
	if !<-up {
		b.process = nil
		b.t.Fatalf("mosquitto ended at once:\n%s", strings.Join(output, "\n"))
	}
}

// Stop kills the broker, as a power cut does, and waits until it has ended. It does nothing if the
// broker is down.
func (b *Broker) Stop() {
	if b.process == nil {
		return
	}
	b.process.Process.Kill()
	<-b.ended
	b.process = nil
}

// End terminates the broker, as a service manager does, and waits until it has ended. With
// persistence the broker saves its state.
func (b *Broker) End() {
	b.signal(syscall.SIGTERM)
	<-b.ended
	b.process = nil
}

// Freeze suspends the broker's process. As with a cut cable, connections stay open and no data
// moves. Thaw resumes it.
func (b *Broker) Freeze() { b.signal(syscall.SIGSTOP) }

// Thaw ends a Freeze.
func (b *Broker) Thaw() { b.signal(syscall.SIGCONT) }

// Retained returns the retained message of a topic. It uses mosquitto_sub, which shares no code
// with this project.
func (b *Broker) Retained(topic string) (string, error) {
	args := []string{"-h", "127.0.0.1", "-p", fmt.Sprint(b.Port), "-t", topic, "-C", "1", "-W", "60"}
	out, err := exec.Command("mosquitto_sub", args...).Output()
	if err != nil {
		return "", fmt.Errorf("mosquitto_sub -t %s: %w", topic, err)
	}
	return strings.TrimSuffix(string(out), "\n"), nil
}

// Retain publishes a retained message with mosquitto_pub.
func (b *Broker) Retain(topic, payload string) {
	b.t.Helper()
	args := []string{"-h", "127.0.0.1", "-p", fmt.Sprint(b.Port), "-q", "1", "-r", "-t", topic, "-m", payload}
	if out, err := exec.Command("mosquitto_pub", args...).CombinedOutput(); err != nil {
		b.t.Fatalf("mosquitto_pub -t %s: %v\n%s", topic, err, out)
	}
}

func (b *Broker) signal(s os.Signal) {
	b.t.Helper()
	if err := b.process.Process.Signal(s); err != nil {
		b.t.Fatal(err)
	}
}

// lookup finds Mosquitto, which Debian installs in a folder that is only in root's PATH.
func lookup() string {
	for _, name := range []string{"mosquitto", "/usr/sbin/mosquitto", "/usr/local/sbin/mosquitto"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	return ""
}

func freePort(t testing.TB) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}
