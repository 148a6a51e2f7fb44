package journal

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
)

// SQLite reads its write-ahead log up to the first frame whose checksum does not fit and takes the
// rest for the unfinished end of a power cut. When a frame in the middle has rotted, every verdict
// behind it vanishes without an error, quick_check is content, and their numbers would be given
// again. The same holds for a log that is gone. So the log is looked at before SQLite does.
//
//	header  magic 0x377f0682 or ..83 (4), version (4), page size (4), checkpoint (4), salts (8), checksums (8)
//	frame   page (4), size of the database after a commit, else 0 (4), salts (8), checksums (8), the page
//
// All numbers are big endian. Checksums run on from frame to frame; the salts change when the log
// begins again at its start, so frames of an earlier round are told by them. Source: "WAL-mode File
// Format", sqlite.org/walformat.html.
const (
	logHeader   = 32
	frameHeader = 24
)

// logLost says why verdicts that were stored may be missing from the log, "" when they are not.
// unclean says that the last run did not end with Close, so that there must be a log.
//
// A power cut leaves the frames of one transaction, the one that was being written. Two or more
// that follow one another behind a broken frame were synced and are lost. A single one cannot be
// told from the power cut, and is taken for it.
func (j *Journal) logLost(unclean bool) (why string, err error) {
	f, err := os.Open(j.path + "-wal")
	if errors.Is(err, fs.ErrNotExist) {
		if unclean {
			return "the write-ahead log is gone", nil
		}
		return "", nil
	}
	if err != nil {
		return "", err
	}
	defer f.Close()
	// an interrupted start has made another
	if info, err := f.Stat(); err == nil && info.Size() == 0 && unclean {
		return "the write-ahead log is gone", nil
	}
	commits, err := commitsAfterBreak(f)
	switch {
	case err != nil:
		return "", fmt.Errorf("read the write-ahead log: %w", err)
	case commits >= 2:
		return fmt.Sprintf("the write-ahead log is damaged: %d changes behind the damage are lost", commits), nil
	}
	return "", nil
}

// commitsAfterBreak counts the transactions of the log's present round that SQLite is not going to
// find. Only those count together whose frames continue one another's checksums. A start after a
// power cut writes over the unfinished transaction from its first frame on, and when it is cut
// short as well, the rest of the first still stands behind it: ends of two transactions, of which
// neither was ever finished.
func commitsAfterBreak(r io.Reader) (int, error) {
	header := make([]byte, logHeader)
	if _, err := io.ReadFull(r, header); err != nil {
		return 0, ignoreEOF(err)
	}
	order := binary.ByteOrder(binary.LittleEndian) // of the words that are summed
	switch binary.BigEndian.Uint32(header) {
	case 0x377f0683:
		order = binary.BigEndian
	case 0x377f0682:
	default:
		return 0, nil // no log has begun here
	}
	size := binary.BigEndian.Uint32(header[8:])
	if size < 512 || size > 1<<16 {
		return 0, nil
	}
	before := sumsAt(header[24:]) // as it is written in front of the next frame
	intact := before == logSum(order, [2]uint32{}, header[:24])
	most, row := 0, 0 // commits of a row of frames
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

// logSum is the checksum of the log, continued over b.
func logSum(order binary.ByteOrder, s [2]uint32, b []byte) [2]uint32 {
	for ; len(b) >= 8; b = b[8:] {
		s[0] += order.Uint32(b) + s[1]
		s[1] += order.Uint32(b[4:]) + s[0]
	}
	return s
}
