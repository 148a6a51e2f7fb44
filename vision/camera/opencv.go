//go:build opencv

package camera

import (
	"errors"
	"fmt"
	"io"
	"os"

	"gocv.io/x/gocv"

	"tirewatch/vision/frame"
)

// hasOpenCV reports whether cameras and videos can be opened.
const hasOpenCV = true

// capture is an OpenCV VideoCapture. Its Mat is in C memory. grab copies from it, so that frames
// are ordinary Go values.
type capture struct {
	loc  Location
	vc   *gocv.VideoCapture
	mat  gocv.Mat
	read uint64 // images read
}

// backends maps a kind to the OpenCV backend. It is fixed because OpenCV's own order tries
// GStreamer first for a device, where the properties below have other units.
var backends = map[Kind]gocv.VideoCaptureAPI{
	V4L2:      gocv.VideoCaptureV4L2,
	GStreamer: gocv.VideoCaptureGstreamer,
	RTSP:      gocv.VideoCaptureFFmpeg,
	File:      gocv.VideoCaptureAny,
}

const ffmpegOptions = "OPENCV_FFMPEG_CAPTURE_OPTIONS"

// openCapture opens a camera, stream or video and returns the frames per second that it states, 0
// if it states none.
func openCapture(o Options) (grabber, float64, error) {
	api, ok := backends[o.Source.Kind]
	if !ok {
		return nil, 0, fmt.Errorf("%w %q", ErrLocation, o.Source)
	}
	if err := checkReachable(o.Source); err != nil {
		return nil, 0, err
	}
	if o.Source.Kind == RTSP && o.LowLatency {
		// OpenCV offers only this variable. TCP is OpenCV's default, but any value here replaces
		// it. A value that the user has set is kept.
		if _, set := os.LookupEnv(ffmpegOptions); !set {
			if err := os.Setenv(ffmpegOptions, "rtsp_transport;tcp|fflags;nobuffer|flags;low_delay"); err != nil {
				return nil, 0, err
			}
		}
	}
	vc, err := gocv.VideoCaptureFileWithAPI(o.Source.Target, api)
	if err != nil {
		vc.Close()
		// OpenCV's text contains the target, and with it the password of a network camera.
		return nil, 0, openError(o.Source, errors.New("OpenCV cannot open it"))
	}
	if o.Source.Kind == V4L2 {
		configure(vc, o)
		if err := applyControls(o.Source.Target, o.Controls); err != nil {
			vc.Close()
			return nil, 0, fmt.Errorf("open %s: %w", o.Source, err)
		}
	}
	return &capture{loc: o.Source, vc: vc, mat: gocv.NewMat()}, vc.Get(gocv.VideoCaptureFPS), nil
}

// configure requests the options from the camera. The order matters: the pixel format decides which
// sizes exist, and the size decides which rates. Exposure and the other Controls are not set with
// OpenCV: it reports neither their range nor whether the camera accepted a value (opencv#9738).
func configure(vc *gocv.VideoCapture, o Options) {
	if o.FourCC != "" {
		vc.Set(gocv.VideoCaptureFOURCC, vc.ToCodec(o.FourCC))
	}
	if o.Width > 0 && o.Height > 0 {
		vc.Set(gocv.VideoCaptureFrameWidth, float64(o.Width))
		vc.Set(gocv.VideoCaptureFrameHeight, float64(o.Height))
	}
	if o.FPS > 0 {
		vc.Set(gocv.VideoCaptureFPS, o.FPS)
	}
}

func (c *capture) grab(f *frame.Frame) error {
	if !c.vc.Read(&c.mat) || c.mat.Empty() {
		switch {
		case c.loc.Live():
			return fmt.Errorf("%w: %s", ErrRead, c.loc)
		case c.read == 0:
			return fmt.Errorf("read %s: %w: OpenCV cannot decode any image in it", c.loc, ErrRead)
		}
		return io.EOF
	}
	c.read++
	return copyMat(f, &c.mat)
}

// copyMat copies the image into the frame's buffer and enlarges the buffer if needed.
func copyMat(f *frame.Frame, m *gocv.Mat) error {
	switch m.Type() {
	case gocv.MatTypeCV8UC3:
		f.Format = frame.BGR
	case gocv.MatTypeCV8UC1:
		f.Format = frame.Gray
	default:
		return fmt.Errorf("%w: OpenCV pixel type %d, want 8 bits and 1 or 3 channels", ErrRead, m.Type())
	}
	pix, err := m.DataPtrUint8()
	if err != nil {
		return fmt.Errorf("%w: %v", ErrRead, err)
	}
	f.Pix = append(f.Pix[:0], pix...)
	f.Width, f.Height = m.Cols(), m.Rows()
	f.Stride = f.Width * f.Format.Channels()
	return f.Validate()
}

func (c *capture) close() error { return errors.Join(c.mat.Close(), c.vc.Close()) }
