package packages_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"math/big"
	mathrand "math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"tirewatch/agent/config"
	"tirewatch/agent/uplink"
	"tirewatch/agent/uplink/brokertest"
	"tirewatch/trainer/base"
	"tirewatch/trainer/synth"
	"tirewatch/vision/bundle"
	"tirewatch/vision/bundle/bundletest"
	"tirewatch/vision/graph"
	"tirewatch/vision/verdict"
)

// patience limits the wait for what takes seconds on an idle machine. It fails a test that would
// hang, on a busy machine and under qemu.
const patience = 15 * time.Minute

// Limits for sizes, in bytes.
const (
	programLimit   = 25_000_000
	installedLimit = 30_000_000 // without OpenCV, which is in other packages
)

// TestPackages installs the packages in bin/ as a technician does, runs the station, upgrades it
// and removes everything again.
func TestPackages(t *testing.T) {
	if *arch == "" {
		t.Skip("needs packages and a Debian root to install them in: make test-package")
	}
	isolate(t)
	s := &station{
		agent:   deb(t, "../../bin/tirewatch-agent_"+*arch+".deb"),
		toolbox: deb(t, "../../bin/tirewatch_"+*arch+".deb"),
	}
	s.root = newRoot(t, s.agent.field(t, "Depends"))
	s.furnish(t)
	before := s.list(t, "/")
	for _, step := range []struct {
		name string
		run  func(t *testing.T)
	}{
		{"sizes", s.testSizes},
		{"ten minutes", s.testTenMinutes},
		{"dependencies", s.testDependencies},
		{"kernels", s.testKernels},
		{"playback", s.testPlayback},
		{"term", s.testTerm},
		{"upgrade", s.testUpgrade},
		{"remove", s.testRemove},
		{"purge", func(t *testing.T) { s.testPurge(t, before) }},
		{"toolbox", func(t *testing.T) { s.testToolbox(t, before) }},
	} {
		if !t.Run(step.name, step.run) {
			return // the next steps need this one
		}
	}
}

// station is a root that becomes a station, and a broker on the same machine.
type station struct {
	*root
	agent, toolbox debFile
	broker         *brokertest.Broker
	password       string // file
}

const (
	brokerPort  = 8883 // of mqtts
	stationID   = "hamburg/line1/station3"
	stationUser = "station3"
	tires       = 3 // on the belt
	conffile    = "/etc/tirewatch/station.toml"
	// the command of tirewatch-agent.service
	agentUnit = "setpriv --reuid=tirewatch --regid=tirewatch --init-groups tirewatch-agent run --config " + conffile
)

// furnish copies the files of a technician's USB stick to /root and a video of the belt to /srv.
func (s *station) furnish(t *testing.T) {
	t.Helper()
	home := s.dir + "/root/"
	if _, err := bundle.GenerateKey(home + "plant.key"); err != nil {
		t.Fatal(err)
	}
	private, err := bundle.ReadPrivateKey(home + "plant.key")
	if err != nil {
		t.Fatal(err)
	}
	// The network of the stations with random weights: all kernels have the full load.
	if err := bundle.Write(home+"first.tire", bundletest.Bundle(*graph.Thesis(), 7), private); err != nil {
		t.Fatal(err)
	}
	clip := synth.ClipOptions{Tires: tires, Seed: 1, Width: 480, Height: 320, CrackFraction: 0.5}
	if _, err := synth.WriteClip(t.Context(), s.dir+"/srv/belt.avi", clip, nil); err != nil {
		t.Fatal(err)
	}
	s.password = home + "secret"
	write(t, s.password, "right-4d8c1\n")
	if err := os.Chmod(s.password, 0o600); err != nil {
		t.Fatal(err)
	}
	// an address that no other test uses
	host := fmt.Sprintf("127.8.%d.%d", 1+mathrand.IntN(250), 1+mathrand.IntN(250))
	write(t, s.dir+"/etc/hosts", "127.0.0.1 localhost\n"+host+" broker\n")
	resolv, err := os.ReadFile("/etc/resolv.conf")
	if err != nil {
		t.Fatal(err)
	}
	write(t, s.dir+"/etc/resolv.conf", string(resolv))
	for _, d := range []debFile{s.agent, s.toolbox} {
		data, err := os.ReadFile(string(d))
		if err != nil {
			t.Fatal(err)
		}
		write(t, home+filepath.Base(string(d)), string(data))
	}

	// A broker with a certificate and a login, as in a plant.
	dir := t.TempDir()
	certificate(t, home+"plant-ca.pem", dir+"/key.pem")
	users := dir + "/users"
	passwd := exec.Command("mosquitto_passwd", "-c", "-b", users, stationUser, "right-4d8c1")
	if out, err := passwd.CombinedOutput(); err != nil {
		t.Fatalf("mosquitto_passwd: %v\n%s", err, out)
	}
	s.broker = brokertest.Start(t, "allow_anonymous false", "password_file "+users,
		fmt.Sprintf("listener %d %s", brokerPort, host), "certfile "+home+"plant-ca.pem", "keyfile "+dir+"/key.pem")
}

// certificate writes a self-signed certificate for the host broker, and its key.
func certificate(t *testing.T, path, keyPath string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "broker"}, DNSNames: []string{"broker"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	write(t, path, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})))
	write(t, keyPath, string(pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: keyDER})))
}

// testSizes checks the size of the program and of the installed package.
func (s *station) testSizes(t *testing.T) {
	dir := s.agent.unpack(t)
	info, err := os.Stat(dir + "/usr/bin/tirewatch-agent")
	if err != nil {
		t.Fatal(err)
	}
	kib, err := strconv.Atoi(s.agent.field(t, "Installed-Size"))
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%s: tirewatch-agent %.1f MB, installed %.1f MB", *arch, float64(info.Size())/1e6, float64(kib)*1024/1e6)
	if info.Size() > programLimit || kib*1024 > installedLimit {
		t.Errorf("want at most %d and %d bytes", programLimit, installedLimit)
	}
}

// guide is the document that testTenMinutes follows.
const guide = "../../docs/station.md"

// commands returns the commands in a section of the guide, one per line, without comments.
func commands(t *testing.T, section string) (all []string) {
	t.Helper()
	data, err := os.ReadFile(guide)
	if err != nil {
		t.Fatal(err)
	}
	_, text, ok := strings.Cut(string(data), "\n## "+section+"\n")
	if !ok {
		t.Fatalf("%s has no section %q", guide, section)
	}
	text, _, _ = strings.Cut(text, "\n## ")
	text = strings.ReplaceAll(text, "\\\n", " ")
	for line := range strings.Lines(text) {
		if command, ok := strings.CutPrefix(line, "    "); ok {
			command, _, _ = strings.Cut(command, " #")
			all = append(all, strings.Join(strings.Fields(command), " "))
		}
	}
	return all
}

// testTenMinutes runs the commands of the guide, as far as possible in a root folder: without sudo
// and without answers to questions. systemd does not run there, so units are enabled but not
// started.
func (s *station) testTenMinutes(t *testing.T) {
	var provision, doctor string
	for _, line := range commands(t, "A station in ten minutes") {
		line = strings.ReplaceAll(strings.TrimPrefix(line, "sudo "), "_arm64.deb", "_"+*arch+".deb")
		switch {
		case line == "apt update":
			s.run(t, line)
		case strings.HasPrefix(line, "apt install ./tirewatch-agent_"):
			out := s.run(t, line)
			if !strings.Contains(out, "0 upgraded, 1 newly installed, 0 to remove") ||
				!strings.Contains(out, "no station yet: run sudo tirewatch-agent provision") {
				t.Errorf("%s:\n%s", line, out)
			}
			s.installed(t)
		case line == "tirewatch-agent provision":
			out, err := s.try(line)
			if err == nil || !strings.Contains(out, "missing --station, --camera and --key") {
				t.Errorf("without a terminal and without flags: %v\n%s", err, out)
			}
		case strings.HasPrefix(line, "tirewatch-agent provision --station "+stationID+" "):
			provision = line
		case strings.HasPrefix(line, "tirewatch-agent doctor "):
			doctor = line
		case strings.HasPrefix(line, "systemctl enable --now "):
			s.run(t, strings.Replace(line, " --now", "", 1))
		case line == "journalctl -fu tirewatch-agent":
		default:
			t.Errorf("%s has the command %q, which this test does not know", guide, line)
		}
	}
	if provision == "" || doctor == "" {
		t.Fatalf("%s does not contain both provision and doctor", guide)
	}
	// A root has no camera. Both commands must report that and nothing else.
	out, err := s.try(provision)
	t.Logf("$ %s\n%s", provision, out)
	if err == nil || !strings.Contains(out, conffile+" written") || strings.Count(out, "error:") != 1 ||
		!strings.Contains(out, "error: camera.source: open v4l2:") {
		t.Errorf("provision: %v", err)
	}
	out, err = s.try(doctor)
	t.Logf("$ %s\n%s", doctor, out)
	if failed := failures(out); err == nil || !slices.Equal(failed, []string{"camera"}) {
		t.Errorf("%v; the doctor reports %v, want only the camera", err, failed)
	}
	// With a video instead of the camera, the doctor reports nothing.
	video := strings.Replace(provision, "--camera usb", "--camera file:/srv/belt.avi --force", 1)
	s.run(t, video)
	if out, err := s.try(doctor); err != nil || len(failures(out)) > 0 {
		t.Errorf("%s: %v\n%s", doctor, err, out)
	}
	if out := s.run(t, "tirewatch-agent check --config "+conffile); !strings.Contains(out, "/srv/belt.avi") {
		t.Errorf("check says\n%s", out)
	}
	t.Logf("$ tirewatch-agent --version\n%s", s.run(t, "tirewatch-agent --version"))
}

// installed checks what the scripts of the package have done.
func (s *station) installed(t *testing.T) {
	t.Helper()
	for _, line := range []string{
		"id -nG tirewatch | grep -qw video",
		`test "$(stat -c '%U:%G %a' /etc/tirewatch /var/lib/tirewatch | tr '\n' ' ')" = 'root:tirewatch 750 tirewatch:tirewatch 750 '`,
		"test ! -e " + conffile, // with this file, the station would start
		"systemctl is-enabled --quiet tirewatch-agent.service tirewatch-selfcheck.timer",
		"test -e /lib/systemd/system/tirewatch-alarm.service -a -e /lib/systemd/system/tirewatch-retry.timer",
	} {
		s.run(t, line)
	}
	for _, unit := range []string{"tirewatch-alarm.service", "tirewatch-retry.timer", "tirewatch-selfcheck.service"} {
		if out, _ := s.try("systemctl is-enabled " + unit); strings.TrimSpace(out) != "static" {
			t.Errorf("%s is %s, want static: another unit starts it", unit, out)
		}
	}
}

// failures returns the names of the failed checks in the output of the doctor.
func failures(out string) (names []string) {
	for line := range strings.Lines(out) {
		if f := strings.Fields(line); len(f) > 1 && f[0] == "FAILED" {
			names = append(names, f[1])
		}
	}
	return names
}

// testDependencies compares Depends with the packages that own the libraries in this root.
func (s *station) testDependencies(t *testing.T) {
	owners := map[string]bool{"systemd": true} // creates the user and its folders
	for _, l := range needed(t, s.dir+"/usr/bin/tirewatch-agent") {
		// dpkg may know the file under a path through a link such as /lib.
		out := s.run(t, "dpkg -S '*/"+l+"' | cut -d: -f1 | sort -u")
		if strings.Count(out, "\n") != 1 {
			t.Errorf("%s belongs to %q", l, out)
		}
		owners[strings.TrimSpace(out)] = true
	}
	named := map[string]bool{}
	for d := range strings.SplitSeq(s.agent.field(t, "Depends"), ",") {
		named[strings.Fields(d)[0]] = true
	}
	if !maps.Equal(named, owners) {
		t.Errorf("Depends names %v, but the program's libraries are in %v",
			slices.Sorted(maps.Keys(named)), slices.Sorted(maps.Keys(owners)))
	}
}

// testKernels runs the golden inputs with the kernels of every instruction set.
func (s *station) testKernels(t *testing.T) {
	kernels := map[string][]string{"arm64": {"neon", "sdot", "generic"}, "amd64": {"avx2", "generic"}}[*arch]
	for _, kernel := range kernels {
		out := s.run(t, "TIREWATCH_KERNEL="+kernel+" tirewatch-agent selftest --config "+conffile)
		if !strings.Contains(out, "kernel   "+kernel+"\n") {
			t.Errorf("TIREWATCH_KERNEL=%s was not used:\n%s", kernel, out)
		}
		t.Logf("$ TIREWATCH_KERNEL=%s tirewatch-agent selftest\n%s", kernel, out)
	}
}

// testPlayback inspects the video with OpenCV. At its end the broker must have all verdicts, and
// the agent must exit without an error.
func (s *station) testPlayback(t *testing.T) {
	l := s.listen(t)
	if out, err := s.try(agentUnit); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	all := l.next(t, tires)
	for i, v := range all {
		t.Logf("%s %d: %s, %.4f, %d frames", v.Station, v.Seq, v.Label, v.Probability, len(v.Votes))
		if v.Seq != uint64(i+1) || v.Station != stationID || v.ModelSerial != 7 {
			t.Errorf("verdict %+v", v)
		}
	}
}

// testTerm stops an endless station with SIGTERM.
func (s *station) testTerm(t *testing.T) {
	l := s.listen(t)
	path := s.dir + conffile
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	write(t, path, strings.Replace(string(text), "[camera]\n", "[camera]\nloop = true\n", 1))
	cmd := s.command("exec " + agentUnit)
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var log strings.Builder
	logged := make(chan struct{})
	go func() { io.Copy(&log, stderr); close(logged) }()
	if got := l.next(t, tires+1)[0].Seq; got != tires+1 {
		t.Errorf("the first verdict after a restart is %d, want %d", got, tires+1)
	}
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	<-logged
	if err := cmd.Wait(); err != nil {
		t.Errorf("after SIGTERM: %v\n%s", err, &log)
	}
	write(t, path, string(text))
}

// testUpgrade installs a second version with changed examples. All files that the technician and
// the agent wrote must stay unchanged.
func (s *station) testUpgrade(t *testing.T) {
	edited, untouched := "/etc/tirewatch/examples/station.toml", "/etc/tirewatch/examples/pi.toml"
	addLine(t, s.dir+edited, "# the technician's note\n")
	dir := s.agent.unpack(t)
	addLine(t, dir+edited, "# new in the second version\n")
	addLine(t, dir+untouched, "# new in the second version\n")
	next := s.dir + "/root/next.deb"
	pack(t, dir, next, s.agent.field(t, "Version")+"+next")

	mine := s.written(t)
	if _, ok := mine["/var/lib/tirewatch/journal.db"]; !ok || len(mine) < 8 {
		t.Fatalf("the station has only the files %v", slices.Sorted(maps.Keys(mine)))
	}
	// Both sides have changed an example. The options answer dpkg's question about it.
	s.run(t, "apt install -o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold ./next.deb")
	if got := s.run(t, "dpkg-query -W -f '${Version}' tirewatch-agent"); !strings.HasSuffix(got, "+next") {
		t.Errorf("version %s", got)
	}
	kept := s.written(t)
	delete(kept, edited+".dpkg-dist")
	mine[untouched] = kept[untouched]
	differ(t, "the upgrade", mine, kept)
	s.run(t, "tail -n1 "+edited+" | grep -q note && tail -n1 "+untouched+" | grep -q second")
	s.run(t, "grep -q second "+edited+".dpkg-dist")
	s.run(t, "tirewatch-agent selftest --config "+conffile)
	l := s.listen(t)
	s.run(t, agentUnit)
	if first := l.next(t, tires)[0].Seq; first <= tires+1 {
		t.Errorf("the first verdict after the upgrade is %d, a number that was used before", first)
	}
}

// testRemove removes the program. The files that it has written must stay.
func (s *station) testRemove(t *testing.T) {
	files := strings.Fields(s.run(t, "dpkg -L tirewatch-agent"))
	mine := s.written(t)
	s.run(t, "apt remove tirewatch-agent")
	differ(t, "the removal", mine, s.written(t))
	for _, f := range files {
		if info, err := os.Stat(s.dir + f); err == nil && !info.IsDir() && !strings.HasPrefix(f, "/etc/") {
			t.Errorf("%s was not removed", f)
		}
	}
	s.run(t, "getent passwd tirewatch >/dev/null") // the user owns the journal and stays
}

// testPurge removes everything. The root must be as before.
func (s *station) testPurge(t *testing.T, before map[string]string) {
	s.run(t, "apt purge tirewatch-agent </dev/null")
	differ(t, "the purge", before, s.list(t, "/"))
	s.run(t, "! getent passwd tirewatch && ! getent group tirewatch && ! dpkg-query -W tirewatch-agent 2>/dev/null")
}

// testToolbox installs and purges the other package.
func (s *station) testToolbox(t *testing.T, before map[string]string) {
	if all := needed(t, s.toolbox.unpack(t)+"/usr/bin/tirewatch"); len(all) > 0 {
		t.Errorf("the toolbox needs the libraries %v, but its package depends on nothing", all)
	}
	s.run(t, "apt install ./"+filepath.Base(string(s.toolbox)))
	s.run(t, "tirewatch verify --key plant.key.pub first.tire")
	// The pretrained network is found, and its licences are delivered with it.
	if out := s.run(t, "tirewatch base"); !strings.Contains(out, base.SystemDir+"/"+base.Mobile.Name+"\n") ||
		!strings.Contains(out, base.Mobile.SHA256) {
		t.Errorf("tirewatch base prints\n%s", out)
	}
	s.run(t, "grep -q 'Copyright 2018 Google LLC' /usr/share/doc/tirewatch/NOTICE")
	s.run(t, "grep -q 'Apache License' /usr/share/doc/tirewatch/apache-2.0")
	s.run(t, "apt purge tirewatch")
	differ(t, "the toolbox's purge", before, s.list(t, "/"))
}

// written lists the files that the station and its technician have written.
func (s *station) written(t *testing.T) map[string]string {
	t.Helper()
	all := s.list(t, "/etc/tirewatch")
	maps.Copy(all, s.list(t, "/var/lib/tirewatch"))
	return all
}

// notCompared lists paths that do not belong to the package: the records of apt and dpkg, backups
// of the user lists, the technician's files, and what is not a file.
var notCompared = []string{"/var/log", "/var/cache", "/var/lib/apt", "/var/lib/dpkg",
	"/etc/passwd-", "/etc/group-", "/etc/shadow-", "/etc/gshadow-", "/root", "/tmp", "/proc", "/dev"}

// list returns every path below dir with its kind, owner, mode and a hash of its contents.
func (s *station) list(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := filepath.WalkDir(s.dir+dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := "/" + strings.TrimPrefix(strings.TrimPrefix(path, s.dir), "/")
		if slices.Contains(notCompared, name) {
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		sys := info.Sys().(*syscall.Stat_t)
		what := fmt.Sprintf("%v %d:%d", info.Mode(), sys.Uid, sys.Gid)
		switch {
		case info.Mode().IsRegular():
			data, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			what += fmt.Sprintf(" %x", sha256.Sum256(data))
		case info.Mode().Type() == fs.ModeSymlink:
			target, err := os.Readlink(path)
			if err != nil {
				return err
			}
			what += " -> " + target
		}
		all[name] = what
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// differ reports each path that was changed. what names the cause.
func differ(t *testing.T, what string, before, after map[string]string) {
	t.Helper()
	for path, was := range before {
		if is, ok := after[path]; !ok {
			t.Errorf("%s removed %s", what, path)
		} else if is != was {
			t.Errorf("%s changed %s: %s, was %s", what, path, is, was)
		}
	}
	for path := range after {
		if _, ok := before[path]; !ok {
			t.Errorf("%s added %s", what, path)
		}
	}
}

// listener receives verdicts as a SCADA system does.
type listener chan *verdict.Verdict

// listen returns when the subscription is active.
func (s *station) listen(t *testing.T) listener {
	t.Helper()
	l := make(listener, 1000)
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	ready, ended := make(chan struct{}), make(chan error, 1)
	var once sync.Once
	go func() {
		ended <- uplink.Watch(ctx, uplink.WatchOptions{
			MQTT: config.MQTT{Broker: s.broker.URL(), Root: "tirewatch",
				Username: stationUser, PasswordFile: s.password},
			Station: stationID,
			Notice:  func(string) { once.Do(func() { close(ready) }) },
		}, func(_ string, v *verdict.Verdict) { l <- v })
	}()
	select {
	case <-ready:
	case err := <-ended:
		t.Fatalf("watch ended: %v", err)
	}
	return l
}

// next waits for n verdicts.
func (l listener) next(t *testing.T, n int) (all []*verdict.Verdict) {
	t.Helper()
	for range n {
		select {
		case v := <-l:
			all = append(all, v)
		case <-time.After(patience):
			t.Fatalf("%d verdicts arrived, want %d", len(all), n)
		}
	}
	return all
}

// debFile is the path of a package.
type debFile string

func deb(t *testing.T, path string) debFile {
	t.Helper()
	if _, err := os.Stat(path); err != nil {
		t.Fatalf("%v; build it with: make deb-%s", err, *arch)
	}
	return debFile(path)
}

// field returns a field of the control file.
func (d debFile) field(t *testing.T, name string) string {
	t.Helper()
	out, err := exec.Command("dpkg-deb", "--field", string(d), name).Output()
	if err != nil {
		t.Fatalf("dpkg-deb --field %s %s: %v", d, name, err)
	}
	return strings.TrimSpace(string(out))
}

// unpack returns a folder with the files of the package, and its control files in DEBIAN.
func (d debFile) unpack(t *testing.T) string {
	t.Helper()
	dir := t.TempDir() + "/deb"
	if out, err := exec.Command("dpkg-deb", "--raw-extract", string(d), dir).CombinedOutput(); err != nil {
		t.Fatalf("dpkg-deb --raw-extract %s: %v\n%s", d, err, out)
	}
	return dir
}

// pack builds a package from a folder of unpack, with another version.
func pack(t *testing.T, dir, path, version string) {
	t.Helper()
	control, err := os.ReadFile(dir + "/DEBIAN/control")
	if err != nil {
		t.Fatal(err)
	}
	old, rest, _ := strings.Cut(string(control), "\nVersion: ")
	_, rest, _ = strings.Cut(rest, "\n")
	write(t, dir+"/DEBIAN/control", old+"\nVersion: "+version+"\n"+rest)
	if out, err := exec.Command("dpkg-deb", "-Zgzip", "--build", dir, path).CombinedOutput(); err != nil {
		t.Fatalf("dpkg-deb --build: %v\n%s", err, out)
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// addLine appends a line to a file.
func addLine(t *testing.T, path, line string) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	write(t, path, string(data)+line)
}
