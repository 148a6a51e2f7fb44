package health

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// thermalZones are the temperature sensors of Linux; each file holds millidegrees Celsius.
const thermalZones = "/sys/class/thermal/thermal_zone*/temp"

// Temperature returns the temperature of the hottest sensor in degrees Celsius, false without a
// sensor.
func Temperature() (float64, bool) { return hottest(thermalZones) }

func hottest(pattern string) (celsius float64, ok bool) {
	files, err := filepath.Glob(pattern)
	if err != nil {
		panic("internal error: " + err.Error()) // the pattern is a constant
	}
	for _, file := range files {
		data, err := os.ReadFile(file) // fails for a disabled sensor
		if err != nil {
			continue
		}
		milli, err := strconv.Atoi(strings.TrimSpace(string(data)))
		if err == nil && (!ok || float64(milli)/1000 > celsius) {
			celsius, ok = float64(milli)/1000, true
		}
	}
	return celsius, ok
}

// Memory returns the resident memory of this process in bytes, including OpenCV's; false if the
// system is not Linux.
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
