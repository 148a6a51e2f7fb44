package agent

import (
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"

	"tirewatch/internal/hint"
	"tirewatch/vision/camera"
)

// cameraPart names the camera among the station's problems.
const cameraPart = "camera"

// problems collects what stops a part of the station and passes it on as one text. Observers are
// added before the first goroutine of the daemon starts, so that none misses a problem.
type problems struct {
	mu        sync.Mutex
	texts     map[string]string                            // by part; guarded by mu
	observers []func(all string, part string, broken bool) // guarded by mu; called under mu
}

func newProblems() *problems { return &problems{texts: map[string]string{}} }

// observe adds a function that is called with each change: all problems as one text, the part that
// changed, and whether it is broken now.
func (p *problems) observe(f func(all string, part string, broken bool)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.observers = append(p.observers, f)
}

// set notes the problem of a part; an empty text means that it works again.
func (p *problems) set(part, text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.texts[part] == text {
		return
	}
	p.texts[part] = text
	if text == "" {
		delete(p.texts, part)
	}
	var all []string
	for _, key := range slices.Sorted(maps.Keys(p.texts)) {
		all = append(all, key+": "+p.texts[key])
	}
	for _, f := range p.observers {
		f(strings.Join(all, "; "), part, text != "")
	}
}

// all returns the problems by part.
func (p *problems) all() map[string]string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return maps.Clone(p.texts)
}

// camera notes that the camera failed or works again. The same failure is logged once, not at each
// attempt to open it.
func (p *problems) camera(e camera.Event, log *slog.Logger) {
	text := ""
	if e.Err != nil {
		text = e.Err.Error()
	}
	if p.all()[cameraPart] == text {
		return
	}
	p.set(cameraPart, text)
	if e.Err == nil {
		log.Info("camera: working again")
		return
	}
	attrs := []any{"error", e.Err, "retry", e.Retry}
	if advice := hint.Of(e.Err); advice != "" {
		attrs = append(attrs, "hint", advice)
	}
	log.Error("camera: failed", attrs...)
}
