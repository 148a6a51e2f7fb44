package review

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"image"
	"image/png"
	"io"
	"os"
)

// A crop is a grey PNG of the network's input bytes. The note about it is a text chunk before the
// pixels:
//
//	signature (8)  IHDR chunk (25)  iTXt chunk  IDAT ...
//
//	chunk  length of data (4, big endian), type (4), data, CRC-32 of type and data (4)
//	iTXt   keyword "tirewatch", 0, no compression (0, 0), no language (0),
//	       no translated keyword (0), JSON
//
// Other programs ignore the text. Source: ISO/IEC 15948, 5.3 and 11.3.4.5.
const (
	signature = "\x89PNG\r\n\x1a\n"
	afterIHDR = len(signature) + 25
	keyword   = "tirewatch\x00\x00\x00\x00\x00"
	maxNote   = 4096 // bytes of the file within which the note must end
)

// ErrNoNote means that a crop has no note: an older station or another program wrote it.
var ErrNoNote = errors.New("the crop has no note")

// compressor is reused for each crop: a new one takes 1.5 MB. The garbage collector would empty a
// sync.Pool, and sparing it is the purpose.
var compressor = make(bufferPool, 1)

type bufferPool chan *png.EncoderBuffer

func (p bufferPool) Get() *png.EncoderBuffer {
	select {
	case b := <-p:
		return b
	default:
		return nil // Encode makes one
	}
}

func (p bufferPool) Put(b *png.EncoderBuffer) {
	select {
	case p <- b:
	default: // the pool is full
	}
}

// Encode returns the file of a crop: pix holds rows of width px, one byte each. It sets p.Input.
func Encode(pix []byte, width int, p Picture) ([]byte, error) {
	var plain bytes.Buffer
	img := &image.Gray{Pix: pix, Stride: width, Rect: image.Rect(0, 0, width, len(pix)/width)}
	encoder := png.Encoder{CompressionLevel: png.BestSpeed, BufferPool: compressor}
	if err := encoder.Encode(&plain, img); err != nil {
		return nil, err
	}
	sum := sha256.Sum256(pix)
	p.Input = hex.EncodeToString(sum[:])
	note, err := json.Marshal(p)
	if err != nil {
		return nil, err
	}
	chunk := append([]byte("iTXt"+keyword), note...)
	if afterIHDR+len(chunk)+8 > maxNote {
		return nil, fmt.Errorf("the note of crop %d is too long: %d bytes", p.Seq, len(note))
	}
	file := bytes.Clone(plain.Bytes()[:afterIHDR])
	file = binary.BigEndian.AppendUint32(file, uint32(len(chunk)-4))
	file = append(file, chunk...)
	file = binary.BigEndian.AppendUint32(file, crc32.ChecksumIEEE(chunk))
	return append(file, plain.Bytes()[afterIHDR:]...), nil
}

// readNote reads the note of a file.
func readNote(path string) (Picture, error) {
	f, err := os.Open(path)
	if err != nil {
		return Picture{}, err
	}
	defer f.Close()
	head, err := io.ReadAll(io.LimitReader(f, maxNote))
	if err != nil {
		return Picture{}, err
	}
	return parseNote(head)
}

// parseNote finds the note in the first bytes of a file.
func parseNote(head []byte) (p Picture, err error) {
	if !bytes.HasPrefix(head, []byte(signature)) || len(head) < afterIHDR+8 {
		return p, ErrNoNote
	}
	size, rest := binary.BigEndian.Uint32(head[afterIHDR:]), head[afterIHDR+4:]
	if size > maxNote || len(rest) < int(size)+8 {
		return p, ErrNoNote
	}
	chunk := rest[:4+size]
	note, ok := bytes.CutPrefix(chunk, []byte("iTXt"+keyword))
	if !ok || crc32.ChecksumIEEE(chunk) != binary.BigEndian.Uint32(rest[4+size:]) {
		return p, ErrNoNote
	}
	if err := json.Unmarshal(note, &p); err != nil {
		return Picture{}, fmt.Errorf("%w: %v", ErrNoNote, err)
	}
	return p, nil
}
