//go:build unix

package journal

import (
	"errors"
	"io/fs"
	"os"
	"syscall"
)

// acquire takes the lock file of the journal. SQLite's own lock is on journal.db and moves aside
// with a damaged file, so two agents that start together could both repair it. The system releases
// the lock when the process ends for any reason.
func (j *Journal) acquire() error {
	f, err := os.OpenFile(j.path+"-lock", os.O_CREATE|os.O_RDWR, 0o640)
	if err != nil {
		return explainFile(err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return ErrInUse
		}
		return explainFile(err)
	}
	j.lock = f
	return nil
}

func (j *Journal) unlock() { j.lock.Close() }

// lockHeld reports whether a process has the journal open. It holds the lock for an instant; an
// agent that starts in that instant fails, and systemd starts it again some seconds later.
func (j *Journal) lockHeld() (bool, error) {
	f, err := os.Open(j.path + "-lock")
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, explainFile(err)
	}
	defer f.Close()
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_SH|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return true, nil
	}
	return false, err
}
