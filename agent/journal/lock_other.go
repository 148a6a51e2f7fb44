//go:build !unix

package journal

// acquire leaves it to SQLite's lock on the database where there is no flock.
func (j *Journal) acquire() error { return nil }

func (j *Journal) unlock() {}

// held would be told by the lock.
func (j *Journal) held() (bool, error) { return false, nil }
