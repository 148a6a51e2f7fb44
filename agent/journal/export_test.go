package journal

import (
	"io/fs"
	"os"

	"tirewatch/internal/durable"
)

// Block is how many numbers are reserved at once.
const Block = block

// SearchStep is how many rows one step of a search reads.
const SearchStep = searchStep

// Environment lets a test intercept the accesses to the disk.
type Environment struct {
	VFS       string
	WriteFile func(path string, data []byte, perm fs.FileMode) error
	Rename    func(from, to string) error
	NoSync    bool // for tests with many rows and without power cuts
}

// OpenIn is Open in an environment; nil functions are the real ones.
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
