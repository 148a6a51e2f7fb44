//go:build !opencv

package camera

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

func TestWithoutOpenCV(t *testing.T) {
	video := filepath.Join(t.TempDir(), "clip.avi")
	if err := os.WriteFile(video, []byte("RIFF"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, l := range []Location{{File, video}, {RTSP, "rtsp://cam/"}, {GStreamer, "videotestsrc ! appsink"}} {
		if _, err := Open(Options{Source: l}); !errors.Is(err, ErrNoOpenCV) {
			t.Errorf("%s: %v; want ErrNoOpenCV", l, err)
		}
	}
}
