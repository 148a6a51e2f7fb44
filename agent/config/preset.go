package config

import "fmt"

// Values of Camera.Preset.
const (
	PresetUSB       = "usb"
	PresetPiCSI     = "pi-csi"
	PresetJetsonCSI = "jetson-csi"
	PresetRTSP      = "rtsp"
)

// Presets are the values of Camera.Preset.
var Presets = []string{PresetUSB, PresetPiCSI, PresetJetsonCSI, PresetRTSP}

// expand sets the keys of the preset that the file does not set. A tire needs 379 px after
// cropping: 720 lines leave room around it.
func (r *reader) expand(c *Camera) {
	open := func(key string) bool { _, given := r.lines["camera."+key]; return !given }
	size := func(width, height, fps int) {
		if open("width") && open("height") { // one of them alone would make another shape
			c.Width, c.Height = width, height
		}
		if open("fps") {
			c.FPS = fps
		}
	}
	source := func(s string) {
		if open("source") {
			c.Source = Source(s)
		}
	}
	switch c.Preset {
	case PresetUSB:
		size(1280, 720, 30)
		source("v4l2:/dev/tirewatch-camera") // named by 61-tirewatch-camera.rules
		if open("fourcc") {
			c.FourCC = "MJPG"
		}
	case PresetPiCSI:
		size(1280, 720, 30)
		source("gstreamer:libcamerasrc ! " + caps("video/x-raw", c) + " ! videoconvert ! " + bgr)
	case PresetJetsonCSI:
		size(1280, 720, 60)
		// The frames are in the memory of the graphics processor until nvvidconv copies them.
		source("gstreamer:nvarguscamerasrc ! " + caps("video/x-raw(memory:NVMM)", c) +
			" ! nvvidconv ! video/x-raw,format=BGRx ! videoconvert ! " + bgr)
	case PresetRTSP:
		if open("low_latency") {
			c.LowLatency = true
		}
	}
}

// bgr is the end of a pipeline that OpenCV accepts. appsink keeps only the newest frame, because an
// old one would show a tire that has already passed, and delivers it at once, not at its time of
// display.
const bgr = "video/x-raw,format=BGR ! appsink drop=true max-buffers=1 sync=false"

// caps adds the size and the rate to a format, if they are set.
func caps(format string, c *Camera) string {
	if c.Width > 0 && c.Height > 0 {
		format += fmt.Sprintf(",width=%d,height=%d", c.Width, c.Height)
	}
	if c.FPS > 0 {
		format += fmt.Sprintf(",framerate=%d/1", c.FPS)
	}
	return format
}
