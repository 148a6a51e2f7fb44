package camera

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// OpenError says which source could not be opened and what to check.
type OpenError struct {
	Source Location
	Err    error
	Advice string // one line for the technician; may be empty
}

func (e *OpenError) Error() string { return fmt.Sprintf("open %s: %v", e.Source, e.Err) }

func (e *OpenError) Unwrap() error { return e.Err }

// Hint returns what to do about it.
func (e *OpenError) Hint() string { return e.Advice }

// Check returns an error if the source is missing or this program cannot open it. It does not open
// the source. Problems of network cameras and pipelines appear only when they are opened.
func Check(l Location) error {
	if l.Kind == Folder {
		_, err := openFolder(l.Target, false, nil)
		return err
	}
	if err := checkReachable(l); err != nil {
		return err
	}
	if !hasOpenCV {
		return fmt.Errorf("open %s: %w", l, ErrNoOpenCV)
	}
	return nil
}

// checkReachable tries the operating system first, because OpenCV reports no reason when it fails.
func checkReachable(l Location) error {
	mode := os.O_RDONLY
	switch l.Kind {
	case V4L2:
		mode = os.O_RDWR
	case File:
	default:
		return nil
	}
	f, err := os.OpenFile(l.Target, mode, 0)
	if err != nil {
		return openError(l, err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return openError(l, err)
	}
	if l.Kind == V4L2 && info.Mode()&fs.ModeCharDevice == 0 {
		return openError(l, errors.New("not a device"))
	}
	return nil
}

// openError removes the path from the system's error, because Location contains it, and adds
// advice.
func openError(l Location, err error) error {
	if p := (*fs.PathError)(nil); errors.As(err, &p) {
		err = p.Err
	}
	e := &OpenError{Source: l, Err: err}
	switch {
	case l.Kind == V4L2 && errors.Is(err, fs.ErrPermission):
		e.Advice = "the user of this program must be in the group video: usermod -aG video USER"
	case l.Kind == V4L2:
		e.Advice = "list the cameras with: ls -l /dev/v4l/by-id; only one program at a time can read a camera"
	case l.Kind == RTSP:
		e.Advice = "try the address with: ffprobe -rtsp_transport tcp " + l.String()
	case l.Kind == GStreamer:
		e.Advice = "try the pipeline with gst-launch-1.0; " +
			"it must end in: videoconvert ! video/x-raw,format=BGR ! appsink"
	}
	return e
}
