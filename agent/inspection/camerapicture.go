package inspection

import (
	"errors"
	"image"
	"log/slog"

	"tirewatch/agent/review"
	"tirewatch/vision/frame"
)

// A kept crop is what today's network saw. The tire as the camera sent it is kept beside it, for
// the networks to come (agent/review). The loop only copies it, because the frame is gone when the
// verdict is known. A second goroutine encodes and stores the pictures of kept crops, so that no
// verdict waits for JPEG or for the card.

// cameraCopy is the region of a tire in the frame in which the tire was nearest to the middle: once
// a tire, not once a tile. A tire in one piece is judged by this frame.
type cameraCopy struct {
	region *frame.Frame // nil: no copy
	rect   image.Rectangle
	offset float64 // as Sample.Offset
}

// copyCamera keeps the region if the tire is nearer to the middle than before.
func (s *Station) copyCamera(e *evidence, f *frame.Frame, r image.Rectangle, offset float64) {
	c := &e.camera
	if s.camera == nil || c.region != nil && offset >= c.offset {
		return
	}
	if n := len(s.freeRegions); c.region == nil && n > 0 {
		c.region, s.freeRegions = s.freeRegions[n-1], s.freeRegions[:n-1]
	}
	if c.region == nil {
		c.region = &frame.Frame{}
	}
	f.CopyRegion(c.region, r)
	c.rect, c.offset = r, offset
}

// saveCamera passes the region of a kept crop to the writer, which then owns its memory.
func (s *Station) saveCamera(seq uint64, e *evidence) {
	if s.camera == nil || e.camera.region == nil {
		return
	}
	if s.camera.put(cameraJob{seq, e.camera.region}, s.o.Live) {
		e.camera = cameraCopy{}
	}
}

// releaseCamera makes the memory of a copy free again.
func (s *Station) releaseCamera(e *evidence) {
	if e.camera.region != nil {
		s.freeRegions = append(s.freeRegions, e.camera.region)
		e.camera = cameraCopy{}
	}
}

// cameraWriter encodes and stores pictures beside the loop. It owns what it receives.
type cameraWriter struct {
	save func(seq uint64, jpeg []byte) error
	log  *slog.Logger

	jobs    chan cameraJob
	done    chan struct{}
	failing bool // the last picture could not be stored; owned by run
	busy    bool // the queue was full once; owned by the loop
}

type cameraJob struct {
	seq    uint64
	region *frame.Frame
}

// queuedPictures is how many pictures may wait for the writer. A region of full HD takes 6 MB.
const queuedPictures = 4

var errWriterBusy = errors.New("pictures arrive faster than this board can encode and store them")

func newCameraWriter(save func(seq uint64, jpeg []byte) error, log *slog.Logger) *cameraWriter {
	w := &cameraWriter{save: save, log: log, jobs: make(chan cameraJob, queuedPictures), done: make(chan struct{})}
	go w.run()
	return w
}

func (w *cameraWriter) run() {
	defer close(w.done)
	for job := range w.jobs {
		data, err := review.EncodeCamera(job.region)
		if err == nil {
			err = w.save(job.seq, data)
		}
		w.report(err)
	}
}

// put passes a picture to the writer and reports whether it took it. On a live belt it never waits:
// without room the crop stays without a picture of the camera.
func (w *cameraWriter) put(job cameraJob, live bool) bool {
	if !live {
		w.jobs <- job
		return true
	}
	select {
	case w.jobs <- job:
		return true
	default:
		if !w.busy { // at its limit, it is full for every second tire
			w.log.Warn("crop: camera picture not stored", "error", errWriterBusy)
		}
		w.busy = true
		return false
	}
}

// report logs the first of several errors, and the end of them.
func (w *cameraWriter) report(err error) {
	failed := err != nil
	if failed == w.failing {
		return
	}
	w.failing = failed
	if failed {
		w.log.Warn("crop: camera picture not stored", "error", err)
	} else {
		w.log.Info("crop: camera picture stored again")
	}
}

// stop stores what waits and ends the writer.
func (w *cameraWriter) stop() {
	close(w.jobs)
	<-w.done
}
