package imagefile

import (
	"bytes"
	"encoding/binary"
)

// orientation is the EXIF tag 0x0112. It says how the stored image must be turned to look as it was
// taken.
//
//	1 as stored   2 mirrored left-right   3 turned by 180   4 mirrored top-bottom
//	5 transposed  6 turn 90 clockwise     7 transverse      8 turn 90 counter-clockwise
type orientation uint16

const asStored orientation = 1

// JPEG markers and EXIF numbers, from ITU-T T.81 table B.1 and the EXIF 2.3 standard (JEITA
// CP-3451C), 4.6.
const (
	markerTEM  = 0x01
	markerRST0 = 0xd0
	markerSOI  = 0xd8
	markerEOI  = 0xd9
	markerSOS  = 0xda
	markerAPP1 = 0xe1

	tagOrientation = 0x0112
	typeShort      = 3
	ifdEntrySize   = 12 // tag, type, count, value
)

var exifHeader = []byte("Exif\x00\x00")

// exifOrientation returns the orientation in a JPEG file. Without the tag, or with damaged
// metadata, it returns asStored: the image itself may still be good.
func exifOrientation(jpeg []byte) orientation {
	if len(jpeg) < 2 || jpeg[0] != 0xff || jpeg[1] != markerSOI {
		return asStored
	}
	p := jpeg[2:]
	for len(p) >= 4 && p[0] == 0xff {
		marker := p[1]
		switch {
		case marker == 0xff: // fill byte
			p = p[1:]
			continue
		case marker == markerTEM || marker >= markerRST0 && marker <= markerSOI: // without a body
			p = p[2:]
			continue
		case marker == markerSOS || marker == markerEOI: // metadata precedes the image data
			return asStored
		}
		n := int(binary.BigEndian.Uint16(p[2:])) // includes its own two bytes
		if n < 2 || 2+n > len(p) {
			return asStored
		}
		if body := p[4 : 2+n]; marker == markerAPP1 && bytes.HasPrefix(body, exifHeader) {
			return tiffOrientation(body[len(exifHeader):])
		}
		p = p[2+n:]
	}
	return asStored
}

// tiffOrientation reads the tag from the first directory of the TIFF structure in EXIF:
//
//	header:    "II*\0" or "MM\0*", offset of the directory (4 bytes)
//	directory: count (2 bytes), entries of 12 bytes
func tiffOrientation(b []byte) orientation {
	if len(b) < 8 {
		return asStored
	}
	var order binary.ByteOrder
	switch string(b[:4]) {
	case "II*\x00":
		order = binary.LittleEndian
	case "MM\x00*":
		order = binary.BigEndian
	default:
		return asStored
	}
	at := uint64(order.Uint32(b[4:]))
	if at+2 > uint64(len(b)) {
		return asStored
	}
	entries := b[at+2:]
	for range order.Uint16(b[at:]) {
		if len(entries) < ifdEntrySize {
			return asStored
		}
		e := entries[:ifdEntrySize]
		if order.Uint16(e) == tagOrientation {
			if o := orientation(order.Uint16(e[8:])); order.Uint16(e[2:]) == typeShort && o >= 1 && o <= 8 {
				return o
			}
			return asStored
		}
		entries = entries[ifdEntrySize:]
	}
	return asStored
}
