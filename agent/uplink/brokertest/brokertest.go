// Package brokertest runs a real Mosquitto for tests.
//
// Start gives a broker on a free port of the loopback interface; Stop and Restart make it vanish
// and come back at the same port. A test that needs it is skipped where Mosquitto is not installed,
// or fails there when REQUIRE_MOSQUITTO=1 is set.
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

// Broker is one Mosquitto. Its methods belong to the test's goroutine.
type Broker struct {
	Port int

	t    testing.TB
	bin  string
	conf string // path of the configuration file

	process *exec.Cmd     // nil while it is down
	ended   chan struct{} // closed when process has ended
}

// Anonymous is the configuration of a broker that lets everybody in.
const Anonymous = "allow_anonymous true"

// New prepares a broker that is down. conf are lines of mosquitto.conf in addition to the port;
// without any it is Anonymous.
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
		lines = append(lines, "user root") // or it could not read the test's files
	}
	if err := os.WriteFile(b.conf, []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Stop)
	return b
}

// Start is New, and the broker is up.
func Start(t testing.TB, conf ...string) *Broker {
	t.Helper()
	b := New(t, conf...)
	b.Restart()
	return b
}

// URL is what clients connect to.
func (b *Broker) URL() string { return fmt.Sprintf("mqtt://127.0.0.1:%d", b.Port) }

// Restart starts the broker, with nothing of what it knew before, and waits until it listens.
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
	var said []string
	up := make(chan bool, 1)
	ended := b.ended
	go func() {
		defer close(ended)
		defer cmd.Wait()
		lines := bufio.NewScanner(out)
		for lines.Scan() {
			said = append(said, lines.Text())
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
		b.t.Fatalf("mosquitto ended at once:\n%s", strings.Join(said, "\n"))
	}
}

// Stop kills the broker, as a power cut does, and waits until it is gone. A broker that is down
// stays down.
func (b *Broker) Stop() {
	if b.process == nil {
		return
	}
	b.process.Process.Kill()
	<-b.ended
	b.process = nil
}

// End asks the broker to end, as a service manager does: with persistence it keeps what it knows.
// It waits until the broker is gone.
func (b *Broker) End() {
	b.signal(syscall.SIGTERM)
	<-b.ended
	b.process = nil
}

// Freeze stops the broker's process, as a cut cable stops a network: connections stand and nothing
// moves. Thaw lets it go on.
func (b *Broker) Freeze() { b.signal(syscall.SIGSTOP) }

// Thaw ends a Freeze.
func (b *Broker) Thaw() { b.signal(syscall.SIGCONT) }

// Retained is the message that the broker keeps on a topic, as mosquitto_sub gets it: a reader that
// shares no code with us.
func (b *Broker) Retained(topic string) (string, error) {
	out, err := exec.Command("mosquitto_sub", "-h", "127.0.0.1", "-p", fmt.Sprint(b.Port), "-t", topic, "-C", "1", "-W", "60").Output()
	if err != nil {
		return "", fmt.Errorf("mosquitto_sub -t %s: %w", topic, err)
	}
	return strings.TrimSuffix(string(out), "\n"), nil
}

// Retain leaves a message with the broker, by mosquitto_pub.
func (b *Broker) Retain(topic, payload string) {
	b.t.Helper()
	out, err := exec.Command("mosquitto_pub", "-h", "127.0.0.1", "-p", fmt.Sprint(b.Port), "-q", "1", "-r", "-t", topic, "-m", payload).CombinedOutput()
	if err != nil {
		b.t.Fatalf("mosquitto_pub -t %s: %v\n%s", topic, err, out)
	}
}

func (b *Broker) signal(s os.Signal) {
	b.t.Helper()
	if err := b.process.Process.Signal(s); err != nil {
		b.t.Fatal(err)
	}
}

// lookup finds Mosquitto, which Debian installs where only root looks.
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
