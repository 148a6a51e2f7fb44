package doctor_test

import (
	"fmt"

	"tirewatch/agent/doctor"
)

func ExampleRead() {
	_, finding := doctor.Read("missing.toml")
	fmt.Println(finding.State, finding.Look)
	fmt.Println(finding.Found)
	fmt.Println(finding.Do)
	// Output:
	// failed configuration
	// read configuration: open missing.toml: no such file or directory
	// write one: sudo tirewatch-agent provision
}
