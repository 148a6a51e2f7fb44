package config

import (
	"net"
	"net/netip"
	"time"
)

// Local reports whether the page is reachable from this machine only.
func (p Page) Local() bool {
	host, _, err := net.SplitHostPort(p.Listen)
	ip, ipErr := netip.ParseAddr(host)
	return err == nil && (host == "localhost" || ipErr == nil && ip.IsLoopback())
}

// ShiftStarts are the times of Shifts since midnight. It panics for shifts that did not come from
// Parse.
func (p Page) ShiftStarts() (starts []time.Duration) {
	for _, s := range p.Shifts {
		t, err := time.Parse(clockTime, s)
		if err != nil {
			panic("internal error: unchecked shift: " + err.Error())
		}
		starts = append(starts, time.Duration(t.Hour())*time.Hour+time.Duration(t.Minute())*time.Minute)
	}
	return starts
}

// clockTime is the format of a time of day.
const clockTime = "15:04"
