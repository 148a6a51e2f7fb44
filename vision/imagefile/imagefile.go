// Package imagefile reads image files: photographs from telephones, cameras and the web, whole or
// damaged.
//
//	image file -> IMAGEFILE -> frame -> preprocess -> network
//
// Every command that takes image files reads them here, so that trainer and station see the same
// pixels of the same file. Start with [Read], which returns a frame, or an error that names the
// file and says what to do, and [IsImageName], which finds the images of a folder.
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

// Problems of an image file. An error about the content of a file wraps exactly one of them.
var (
	ErrEmpty      = errors.New("empty file")
	ErrNotImage   = errors.New("not an image in a known format")
	ErrTooLarge   = errors.New("image too large")
	ErrUnreadable = errors.New("damaged image")
)

// MaxPixels is the size of the largest image that is decoded, 64 megapixels. No camera for this
// work has more, and a file with a wrong size in its header cannot take all memory of a Pi.
const MaxPixels = 64_000_000

// maxBytes is enough for the largest image in the least compact format, 16-bit RGBA without
// compression, and its metadata.
const maxBytes = 8*MaxPixels + 16<<20

// extensions are the usual file name extensions of the formats that Read knows.
var extensions = []string{
	".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".gif", ".bmp", ".dib", ".tif", ".tiff", ".webp",
}

// IsImageName reports whether a file with this name should hold an image that Read knows. Hidden
// files do not count: cameras and other systems leave ".photo.jpg" and "._photo.jpg" beside the
// photograph.
func IsImageName(name string) bool {
	base := filepath.Base(name)
	return !strings.HasPrefix(base, ".") && slices.Contains(extensions, strings.ToLower(filepath.Ext(base)))
}

// Read decodes the image file at path: JPEG, PNG, GIF (first frame), BMP, TIFF or WebP, recognised
// by content and not by name. It turns a JPEG image as its EXIF orientation says. The frame's Name
// is the base name of path.
//
// Errors about the content wrap ErrEmpty, ErrNotImage, ErrTooLarge or ErrUnreadable. Other errors
// are those of the file system.
func Read(path string) (*frame.Frame, error) { return readAs(path, Decode) }

// ReadGray is Read without colours, see DecodeGray. It needs a quarter of the memory.
func ReadGray(path string) (*frame.Frame, error) { return readAs(path, DecodeGray) }

func readAs(path string, decode func(r io.Reader, name string) (*frame.Frame, error)) (*frame.Frame, error) {
	// Stat is called first because opening a named pipe would wait for a writer.
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("read image: %w", err)
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s: %w: not a regular file; give the path of an image file", path, ErrNotImage)
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

// Decode is Read for content that is not a file. The name is used in errors and in the frame.
func Decode(r io.Reader, name string) (*frame.Frame, error) {
	return decodeAs(r, name, frame.FromImage)
}

// DecodeGray is Decode without colours: the frame is grey, with the pixels of Frame.Gray, and takes
// less time.
func DecodeGray(r io.Reader, name string) (*frame.Frame, error) {
	return decodeAs(r, name, frame.GrayFromImage)
}

func decodeAs(r io.Reader, name string, fromImage func(image.Image) *frame.Frame) (*frame.Frame, error) {
	data, err := io.ReadAll(io.LimitReader(r, maxBytes+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("read image %s: %w", name, err)
	case len(data) == 0:
		return nil, fmt.Errorf("%s: %w; copy it again from the camera, or remove it", name, ErrEmpty)
	case len(data) > maxBytes:
		return nil, fmt.Errorf("%s: %w: more than %d MB; save it with fewer pixels",
			name, ErrTooLarge, maxBytes/1_000_000)
	}
	f, err := decode(data, fromImage)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	f.Name = name
	return f, nil
}

// decode makes a frame from a whole file. It checks the size in the header before it allocates
// anything of that size.
func decode(data []byte, fromImage func(image.Image) *frame.Frame) (f *frame.Frame, err error) {
	// The decoders still panic on some damaged files. One bad photograph must not end a training
	// run or stop a belt.
	defer func() {
		if p := recover(); p != nil {
			f, err = nil, fmt.Errorf("%w: the decoder failed (%v); copy it again from the camera, or remove it",
				ErrUnreadable, p)
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
		return nil, fmt.Errorf("%w: %d x %d px, the limit is %d megapixels; save it with fewer pixels",
			ErrTooLarge, w, h, MaxPixels/1_000_000)
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

// foreign says what to do with content that no decoder knows. iPhones write HEIC, so it is named.
func foreign(data []byte) string {
	if len(data) >= 12 && string(data[4:8]) == "ftyp" {
		switch string(data[8:12]) {
		case "heic", "heix", "hevc", "heim", "heis", "mif1", "msf1":
			return "it is a HEIC photograph; export it as JPEG " +
				"(on an iPhone: Settings, Camera, Formats, Most Compatible)"
		case "avif", "avis":
			return "it is an AVIF image; save it as JPEG or PNG"
		}
		return "it is a video; use it as a camera source (file:VIDEO), or save single images from it"
	}
	return "the known formats are JPEG, PNG, GIF, BMP, TIFF and WebP; convert it, or remove it"
}
