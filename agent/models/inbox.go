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

// Inbox is a folder for bundles on a station without a network connection, for example on a USB
// stick. A bundle that has not changed for a while is installed and then renamed, so that a person
// sees the result:
//
//	NAME.tire.accepted      it is the active model
//	NAME.tire.refused       it was refused, NAME.tire.refused.txt has the reason
//
// The folder may be missing or disappear with the stick. An Inbox is owned by the goroutine of Run.
type Inbox struct {
	dir     string
	store   *Store
	log     *slog.Logger
	seen    map[string]*arrival // by name
	lastErr string              // what is wrong with the folder, so that it is said once
}

// arrival is a file as the last look found it.
type arrival struct {
	size    int64
	changed time.Time
	still   int  // looks since it changed
	done    bool // nothing to do until it changes
}

// The time between two looks, and for how many looks a file must stay unchanged. A truncated file
// may still be on its way from a slow stick, so it gets more time.
const (
	inboxPause   = 2 * time.Second
	stillLooks   = 2
	patientLooks = 30
)

// NewInbox returns an inbox that watches dir once Run is called.
func NewInbox(dir string, store *Store, log *slog.Logger) *Inbox {
	return &Inbox{dir: dir, store: store, log: log, seen: map[string]*arrival{}}
}

// Run calls Look every two seconds until ctx ends.
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

// Look examines the folder once.
func (b *Inbox) Look() {
	entries, err := os.ReadDir(b.dir)
	if err != nil {
		if text := err.Error(); text != b.lastErr {
			b.lastErr = text
			b.log.Warn("models: inbox unreadable, will retry", "error", err)
		}
		return
	}
	b.lastErr = ""
	there := map[string]bool{}
	for _, e := range entries {
		// Links can lead anywhere and pipes never end. Copying programs use hidden names for
		// unfinished files.
		if !e.Type().IsRegular() || filepath.Ext(e.Name()) != ".tire" || strings.HasPrefix(e.Name(), ".") {
			continue
		}
		info, err := e.Info()
		if err != nil {
			continue // just deleted
		}
		there[e.Name()] = true
		b.consider(e.Name(), info)
	}
	maps.DeleteFunc(b.seen, func(name string, _ *arrival) bool { return !there[name] })
}

// consider installs a file that has stayed unchanged for long enough.
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
		b.log.Error("models: inbox install failed, will retry", "file", name, "error", err)
		return
	}
	// These bytes are not tried again, even if the renaming fails.
	a.done = true
	if err == nil {
		err = b.rename(name, name+".accepted")
	} else {
		reason := []byte(refused.Error() + "\n")
		err = errors.Join(durable.WriteFile(filepath.Join(b.dir, name+".refused.txt"), reason, 0o644),
			b.rename(name, name+".refused"))
	}
	if err != nil {
		b.log.Warn("models: inbox result not written", "file", name, "error", err)
	}
}

func (b *Inbox) rename(from, to string) error {
	return os.Rename(filepath.Join(b.dir, from), filepath.Join(b.dir, to))
}

// install reads and installs a file. The file must still be the one that Look found, and install
// never reads more than the size limit of a bundle.
func (b *Inbox) install(name string, info fs.FileInfo) (*Loaded, error) {
	if info.Size() > bundle.MaxSize {
		return nil, &RefusedError{fmt.Errorf("%w: %d MiB, the limit is %d",
			bundle.ErrTooLarge, info.Size()>>20, bundle.MaxSize>>20)}
	}
	// without blocking: it may be a pipe by now
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
		return nil, fmt.Errorf("read model %s: the file was replaced during the reading", name)
	}
	data, err := io.ReadAll(io.LimitReader(f, bundle.MaxSize))
	if err != nil {
		return nil, fmt.Errorf("read model %s: %w", name, err)
	}
	return b.store.Install(data)
}
