//go:build !unix

package journal

// acquire leaves it to SQLite's lock on the database where there is no flock.
func (j *Journal) acquire() error { return nil }

func (j *Journal) unlock() {}

// lockHeld would be told by the lock.
func (j *Journal) lockHeld() (bool, error) { return false, nil }
