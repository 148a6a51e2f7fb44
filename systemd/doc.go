// Package systemd holds the service files of the station and the tests that keep them true.
//
//	tirewatch-agent.service -> /lib/systemd/system/
//	tirewatch.sysusers      -> /usr/lib/sysusers.d/tirewatch.conf
//	tirewatch.tmpfiles      -> /usr/lib/tmpfiles.d/tirewatch.conf
package systemd
