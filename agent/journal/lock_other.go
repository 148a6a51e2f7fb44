//go:build !unix

package journal

// acquire does nothing without flock: SQLite's own lock on the database must do.
func (j *Journal) acquire() error { return nil }

func (j *Journal) unlock() {}

// lockHeld cannot know without a lock file.
func (j *Journal) lockHeld() (bool, error) { return false, nil }
