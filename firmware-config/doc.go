// Package firmware tests the files that a device needs in addition to the agent. Start with
// README.md, which says what each file is for and where to copy it.
package firmware
