package reject

import (
	"encoding/binary"
	"log/slog"
	"os"
	"runtime"
	"time"

	"golang.org/x/sys/unix"
)

// thread is a sleeper of the kernel's own, in a thread that goes before all others of the machine
// where the unit allows it: the forward pass, the page and other programs do not hold a pulse up.
type thread struct {
	event int // an eventfd
}

// newThread makes the calling goroutine's thread its own. The thread ends with the goroutine. Go's
// scheduler gets one more slot to run goroutines in, so that the thread does not wait until one
// that computes gives its slot up, which takes 10 ms.
func newThread(log *slog.Logger) (sleeper, error) {
	fd, err := unix.Eventfd(0, unix.EFD_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("eventfd", err)
	}
	runtime.LockOSThread()
	fifo := unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: unix.SCHED_FIFO, Flags: unix.SCHED_FLAG_RESET_ON_FORK, Priority: Priority}
	if err := unix.SchedSetAttr(0, &fifo, 0); err != nil {
		log.Warn("the ejector has no realtime priority: on a busy machine its pulses may begin some milliseconds late (the unit's drop-in gpio.conf allows it, a kernel with CONFIG_RT_GROUP_SCHED may not)", "error", err)
	}
	runtime.GOMAXPROCS(runtime.GOMAXPROCS(0) + 1)
	return &thread{fd}, nil
}

func (t *thread) sleep(d time.Duration) {
	limit := unix.NsecToTimespec(int64(d))
	// a signal may end it early
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
