// Package packages holds what makes Debian packages of the two programs, and the tests that install
// them.
//
//	package.mk                  make's part: cross-compile, package, reproduce; included by the Makefile
//	agent.yaml, toolbox.yaml    what is in the packages tirewatch-agent and tirewatch
//	postinst, prerm, postrm     what happens at the station when the agent's comes and goes
//	depends, notices, release   the packages that a program needs, the licences in it, the version
//
// `make test-package` installs, upgrades and removes them in a root of Debian, an arm64 one under
// qemu (package_linux_test.go).
package packages
