package hint_test

import (
	"errors"
	"fmt"

	"tirewatch/internal/hint"
)

// lensError is an error with advice.
type lensError struct{}

func (lensError) Error() string { return "the image is black" }
func (lensError) Hint() string  { return "take the cap off" }

func ExampleOf() {
	err := fmt.Errorf("look at the camera: %w", lensError{})
	fmt.Println(err)
	fmt.Println(hint.Of(err))
	fmt.Printf("%q\n", hint.Of(errors.New("an error without advice")))
	// Output:
	// look at the camera: the image is black
	// take the cap off
	// ""
}
