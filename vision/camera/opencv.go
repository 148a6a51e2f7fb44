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

// hasOpenCV says whether cameras and videos can be opened.
const hasOpenCV = true

// capture is an OpenCV VideoCapture. Its Mat lives in C memory; grab copies out of it, so that
// frames are ordinary Go values.
type capture struct {
	loc  Location
	vc   *gocv.VideoCapture
	mat  gocv.Mat
	read uint64 // pictures read
}

// backends maps a kind to OpenCV's. The one is named and not guessed: OpenCV's own order tries
// GStreamer for a device first, where the properties below have other units.
var backends = map[Kind]gocv.VideoCaptureAPI{
	V4L2:      gocv.VideoCaptureV4L2,
	GStreamer: gocv.VideoCaptureGstreamer,
	RTSP:      gocv.VideoCaptureFFmpeg,
	File:      gocv.VideoCaptureAny,
}

const ffmpegOptions = "OPENCV_FFMPEG_CAPTURE_OPTIONS"

// openCapture opens a camera, stream or video and gives the frames per second that it claims, 0
// when it claims none.
func openCapture(o Options) (grabber, float64, error) {
	api, ok := backends[o.Source.Kind]
	if !ok {
		return nil, 0, fmt.Errorf("%w %q", ErrLocation, o.Source)
	}
	if err := checkReachable(o.Source); err != nil {
		return nil, 0, err
	}
	if o.Source.Kind == RTSP && o.LowLatency {
		// The only way in that OpenCV has. TCP is its own default, which setting anything here
		// would undo; whoever set it from outside knows better.
		if _, set := os.LookupEnv(ffmpegOptions); !set {
			if err := os.Setenv(ffmpegOptions, "rtsp_transport;tcp|fflags;nobuffer|flags;low_delay"); err != nil {
				return nil, 0, err
			}
		}
	}
	vc, err := gocv.VideoCaptureFileWithAPI(o.Source.Target, api)
	if err != nil {
		vc.Close()
		// OpenCV's text repeats the target, and with it the password of a network camera.
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

// configure asks the camera for what the options wish. The order matters: the pixel format decides
// which sizes exist, the size which rates. Exposure and its like are not OpenCV's business: it
// neither tells the range nor says whether the camera took a value (opencv#9738).
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
			return fmt.Errorf("read %s: %w: no picture in it that OpenCV can decode", c.loc, ErrRead)
		}
		return io.EOF
	}
	c.read++
	return copyMat(f, &c.mat)
}

// copyMat copies the picture into the frame's buffer, which grows when the picture does.
func copyMat(f *frame.Frame, m *gocv.Mat) error {
	switch m.Type() {
	case gocv.MatTypeCV8UC3:
		f.Format = frame.BGR
	case gocv.MatTypeCV8UC1:
		f.Format = frame.Gray
	default:
		return fmt.Errorf("%w: pixel type %d, want 8 bit with 1 or 3 channels", ErrRead, m.Type())
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
