package bundle_test

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"tirewatch/vision/bundle"
	"tirewatch/vision/bundle/bundletest"
)

func TestGeneratedKeysSignAndVerify(t *testing.T) {
	path := filepath.Join(t.TempDir(), "plant.key")
	public, err := bundle.GenerateKey(path)
	if err != nil {
		t.Fatal(err)
	}
	private, err := bundle.ReadPrivateKey(path)
	if err != nil {
		t.Fatal(err)
	}
	data, err := bundle.Encode(bundletest.Small(1), private)
	if err != nil {
		t.Fatal(err)
	}
	trusted, err := bundle.ReadPublicKeys([]string{path + ".pub"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := bundle.Decode(data, trusted); err != nil {
		t.Error(err)
	}
	if !public.Equal(trusted[0]) {
		t.Error("the public key on disk is different")
	}
	if runtime.GOOS != "windows" {
		for p, want := range map[string]fs.FileMode{path: 0o600, path + ".pub": 0o644} {
			if info, err := os.Stat(p); err != nil || info.Mode().Perm() != want {
				t.Errorf("%s: permissions %v, error %v, want %v", filepath.Base(p), info.Mode(), err, want)
			}
		}
	}
}

func TestGenerateKeyReplacesNothing(t *testing.T) {
	for _, existing := range []string{"plant.key", "plant.key.pub"} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, existing), []byte("precious"), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := bundle.GenerateKey(filepath.Join(dir, "plant.key")); !errors.Is(err, fs.ErrExist) {
			t.Errorf("%s exists: error %v, want ErrExist", existing, err)
		}
		entries, _ := os.ReadDir(dir)
		if data, _ := os.ReadFile(filepath.Join(dir, existing)); string(data) != "precious" || len(entries) != 1 {
			t.Errorf("%s is now %q, folder %v", existing, data, entries)
		}
	}
}

func TestExposedPrivateKeyIsRefused(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("permissions are not part of the file mode")
	}
	path := filepath.Join(t.TempDir(), "plant.key")
	if _, err := bundle.GenerateKey(path); err != nil {
		t.Fatal(err)
	}
	for _, mode := range []fs.FileMode{0o640, 0o604, 0o620, 0o644} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		if _, err := bundle.ReadPrivateKey(path); !errors.Is(err, bundle.ErrKeyExposed) {
			t.Errorf("permissions %v: error %v, want ErrKeyExposed", mode, err)
		}
	}
}

func TestKeyFilesThatAreNone(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "plant.key")
	if _, err := bundle.GenerateKey(path); err != nil {
		t.Fatal(err)
	}
	private, _ := os.ReadFile(path)
	public, _ := os.ReadFile(path + ".pub")
	for name, c := range map[string]struct {
		data []byte
		want string // in the error
	}{
		"empty":              {nil, "the file is empty"},
		"only comments":      {[]byte("# nothing\n"), "the file is empty"},
		"private for public": {private, "this is a private key, want a public key"},
		"another text":       {[]byte("ssh-ed25519 AAAA\n"), `the line "tirewatch-public-key-1" is missing`},
		"no key line":        {public[:bytes.LastIndexByte(bytes.TrimSpace(public), '\n')+1], "0 lines"},
		"two keys":           {append(bytes.Clone(public), "AAAA\n"...), "2 lines"},
		"not base64":         {[]byte("tirewatch-public-key-1\n!!!!\n"), "not base64"},
		"too short":          {[]byte("tirewatch-public-key-1\nAAAA\n"), "3 bytes, want 32"},
		"huge":               {bytes.Repeat([]byte("#\n"), 4096), "more than 4096 bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			p := filepath.Join(dir, "try")
			if err := os.WriteFile(p, c.data, 0o600); err != nil {
				t.Fatal(err)
			}
			_, err := bundle.ReadPublicKey(p)
			if !errors.Is(err, bundle.ErrKey) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want ErrKey with %q", err, c.want)
			}
		})
	}
	// Editors on other systems change line ends and add blank lines. The key must still be read.
	p := filepath.Join(dir, "edited")
	edited := append(bytes.ReplaceAll(public, []byte("\n"), []byte("\r\n")), "\r\n \r\n"...)
	if err := os.WriteFile(p, edited, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := bundle.ReadPublicKey(p); err != nil {
		t.Errorf("a key with other line ends: %v", err)
	}
}

// The secret must not be part of an error, which may be logged.
func TestErrorsKeepTheSecret(t *testing.T) {
	path := filepath.Join(t.TempDir(), "plant.key")
	if _, err := bundle.GenerateKey(path); err != nil {
		t.Fatal(err)
	}
	data, _ := os.ReadFile(path)
	lines := strings.Split(strings.TrimSpace(string(data)), "\n")
	secret := lines[len(lines)-1]
	if err := os.WriteFile(path, []byte(lines[1]+"\n"+secret+"!\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, read := range []func() error{
		func() error { _, err := bundle.ReadPrivateKey(path); return err },
		func() error { _, err := bundle.ReadPublicKey(path); return err },
	} {
		if err := read(); err == nil || strings.Contains(err.Error(), secret[:8]) {
			t.Errorf("error %v", err)
		}
	}
}
