// Package web serves the station's page: what a technician sees and sets with a browser, at the
// station or on a phone beside the belt.
//
//	inspection loop -> newest frame, verdicts -> PAGE -> browser
//	journal, metrics, models ---------------------^      |
//	region, confirm, rollback, labels <------------------+
//
// All files that a browser loads are embedded in the program; the page loads nothing from another
// host. The page and the inspection loop never wait for each other: the loop hands over a frame
// when a browser waits for one and the previous image is finished ([Page.Show]), and a verdict
// when it is stored ([Page.Judged]). [Options] lists what the page needs from the agent, as small
// interfaces. Start with [New], [Page.Listen] and [Server.Run].
package web

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"

	"tirewatch/agent/config"
	"tirewatch/agent/journal"
	"tirewatch/agent/message"
	"tirewatch/agent/models"
	"tirewatch/vision/verdict"
)

// Journal stores verdicts and their crops. journal.Journal implements it.
type Journal interface {
	Search(ctx context.Context, q journal.Query) (
		found []verdict.Verdict, end journal.Place, more bool, err error)
	Count(from, to time.Time, next uint64) (map[verdict.Label]int, error)
	Crop(seq uint64) (png []byte, err error)
	// Camera returns the picture of the camera for a crop; fs.ErrNotExist if there is none.
	Camera(seq uint64) (jpeg []byte, err error)
	Next() uint64
}

// Models holds the station's models. models.Store implements it.
type Models interface {
	Snapshot() models.Snapshot
	Confirm() error
	Rollback() error
}

// Locate is the setting of where the station looks for the tire.
type Locate interface {
	// Where returns the present setting. learn is how many frames a new region must stay empty
	// before the station looks for tires in it.
	Where() (mode string, region []int, learn int)
	// Move changes the setting at once and saves it for the next start. region is nil in mode
	// round. A *config.SaveError means that the change is active but was not saved.
	Move(mode string, region []int) error
}

// Review is the queue of images that wait for a person's label.
type Review interface {
	// Waiting returns the length of the queue.
	Waiting() (int, error)
	// Next returns at most n verdicts of the queue, the most uncertain first.
	Next(n int) ([]verdict.Verdict, error)
	// Label stores a label and removes the image from the queue. label is verdict.Normal,
	// verdict.Crack, or empty for an image that shows neither.
	Label(seq uint64, label verdict.Label) error
}

// Options holds what a page shows and changes.
type Options struct {
	Page    config.Page
	Station string // site/line/station
	Version string

	Journal    Journal
	Models     Models
	Locate     Locate
	Review     Review                         // nil: no review queue
	Health     func() (message.Health, error) // the present counters and gauges
	Problems   func() map[string]string       // by part: why it does not work
	Broker     func() (named, connected bool) // named: a broker is configured
	PassUnsure bool                           // an unsure tire stays on the belt
	// border around the outline in a crop, share of the diameter
	Margin    float64
	StateFile string // keeps the trigger errors of each shift

	Log *slog.Logger
	Now func() time.Time // nil: time.Now
}

// Page is the page of one station. Its methods may be called from any goroutine. Show, Judged and
// TriggerError, which the station calls, do nothing on a nil Page.
type Page struct {
	o           Options
	access      *access
	live        *live
	shifts      *shifts
	recent      *recent
	stateFile   *stateFile
	lastRequest atomic.Int64 // time of the latest API request, Unix ns
}

// New makes a page. It returns an error if a password file cannot be used.
func New(o Options) (*Page, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	a, err := newAccess(o.Page, o.Now, o.Log)
	if err != nil {
		return nil, err
	}
	p := &Page{o: o, access: a, live: newLive(), recent: new(recent)}
	p.shifts = newShifts(o.Page.ShiftStarts(), o.Journal.Next(), o.Now)
	if p.stateFile, err = openStateFile(o.StateFile, p.shifts); err != nil {
		o.Log.Warn("page: trigger error counts not loaded", "error", err)
	}
	return p, nil
}

// viewerTimeout is how long after its latest request a browser counts as a viewer.
const viewerTimeout = time.Minute

// hasViewer reports whether a browser shows the page.
func (p *Page) hasViewer() bool {
	return p.o.Now().UnixNano()-p.lastRequest.Load() < int64(viewerTimeout)
}

// Judged receives a verdict that is stored in the journal. pix is the crop that decided it, one
// byte a pixel in rows of width px; it is valid until Judged returns.
func (p *Page) Judged(v *verdict.Verdict, pix []byte, width int) {
	if p == nil {
		return
	}
	p.shifts.count(v.Time, v.Label)
	p.live.judged(v)
	if p.hasViewer() {
		p.recent.add(v.Seq, pix, width)
	}
}

// TriggerError counts a late, duplicate or unmatched trigger, or a tire without one. It never
// blocks on disk.
func (p *Page) TriggerError(at time.Time) {
	if p != nil {
		p.shifts.addTriggerErrors(at, 1)
	}
}
