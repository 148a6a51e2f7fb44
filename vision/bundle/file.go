package bundle

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	"tirewatch/internal/durable"
	"tirewatch/internal/wire"
	"tirewatch/vision/graph"
)

// MaxSize is the largest size of a bundle file, in bytes. A larger file is not read into memory.
// The thesis network and the mobile network for 448 x 448 px take 0.8 MiB each, including golden
// inputs.
const MaxSize = 64 << 20

const (
	magic      = "\x89tire\r\n\x1a"
	headerSize = len(magic) + 4 + 8 + 4

	// domain separates signatures of bundles from signatures of anything else with the same key.
	domain = "tirewatch bundle\n"
)

// Errors of Decode, in the order of its checks.
var (
	ErrTooLarge     = errors.New("bundle is too large")
	ErrNotBundle    = errors.New("not a bundle")
	ErrTruncated    = errors.New("bundle is cut off")
	ErrUntrustedKey = errors.New("bundle is signed by a key that is not trusted")
	ErrBadSignature = errors.New("bundle was changed: its signature does not match")
	ErrMalformed    = errors.New("malformed bundle")
)

// VersionError means that this program does not know the format version of a bundle.
type VersionError struct{ Have, Known uint32 }

func (e *VersionError) Error() string {
	return fmt.Sprintf("unsupported version: the bundle has format version %d, this program reads 1 to %d",
		e.Have, e.Known)
}

// Version returns the format version of the file: the lowest that has all of its content.
func (b *Bundle) Version() uint32 {
	if b.needsVersion2() {
		return graph.Version2
	}
	return graph.Version1
}

// needsVersion2 lists what a program for version 1 does not have.
func (b *Bundle) needsVersion2() bool {
	return b.Model.Graph.Version() >= graph.Version2 || b.Heads != nil || b.Anomaly != nil ||
		b.Provenance.Origin != "" || b.Evaluation.Unsure() != 0 ||
		slices.ContainsFunc(b.Golden, func(g Golden) bool { return g.Seed != 0 })
}

// Encode validates b and returns the signed file. It sets Created and NotAfter to whole seconds in
// UTC, the precision of the file, and sets the ID.
func Encode(b *Bundle, key ed25519.PrivateKey) ([]byte, error) {
	b.Created, b.NotAfter = b.Created.UTC().Truncate(time.Second), b.NotAfter.UTC().Truncate(time.Second)
	if err := b.Validate(); err != nil {
		return nil, fmt.Errorf("encode bundle: %w", err)
	}
	if len(key) != ed25519.PrivateKeySize {
		return nil, fmt.Errorf("encode bundle: the private key has %d bytes, want %d", len(key), ed25519.PrivateKeySize)
	}
	content := *b
	if b.needsVersion2() {
		content.Golden = b.packed()
	}
	payload, err := content.MarshalMsg(nil)
	if err != nil {
		return nil, fmt.Errorf("encode bundle: %w", err)
	}
	if headerSize+len(payload)+ed25519.SignatureSize > MaxSize {
		return nil, fmt.Errorf("encode bundle: %w: %d MiB, the limit is %d MiB",
			ErrTooLarge, len(payload)>>20, MaxSize>>20)
	}
	id := KeyID(key.Public().(ed25519.PublicKey))
	data := []byte(magic)
	data = binary.BigEndian.AppendUint32(data, b.Version())
	data = append(data, id[:]...)
	data = binary.BigEndian.AppendUint32(data, uint32(len(payload)))
	data = append(data, payload...)
	data = append(data, ed25519.Sign(key, signed(data))...)
	b.identify(data, id)
	return data, nil
}

// Decode verifies data with the trusted keys, then reads and validates its content.
func Decode(data []byte, trusted []ed25519.PublicKey) (*Bundle, error) {
	f, err := split(data)
	if err != nil {
		return nil, err
	}
	if err := f.verify(trusted); err != nil {
		return nil, err
	}
	return f.parse()
}

// Inspect reads data without verifying the signature. Use it only to show the content of a file;
// never run its model.
func Inspect(data []byte) (*Bundle, error) {
	f, err := split(data)
	if err != nil {
		return nil, err
	}
	return f.parse()
}

// Write signs b and writes it to path, completely or not at all.
func Write(path string, b *Bundle, key ed25519.PrivateKey) error {
	data, err := Encode(b, key)
	if err != nil {
		return err
	}
	return durable.WriteFile(path, data, 0o644)
}

// Read reads the file at path and decodes it as Decode does.
func Read(path string, trusted []ed25519.PublicKey) (*Bundle, error) {
	data, err := ReadFile(path)
	if err != nil {
		return nil, err
	}
	b, err := Decode(data, trusted)
	if err != nil {
		return nil, fmt.Errorf("read bundle %s: %w", path, err)
	}
	return b, nil
}

// ReadFile reads the bytes of a bundle without checking them. It returns ErrTooLarge for a file
// larger than MaxSize.
func ReadFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read bundle: %w", err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, MaxSize+1))
	if err != nil {
		return nil, fmt.Errorf("read bundle %s: %w", path, err)
	}
	if len(data) > MaxSize {
		return nil, fmt.Errorf("read bundle %s: %w: more than %d MiB", path, ErrTooLarge, MaxSize>>20)
	}
	return data, nil
}

// IsBundle reports whether data starts like a bundle.
func IsBundle(data []byte) bool { return bytes.HasPrefix(data, []byte(magic)) }

// file holds the parts of a bundle file. Only the header was read to split it.
type file struct {
	data      []byte // the whole file
	version   uint32
	signer    Signer
	payload   []byte
	signature []byte
}

func split(data []byte) (*file, error) {
	if len(data) > MaxSize {
		return nil, fmt.Errorf("%w: %d MiB, the limit is %d MiB", ErrTooLarge, len(data)>>20, MaxSize>>20)
	}
	if !IsBundle(data) {
		if len(data) < len(magic) && len(data) > 0 && magic[:len(data)] == string(data) {
			return nil, ErrTruncated
		}
		return nil, ErrNotBundle
	}
	if len(data) < headerSize {
		return nil, ErrTruncated
	}
	h := data[len(magic):headerSize]
	v := binary.BigEndian.Uint32(h)
	if v < graph.Version1 || v > graph.NewestVersion {
		return nil, &VersionError{Have: v, Known: graph.NewestVersion}
	}
	f := &file{data: data, version: v, signer: Signer(h[4:12])}
	n := int64(binary.BigEndian.Uint32(h[12:]))
	switch want := int64(headerSize) + n + ed25519.SignatureSize; {
	case int64(len(data)) < want:
		return nil, fmt.Errorf("%w: it has %d of %d bytes", ErrTruncated, len(data), want)
	case int64(len(data)) > want:
		return nil, fmt.Errorf("%w: %d extra bytes after the signature", ErrMalformed, int64(len(data))-want)
	}
	f.payload = data[headerSize : headerSize+int(n)]
	f.signature = data[headerSize+int(n):]
	return f, nil
}

// verify searches the trusted keys for the signer and checks the signature with that key.
func (f *file) verify(trusted []ed25519.PublicKey) error {
	for _, key := range trusted {
		if len(key) != ed25519.PublicKeySize || KeyID(key) != f.signer {
			continue
		}
		if !ed25519.Verify(key, signed(f.data[:len(f.data)-ed25519.SignatureSize]), f.signature) {
			return ErrBadSignature
		}
		return nil
	}
	return fmt.Errorf("%w: key %v", ErrUntrustedKey, f.signer)
}

// parse reads the payload. Even a signed payload may be wrong, and it must not crash the program.
func (f *file) parse() (*Bundle, error) {
	if err := wire.Check(f.payload, maxElements); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	b := new(Bundle)
	if _, err := b.UnmarshalMsg(f.payload); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	if b.Version() != f.version {
		return nil, fmt.Errorf("%w: format version %d with content of version %d", ErrMalformed, f.version, b.Version())
	}
	if f.version >= graph.Version2 {
		if err := b.unpack(); err != nil {
			return nil, err
		}
	}
	b.Created, b.NotAfter = b.Created.UTC(), b.NotAfter.UTC()
	if err := b.Validate(); err != nil {
		return nil, err
	}
	b.identify(f.data, f.signer)
	return b, nil
}

func (b *Bundle) identify(data []byte, signer Signer) {
	sum := sha256.Sum256(data)
	b.id, b.signer = hex.EncodeToString(sum[:8]), signer
}

// signed returns the message that is signed. data is the file up to its signature.
func signed(data []byte) []byte { return append([]byte(domain), data...) }

// maxElements limits every array. No array in a bundle is longer than the largest number of
// channels of a layer.
const maxElements = 4096
