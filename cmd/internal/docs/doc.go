// Package docs has no code: its tests compare the documents of the project with the code. They are
// here because the documents describe both programs.
package docs
