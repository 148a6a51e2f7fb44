// Package camera reads frames from cameras, videos and folders. It is the first step of the flow:
//
//	CAMERA -> frame -> locate, crop, normalise -> int8 forward -> verdict
//
// A Source returns frames one after another. Cameras, streams and video files need OpenCV (build
// tag `opencv`; no OpenCV type leaves this package). A folder of images needs none, so that every
// later step runs on any PC. Start with [Open], which makes a Source from a line of the
// configuration, and Source.Next. A station wraps the Source in [Reopening], which survives
// unplugged cables and drivers that hang.
package camera

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strings"
	"time"

	"tirewatch/vision/frame"
)

// Source returns the frames of a camera, a video or a folder. Only one goroutine may use it.
type Source interface {
	// Next waits for a frame. The source owns the frame and its pixels; they are valid until the
	// next call of Next or Close. A finite source ends with io.EOF. ErrStalled means that a camera
	// sends nothing. When ctx ends, Next returns its error and the source stays usable.
	Next(ctx context.Context) (*frame.Frame, error)
	io.Closer
}

var (
	// ErrLocation marks an invalid source line.
	ErrLocation = errors.New("unknown image source")
	// ErrNoOpenCV means that this program was built without OpenCV and cannot open cameras and
	// videos.
	ErrNoOpenCV = errors.New("this program was built without OpenCV: " +
		"install libopencv-dev and build with `go build -tags opencv`")
	// ErrStalled means that a camera returned no frame for Options.StallAfter: reopen it.
	ErrStalled = errors.New("camera stalled")
	// ErrFrozen means that a camera returns the same image again and again: reopen it.
	ErrFrozen = errors.New("camera frozen: the same image")
	// ErrRead means that a read from an open camera failed: reopen it.
	ErrRead = errors.New("camera returned no frame")
	// ErrNoImages marks a folder without any readable image.
	ErrNoImages = errors.New("no images")
)

// Kind is the type of a source.
type Kind string

const (
	V4L2      Kind = "v4l2"      // a camera on this computer: v4l2:/dev/v4l/by-id/...
	GStreamer Kind = "gstreamer" // a pipeline that ends in an appsink: Jetson CSI cameras
	// a network camera: rtsp://user:password@host/path, or rtsps:// for TLS
	RTSP   Kind = "rtsp"
	File   Kind = "file"   // a video, every frame in order
	Folder Kind = "folder" // the images of a folder in the order of their names
)

// Location is a parsed source line: "v4l2:DEVICE", "gstreamer:PIPELINE", "rtsp://...", "file:VIDEO"
// or "folder:DIR".
type Location struct {
	Kind   Kind
	Target string // device, pipeline, whole URL, file or folder
}

// ParseLocation parses a source line. Its errors wrap ErrLocation.
func ParseLocation(s string) (Location, error) {
	kind, target, ok := strings.Cut(s, ":")
	l := Location{Kind: Kind(kind), Target: target}
	switch l.Kind {
	case V4L2, GStreamer, File, Folder:
	case RTSP, "rtsps":
		l.Kind = RTSP
		u, err := url.Parse(s)
		if err != nil || u.Host == "" {
			return Location{}, fmt.Errorf("%w: invalid URL %q, want rtsp://HOST/PATH", ErrLocation, redact(s))
		}
		l.Target = s
	default:
		return Location{}, fmt.Errorf("%w %q: "+
			"want v4l2:DEVICE, gstreamer:PIPELINE, rtsp://HOST/PATH, file:VIDEO or folder:DIR", ErrLocation, s)
	}
	if !ok || l.Target == "" {
		return Location{}, fmt.Errorf("%w: %q does not say what to open", ErrLocation, s)
	}
	return l, nil
}

// Live reports whether the source has no end, so that only its newest frame matters.
func (l Location) Live() bool { return l.Kind == V4L2 || l.Kind == GStreamer || l.Kind == RTSP }

// NeedsOpenCV reports whether only a build with the tag `opencv` can open the source.
func (l Location) NeedsOpenCV() bool { return l.Kind != Folder }

// String returns the source line for logs, without the password of a network camera.
func (l Location) String() string {
	if l.Kind == RTSP {
		return redact(l.Target)
	}
	return string(l.Kind) + ":" + l.Target
}

// redact hides the password in a URL, even if the URL is invalid.
func redact(s string) string {
	if u, err := url.Parse(s); err == nil {
		return u.Redacted()
	}
	if at := strings.LastIndexByte(s, '@'); at >= 0 {
		return "rtsp://..." + s[at:]
	}
	return s
}

// Options are the source to open and its settings.
type Options struct {
	Source Location

	// Requests to a camera. Zero leaves the choice to the driver. The frames show what the camera
	// really uses.
	Width, Height int      // px
	FPS           float64  // frames per second; for a folder, the rate with RealTime
	FourCC        string   // pixel format, four letters; USB cameras reach their full rate with MJPG
	Controls      Controls // of a V4L2 camera; each is set and read back

	// for a network camera: the decoder buffers no images before it returns the first
	LowLatency bool
	// play files and folders at their own rate, not as fast as possible
	RealTime bool
	// keep the colours of a folder's images, which takes more time; cameras and videos keep theirs
	// always
	Colour     bool
	StallAfter time.Duration // time without a frame until ErrStalled; 0 means DefaultStallAfter

	// Skipped is called for each image of a folder that cannot be read. nil ignores them.
	Skipped func(path string, err error)
}

// DefaultStallAfter is long enough for the slowest known start: a network camera that waits for a
// key frame.
const DefaultStallAfter = 10 * time.Second

// defaultFPS is the rate for folders, and for videos that do not state theirs.
const defaultFPS = 10

// Open opens the source. For cameras and streams it starts a goroutine that reads without pause and
// keeps the newest frame. Close ends it.
func Open(o Options) (Source, error) {
	var src Source
	fps := o.FPS
	if o.Source.Kind == Folder {
		s, err := openFolder(o.Source.Target, o.Colour, o.Skipped)
		if err != nil {
			return nil, err
		}
		src = s
	} else {
		g, rate, err := openCapture(o)
		if err != nil {
			return nil, err
		}
		if o.Source.Live() {
			return newNewest(g, o.Source, o.StallAfter), nil
		}
		src, fps = &inOrder{g: g}, rate
	}
	if o.RealTime {
		if !(fps > 0) {
			fps = defaultFPS
		}
		src = &paced{Source: src, interval: time.Duration(float64(time.Second) / fps)}
	}
	return src, nil
}

// grabber is an open device or video. A read may block for any time.
type grabber interface {
	// grab waits for the next image and copies it into f: Pix, whose buffer it reuses, sizes and
	// format. It returns io.EOF at the end of a video.
	grab(f *frame.Frame) error
	close() error
}

// inOrder returns every frame of a video.
type inOrder struct {
	g grabber
	f frame.Frame
}

func (s *inOrder) Next(ctx context.Context) (*frame.Frame, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := s.g.grab(&s.f); err != nil {
		return nil, err
	}
	s.f.Seq++
	s.f.Time = time.Now().UTC()
	return &s.f, nil
}

func (s *inOrder) Close() error { return s.g.close() }

// paced limits a finite source to a constant rate.
type paced struct {
	Source
	interval time.Duration
	next     time.Time // when the next frame is due
}

func (p *paced) Next(ctx context.Context) (*frame.Frame, error) {
	if now := time.Now(); p.next.IsZero() {
		p.next = now
	} else if err := sleep(ctx, p.next.Sub(now)); err != nil {
		return nil, err
	}
	p.next = p.next.Add(p.interval)
	return p.Source.Next(ctx)
}

// sleep waits for d. If ctx ends first, it returns its error.
func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
