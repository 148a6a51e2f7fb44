package config

import (
	"net"
	"net/netip"
	"time"
)

// Local says whether only this machine reaches the page.
func (p Page) Local() bool {
	host, _, err := net.SplitHostPort(p.Listen)
	ip, ipErr := netip.ParseAddr(host)
	return err == nil && (host == "localhost" || ipErr == nil && ip.IsLoopback())
}

// ShiftStarts are the checked Shifts, since midnight.
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

// clockTime is how a time of day is written.
const clockTime = "15:04"
