package health

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// thermalZones are the sensors of Linux, millidegrees Celsius in each file.
const thermalZones = "/sys/class/thermal/thermal_zone*/temp"

// Temperature is that of the hottest sensor of this machine, degrees Celsius, and false where there
// is none.
func Temperature() (float64, bool) { return hottest(thermalZones) }

func hottest(pattern string) (celsius float64, ok bool) {
	files, err := filepath.Glob(pattern)
	if err != nil {
		panic("internal error: " + err.Error()) // the pattern is ours
	}
	for _, file := range files {
		data, err := os.ReadFile(file) // a sensor that is switched off gives an error
		if err != nil {
			continue
		}
		if milli, err := strconv.Atoi(strings.TrimSpace(string(data))); err == nil && (!ok || float64(milli)/1000 > celsius) {
			celsius, ok = float64(milli)/1000, true
		}
	}
	return celsius, ok
}

// Memory is what this process holds of the machine's memory, bytes, OpenCV's included. False on
// systems that are not Linux.
func Memory() (uint64, bool) {
	data, err := os.ReadFile("/proc/self/statm") // see proc(5): size, resident, ... in pages
	if err != nil {
		return 0, false
	}
	fields := bytes.Fields(data)
	if len(fields) < 2 {
		return 0, false
	}
	pages, err := strconv.ParseUint(string(fields[1]), 10, 64)
	return pages * uint64(os.Getpagesize()), err == nil
}
