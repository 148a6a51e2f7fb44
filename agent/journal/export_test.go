package journal

import (
	"io/fs"
	"os"

	"tirewatch/internal/durable"
)

// Block is how many numbers are reserved at once.
const Block = block

// SearchStep is how many rows one step of a search passes.
const SearchStep = searchStep

// Environment lets a test stand between the journal and the disk.
type Environment struct {
	VFS       string
	WriteFile func(path string, data []byte, perm fs.FileMode) error
	Rename    func(from, to string) error
	NoSync    bool // for tests that need many rows and no power cut
}

// OpenIn is Open in an environment; what is nil is the real thing.
func OpenIn(e Environment, path, station string) (*Journal, error) {
	env := environment{vfs: e.VFS, noSync: e.NoSync, writeFile: durable.WriteFile, rename: os.Rename}
	if e.WriteFile != nil {
		env.writeFile = e.WriteFile
	}
	if e.Rename != nil {
		env.rename = e.Rename
	}
	return openIn(env, path, station)
}
