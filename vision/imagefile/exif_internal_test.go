package imagefile

import (
	"bytes"
	"encoding/binary"
	"testing"
)

// With any metadata, the walk ends and returns one of the eight values.
func FuzzExif(f *testing.F) {
	f.Add([]byte("\xff\xd8\xff\xe1\x00\x20Exif\x00\x00II*\x00\x08\x00\x00\x00\x01\x00\x12\x01\x03\x00\x01\x00\x00\x00\x06\x00\x00\x00"))
	f.Add([]byte("\xff\xd8\xff\xff\xff\xff\xe1\x00\x02"))
	f.Add(binary.BigEndian.AppendUint64([]byte("\xff\xd8\xff\xe1\xff\xffExif\x00\x00MM\x00*"), 1<<63-1))
	f.Fuzz(func(t *testing.T, data []byte) {
		before := bytes.Clone(data)
		if o := exifOrientation(data); o < 1 || o > 8 {
			t.Errorf("orientation %d", o)
		}
		if !bytes.Equal(before, data) {
			t.Error("the file was changed")
		}
	})
}
