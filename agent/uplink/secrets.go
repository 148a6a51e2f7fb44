package uplink

import (
	"crypto/tls"
	"errors"
	"fmt"
	"os"

	"tirewatch/agent/config"
)

// CheckSecret says why a password or key file cannot be used.
func CheckSecret(path string) error {
	_, err := config.ReadSecret(path)
	return err
}

// readFile reads a file that is no secret.
func readFile(path string) ([]byte, error) {
	path, err := config.FilePath(path)
	if err != nil {
		return nil, err
	}
	return os.ReadFile(path)
}

// readKeyPair reads the station's own certificate.
func readKeyPair(certFile, keyFile string) (tls.Certificate, error) {
	cert, certErr := readFile(certFile)
	key, keyErr := config.ReadSecret(keyFile)
	err := errors.Join(certErr, keyErr)
	var pair tls.Certificate
	if err == nil {
		pair, err = tls.X509KeyPair(cert, key)
	}
	if err != nil {
		return pair, fmt.Errorf("client certificate %s with key %s: %w", certFile, keyFile, err)
	}
	return pair, nil
}
