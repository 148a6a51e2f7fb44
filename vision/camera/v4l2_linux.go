package camera

import (
	"errors"
	"os"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// v4l2 is a device of the kernel's Video4Linux. Several programs may have it open, and one can
// change its settings while another reads frames.
type v4l2 struct{ f *os.File }

// Layouts and numbers from linux/videodev2.h.
type (
	queryCtrl struct { // struct v4l2_queryctrl, 68 bytes
		id, kind             uint32
		name                 [32]byte
		min, max, step, dflt int32
		flags                uint32
		_                    [2]uint32
	}
	extControl struct { // struct v4l2_ext_control, packed, 20 bytes
		id    uint32
		_     [2]uint32 // size, for compound controls only; reserved
		value int32
		_     int32 // the upper half of the union
	}
	extControls struct { // struct v4l2_ext_controls
		which, count, errorIdx uint32
		requestFD              int32
		_                      uint32
		controls               *extControl
	}
)

const flagDisabled = 0x1

// iowr is the kernel's _IOWR('V', nr, size).
func iowr(nr, size uintptr) uintptr { return 3<<30 | size<<16 | 'V'<<8 | nr }

var (
	vidiocQueryCtrl = iowr(36, unsafe.Sizeof(queryCtrl{}))
	vidiocGExtCtrls = iowr(71, unsafe.Sizeof(extControls{}))
	vidiocSExtCtrls = iowr(72, unsafe.Sizeof(extControls{}))
)

// applyControls opens the device a second time, while OpenCV has it open.
func applyControls(device string, c Controls) (err error) {
	f, err := os.OpenFile(device, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	return c.apply(device, v4l2{f})
}

func (v v4l2) ioctl(name string, request uintptr, arg unsafe.Pointer) error {
	for {
		switch _, _, errno := unix.Syscall(unix.SYS_IOCTL, v.f.Fd(), request, uintptr(arg)); errno {
		case 0:
			return nil
		case unix.EINTR:
		default:
			return os.NewSyscallError(name, errno)
		}
	}
}

func (v v4l2) query(id uint32) (control, error) {
	q := queryCtrl{id: id}
	if err := v.ioctl("VIDIOC_QUERYCTRL", vidiocQueryCtrl, unsafe.Pointer(&q)); err != nil {
		if errors.Is(err, unix.EINVAL) {
			err = errNoControl
		}
		return control{}, err
	}
	if q.flags&flagDisabled != 0 {
		return control{}, errNoControl
	}
	return control{unix.ByteSliceToString(q.name[:]), q.min, q.max, q.step}, nil
}

func (v v4l2) get(id uint32) (int32, error) {
	c := &extControl{id: id}
	err := v.ext("VIDIOC_G_EXT_CTRLS", vidiocGExtCtrls, c)
	return c.value, err
}

func (v v4l2) set(id uint32, value int32) error {
	return v.ext("VIDIOC_S_EXT_CTRLS", vidiocSExtCtrls, &extControl{id: id, value: value})
}

// ext makes a call for one control, with its current value.
func (v v4l2) ext(name string, request uintptr, c *extControl) error {
	all := extControls{count: 1, controls: c}
	err := v.ioctl(name, request, unsafe.Pointer(&all))
	runtime.KeepAlive(c)
	return err
}
