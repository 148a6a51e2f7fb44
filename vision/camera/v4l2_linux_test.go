package camera

import (
	"os"
	"path/filepath"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The numbers of the calls contain the sizes of their structures. They are from `grep -r VIDIOC_
// /usr/include/linux/videodev2.h` and a C compiler.
func TestIoctlNumbers(t *testing.T) {
	if unsafe.Sizeof(extControl{}) != 20 {
		t.Errorf("struct v4l2_ext_control has %d bytes, want 20", unsafe.Sizeof(extControl{}))
	}
	ext := uintptr(0xc0205647) // on 64 bits
	if unsafe.Sizeof(uintptr(0)) == 4 {
		ext = 0xc0185647
	}
	if vidiocQueryCtrl != 0xc0445624 || vidiocGExtCtrls != ext || vidiocSExtCtrls != ext+1 {
		t.Errorf("%#x %#x %#x", vidiocQueryCtrl, vidiocGExtCtrls, vidiocSExtCtrls)
	}
}

// The error of a device that is not a camera names the failed call.
func TestControlsOfNoCamera(t *testing.T) {
	want := 100
	err := applyControls("/dev/null", Controls{Exposure: &want})
	if err == nil || err.Error() != "/dev/null: set exposure to 100: VIDIOC_QUERYCTRL: inappropriate ioctl for device" {
		t.Error(err)
	}
}

// With a camera, or with the kernel's vivid driver, each existing setting is read and set to its
// present value.
func TestControlsOfRealCamera(t *testing.T) {
	devices, _ := filepath.Glob("/dev/video*")
	for _, device := range devices {
		f, err := os.OpenFile(device, os.O_RDWR, 0)
		if err != nil {
			continue
		}
		defer f.Close()
		dev := v4l2{f}
		if _, err := dev.query(lockGain.value); err != nil {
			continue
		}
		was, err := dev.get(lockGain.value)
		if err != nil {
			t.Fatalf("%s: %v", device, err)
		}
		denied := os.NewSyscallError("VIDIOC_S_EXT_CTRLS", unix.EACCES)
		if err := dev.set(lockGain.value, was); err != nil && err != denied {
			t.Errorf("%s: %v", device, err)
		}
		return
	}
	t.Skip("no camera with a gain")
}
