package models

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"tirewatch/internal/durable"
	"tirewatch/vision/bundle"
)

// Inbox is a folder that bundles are copied into: the way in for a station without a network, by a
// USB stick. A bundle is tried when it has been still for a while and is then renamed, so that
// whoever copied it sees what became of it:
//
//	NAME.tire.accepted      it is the active one
//	NAME.tire.refused       it is not, and NAME.tire.refused.txt says why
//
// The folder may be missing, or come and go with the stick. All of it belongs to the goroutine of
// Run.
type Inbox struct {
	dir     string
	store   *Store
	log     *slog.Logger
	seen    map[string]*arrival // by name
	lastErr string              // what is wrong with the folder, so that it is said once
}

// arrival is a file as it was when it was looked at.
type arrival struct {
	size    int64
	changed time.Time
	still   int  // looks since it changed
	done    bool // nothing is to be done until it changes
}

// How often the inbox is looked at, and for how many looks a file must be still. One that is cut
// off may be on its way from a slow stick: it has more time.
const (
	inboxPause   = 2 * time.Second
	stillLooks   = 2
	patientLooks = 30
)

// NewInbox watches dir for the store. Run makes it work.
func NewInbox(dir string, store *Store, log *slog.Logger) *Inbox {
	return &Inbox{dir: dir, store: store, log: log, seen: map[string]*arrival{}}
}

// Run looks until ctx ends.
func (b *Inbox) Run(ctx context.Context) {
	tick := time.NewTicker(inboxPause)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			b.Look()
		}
	}
}

// Look looks once.
func (b *Inbox) Look() {
	entries, err := os.ReadDir(b.dir)
	if err != nil {
		if text := err.Error(); text != b.lastErr {
			b.lastErr = text
			b.log.Warn("the inbox for models cannot be read, waiting for it", "error", err)
		}
		return
	}
	b.lastErr = ""
	there := map[string]bool{}
	for _, e := range entries {
		// Links and pipes could lead anywhere or never end; hidden files are what copying programs
		// call unfinished ones.
		if !e.Type().IsRegular() || filepath.Ext(e.Name()) != ".tire" || strings.HasPrefix(e.Name(), ".") {
			continue
		}
		info, err := e.Info()
		if err != nil {
			continue // gone since
		}
		there[e.Name()] = true
		b.consider(e.Name(), info)
	}
	maps.DeleteFunc(b.seen, func(name string, _ *arrival) bool { return !there[name] })
}

// consider tries a file when its time has come.
func (b *Inbox) consider(name string, info fs.FileInfo) {
	a := b.seen[name]
	if a == nil || a.size != info.Size() || !a.changed.Equal(info.ModTime()) {
		b.seen[name] = &arrival{size: info.Size(), changed: info.ModTime()}
		return
	}
	if a.still++; a.done || a.still < stillLooks {
		return
	}
	_, err := b.install(name, info)
	if errors.Is(err, bundle.ErrTruncated) && a.still < patientLooks {
		return
	}
	refused, atFault := errors.AsType[*RefusedError](err)
	if err != nil && !atFault {
		b.log.Error("a model in the inbox cannot be taken, trying again", "file", name, "error", err)
		return
	}
	// Whatever becomes of the names, these bytes are not tried again.
	a.done = true
	if err == nil {
		err = b.rename(name, name+".accepted")
	} else {
		err = errors.Join(durable.WriteFile(filepath.Join(b.dir, name+".refused.txt"), []byte(refused.Error()+"\n"), 0o644),
			b.rename(name, name+".refused"))
	}
	if err != nil {
		b.log.Warn("the inbox cannot show what became of a model", "file", name, "error", err)
	}
}

func (b *Inbox) rename(from, to string) error {
	return os.Rename(filepath.Join(b.dir, from), filepath.Join(b.dir, to))
}

// install reads a file that must still be what the folder said, and no more of it than a bundle may
// have.
func (b *Inbox) install(name string, info fs.FileInfo) (*Loaded, error) {
	if info.Size() > bundle.MaxSize {
		return nil, &RefusedError{fmt.Errorf("%w: %d MiB, the limit is %d", bundle.ErrTooLarge, info.Size()>>20, bundle.MaxSize>>20)}
	}
	// it may be a pipe by now
	f, err := os.OpenFile(filepath.Join(b.dir, name), os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("read model: %w", err)
	}
	defer f.Close()
	now, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("read model: %w", err)
	}
	if !os.SameFile(now, info) {
		return nil, fmt.Errorf("read model %s: it was replaced meanwhile", name)
	}
	data, err := io.ReadAll(io.LimitReader(f, bundle.MaxSize))
	if err != nil {
		return nil, fmt.Errorf("read model %s: %w", name, err)
	}
	return b.store.Install(data)
}
