package web

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/crypto/argon2"

	"tirewatch/agent/config"
)

// Parameters of new hashes: Argon2id with 19 MiB, two passes and one lane, the minimum of OWASP's
// Password Storage Cheat Sheet. A board with 1 GB must be able to compute it during inspection.
const (
	hashMemory = 19 << 10 // KiB
	hashTime   = 2
	hashLanes  = 1
	hashSize   = 32 // bytes
	saltSize   = 16 // bytes
)

// Length of a password, bytes.
const (
	minPassword = 10
	maxPassword = 128
)

// Hash returns the line of a password file: Argon2id in the PHC string format
// (github.com/P-H-C/phc-string-format). The password must have 10 to 128 bytes.
func Hash(password string) (string, error) {
	if len(password) < minPassword || len(password) > maxPassword {
		return "", fmt.Errorf("the password has %d bytes, want %d to %d", len(password), minPassword, maxPassword)
	}
	salt := make([]byte, saltSize)
	rand.Read(salt)
	h := hash{memory: hashMemory, time: hashTime, lanes: hashLanes, salt: salt}
	h.key = h.derive(password)
	return h.String(), nil
}

// hash is a line of a password file.
type hash struct {
	memory, time uint32
	lanes        uint8
	salt, key    []byte
}

func (h hash) String() string {
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, h.memory, h.time, h.lanes,
		base64.RawStdEncoding.EncodeToString(h.salt), base64.RawStdEncoding.EncodeToString(h.key))
}

func (h hash) derive(password string) []byte {
	return argon2.IDKey([]byte(password), h.salt, h.time, h.memory, h.lanes, hashSize)
}

func (h hash) matches(password string) bool {
	return subtle.ConstantTimeCompare(h.derive(password), h.key) == 1
}

// errNotAHash does not quote the line: somebody may have written a password there.
var errNotAHash = errors.New("not a password hash; write the file with `tirewatch-agent password`")

// parseHash parses a line. It limits the parameters, so that no file makes a log-in use all memory.
func parseHash(line string) (h hash, err error) {
	parts := strings.Split(line, "$")
	version := fmt.Sprintf("v=%d", argon2.Version)
	if len(parts) != 6 || parts[0] != "" || parts[1] != "argon2id" || parts[2] != version {
		return h, errNotAHash
	}
	if _, err := fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &h.memory, &h.time, &h.lanes); err != nil {
		return h, errNotAHash
	}
	var saltErr, keyErr error
	h.salt, saltErr = base64.RawStdEncoding.DecodeString(parts[4])
	h.key, keyErr = base64.RawStdEncoding.DecodeString(parts[5])
	ok := saltErr == nil && keyErr == nil && len(h.salt) >= 8 && len(h.key) == hashSize &&
		h.memory >= 8<<10 && h.memory <= 256<<10 && h.time >= 1 && h.time <= 16 && h.lanes >= 1 && h.lanes <= 16
	if !ok || h.String() != line {
		return hash{}, errNotAHash
	}
	return h, nil
}

// readHash reads a password file.
func readHash(path string) (hash, error) {
	line, err := config.ReadPassword(path)
	if err != nil {
		return hash{}, err
	}
	h, err := parseHash(line)
	if err != nil {
		return hash{}, fmt.Errorf("password file %s: %w", path, err)
	}
	return h, nil
}

// CheckPasswordFile reports why a password file cannot be used, or nil.
func CheckPasswordFile(path string) error {
	_, err := readHash(path)
	return err
}
