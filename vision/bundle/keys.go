package bundle

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"runtime"
	"strings"

	"tirewatch/internal/durable"
)

// Keys are text files that a person can recognise. Lines that start with # are comments. The first
// other line is one of the words below, the second one is the key in base64.
//
//	# What this file is and what to do with it.
//	tirewatch-private-key-1
//	<base64 of the 32-byte seed>
//
//	# ...
//	tirewatch-public-key-1
//	<base64 of the 32-byte public key>
const (
	privateHead = "tirewatch-private-key-1"
	publicHead  = "tirewatch-public-key-1"
	maxKeyFile  = 4 << 10
)

var (
	// ErrKey marks a file that is not a key of the expected kind.
	ErrKey = errors.New("not a usable key")
	// ErrKeyExposed marks a private key that other users of the machine can read.
	ErrKeyExposed = errors.New("private key can be read by other users")
)

// Signer is the key id in a bundle: the first 8 bytes of the SHA-256 of the public key.
type Signer [8]byte

func (s Signer) String() string { return hex.EncodeToString(s[:]) }

// KeyID returns the id of a public key.
func KeyID(key ed25519.PublicKey) Signer {
	sum := sha256.Sum256(key)
	return Signer(sum[:8])
}

// GenerateKey makes a key pair: the private key at path, readable by its owner only, and the public
// key at path + ".pub". It never replaces a file: stations that trust a lost key could never be
// updated again.
func GenerateKey(path string) (ed25519.PublicKey, error) {
	for _, p := range []string{path, path + ".pub"} {
		if _, err := os.Lstat(p); err == nil {
			return nil, fmt.Errorf("make key %s: %w", p, fs.ErrExist)
		} else if !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("make key: %w", err)
		}
	}
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make key %s: %w", path, err)
	}
	id := KeyID(public)
	secret := fmt.Sprintf("# tirewatch private key %v: signs bundles. "+
		"Keep it secret and keep a copy in a safe place.\n%s\n%s\n",
		id, privateHead, base64.StdEncoding.EncodeToString(private.Seed()))
	open := fmt.Sprintf("# tirewatch public key %v: stations that trust it accept its bundles.\n%s\n%s\n",
		id, publicHead, base64.StdEncoding.EncodeToString(public))
	if err := durable.WriteFile(path, []byte(secret), 0o600); err != nil {
		return nil, err
	}
	if err := durable.WriteFile(path+".pub", []byte(open), 0o644); err != nil {
		os.Remove(path) // half a pair is useless, and the name must be free for the next try
		return nil, err
	}
	return public, nil
}

// ReadPrivateKey reads a signing key. If other users can read the file, it returns ErrKeyExposed.
func ReadPrivateKey(path string) (ed25519.PrivateKey, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read private key: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("read private key %s: %w", path, err)
	}
	if runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("read private key %s: %w (permissions %04o, want 0600)",
			path, ErrKeyExposed, info.Mode().Perm())
	}
	seed, err := readKey(f, privateHead, ed25519.SeedSize)
	if err != nil {
		return nil, fmt.Errorf("read private key %s: %w", path, err)
	}
	return ed25519.NewKeyFromSeed(seed), nil
}

// ReadPublicKey reads one trusted key.
func ReadPublicKey(path string) (ed25519.PublicKey, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read public key: %w", err)
	}
	defer f.Close()
	key, err := readKey(f, publicHead, ed25519.PublicKeySize)
	if err != nil {
		return nil, fmt.Errorf("read public key %s: %w", path, err)
	}
	return key, nil
}

// ReadPublicKeys reads several trusted keys.
func ReadPublicKeys(paths []string) ([]ed25519.PublicKey, error) {
	var keys []ed25519.PublicKey
	for _, p := range paths {
		k, err := ReadPublicKey(p)
		if err != nil {
			return nil, err
		}
		keys = append(keys, k)
	}
	return keys, nil
}

func readKey(r io.Reader, head string, size int) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, maxKeyFile+1))
	if err != nil {
		return nil, err
	}
	if len(data) > maxKeyFile {
		return nil, fmt.Errorf("%w: more than %d bytes", ErrKey, maxKeyFile)
	}
	return parseKey(data, head, size)
}

// parseKey reads the text of a key file. Its errors never contain a line of the file, which may be
// secret.
func parseKey(data []byte, head string, size int) ([]byte, error) {
	var lines []string
	for line := range bytes.Lines(data) {
		if s := strings.TrimSpace(string(line)); s != "" && s[0] != '#' {
			lines = append(lines, s)
		}
	}
	switch {
	case len(lines) == 0:
		return nil, fmt.Errorf("%w: the file is empty", ErrKey)
	case lines[0] != head && (lines[0] == privateHead || lines[0] == publicHead):
		return nil, fmt.Errorf("%w: this is a %s, want a %s", ErrKey, kind(lines[0]), kind(head))
	case lines[0] != head:
		return nil, fmt.Errorf("%w: the line %q is missing", ErrKey, head)
	case len(lines) != 2:
		return nil, fmt.Errorf("%w: %d lines after %q, want 1", ErrKey, len(lines)-1, head)
	}
	key, err := base64.StdEncoding.Strict().DecodeString(lines[1])
	if err != nil {
		return nil, fmt.Errorf("%w: the key is not base64", ErrKey)
	}
	if len(key) != size {
		return nil, fmt.Errorf("%w: the key has %d bytes, want %d", ErrKey, len(key), size)
	}
	return key, nil
}

// kind returns the plain name for the head line of a key file.
func kind(head string) string {
	if head == privateHead {
		return "private key"
	}
	return "public key"
}
