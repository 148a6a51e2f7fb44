package reject

import (
	"encoding/binary"
	"log/slog"
	"os"
	"runtime"
	"time"

	"golang.org/x/sys/unix"
)

// thread is a sleeper that uses the kernel's timers in its own thread, with realtime priority where
// the unit allows it. The forward pass, the web page and other programs then do not delay a pulse.
type thread struct {
	event int // file descriptor of an eventfd
}

// newThread locks the calling goroutine to its thread; the thread ends with the goroutine.
// GOMAXPROCS rises by one, so that the thread need not wait up to 10 ms until a computing goroutine
// is preempted.
func newThread(log *slog.Logger) (sleeper, error) {
	fd, err := unix.Eventfd(0, unix.EFD_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("eventfd", err)
	}
	runtime.LockOSThread()
	fifo := unix.SchedAttr{Size: unix.SizeofSchedAttr, Priority: Priority,
		Policy: unix.SCHED_FIFO, Flags: unix.SCHED_FLAG_RESET_ON_FORK}
	if err := unix.SchedSetAttr(0, &fifo, 0); err != nil {
		log.Warn("reject: no realtime priority, pulses may be late", "error", err,
			"hint", "install the unit's drop-in gpio.conf; a kernel with CONFIG_RT_GROUP_SCHED may still refuse")
	}
	runtime.GOMAXPROCS(runtime.GOMAXPROCS(0) + 1)
	return &thread{fd}, nil
}

func (t *thread) sleep(d time.Duration) {
	limit := unix.NsecToTimespec(int64(d))
	// a signal may end the wait early
	if n, _ := unix.Ppoll([]unix.PollFd{{Fd: int32(t.event), Events: unix.POLLIN}}, &limit, nil); n > 0 {
		var count [8]byte
		unix.Read(t.event, count[:])
	}
}

func (t *thread) wake() { unix.Write(t.event, binary.NativeEndian.AppendUint64(nil, 1)) }

func (t *thread) close() {
	unix.Close(t.event)
	runtime.GOMAXPROCS(runtime.GOMAXPROCS(0) - 1)
}
