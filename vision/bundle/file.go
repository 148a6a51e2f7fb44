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
	"time"

	"tirewatch/internal/wire"

	"tirewatch/internal/durable"
)

// MaxSize bounds a bundle file, in bytes: the thesis network takes 0.8 MiB, golden inputs included.
// Nothing larger is read into memory.
const MaxSize = 64 << 20

const (
	magic      = "\x89tire\r\n\x1a"
	version    = 1
	headerSize = len(magic) + 4 + 8 + 4

	// domain keeps a signature of a bundle from being one of anything else that the same key may
	// sign.
	domain = "tirewatch bundle\n"
)

// Refusals, in the order in which Decode checks.
var (
	ErrTooLarge     = errors.New("bundle is too large")
	ErrNotBundle    = errors.New("not a bundle")
	ErrTruncated    = errors.New("bundle is cut off")
	ErrUntrustedKey = errors.New("bundle is signed by a key that is not trusted")
	ErrBadSignature = errors.New("bundle was changed: its signature does not fit")
	ErrMalformed    = errors.New("malformed bundle")
)

// VersionError says that a bundle has a format that this program does not know.
type VersionError struct{ Have, Known uint32 }

func (e *VersionError) Error() string {
	return fmt.Sprintf("bundle has format version %d, this program knows %d", e.Have, e.Known)
}

// Encode validates b and makes the signed file. It brings Created and NotAfter to whole seconds of
// UTC, the precision of the file, and sets the ID.
func Encode(b *Bundle, key ed25519.PrivateKey) ([]byte, error) {
	b.Created, b.NotAfter = b.Created.UTC().Truncate(time.Second), b.NotAfter.UTC().Truncate(time.Second)
	if err := b.Validate(); err != nil {
		return nil, fmt.Errorf("encode bundle: %w", err)
	}
	if len(key) != ed25519.PrivateKeySize {
		return nil, fmt.Errorf("encode bundle: private key of %d bytes, want %d", len(key), ed25519.PrivateKeySize)
	}
	payload, err := b.MarshalMsg(nil)
	if err != nil {
		return nil, fmt.Errorf("encode bundle: %w", err)
	}
	if headerSize+len(payload)+ed25519.SignatureSize > MaxSize {
		return nil, fmt.Errorf("encode bundle: %w: %d MiB, the limit is %d", ErrTooLarge, len(payload)>>20, MaxSize>>20)
	}
	id := KeyID(key.Public().(ed25519.PublicKey))
	data := []byte(magic)
	data = binary.BigEndian.AppendUint32(data, version)
	data = append(data, id[:]...)
	data = binary.BigEndian.AppendUint32(data, uint32(len(payload)))
	data = append(data, payload...)
	data = append(data, ed25519.Sign(key, signed(data))...)
	b.identify(data, id)
	return data, nil
}

// Decode verifies data with the trusted keys, then reads and validates what is in it.
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

// Inspect reads data without verifying who made it. It serves to show people what a file says;
// never run a model that came this way.
func Inspect(data []byte) (*Bundle, error) {
	f, err := split(data)
	if err != nil {
		return nil, err
	}
	return f.parse()
}

// Write signs b and puts it at path, whole or not at all.
func Write(path string, b *Bundle, key ed25519.PrivateKey) error {
	data, err := Encode(b, key)
	if err != nil {
		return err
	}
	return durable.WriteFile(path, data, 0o644)
}

// Read decodes the bundle at path. See Decode.
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

// ReadFile reads the bytes of a bundle without looking at them. It stops at MaxSize, whatever the
// file.
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

// IsBundle tells whether data opens like a bundle.
func IsBundle(data []byte) bool { return bytes.HasPrefix(data, []byte(magic)) }

// file is a bundle taken apart by its header alone.
type file struct {
	data      []byte // all of it
	signer    Signer
	payload   []byte
	signature []byte
}

func split(data []byte) (*file, error) {
	if len(data) > MaxSize {
		return nil, fmt.Errorf("%w: %d MiB, the limit is %d", ErrTooLarge, len(data)>>20, MaxSize>>20)
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
	if v := binary.BigEndian.Uint32(h); v != version {
		return nil, &VersionError{Have: v, Known: version}
	}
	f := &file{data: data, signer: Signer(h[4:12])}
	n := int64(binary.BigEndian.Uint32(h[12:]))
	switch want := int64(headerSize) + n + ed25519.SignatureSize; {
	case int64(len(data)) < want:
		return nil, fmt.Errorf("%w: %d bytes of %d", ErrTruncated, len(data), want)
	case int64(len(data)) > want:
		return nil, fmt.Errorf("%w: %d bytes behind the signature", ErrMalformed, int64(len(data))-want)
	}
	f.payload = data[headerSize : headerSize+int(n)]
	f.signature = data[headerSize+int(n):]
	return f, nil
}

// verify looks for the signer among the trusted keys and checks the signature with that key.
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

// parse reads the payload. Behind a signature it may still be wrong, and it must not take the
// program down.
func (f *file) parse() (*Bundle, error) {
	if err := wire.Check(f.payload, maxElements); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	b := new(Bundle)
	if _, err := b.UnmarshalMsg(f.payload); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrMalformed, err)
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

// signed is the message that is signed for the bytes of a file up to its signature.
func signed(data []byte) []byte { return append([]byte(domain), data...) }

// maxElements bounds every array: none in a bundle is longer than a layer has channels.
const maxElements = 4096
