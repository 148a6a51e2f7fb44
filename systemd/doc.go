// Package systemd holds the service files of the station and the tests that keep them true.
//
//	tirewatch-agent.service      -> /lib/systemd/system/, like the other services and timers
//	tirewatch-alarm.service      says that the agent does not start any more
//	tirewatch-retry.timer        and starts it again half an hour later
//	tirewatch-selfcheck.timer    examines the station once a day, with tirewatch-selfcheck.service
//	tirewatch.sysusers           -> /usr/lib/sysusers.d/tirewatch.conf
//	tirewatch.tmpfiles           -> /usr/lib/tmpfiles.d/tirewatch.conf
//	journald.conf                -> /etc/systemd/journald.conf.d/tirewatch.conf, optional
//	gpio.conf                    for stations with a photo-eye or an ejector; its head says where it goes
//	credentials.conf             for stations whose secrets systemd keeps; its head says where it goes
//	page.conf                    for stations whose page may write the configuration
package systemd
