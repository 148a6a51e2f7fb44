// Package firmware holds what a device needs around the agent, and the tests that keep it true.
// README.md says which file goes where.
package firmware
