//go:build unix

package journal_test

import (
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"unsafe"

	"modernc.org/libc"
	sqlite3 "modernc.org/sqlite/lib"
)

// A VFS is SQLite's interface to the disk: every byte that it writes goes through one table of
// functions. recordingVFS is the default VFS with its own open, write, truncate, sync, close and
// delete, which record the call and then pass it on.
//
// modernc.org/sqlite is SQLite translated to Go. There, a C function pointer is the word in a Go
// func variable, and a C struct is memory at a uintptr.
const recordingVFS = "tirewatch-recording"

// recorder records what the VFS does.
var recorder struct {
	sync.Mutex
	*disk                                           // nil: nothing is recorded
	names  map[uintptr]string                       // by sqlite3_file
	real   map[uintptr]*sqlite3.Tsqlite3_io_methods // by sqlite3_file
	tables map[uintptr]*sqlite3.Tsqlite3_io_methods // ours, by the real one
	vfs    *sqlite3.Tsqlite3_vfs                    // the real one
	ours   sqlite3.Tsqlite3_vfs
	once   sync.Once
}

// at converts a C pointer. The indirection avoids vet's check of pointer conversions.
func at[T any](p uintptr) *T { return *(**T)(unsafe.Pointer(&p)) }

// word converts a func variable to a C function pointer; call converts it back.
func word[F any](f *F) uintptr   { return *(*uintptr)(unsafe.Pointer(f)) }
func call[F any](word uintptr) F { return *(*F)(unsafe.Pointer(&word)) }

type (
	openFunc   = func(*libc.TLS, uintptr, uintptr, uintptr, int32, uintptr) int32
	deleteFunc = func(*libc.TLS, uintptr, uintptr, int32) int32
	closeFunc  = func(*libc.TLS, uintptr) int32
	writeFunc  = func(*libc.TLS, uintptr, uintptr, int32, int64) int32
	sizeFunc   = func(*libc.TLS, uintptr, int64) int32
	syncFunc   = func(*libc.TLS, uintptr, int32) int32
)

// Variables keep the words in C memory valid.
var (
	vfsOpen     openFunc   = recordOpen
	vfsDelete   deleteFunc = recordDelete
	vfsClose    closeFunc  = recordClose
	vfsWrite    writeFunc  = recordWrite
	vfsTruncate sizeFunc   = recordTruncate
	vfsSync     syncFunc   = recordSync
)

// record lets d record what SQLite does from now until the end of the test.
func record(t *testing.T, d *disk) {
	t.Helper()
	recorder.once.Do(func() {
		tls := libc.NewTLS()
		recorder.names, recorder.real = map[uintptr]string{}, map[uintptr]*sqlite3.Tsqlite3_io_methods{}
		recorder.tables = map[uintptr]*sqlite3.Tsqlite3_io_methods{}
		recorder.vfs = at[sqlite3.Tsqlite3_vfs](sqlite3.Xsqlite3_vfs_find(tls, 0))
		recorder.ours = *recorder.vfs
		name, err := libc.CString(recordingVFS)
		if err != nil {
			t.Fatal(err)
		}
		recorder.ours.FzName, recorder.ours.FpNext = name, 0
		recorder.ours.FxOpen, recorder.ours.FxDelete = word(&vfsOpen), word(&vfsDelete)
		if rc := sqlite3.Xsqlite3_vfs_register(tls, uintptr(unsafe.Pointer(&recorder.ours)), 0); rc != sqlite3.SQLITE_OK {
			t.Fatalf("register the VFS: %d", rc)
		}
	})
	recorder.Lock()
	recorder.disk = d
	recorder.Unlock()
	t.Cleanup(func() {
		recorder.Lock()
		recorder.disk = nil
		recorder.Unlock()
	})
}

func recordOpen(tls *libc.TLS, vfs, name, file uintptr, flags int32, outFlags uintptr) int32 {
	rc := call[openFunc](recorder.vfs.FxOpen)(tls, vfs, name, file, flags, outFlags)
	f := at[sqlite3.Tsqlite3_file](file)
	if rc != sqlite3.SQLITE_OK || f.FpMethods == 0 || name == 0 {
		return rc
	}
	recorder.Lock()
	defer recorder.Unlock()
	table := recorder.tables[f.FpMethods]
	if table == nil {
		table = new(sqlite3.Tsqlite3_io_methods)
		*table = *at[sqlite3.Tsqlite3_io_methods](f.FpMethods)
		table.FxClose, table.FxWrite, table.FxTruncate, table.FxSync = word(&vfsClose), word(&vfsWrite), word(&vfsTruncate), word(&vfsSync)
		recorder.tables[f.FpMethods] = table
	}
	recorder.names[file] = filepath.Base(libc.GoString(name))
	recorder.real[file] = at[sqlite3.Tsqlite3_io_methods](f.FpMethods)
	f.FpMethods = uintptr(unsafe.Pointer(table))
	if flags&sqlite3.SQLITE_OPEN_CREATE != 0 {
		recorder.create(recorder.names[file])
	}
	return rc
}

// realMethods returns the real table of a file. It calls note with the recorder locked.
func realMethods(file uintptr, note func(name string)) *sqlite3.Tsqlite3_io_methods {
	recorder.Lock()
	defer recorder.Unlock()
	if recorder.disk != nil {
		note(recorder.names[file])
	}
	return recorder.real[file]
}

func recordWrite(tls *libc.TLS, file, data uintptr, n int32, offset int64) int32 {
	m := realMethods(file, func(name string) {
		recorder.write(name, offset, append([]byte(nil), unsafe.Slice(at[byte](data), n)...))
	})
	return call[writeFunc](m.FxWrite)(tls, file, data, n, offset)
}

func recordTruncate(tls *libc.TLS, file uintptr, size int64) int32 {
	m := realMethods(file, func(name string) { recorder.truncate(name, size) })
	return call[sizeFunc](m.FxTruncate)(tls, file, size)
}

func recordSync(tls *libc.TLS, file uintptr, flags int32) int32 {
	m := realMethods(file, func(name string) {
		recorder.sync(name)
		// SQLite syncs the folder together with a new log
		if strings.HasSuffix(name, "-wal") || strings.HasSuffix(name, "-journal") {
			recorder.syncFolder()
		}
	})
	return call[syncFunc](m.FxSync)(tls, file, flags)
}

func recordClose(tls *libc.TLS, file uintptr) int32 {
	m := realMethods(file, func(string) {})
	recorder.Lock()
	delete(recorder.names, file)
	delete(recorder.real, file)
	recorder.Unlock()
	return call[closeFunc](m.FxClose)(tls, file)
}

func recordDelete(tls *libc.TLS, vfs, name uintptr, syncFolder int32) int32 {
	recorder.Lock()
	if recorder.disk != nil {
		recorder.remove(filepath.Base(libc.GoString(name)))
		if syncFolder != 0 {
			recorder.syncFolder()
		}
	}
	recorder.Unlock()
	return call[deleteFunc](recorder.vfs.FxDelete)(tls, vfs, name, syncFolder)
}
