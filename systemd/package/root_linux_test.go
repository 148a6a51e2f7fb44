package packages_test

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
)

// arch asks for the long test; without it `go test` leaves packages and roots alone.
var arch = flag.String("package.arch", "", "install the packages of this architecture, arm64 or amd64, in a root of Debian; make test-package")

// emulator is what runs programs of an architecture that the machine is not, and how the kernel
// knows them: an ELF header.
type emulator struct{ program, magic, mask string }

var emulators = map[string]emulator{"arm64": {"qemu-aarch64-static",
	`\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00`,
	`\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff`}}

const inside = "PACKAGE_TEST_INSIDE"

// TestMain starts the tests again in namespaces of their own. There they may mount what a root
// needs and tell the kernel about qemu, and nothing of it is left on the machine, not even when
// they are killed.
func TestMain(m *testing.M) {
	flag.Parse()
	if *arch == "" || os.Getenv(inside) != "" {
		os.Exit(m.Run())
	}
	runtime.LockOSThread() // the child lives as long as this thread
	again := exec.Command("/proc/self/exe", os.Args[1:]...)
	again.Env = append(os.Environ(), inside+"=1")
	again.Stdin, again.Stdout, again.Stderr = os.Stdin, os.Stdout, os.Stderr
	users := []syscall.SysProcIDMap{{ContainerID: 0, HostID: 0, Size: 65536}}
	again.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS | syscall.CLONE_NEWPID | syscall.CLONE_NEWIPC,
		UidMappings: users, GidMappings: users, GidMappingsEnableSetgroups: true,
		Pdeathsig: syscall.SIGKILL,
	}
	err := again.Run()
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit):
		os.Exit(max(1, exit.ExitCode()))
	case err != nil && os.Geteuid() != 0:
		fmt.Fprintf(os.Stderr, "packages cannot be installed in a root: %v\nThis needs root, because files in it have owners: sudo make test-package\n", err)
		os.Exit(1)
	case err != nil:
		fmt.Fprintf(os.Stderr, "packages cannot be installed in a root: %v\nThis needs user namespaces: sysctl user.max_user_namespaces must not be 0, and a container must allow clone\n", err)
		os.Exit(1)
	}
}

// mount mounts, and says what is needed if it cannot.
func mount(t *testing.T, source, target, kind string, flags uintptr, data string) {
	t.Helper()
	if err := syscall.Mount(source, target, kind, flags, data); err != nil {
		t.Fatalf("mount %s on %s: %v", source, target, err)
	}
}

// isolate gives the namespace a /proc of its own, and lets it run programs of arch.
func isolate(t *testing.T) {
	t.Helper()
	mount(t, "", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, "")
	mount(t, "proc", "/proc", "proc", 0, "")
	// mmdebstrap takes this along by a bind mount, which the kernel forbids here when somebody has
	// mounted anything below it.
	mount(t, "tmpfs", "/dev/shm", "tmpfs", 0, "")
	e, foreign := emulators[*arch]
	if *arch == runtime.GOARCH {
		return
	}
	if !foreign {
		t.Fatalf("-package.arch %s: this machine can do arm64 and %s", *arch, runtime.GOARCH)
	}
	qemu, err := exec.LookPath(e.program)
	if err != nil {
		t.Fatalf("%v: apt install qemu-user-static", err)
	}
	const binfmt = "/proc/sys/fs/binfmt_misc"
	if err := syscall.Mount("binfmt_misc", binfmt, "binfmt_misc", 0, ""); err != nil {
		// Then the machine's own settings count.
		if runs := exec.Command("sh", "-c", "grep -qs '^enabled' "+binfmt+"/qemu-aarch64").Run(); runs != nil {
			t.Fatalf("mount %s: %v: a namespace has its own since Linux 6.7; on an older one: apt install binfmt-support qemu-user-static", binfmt, err)
		}
		return
	}
	// F opens qemu now, so that it is found from inside of the root.
	if err := os.WriteFile(binfmt+"/register", []byte(":qemu:M::"+e.magic+":"+e.mask+":"+qemu+":F"), 0); err != nil {
		t.Fatalf("tell the kernel about %s: %v", qemu, err)
	}
}

// root is a Debian of arch.
type root struct{ dir string }

// newRoot gives a root with the packages of dependencies, in which nothing lasts. The base below it
// is made once, which under qemu takes minutes: bin/test-root-ARCH.
func newRoot(t *testing.T, dependencies string) *root {
	t.Helper()
	base, err := filepath.Abs("../../bin/test-root-" + *arch)
	if err != nil {
		t.Fatal(err)
	}
	stamp := base + ".depends"
	if old, err := os.ReadFile(stamp); err != nil || string(old) != dependencies {
		makeBase(t, base, dependencies)
		if err := os.WriteFile(stamp, []byte(dependencies), 0o644); err != nil {
			t.Fatal(err)
		}
	}

	// Changes lie in memory.
	scratch := t.TempDir()
	mount(t, "tmpfs", scratch, "tmpfs", 0, "mode=755")
	r := &root{scratch + "/root"}
	for _, dir := range []string{r.dir, scratch + "/changes", scratch + "/work"} {
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	mount(t, "overlay", r.dir, "overlay", 0, "userxattr,lowerdir="+base+",upperdir="+scratch+"/changes,workdir="+scratch+"/work")
	mount(t, "proc", r.dir+"/proc", "proc", 0, "")
	for _, device := range []string{"null", "zero", "full", "random", "urandom", "tty"} {
		// or it is there
		if f, err := os.OpenFile(r.dir+"/dev/"+device, os.O_CREATE, 0o666); err == nil {
			f.Close()
		}
		mount(t, "/dev/"+device, r.dir+"/dev/"+device, "", syscall.MS_BIND, "")
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(scratch, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return r
}

// makeBase installs a minimal Debian and, by their names, the packages of dependencies with what
// they depend on. Their versions are looked at by apt when the package itself is installed.
func makeBase(t *testing.T, base, dependencies string) {
	t.Helper()
	t.Logf("making %s; under qemu this takes some minutes", base)
	var names []string
	for d := range strings.SplitSeq(dependencies, ",") {
		names = append(names, strings.Fields(d)[0])
	}
	if err := os.RemoveAll(base); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("mmdebstrap", "--quiet", "--mode=root", "--skip=check/qemu,cleanup/apt/lists", "--variant=minbase", "--architectures="+*arch,
		"--include="+strings.Join(names, ","),
		// Nobody answers in a test, and no power cut is feared; both stay in the root.
		"--aptopt=APT::Get::Assume-Yes true", "--aptopt=APT::Install-Recommends false", "--dpkgopt=force-unsafe-io",
		"bookworm", base)
	if out, err := cmd.CombinedOutput(); err != nil {
		os.RemoveAll(base)
		t.Fatalf("%s: %v\n%s", strings.Join(cmd.Args, " "), err, out)
	}
}

// command is a shell's line inside of the root.
func (r *root) command(line string) *exec.Cmd {
	cmd := exec.Command("/bin/sh", "-c", line)
	cmd.SysProcAttr = &syscall.SysProcAttr{Chroot: r.dir}
	cmd.Dir = "/root"
	cmd.Env = []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "LC_ALL=C.UTF-8", "DEBIAN_FRONTEND=noninteractive"}
	return cmd
}

// try runs a line and gives what it printed.
func (r *root) try(line string) (string, error) {
	var out bytes.Buffer
	cmd := r.command(line)
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	return out.String(), err
}

// run is try for lines that must succeed.
func (r *root) run(t *testing.T, line string) string {
	t.Helper()
	out, err := r.try(line)
	if err != nil {
		t.Fatalf("%s: %v\n%s", line, err, out)
	}
	return out
}
