package uplink

import "tirewatch/agent/config"

// CheckSecret says why a password or key file cannot be used.
func CheckSecret(path string) error {
	_, err := config.ReadSecret(path)
	return err
}
