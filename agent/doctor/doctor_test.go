package doctor_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"

	"tirewatch/agent/config"
	"tirewatch/agent/doctor"
	"tirewatch/agent/journal"
	"tirewatch/agent/uplink/brokertest"
)

// station is a configuration in a folder of its own, with keys appended.
func station(t *testing.T, extra string) *config.Config {
	t.Helper()
	path := filepath.Join(t.TempDir(), "station.toml")
	text := "[station]\nsite = \"a\"\nline = \"b\"\nname = \"c\"\n[camera]\nsource = \"folder:.\"\n[model]\nkeys = [\"maker.pub\"]\ndir = \"models\"\n" +
		"[journal]\npath = \"journal.db\"\n" + extra
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, f := doctor.Read(path)
	if f.State != doctor.OK {
		t.Fatal(f)
	}
	return cfg
}

// look returns the finding of one check.
func look(t *testing.T, cfg *config.Config, o doctor.Options, what string) (found doctor.Finding) {
	t.Helper()
	doctor.Examine(t.Context(), cfg, o, func(f doctor.Finding) {
		if f.Look == what {
			found = f
		}
	})
	return found
}

func TestClock(t *testing.T) {
	cfg := station(t, "")
	at := time.Date(2026, 5, 6, 7, 8, 9, 0, time.UTC)
	for _, test := range []struct {
		name          string
		now           time.Time
		synced, known bool
		want          doctor.State
		found         string
	}{
		{"a time server set it", at, true, true, doctor.OK, "2026-05-06T07:08:09Z, set by a time server"},
		{"nobody set it", at, false, true, doctor.Warning, "no time server has set it"},
		{"nothing is known", at, false, false, doctor.OK, "unknown whether"},
		{"a board without a battery", time.Unix(10, 0), false, true, doctor.Failed, "1970-01-01T00:00:10Z: it is not set"},
	} {
		f := look(t, cfg, doctor.Options{Now: func() time.Time { return test.now },
			Synchronised: func() (bool, bool) { return test.synced, test.known }}, "clock")
		if f.State != test.want || !strings.Contains(f.Found, test.found) || (f.Do == "") != (f.State == doctor.OK) {
			t.Errorf("%s: %+v", test.name, f)
		}
	}
}

func TestHeat(t *testing.T) {
	cfg := station(t, "")
	for celsius, want := range map[float64]doctor.State{45: doctor.OK, 85: doctor.Warning} {
		if f := look(t, cfg, doctor.Options{Heat: func() (float64, bool) { return celsius, true }}, "heat"); f.State != want {
			t.Errorf("%v °C: %+v", celsius, f)
		}
	}
}

// A running agent is asked for its problems.
func TestRunningAgent(t *testing.T) {
	for page, want := range map[string]doctor.Finding{
		"tirewatch_problem{part=\"camera\"} 1\ntirewatch_problem{part=\"drift\"} 0\ntirewatch_problem{part=\"clock at the start\"} 1\n": {
			State: doctor.Failed, Found: "is running, with problems: camera, clock at the start"},
		"tirewatch_model_serial 7\n": {State: doctor.OK, Found: "is running, without problems"},
		"hello\n":                    {State: doctor.Warning, Found: "another program answers"},
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.Write([]byte(page)) }))
		cfg := station(t, "[metrics]\nlisten = \""+strings.TrimPrefix(server.URL, "http://")+"\"\n")
		j, err := journal.Open(cfg.Journal.Path, cfg.Station.ID())
		if err != nil {
			t.Fatal(err)
		}
		if f := look(t, cfg, doctor.Options{}, "agent"); f.State != want.State || !strings.Contains(f.Found, want.Found) {
			t.Errorf("%q: %+v", page, f)
		}
		j.Close()
		server.Close()
	}
}

// With Sparkplug enabled, the doctor also logs in as its session and checks the primary host.
func TestSparkplug(t *testing.T) {
	open := brokertest.Start(t)
	open.Retain("spBv1.0/STATE/scada", `{"online": true, "timestamp": 1748764800000}`)
	open.Retain("spBv1.0/STATE/gone", `{"online": false, "timestamp": 1748764800000}`)
	open.Retain("spBv1.0/STATE/old", "ONLINE")
	picky := brokertest.Start(t, brokertest.Anonymous, "clientid_prefixes tirewatch-")
	for _, c := range []struct {
		broker *brokertest.Broker
		keys   string
		want   doctor.Finding
	}{
		{open, "enabled = false", doctor.Finding{}},
		{open, "enabled = true", doctor.Finding{State: doctor.OK, Found: "accepts edge node a/b-c; no primary host is set"}},
		{open, "enabled = true\nprimary_host = \"scada\"", doctor.Finding{State: doctor.OK, Found: "primary host scada is online since 2025-06-01T08:00:00Z"}},
		{open, "enabled = true\nprimary_host = \"gone\"", doctor.Finding{State: doctor.Warning, Found: "primary host gone is offline since 2025-06-01T08:00:00Z",
			Do: "start the host"}},
		{open, "enabled = true\nprimary_host = \"nobody\"", doctor.Finding{State: doctor.Warning, Found: "primary host nobody has no STATE",
			Do: "set sparkplug.primary_host"}},
		{open, "enabled = true\nprimary_host = \"old\"", doctor.Finding{State: doctor.Warning, Found: `malformed STATE message "ONLINE"`, Do: "Sparkplug 3.0"}},
		{picky, "enabled = true", doctor.Finding{State: doctor.OK, Found: "accepts edge node"}},
		{picky, "enabled = true\nclient_id = \"another\"", doctor.Finding{State: doctor.Failed, Found: "broker " + picky.URL(), Do: "allow client id another at the broker"}},
	} {
		cfg := station(t, "[mqtt]\nbroker = \""+c.broker.URL()+"\"\n[sparkplug]\n"+c.keys+"\n")
		if f := look(t, cfg, doctor.Options{}, "sparkplug"); f.State != c.want.State || !strings.Contains(f.Found, c.want.Found) || !strings.Contains(f.Do, c.want.Do) {
			t.Errorf("%s: %+v", c.keys, f)
		}
	}
}

// The broker sees the station's own client ids only if it refuses others, and never while an agent
// uses them. Then it is unknown whether it accepts the agent, which is not a fault of the station.
func TestClientID(t *testing.T) {
	// the client id of a try has another end
	id := "the-only-client-that-this-broker-lets-in."
	broker := brokertest.Start(t, brokertest.Anonymous, "clientid_prefixes "+id)
	cfg := station(t, "[mqtt]\nbroker = \""+broker.URL()+"\"\nclient_id = \""+id+"\"\n")
	if f := look(t, cfg, doctor.Options{}, "broker"); f.State != doctor.OK {
		t.Errorf("no agent runs: %+v", f)
	}
	j, err := journal.Open(cfg.Journal.Path, cfg.Station.ID())
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	if f := look(t, cfg, doctor.Options{}, "broker"); f.State != doctor.Warning || !strings.Contains(f.Found, "another client id than the running agent's") {
		t.Errorf("an agent runs: %+v", f)
	}

	// The advice never names the client id of a try.
	broker = brokertest.Start(t, brokertest.Anonymous, "clientid_prefixes tirewatch-a-b-c")
	cfg.MQTT.Broker, cfg.MQTT.ClientID = broker.URL(), "tirewatch-a-b-c"
	cfg.Sparkplug.Enabled, cfg.Sparkplug.Group, cfg.Sparkplug.Node, cfg.Sparkplug.ClientID = true, "a", "b-c", "the-session"
	if f := look(t, cfg, doctor.Options{}, "sparkplug"); f.State != doctor.Warning || !strings.HasPrefix(f.Do, "allow client id the-session at the broker") {
		t.Errorf("an agent runs: %+v", f)
	}
}

// An agent with this configuration on another machine is not disconnected either.
func TestElsewhere(t *testing.T) {
	broker := brokertest.Start(t)
	agent := mqtt.NewClient(mqtt.NewClientOptions().AddBroker(broker.URL()).SetClientID("tirewatch-a-b-c").SetAutoReconnect(false))
	if c := agent.Connect(); !c.WaitTimeout(15*time.Minute) || c.Error() != nil {
		t.Fatal(c.Error())
	}
	defer agent.Disconnect(0)
	cfg := station(t, "[mqtt]\nbroker = \""+broker.URL()+"\"\nclient_id = \"tirewatch-a-b-c\"\n")
	if f := look(t, cfg, doctor.Options{}, "broker"); f.State != doctor.OK {
		t.Errorf("%+v", f)
	}
	if p := agent.Publish("still/there", 1, false, "yes"); !p.WaitTimeout(15*time.Minute) || p.Error() != nil {
		t.Errorf("the agent was disconnected: %v", p.Error())
	}
}

// A user who may not read the journal does not disconnect a running agent from the broker.
func TestStranger(t *testing.T) {
	const nobody = 65534
	// the client id of a try has another end
	id := "the-only-client-that-this-broker-lets-in."
	if path := os.Getenv("DOCTOR_STATION"); path != "" {
		cfg, read := doctor.Read(path)
		if read.State != doctor.OK {
			t.Fatal(read)
		}
		if name, err := doctor.Become(filepath.Join(filepath.Dir(path), "nobodys")); err != nil || os.Geteuid() != nobody {
			t.Fatalf("became %q, uid %d, %v", name, os.Geteuid(), err)
		}
		if f := look(t, cfg, doctor.Options{}, "agent"); f.State != doctor.Skipped {
			t.Errorf("%+v", f)
		}
		if f := look(t, cfg, doctor.Options{}, "broker"); f.State != doctor.Warning || !strings.Contains(f.Found, "another client id than the running agent's") {
			t.Errorf("%+v", f)
		}
		return
	}
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	broker := brokertest.Start(t, brokertest.Anonymous, "clientid_prefixes "+id)
	cfg := station(t, "[mqtt]\nbroker = \""+broker.URL()+"\"\nclient_id = \""+id+"\"\n")
	folder := filepath.Dir(cfg.Journal.Path)
	openTo(t, folder)
	nobodys := filepath.Join(folder, "nobodys")
	if err := errors.Join(os.Mkdir(nobodys, 0o700), os.Chown(nobodys, nobody, nobody)); err != nil {
		t.Fatal(err)
	}
	j, err := journal.Open(cfg.Journal.Path, cfg.Station.ID())
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	again(t, "DOCTOR_STATION="+filepath.Join(folder, "station.toml"))
}

// openTo lets other users read a folder of the test.
func openTo(t *testing.T, folder string) {
	t.Helper()
	for dir := folder; dir != os.TempDir() && dir != "/"; dir = filepath.Dir(dir) {
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
}

// again runs the test in another process, which may become another user.
func again(t *testing.T, env string) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self, "-test.run=^"+t.Name()+"$", "-test.v")
	cmd.Env = append(os.Environ(), env)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// Files of an agent that was started as root are reported, as the agent's user sees them. The test
// runs itself as that user.
func TestFilesOfRoot(t *testing.T) {
	const nobody = 65534
	if folder := os.Getenv("DOCTOR_FOLDER"); folder != "" {
		name, err := doctor.Become(folder)
		if err != nil || os.Geteuid() != nobody {
			t.Fatalf("became %q, uid %d, %v", name, os.Geteuid(), err)
		}
		cfg, read := doctor.Read(filepath.Join(folder, "station.toml"))
		if read.State != doctor.OK {
			t.Fatal(read)
		}
		f := look(t, cfg, doctor.Options{}, "files")
		if f.State != doctor.Failed || f.Found != "the agent cannot write "+cfg.Journal.Path || !strings.Contains(f.Do, "sudo chown -R tirewatch:tirewatch "+folder) {
			t.Errorf("%+v", f)
		}
		return
	}
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	cfg := station(t, "")
	folder := filepath.Dir(cfg.Journal.Path)
	if err := os.WriteFile(cfg.Journal.Path, nil, 0o640); err != nil {
		t.Fatal(err)
	}
	openTo(t, folder)
	for _, path := range []string{folder, filepath.Join(folder, "station.toml")} {
		if err := os.Chown(path, nobody, nobody); err != nil {
			t.Fatal(err)
		}
	}
	again(t, "DOCTOR_FOLDER="+folder)
}
