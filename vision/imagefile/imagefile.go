// Package imagefile reads pictures that people bring: photographs from telephones, cameras and the
// web, whole or broken.
//
//	image file -> IMAGEFILE -> frame -> preprocess -> network
//
// Every command that takes image files reads them here, so that trainer and station see the same
// pixels of the same file. Newcomers need Read, which gives a frame or an error that names the file
// and says what to do, and IsImageName, which finds the images of a folder.
package imagefile

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	_ "image/gif"
	_ "image/jpeg"
	_ "image/png"

	_ "golang.org/x/image/bmp"
	_ "golang.org/x/image/tiff"
	_ "golang.org/x/image/webp"

	"tirewatch/vision/frame"
)

// What can be wrong with an image file. An error of this package that is about the content wraps
// exactly one of them.
var (
	ErrEmpty      = errors.New("empty file")
	ErrNotImage   = errors.New("not an image that this program knows")
	ErrTooLarge   = errors.New("image too large")
	ErrUnreadable = errors.New("damaged image")
)

// MaxPixels is the largest image that is decoded, 64 megapixels: more than any camera for this work
// has, and little enough that a file that lies about its size cannot take all memory of a Pi.
const MaxPixels = 64_000_000

// maxBytes holds the largest image in the most wasteful format, 16-bit RGBA without compression,
// and its metadata.
const maxBytes = 8*MaxPixels + 16<<20

// extensions are the usual names of the formats that Read knows.
var extensions = []string{
	".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".gif", ".bmp", ".dib", ".tif", ".tiff", ".webp",
}

// IsImageName says whether a file of this name should hold an image that Read knows. Hidden files
// do not count: cameras and other systems leave ".photo.jpg" and "._photo.jpg" beside the
// photograph.
func IsImageName(name string) bool {
	base := filepath.Base(name)
	return !strings.HasPrefix(base, ".") && slices.Contains(extensions, strings.ToLower(filepath.Ext(base)))
}

// Read decodes the image file at path: JPEG, PNG, GIF (first frame), BMP, TIFF or WebP, recognised
// by content and not by name. JPEG files are turned as their EXIF orientation says. The frame's
// Name is the base name of path.
//
// Errors of the content wrap ErrEmpty, ErrNotImage, ErrTooLarge or ErrUnreadable; others come from
// the file system.
func Read(path string) (*frame.Frame, error) { return readAs(path, Decode) }

// ReadGray is Read for those who want no colours, see DecodeGray. It takes a quarter of the memory.
func ReadGray(path string) (*frame.Frame, error) { return readAs(path, DecodeGray) }

func readAs(path string, decode func(r io.Reader, name string) (*frame.Frame, error)) (*frame.Frame, error) {
	// Stat comes first because opening a named pipe would wait for a writer.
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("read image: %w", err)
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s: %w: it is no regular file; name an image file", path, ErrNotImage)
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read image: %w", err)
	}
	defer file.Close()
	f, err := decode(file, path)
	if err != nil {
		return nil, err
	}
	f.Name = filepath.Base(path)
	return f, nil
}

// Decode is Read for content that is not a file. The name stands in errors and in the frame.
func Decode(r io.Reader, name string) (*frame.Frame, error) {
	return decodeAs(r, name, frame.FromImage)
}

// DecodeGray is Decode for those who want no colours: the frame is grey, as frame.Gray would make
// it, and sooner made.
func DecodeGray(r io.Reader, name string) (*frame.Frame, error) {
	return decodeAs(r, name, frame.GrayFromImage)
}

func decodeAs(r io.Reader, name string, fromImage func(image.Image) *frame.Frame) (*frame.Frame, error) {
	data, err := io.ReadAll(io.LimitReader(r, maxBytes+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("read image %s: %w", name, err)
	case len(data) == 0:
		return nil, fmt.Errorf("%s: %w: copy it again from the camera, or remove it", name, ErrEmpty)
	case len(data) > maxBytes:
		return nil, fmt.Errorf("%s: %w: more than %d MB; save it smaller", name, ErrTooLarge, maxBytes/1_000_000)
	}
	f, err := decode(data, fromImage)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	f.Name = name
	return f, nil
}

// decode makes a frame of a whole file. The size is judged from the header, before anything of that
// size is allocated.
func decode(data []byte, fromImage func(image.Image) *frame.Frame) (f *frame.Frame, err error) {
	// The decoders are written for the wide world and still panic on some broken files; one bad
	// photograph must not end a training run or stop a belt.
	defer func() {
		if p := recover(); p != nil {
			f, err = nil, fmt.Errorf("%w: the decoder gave up (%v); copy it again from the camera, or remove it", ErrUnreadable, p)
		}
	}()

	config, format, err := image.DecodeConfig(bytes.NewReader(data))
	if errors.Is(err, image.ErrFormat) {
		return nil, fmt.Errorf("%w: %s", ErrNotImage, foreign(data))
	}
	if err != nil {
		return nil, unreadable(err)
	}
	if w, h := int64(config.Width), int64(config.Height); w > MaxPixels || h > MaxPixels || w*h > MaxPixels {
		return nil, fmt.Errorf("%w: %d x %d px, the limit is %d megapixels; save it smaller", ErrTooLarge, w, h, MaxPixels/1_000_000)
	}
	img, _, err := image.Decode(bytes.NewReader(data))
	if err != nil {
		return nil, unreadable(err)
	}
	if img.Bounds().Empty() {
		return nil, unreadable(errors.New("it has no pixels"))
	}
	f = fromImage(img)
	if format == "jpeg" {
		f = orient(f, exifOrientation(data))
	}
	return f, nil
}

func unreadable(err error) error {
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		return fmt.Errorf("%w: the file ends too early; copy it again from the camera, or remove it", ErrUnreadable)
	}
	return fmt.Errorf("%w: %w; save it again as JPEG or PNG, or remove it", ErrUnreadable, err)
}

// foreign says what to do with content that no decoder claims. HEIC is what iPhones write, so it is
// named.
func foreign(data []byte) string {
	if len(data) >= 12 && string(data[4:8]) == "ftyp" {
		switch string(data[8:12]) {
		case "heic", "heix", "hevc", "heim", "heis", "mif1", "msf1":
			return "it is a HEIC photograph; export it as JPEG (iPhone: Settings, Camera, Formats, Most Compatible)"
		case "avif", "avis":
			return "it is an AVIF image; save it as JPEG or PNG"
		}
		return "it is a video; play it as a camera source instead, or save single pictures of it"
	}
	return "known are JPEG, PNG, GIF, BMP, TIFF and WebP; convert it, or remove it"
}
