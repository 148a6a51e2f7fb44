//go:build unix

package journal

import (
	"errors"
	"io/fs"
	"os"
	"syscall"
)

// acquire takes the lock file of the journal. SQLite's own lock is on journal.db and would move
// aside with a damaged one, so that two agents that start together could both repair. The system
// gives the lock free when the process ends, however it does.
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

// lockHeld says whether a process has the journal open. It takes the lock for an instant; an agent that
// starts in that very moment starts again some seconds later.
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
