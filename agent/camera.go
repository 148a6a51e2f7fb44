package agent

import "tirewatch/vision/camera"

// newCamera returns a camera that is opened again whenever it fails.
func newCamera(d *daemon, o camera.Options) *camera.Reopening {
	return camera.NewReopening(camera.ReopenOptions{
		Open: func() (camera.Source, error) { return camera.Open(o) },
		Live: o.Source.Live(), Loop: d.cfg.Camera.Loop,
		Event: func(e camera.Event) {
			if e.Err != nil {
				d.counts.CameraRestart()
			}
			d.problems.camera(e, d.log)
			d.loop.Progress()
		},
	})
}

func closeCamera(d *daemon) {
	if err := d.camera.Close(); err != nil {
		d.log.Warn("camera: close failed", "error", err)
	}
}
