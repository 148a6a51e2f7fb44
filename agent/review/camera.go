package review

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/jpeg"
	"io/fs"
	"os"
	"path/filepath"

	"tirewatch/vision/frame"
	"tirewatch/vision/preprocess"
)

// CameraFolder is the subfolder of the pictures of the camera:
//
//	camera/000000000012.jpg   the tire of crop 000000000012.png, wherever that file is
//
// A crop is what today's network saw: small and grey. The next network may want more, so the tire's
// region is kept as the camera sent it. A picture never moves, so that labelling stays the rename
// of one file. It is deleted with its crop. Without one, the crop is as useful as before.
const CameraFolder = "camera"

const (
	maxCameraSide = 1280 // px: the long side of a picture
	cameraQuality = 92   // of JPEG, 1 to 100
)

// CameraName returns the file name of the camera's picture for a verdict.
func CameraName(seq uint64) string { return numbered(seq, ".jpg") }

// ParseCameraName parses a CameraName; ok is false for other names.
func ParseCameraName(name string) (seq uint64, ok bool) {
	return parseNumbered(name, ".jpg")
}

// EncodeCamera returns the region of a tire as JPEG with a long side of at most 1,280 px. It is
// grey if the frame is grey.
func EncodeCamera(region *frame.Frame) ([]byte, error) {
	if err := region.Validate(); err != nil {
		return nil, err
	}
	img := region.Image()
	if long := max(region.Width, region.Height); long > maxCameraSide {
		var err error
		img, err = shrink(region, preprocess.Spec{Filter: preprocess.FilterTriangle,
			Width: max(1, region.Width*maxCameraSide/long), Height: max(1, region.Height*maxCameraSide/long)})
		if err != nil {
			return nil, err
		}
	}
	var b bytes.Buffer
	if err := jpeg.Encode(&b, img, &jpeg.Options{Quality: cameraQuality}); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// shrink scales a region as the network's input is scaled, each colour on its own: a thin crack
// becomes faint and does not vanish. The scaler of golang.org/x/image/draw would take 32 bytes for
// every column of the result in every row of the source: 120 MB for a camera of 12 megapixels.
func shrink(f *frame.Frame, to preprocess.Spec) (image.Image, error) {
	size := image.Rect(0, 0, to.Width, to.Height)
	plane := make([]byte, to.Size())
	if f.Format == frame.Gray {
		return &image.Gray{Pix: plane, Stride: to.Width, Rect: size}, to.Apply(plane, f, f.Bounds())
	}
	img := image.NewRGBA(size)
	one := frame.NewGray(f.Width, f.Height)
	for c := range 3 {
		channel(one, f, c)
		if err := to.Apply(plane, one, one.Bounds()); err != nil {
			return nil, err
		}
		at := c
		if f.Format == frame.BGR {
			at = 2 - c
		}
		for i, v := range plane {
			img.Pix[4*i+at], img.Pix[4*i+3] = v, 255
		}
	}
	return img, nil
}

// channel copies byte c of each pixel of f into the grey frame dst.
func channel(dst, f *frame.Frame, c int) {
	n := f.Format.Channels()
	for y := range f.Height {
		src := f.Pix[y*f.Stride:][:f.Width*n]
		for x := range f.Width {
			dst.Pix[y*dst.Stride+x] = src[x*n+c]
		}
	}
}

// Camera returns the path of the camera's picture of a verdict, or ErrGone if there is none.
func (q *Queue) Camera(seq uint64) (path string, err error) {
	path = filepath.Join(q.dir, CameraFolder, CameraName(seq))
	_, err = os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		err = ErrGone
	}
	if err != nil {
		return "", fmt.Errorf("camera picture of verdict %d: %w", seq, err)
	}
	return path, nil
}
