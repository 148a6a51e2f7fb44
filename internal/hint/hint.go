// Package hint finds what an error says of what to do about it: its method Hint, or that of an
// error that it wraps. Newcomers need Of.
package hint

import "errors"

// Of is the advice that an error brings along; empty when there is none.
func Of(err error) string {
	var advice interface{ Hint() string }
	if errors.As(err, &advice) {
		return advice.Hint()
	}
	return ""
}
