package journal

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
)

// SQLite reads its write-ahead log up to the first frame with a wrong checksum and takes the rest
// for the unfinished end of a power cut. If a frame in the middle is corrupt, every later verdict
// vanishes without an error, quick_check reports ok, and their numbers would be used again. The
// same happens when the log is missing. So the journal checks the log before SQLite opens it.
//
//	header  magic 0x377f0682 or ..83 (4), version (4), page size (4), checkpoint (4), salts (8),
//	        checksums (8)
//	frame   page number (4), size of the database after a commit, otherwise 0 (4), salts (8),
//	        checksums (8), the page
//
// All numbers are big endian. Each checksum continues that of the frame before. The salts change
// when the log starts again at its beginning, so they mark the frames of an earlier round. Source:
// "WAL-mode File Format", sqlite.org/walformat.html.
const (
	logHeader   = 32
	frameHeader = 24
)

// logLost returns why stored verdicts may be missing from the log, "" if none are. unclean means
// that the last run did not end with Close, so there must be a log.
//
// A power cut leaves the frames of one unfinished transaction. Two or more transactions after a
// broken frame were synced, so they are lost. A single one looks the same as the power cut and is
// taken for it.
func (j *Journal) logLost(unclean bool) (why string, err error) {
	f, err := os.Open(j.path + "-wal")
	if errors.Is(err, fs.ErrNotExist) {
		if unclean {
			return "the write-ahead log is missing", nil
		}
		return "", nil
	}
	if err != nil {
		return "", err
	}
	defer f.Close()
	// an interrupted start has created a new, empty log
	if info, err := f.Stat(); err == nil && info.Size() == 0 && unclean {
		return "the write-ahead log is missing", nil
	}
	commits, err := commitsAfterBreak(f)
	switch {
	case err != nil:
		return "", fmt.Errorf("read the write-ahead log: %w", err)
	case commits >= 2:
		return fmt.Sprintf("the write-ahead log is damaged: %d changes after the damage are lost", commits), nil
	}
	return "", nil
}

// commitsAfterBreak counts the transactions of the log's current round that SQLite will not find.
// It returns the longest row of commits whose frames continue one another's checksums. Single ones
// prove nothing: a start after a power cut overwrites the unfinished transaction from its first
// frame on. If that write is cut as well, the rest of the first transaction remains after it: the
// ends of two transactions, and neither was ever finished.
func commitsAfterBreak(r io.Reader) (int, error) {
	header := make([]byte, logHeader)
	if _, err := io.ReadFull(r, header); err != nil {
		return 0, ignoreEOF(err)
	}
	order := binary.ByteOrder(binary.LittleEndian) // of the summed words
	switch binary.BigEndian.Uint32(header) {
	case 0x377f0683:
		order = binary.BigEndian
	case 0x377f0682:
	default:
		return 0, nil // not a log
	}
	size := binary.BigEndian.Uint32(header[8:])
	if size < 512 || size > 1<<16 {
		return 0, nil
	}
	before := sumsAt(header[24:]) // the checksums that precede the next frame
	intact := before == logSum(order, [2]uint32{}, header[:24])
	most, row := 0, 0 // commits in a row of continuous frames
	for frame := make([]byte, frameHeader+size); ; {
		if _, err := io.ReadFull(r, frame); err != nil {
			return most, ignoreEOF(err)
		}
		present := string(frame[8:16]) == string(header[16:24])
		sum := sumsAt(frame[16:])
		continues := present && sum == logSum(order, logSum(order, before, frame[:8]), frame[frameHeader:])
		intact, before = intact && continues, sum
		if intact {
			continue
		}
		if !continues {
			row = 0
		}
		if present && binary.BigEndian.Uint32(frame[4:]) != 0 {
			row++
		}
		most = max(most, row)
	}
}

// sumsAt reads the checksums at the start of b.
func sumsAt(b []byte) [2]uint32 {
	return [2]uint32{binary.BigEndian.Uint32(b), binary.BigEndian.Uint32(b[4:])}
}

func ignoreEOF(err error) error {
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		return nil
	}
	return err
}

// logSum continues the log's checksum s over b.
func logSum(order binary.ByteOrder, s [2]uint32, b []byte) [2]uint32 {
	for ; len(b) >= 8; b = b[8:] {
		s[0] += order.Uint32(b) + s[1]
		s[1] += order.Uint32(b[4:]) + s[0]
	}
	return s
}
