// Package systemd holds the service files of the station and their tests. Start with
// tirewatch-agent.service, which runs the agent.
//
//	tirewatch-agent.service      runs the agent; to /lib/systemd/system/, like all units below
//	tirewatch-alarm.service      raises an alarm when the agent no longer starts
//	tirewatch-retry.timer        starts the agent again 35 minutes after it gave up
//	tirewatch-selfcheck.timer    starts tirewatch-selfcheck.service once a day
//	tirewatch.sysusers           the user; to /usr/lib/sysusers.d/tirewatch.conf
//	tirewatch.tmpfiles           the folders; to /usr/lib/tmpfiles.d/tirewatch.conf
//	journald.conf                limits of the log, optional; to /etc/systemd/journald.conf.d/
//	gpio.conf                    for stations with a photo-eye, an encoder or an ejector
//	credentials.conf             for stations whose passwords and keys systemd keeps
//	page.conf                    for stations whose web page may write the configuration
//
// The first lines of the last three files say where to copy them.
package systemd
