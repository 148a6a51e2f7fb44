package durable_test

import (
	"fmt"
	"log"
	"os"
	"path/filepath"

	"tirewatch/internal/durable"
)

func ExampleWriteFile() {
	dir, err := os.MkdirTemp("", "durable")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)

	path := filepath.Join(dir, "report.txt")
	for _, text := range []string{"old report", "new report"} {
		if err := durable.WriteFile(path, []byte(text), 0o644); err != nil {
			log.Fatal(err)
		}
	}
	data, err := os.ReadFile(path)
	fmt.Printf("%s, error %v\n", data, err)
	// Output: new report, error <nil>
}
