// Package web is the station's page: what a technician sees and sets with a browser, at the station
// or with a telephone beside the belt.
//
//	station loop -> newest frame, verdicts -> PAGE -> browser
//	journal, metrics, models ------------------^      |
//	region, confirm, rollback, labels <---------------+
//
// Everything that a browser loads is embedded; nothing comes from elsewhere. The loop is never
// waited for and never waits: it hands a frame over when somebody looks and the last picture is
// done (Page.Show), and a verdict when it is stored (Page.Judged). What the page needs of the agent
// stands in Options as small interfaces. Newcomers need New, Page.Listen and Server.Run.
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

// Journal is where verdicts and their pictures are; journal.Journal is one.
type Journal interface {
	Search(ctx context.Context, q journal.Query) (found []verdict.Verdict, end journal.Place, more bool, err error)
	Count(from, to time.Time, next uint64) (map[verdict.Label]int, error)
	Crop(seq uint64) (png []byte, err error)
	Next() uint64
}

// Models are the station's networks; models.Store is one.
type Models interface {
	Snapshot() models.Snapshot
	Confirm() error
	Rollback() error
}

// Locate is where the station looks for the tire.
type Locate interface {
	// Where is the present state. learn is how many frames an empty place is shown to a region
	// before tires are looked for.
	Where() (mode string, region []int, learn int)
	// Move takes effect at once and is kept for the next start; region is nil in mode round. A
	// *config.SaveError says that only the second failed.
	Move(mode string, region []int) error
}

// Review is the queue of pictures that wait for a person's label.
type Review interface {
	// Waiting is how many there are.
	Waiting() (int, error)
	// Next gives at most n of them, the most uncertain first.
	Next(n int) ([]verdict.Verdict, error)
	// Label takes one off the queue; label is verdict.Normal or verdict.Crack, or empty for a
	// picture that shows neither.
	Label(seq uint64, label verdict.Label) error
}

// Options are what a page shows and changes.
type Options struct {
	Page    config.Page
	Station string // site/line/station
	Version string

	Journal  Journal
	Models   Models
	Locate   Locate
	Review   Review                         // nil: there is no such queue
	Health   func() (message.Health, error) // the figures of this moment
	Problems func() map[string]string       // by part: what keeps it from working
	Broker   func() (named, connected bool) // named: there is one to send to
	// around the outline, share of the diameter, as the crop is made
	Margin    float64
	StateFile string // the file that keeps what was wrong with triggers

	Log *slog.Logger
	Now func() time.Time // nil: time.Now
}

// Page is the page of one station. Its methods may be called from any goroutine; those that the
// station calls do nothing on a nil page.
type Page struct {
	o           Options
	access      *access
	live        *live
	shifts      *shifts
	recent      *recent
	stateFile   *stateFile
	lastRequest atomic.Int64 // when somebody asked for something, Unix ns
}

// New makes a page. It fails when a password file cannot be used.
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
		o.Log.Warn("page: trigger errors are counted anew", "error", err)
	}
	return p, nil
}

// viewerTimeout is how long after a request somebody still looks.
const viewerTimeout = time.Minute

// watched says whether somebody looks.
func (p *Page) hasViewer() bool {
	return p.o.Now().UnixNano()-p.lastRequest.Load() < int64(viewerTimeout)
}

// Judged takes a verdict that is stored. pix is the deciding crop, width px a row, and valid until
// Judged returns.
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

// TriggerError counts a trigger that came late, twice or without a tire, or a tire without its
// trigger. It waits for no disk.
func (p *Page) TriggerError(at time.Time) {
	if p != nil {
		p.shifts.addTriggerErrors(at, 1)
	}
}
