// Package camera is where pictures come from: the first step of the flow
//
//	CAMERA -> frame -> locate, crop, normalise -> int8 forward -> verdict
//
// A Source gives frames one after another. Cameras, streams and video files come through OpenCV
// (build tag `opencv`; no OpenCV type leaves this package); a folder of images plays back without
// it, so that everything behind the camera runs on any PC. Newcomers need Open, which makes a
// Source from a line of the configuration, and Source.Next. A station wraps it in Reopening, which
// outlives cables that are pulled and drivers that freeze.
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

// Source gives the frames of a camera, a video or a folder. It is for one goroutine.
type Source interface {
	// Next waits for a frame. The frame and its pixels are the source's own and valid until the
	// following call of Next or Close. A finite source ends with io.EOF; ErrStalled says that a
	// camera went silent; the end of ctx gives its error and leaves the source usable.
	Next(ctx context.Context) (*frame.Frame, error)
	io.Closer
}

var (
	// ErrLocation marks a source line that names no source.
	ErrLocation = errors.New("unknown image source")
	// ErrNoOpenCV says that this program was built without OpenCV and cannot open cameras and
	// videos.
	ErrNoOpenCV = errors.New("this program was built without OpenCV: install libopencv-dev and build with `go build -tags opencv`")
	// ErrStalled says that a camera gave no frame for Options.StallAfter: reopen it.
	ErrStalled = errors.New("camera stalled")
	// ErrFrozen says that a camera gives the same picture again and again: reopen it.
	ErrFrozen = errors.New("camera frozen: the same picture")
	// ErrRead says that a read failed in an open camera: reopen it.
	ErrRead = errors.New("camera gave no frame")
	// ErrNoImages marks a folder without a single readable image.
	ErrNoImages = errors.New("no images")
)

// Kind says how a source is reached.
type Kind string

const (
	V4L2      Kind = "v4l2"      // a camera of this computer: v4l2:/dev/v4l/by-id/...
	GStreamer Kind = "gstreamer" // a pipeline that ends in an appsink: Jetson CSI cameras
	// a network camera: rtsp://user:password@host/path, rtsps:// with TLS
	RTSP   Kind = "rtsp"
	File   Kind = "file"   // a video, every frame in order
	Folder Kind = "folder" // the images of a folder by name
)

// Location is a parsed source line: "v4l2:DEVICE", "gstreamer:PIPELINE", "rtsp://...", "file:VIDEO"
// or "folder:DIR".
type Location struct {
	Kind   Kind
	Target string // device, pipeline, whole URL, file or folder
}

// ParseLocation reads a source line. Its errors are ErrLocation.
func ParseLocation(s string) (Location, error) {
	kind, target, ok := strings.Cut(s, ":")
	l := Location{Kind: Kind(kind), Target: target}
	switch l.Kind {
	case V4L2, GStreamer, File, Folder:
	case RTSP, "rtsps":
		l.Kind = RTSP
		u, err := url.Parse(s)
		if err != nil || u.Host == "" {
			return Location{}, fmt.Errorf("%w: %q is no rtsp://host/path", ErrLocation, redact(s))
		}
		l.Target = s
	default:
		return Location{}, fmt.Errorf("%w %q: want v4l2:DEVICE, gstreamer:PIPELINE, rtsp://HOST/PATH, file:VIDEO or folder:DIR", ErrLocation, s)
	}
	if !ok || l.Target == "" {
		return Location{}, fmt.Errorf("%w: %q names nothing to open", ErrLocation, s)
	}
	return l, nil
}

// Live says that the source goes on for ever and that only its newest frame is of interest.
func (l Location) Live() bool { return l.Kind == V4L2 || l.Kind == GStreamer || l.Kind == RTSP }

// NeedsOpenCV says whether only a build with the tag `opencv` can open the source.
func (l Location) NeedsOpenCV() bool { return l.Kind != Folder }

// String gives the source line for logs: the password of a network camera is left out.
func (l Location) String() string {
	if l.Kind == RTSP {
		return redact(l.Target)
	}
	return string(l.Kind) + ":" + l.Target
}

// redact hides the password of a URL, also of one that does not parse.
func redact(s string) string {
	if u, err := url.Parse(s); err == nil {
		return u.Redacted()
	}
	if at := strings.LastIndexByte(s, '@'); at >= 0 {
		return "rtsp://..." + s[at:]
	}
	return s
}

// Options says what to open and how.
type Options struct {
	Source Location

	// Wishes to a camera; zero leaves the driver's choice. What a camera makes of them stands in
	// its frames.
	Width, Height int      // px
	FPS           float64  // frames per second; for a folder the pace of RealTime
	FourCC        string   // pixel format, four letters: MJPG gives USB cameras their full rate
	Controls      Controls // of a V4L2 camera: applied, and read back

	// of a network camera: the decoder collects no pictures before it gives the first
	LowLatency bool
	// play files and folders at their own pace instead of as fast as they are read
	RealTime   bool
	StallAfter time.Duration // silence of a camera that is ErrStalled; 0 is DefaultStallAfter

	// Skipped is told of images of a folder that could not be read; nil ignores them.
	Skipped func(path string, err error)
}

// DefaultStallAfter is long enough for the slowest camera start that we know, network cameras
// waiting for a key frame.
const DefaultStallAfter = 10 * time.Second

// defaultFPS paces folders, and videos that do not say their rate.
const defaultFPS = 10

// Open starts the source. Cameras and streams start a goroutine that reads without pause and keeps
// the newest frame; Close ends it.
func Open(o Options) (Source, error) {
	var src Source
	fps := o.FPS
	if o.Source.Kind == Folder {
		s, err := openFolder(o.Source.Target, o.Skipped)
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

// grabber is an open device or video as the drivers have it: a read that blocks as long as it
// likes.
type grabber interface {
	// grab waits for the next picture and copies it into f, whose buffer it reuses: Pix, sizes and
	// format. io.EOF ends a video.
	grab(f *frame.Frame) error
	close() error
}

// inOrder gives every frame of a video.
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

// paced holds a finite source back to a constant rate.
type paced struct {
	Source
	interval time.Duration
	next     time.Time // when the following frame is due
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

// sleep waits for d or for the end of ctx, whose error it gives.
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
