//go:build opencv

package agent

import (
	"log/slog"
	"os/exec"
	"strings"
	"testing"
	"time"

	"tirewatch/agent/config"
	"tirewatch/vision/camera"
	"tirewatch/vision/frame"
)

// GStreamer and OpenCV accept the presets' pipelines. Only the elements that a board provides are
// replaced, by a test image.
func TestPresetPipelines(t *testing.T) {
	if err := exec.Command("gst-inspect-1.0", "--exists", "videotestsrc").Run(); err != nil {
		t.Skip("needs gst-inspect-1.0 and videotestsrc: apt install gstreamer1.0-tools gstreamer1.0-plugins-base")
	}
	for _, preset := range []string{config.PresetPiCSI, config.PresetJetsonCSI} {
		text := strings.Replace(config.Example(), `source = "v4l2:/dev/video0"`, `preset = "`+preset+`"`, 1)
		c, err := config.Parse([]byte(text), "station.toml")
		if err != nil {
			t.Fatal(err)
		}
		c.Camera.Source = config.Source(strings.NewReplacer("libcamerasrc", "videotestsrc", "nvarguscamerasrc", "videotestsrc",
			"nvvidconv", "videoconvert", "(memory:NVMM)", "").Replace(string(c.Camera.Source)))
		o, err := CameraOptions(c.Camera, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		o.StallAfter = time.Minute
		src, err := camera.Open(o)
		if err != nil {
			t.Fatalf("%s: %v", preset, err)
		}
		f, err := src.Next(t.Context())
		if err != nil {
			t.Fatalf("%s: %v", preset, err)
		}
		if f.Width != 1280 || f.Height != 720 || f.Format != frame.BGR {
			t.Errorf("%s: a frame of %d x %d px, %v", preset, f.Width, f.Height, f.Format)
		}
		if err := src.Close(); err != nil {
			t.Error(err)
		}
	}
}
