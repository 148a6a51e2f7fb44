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

// arch turns the long test on. Without it, `go test` skips it.
var arch = flag.String("package.arch", "",
	"install the packages of this architecture, arm64 or amd64, in a Debian root; see make test-package")

// emulator runs programs of another architecture. The kernel recognises them by the ELF header.
type emulator struct{ program, magic, mask string }

var emulators = map[string]emulator{"arm64": {"qemu-aarch64-static",
	`\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00`,
	`\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff`}}

const inside = "PACKAGE_TEST_INSIDE"

// TestMain starts the tests again in new namespaces. There they may mount what a root needs and
// register qemu with the kernel. Nothing of that stays on the machine, even if they are killed.
func TestMain(m *testing.M) {
	flag.Parse()
	if *arch == "" || os.Getenv(inside) != "" {
		os.Exit(m.Run())
	}
	runtime.LockOSThread() // Pdeathsig kills the child when this thread ends
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
		fmt.Fprintf(os.Stderr, "cannot install packages in a Debian root: %v\n"+
			"hint: the test needs root rights to set file owners: sudo make test-package\n", err)
		os.Exit(1)
	case err != nil:
		fmt.Fprintf(os.Stderr, "cannot install packages in a Debian root: %v\n"+
			"hint: the test needs user namespaces: sysctl user.max_user_namespaces must not be 0, "+
			"and a container must allow clone\n", err)
		os.Exit(1)
	}
}

// mount mounts a file system or fails the test.
func mount(t *testing.T, source, target, kind string, flags uintptr, data string) {
	t.Helper()
	if err := syscall.Mount(source, target, kind, flags, data); err != nil {
		t.Fatalf("mount %s on %s: %v", source, target, err)
	}
}

// isolate mounts a new /proc in the namespace and registers the emulator for arch.
func isolate(t *testing.T) {
	t.Helper()
	mount(t, "", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, "")
	mount(t, "proc", "/proc", "proc", 0, "")
	// mmdebstrap bind-mounts /dev/shm. The kernel forbids that here if there is a mount below it.
	mount(t, "tmpfs", "/dev/shm", "tmpfs", 0, "")
	e, foreign := emulators[*arch]
	if *arch == runtime.GOARCH {
		return
	}
	if !foreign {
		t.Fatalf("-package.arch %s: this machine supports arm64 and %s", *arch, runtime.GOARCH)
	}
	qemu, err := exec.LookPath(e.program)
	if err != nil {
		t.Fatalf("%v; install it with: apt install qemu-user-static", err)
	}
	const binfmt = "/proc/sys/fs/binfmt_misc"
	if err := syscall.Mount("binfmt_misc", binfmt, "binfmt_misc", 0, ""); err != nil {
		// Then the settings of the machine are used.
		if runs := exec.Command("sh", "-c", "grep -qs '^enabled' "+binfmt+"/qemu-aarch64").Run(); runs != nil {
			t.Fatalf("mount %s: %v; before Linux 6.7 a namespace cannot have its own: "+
				"apt install binfmt-support qemu-user-static", binfmt, err)
		}
		return
	}
	// The flag F opens qemu now, so that it is found from inside the root.
	if err := os.WriteFile(binfmt+"/register", []byte(":qemu:M::"+e.magic+":"+e.mask+":"+qemu+":F"), 0); err != nil {
		t.Fatalf("register %s with the kernel: %v", qemu, err)
	}
}

// root is a folder with a Debian of arch.
type root struct{ dir string }

// newRoot returns a root with the packages in dependencies. Changes in it are temporary. The base
// below it, bin/test-root-ARCH, is made once, which takes minutes under qemu.
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

	// Changes are kept in memory.
	scratch := t.TempDir()
	mount(t, "tmpfs", scratch, "tmpfs", 0, "mode=755")
	r := &root{scratch + "/root"}
	for _, dir := range []string{r.dir, scratch + "/changes", scratch + "/work"} {
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	mount(t, "overlay", r.dir, "overlay", 0,
		"userxattr,lowerdir="+base+",upperdir="+scratch+"/changes,workdir="+scratch+"/work")
	mount(t, "proc", r.dir+"/proc", "proc", 0, "")
	for _, device := range []string{"null", "zero", "full", "random", "urandom", "tty"} {
		// the mount point; it may exist already
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

// makeBase installs a minimal Debian and the packages in dependencies by name. apt checks their
// versions later, when it installs the package itself.
func makeBase(t *testing.T, base, dependencies string) {
	t.Helper()
	t.Logf("making %s, which takes minutes under qemu", base)
	var names []string
	for d := range strings.SplitSeq(dependencies, ",") {
		names = append(names, strings.Fields(d)[0])
	}
	if err := os.RemoveAll(base); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("mmdebstrap", "--quiet", "--mode=root", "--skip=check/qemu,cleanup/apt/lists",
		"--variant=minbase", "--architectures="+*arch,
		"--include="+strings.Join(names, ","),
		// A test answers no questions and does not need fsync. Both options stay in the root.
		"--aptopt=APT::Get::Assume-Yes true", "--aptopt=APT::Install-Recommends false", "--dpkgopt=force-unsafe-io",
		"bookworm", base)
	if out, err := cmd.CombinedOutput(); err != nil {
		os.RemoveAll(base)
		t.Fatalf("%s: %v\n%s", strings.Join(cmd.Args, " "), err, out)
	}
}

// command returns a shell command that runs inside the root.
func (r *root) command(line string) *exec.Cmd {
	cmd := exec.Command("/bin/sh", "-c", line)
	cmd.SysProcAttr = &syscall.SysProcAttr{Chroot: r.dir}
	cmd.Dir = "/root"
	cmd.Env = []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root",
		"LC_ALL=C.UTF-8", "DEBIAN_FRONTEND=noninteractive"}
	return cmd
}

// try runs a command and returns its output.
func (r *root) try(line string) (string, error) {
	var out bytes.Buffer
	cmd := r.command(line)
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	return out.String(), err
}

// run runs a command that must succeed.
func (r *root) run(t *testing.T, line string) string {
	t.Helper()
	out, err := r.try(line)
	if err != nil {
		t.Fatalf("%s: %v\n%s", line, err, out)
	}
	return out
}
