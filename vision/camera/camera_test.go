package camera

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"tirewatch/vision/frame"
)

func TestParseLocation(t *testing.T) {
	for _, c := range []struct {
		name, line string
		want       Location
		live       bool
	}{
		{"device", "v4l2:/dev/video0", Location{V4L2, "/dev/video0"}, true},
		{"device by id", "v4l2:/dev/v4l/by-id/usb-046d_HD-video-index0",
			Location{V4L2, "/dev/v4l/by-id/usb-046d_HD-video-index0"}, true},
		{"pipeline keeps its colons", "gstreamer:videotestsrc ! caps=\"a:b\" ! appsink",
			Location{GStreamer, "videotestsrc ! caps=\"a:b\" ! appsink"}, true},
		{"network camera", "rtsp://cam:554/s1", Location{RTSP, "rtsp://cam:554/s1"}, true},
		{"video", "file:belt.avi", Location{File, "belt.avi"}, false},
		{"folder", "folder:/data/tires", Location{Folder, "/data/tires"}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := ParseLocation(c.line)
			if err != nil || got != c.want || got.Live() != c.live {
				t.Errorf("got %+v, live %v, %v; want %+v, live %v", got, got.Live(), err, c.want, c.live)
			}
			if got.String() != c.line {
				t.Errorf("it prints as %q", got)
			}
		})
	}
	for _, line := range []string{"", "/dev/video0", "v4l2:", "v4l2", "http://cam/", "rtsp:cam", "rtsp://", "folder:"} {
		if got, err := ParseLocation(line); !errors.Is(err, ErrLocation) {
			t.Errorf("%q: got %+v, %v; want ErrLocation", line, got, err)
		}
	}
}

func TestPasswordStaysOutOfLogs(t *testing.T) {
	l, err := ParseLocation("rtsp://admin:hunter2@cam/s1")
	if err != nil {
		t.Fatal(err)
	}
	if s := openError(l, io.ErrUnexpectedEOF).Error(); strings.Contains(s, "hunter2") || !strings.Contains(s, "cam/s1") {
		t.Errorf("error %q", s)
	}
	if _, err := ParseLocation("rtsp://admin:hunter%2@cam/s1"); err == nil || strings.Contains(err.Error(), "hunter") {
		t.Errorf("error %v", err)
	}
}

// fakeCamera is a fake device. It receives what to do on each read from a channel.
type fakeCamera struct {
	reads  chan func(f *frame.Frame) error
	closed chan struct{}
}

func newFakeCamera() *fakeCamera {
	return &fakeCamera{reads: make(chan func(*frame.Frame) error), closed: make(chan struct{})}
}

func (c *fakeCamera) grab(f *frame.Frame) error { return (<-c.reads)(f) }

func (c *fakeCamera) close() error { close(c.closed); return nil }

// show makes one image of w x 1 px whose bytes are all v.
func show(w int, v byte) func(f *frame.Frame) error {
	return func(f *frame.Frame) error {
		f.Pix = f.Pix[:0]
		for range w {
			f.Pix = append(f.Pix, v)
		}
		f.Width, f.Height, f.Stride, f.Format = w, 1, w, frame.Gray
		return nil
	}
}

func fail(err error) func(f *frame.Frame) error { return func(*frame.Frame) error { return err } }

var device = Location{V4L2, "/dev/video7"}

func TestNewestDropsStaleFrames(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cam := newFakeCamera()
		n := newNewest(cam, device, 0)
		for v := range byte(5) {
			cam.reads <- show(2, v)
		}
		synctest.Wait()
		f, err := n.Next(t.Context())
		if err != nil || f.Pix[0] != 4 || f.Seq != 5 {
			t.Fatalf("got frame %+v, %v; want the fifth, of value 4", f, err)
		}
		// The frame of the caller is not overwritten, however many frames follow.
		for v := range byte(5) {
			cam.reads <- show(2, 100+v)
		}
		synctest.Wait()
		if f.Pix[0] != 4 || f.Seq != 5 {
			t.Fatalf("the caller's frame became %+v", f)
		}
		if f, err = n.Next(t.Context()); err != nil || f.Pix[1] != 104 {
			t.Fatalf("got frame %+v, %v; want value 104", f, err)
		}
		go func() { cam.reads <- fail(ErrRead) }()
		if err := n.Close(); err != nil {
			t.Fatal(err)
		}
		<-cam.closed
	})
}

func TestNewestCarriesTheSizeOfEachFrame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cam := newFakeCamera()
		n := newNewest(cam, device, 0)
		for _, w := range []int{4, 9, 3} {
			cam.reads <- show(w, 1)
			f, err := n.Next(t.Context())
			if err != nil || f.Width != w || f.Validate() != nil {
				t.Fatalf("got %+v, %v; want width %d", f, err, w)
			}
		}
		go func() { cam.reads <- fail(ErrRead) }()
		n.Close()
	})
}

func TestNewestStalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cam := newFakeCamera()
		n := newNewest(cam, device, 3*time.Second)
		start := time.Now()
		_, err := n.Next(t.Context())
		if !errors.Is(err, ErrStalled) || time.Since(start) != 3*time.Second {
			t.Fatalf("after %v: %v; want ErrStalled after 3s", time.Since(start), err)
		}
		if !strings.Contains(err.Error(), device.Target) {
			t.Errorf("the error does not name the camera: %v", err)
		}
		// The read still hangs. Close does not wait forever, and the device is closed when the
		// driver returns.
		if err := n.Close(); !errors.Is(err, ErrStalled) {
			t.Fatalf("close: %v; want ErrStalled", err)
		}
		cam.reads <- show(1, 1)
		<-cam.closed
	})
}

func TestNewestGivesTheLastFrameBeforeTheError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cam := newFakeCamera()
		n := newNewest(cam, device, 0)
		cam.reads <- show(1, 7)
		cam.reads <- fail(ErrRead)
		<-cam.closed
		if f, err := n.Next(t.Context()); err != nil || f.Pix[0] != 7 {
			t.Fatalf("got %+v, %v", f, err)
		}
		for range 2 {
			if _, err := n.Next(t.Context()); !errors.Is(err, ErrRead) {
				t.Fatalf("got %v; want ErrRead", err)
			}
		}
	})
}

func TestNewestEndsWithTheContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cam := newFakeCamera()
		n := newNewest(cam, device, 0)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := n.Next(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("got %v", err)
		}
		cam.reads <- show(1, 3)
		if f, err := n.Next(t.Context()); err != nil || f.Pix[0] != 3 {
			t.Fatalf("the source is not usable afterwards: %v", err)
		}
		go func() { cam.reads <- fail(ErrRead) }()
		n.Close()
	})
}

func TestMissingDevice(t *testing.T) {
	for _, c := range []struct {
		name, target, says, hint string
	}{
		{"no such device", "/dev/no-such-camera", "no such file", "/dev/v4l/by-id"},
		{"a regular file", "camera_test.go", "not a device", "/dev/v4l/by-id"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := Open(Options{Source: Location{V4L2, c.target}})
			var open *OpenError
			if !errors.As(err, &open) {
				t.Fatalf("got %v; want an *OpenError", err)
			}
			if !strings.Contains(err.Error(), c.says) || !strings.Contains(err.Error(), c.target) ||
				!strings.Contains(open.Hint(), c.hint) {
				t.Errorf("error %q, hint %q", err, open.Hint())
			}
		})
	}
	if e := openError(device, &osPermission); !strings.Contains(e.(*OpenError).Hint(), "group video") {
		t.Errorf("hint %q", e.(*OpenError).Hint())
	}
}

func FuzzParseLocation(f *testing.F) {
	for _, line := range []string{
		"v4l2:/dev/video0", "rtsp://u:p@h/x", "rtsps://h", "file:", "folder:a:b", "rtsp:%zz@", "gstreamer:a ! b",
	} {
		f.Add(line)
	}
	f.Fuzz(func(t *testing.T, line string) {
		l, err := ParseLocation(line)
		if err != nil {
			if !errors.Is(err, ErrLocation) {
				t.Errorf("%q: %v; want ErrLocation", line, err)
			}
			return
		}
		if l.Target == "" {
			t.Errorf("%q was accepted without a target", line)
		}
		if again, err := ParseLocation(l.String()); l.Kind != RTSP && (err != nil || again != l) {
			t.Errorf("%q prints as %q, which is %+v, %v", line, l, again, err)
		}
	})
}
