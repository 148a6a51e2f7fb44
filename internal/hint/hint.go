// Package hint finds the advice that belongs to an error. An error offers advice with a method
// `Hint() string`: one line that says what to do, if possible with a command. The programs, the
// page and the doctor show it below the error. The one call is [Of].
package hint

import "errors"

// Of returns the advice of err, or of the first error that it wraps with a method Hint. It returns
// an empty string if there is none.
func Of(err error) string {
	var advice interface{ Hint() string }
	if errors.As(err, &advice) {
		return advice.Hint()
	}
	return ""
}
