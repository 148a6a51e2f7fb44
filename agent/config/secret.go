package config

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

// secretLimit bounds a password or key file. bytes
const secretLimit = 1 << 20

// ReadSecret reads a file that other users can neither read nor change. Its content is never part
// of an error.
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
	info, err := f.Stat() // of the open file: the name may mean another one by now
	if err != nil {
		return nil, err
	}
	if info.Mode().Perm()&0o006 != 0 {
		return nil, fmt.Errorf("%s can be read or changed by every user of this machine: run chmod 600 %s, or 640 when its group is the agent's", path, path)
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

// ReadFile reads a file that is no secret.
func ReadFile(path string) ([]byte, error) {
	path, err := FilePath(path)
	if err != nil {
		return nil, err
	}
	return os.ReadFile(path)
}

// ReadKeyPair reads a certificate and its key, which is a secret.
func ReadKeyPair(certFile, keyFile string) (tls.Certificate, error) {
	cert, certErr := ReadFile(certFile)
	key, keyErr := ReadSecret(keyFile)
	err := errors.Join(certErr, keyErr)
	var pair tls.Certificate
	if err == nil {
		pair, err = tls.X509KeyPair(cert, key)
	}
	if err != nil {
		return pair, fmt.Errorf("certificate %s with key %s: %w", certFile, keyFile, err)
	}
	return pair, nil
}
