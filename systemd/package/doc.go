// Package packages builds the Debian packages of the two programs, and tests them. Start with
// package.mk: `make deb` builds all packages.
//
//	package.mk                  make targets: cross-compile, package, reproduce
//	agent.yaml, toolbox.yaml    contents of the packages tirewatch-agent and tirewatch
//	postinst, prerm, postrm     scripts that run when tirewatch-agent is installed or removed
//	depends, notices, release   print the dependencies, the licences and the version
//	apache-2.0                  the licence of the pretrained network, see trainer/base/NOTICE
//
// `make test-package` installs, upgrades and removes the packages in a Debian root folder: for
// arm64, under qemu (package_linux_test.go).
package packages
