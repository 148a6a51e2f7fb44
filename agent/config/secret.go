package config

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// credential begins the name of a file that systemd passes to the service.
const credential = "credential:"

// ErrNoCredentials means that a credential is needed in a process that got none from systemd.
var ErrNoCredentials = errors.New("systemd passes it only to a service whose unit has LoadCredential=")

// FilePath is where to read a file of section mqtt or page: the path itself, or the place of a
// credential.
func FilePath(path string) (string, error) {
	name, ok := strings.CutPrefix(path, credential)
	if !ok {
		return path, nil
	}
	dir := os.Getenv("CREDENTIALS_DIRECTORY")
	if dir == "" {
		return "", fmt.Errorf("read credential %s: %w", name, ErrNoCredentials)
	}
	return filepath.Join(dir, name), nil
}

// secretLimit is the largest password or key file. bytes
const secretLimit = 1 << 20

// ReadSecret reads a file that other users can neither read nor change. An error never shows its
// content.
func ReadSecret(path string) ([]byte, error) {
	path, err := FilePath(path)
	if err != nil {
		return nil, err
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat() // of the open file: another file may have the name by now
	if err != nil {
		return nil, err
	}
	if info.Mode().Perm()&0o006 != 0 {
		return nil, fmt.Errorf("%s can be read or changed by every user of this machine: "+
			"run chmod 600 %s, or chmod 640 if its group is the agent's", path, path)
	}
	return io.ReadAll(io.LimitReader(f, secretLimit))
}

// ReadPassword returns the first line of a secret file.
func ReadPassword(path string) (string, error) {
	data, err := ReadSecret(path)
	if err != nil {
		return "", fmt.Errorf("password file: %w", err)
	}
	line, _, _ := strings.Cut(string(data), "\n")
	if line = strings.TrimSuffix(line, "\r"); line == "" {
		return "", fmt.Errorf("password file %s has an empty first line", path)
	}
	return line, nil
}

// ReadFile reads a file that is not a secret.
func ReadFile(path string) ([]byte, error) {
	path, err := FilePath(path)
	if err != nil {
		return nil, err
	}
	return os.ReadFile(path)
}

// ReadKeyPair reads a certificate and its private key, which is a secret.
func ReadKeyPair(certFile, keyFile string) (tls.Certificate, error) {
	cert, certErr := ReadFile(certFile)
	key, keyErr := ReadSecret(keyFile)
	err := errors.Join(certErr, keyErr)
	var pair tls.Certificate
	if err == nil {
		if pair, err = tls.X509KeyPair(cert, key); err != nil {
			err = fmt.Errorf("want PEM files that belong together: %w", err)
		}
	}
	if err != nil {
		return pair, fmt.Errorf("certificate %s with key %s: %w", certFile, keyFile, err)
	}
	return pair, nil
}
