package manual

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/cpuguy83/go-md2man/v2/md2man"
)

// WritePage writes dir/manSECTION/NAME.SECTION from Markdown. It is for pages that describe no
// command.
func WritePage(dir, name, section, markdown string) error {
	date := time.Now()
	if epoch := os.Getenv("SOURCE_DATE_EPOCH"); epoch != "" { // as for the pages of commands
		s, err := strconv.ParseInt(epoch, 10, 64)
		if err != nil {
			return fmt.Errorf("invalid SOURCE_DATE_EPOCH %q: want seconds since 1970", epoch)
		}
		date = time.Unix(s, 0)
	}
	man := filepath.Join(dir, "man"+section)
	if err := os.MkdirAll(man, 0o755); err != nil {
		return err
	}
	title := fmt.Sprintf("%% %q %q %q \"tirewatch\" \"tirewatch\"\n\n", strings.ToUpper(name), section, date.Format("Jan 2006"))
	return os.WriteFile(filepath.Join(man, name+"."+section), md2man.Render([]byte(title+markdown)), 0o644)
}

// PageOnDemand writes a page when the command line is `manual DIR`. Call it before OnDemand, which
// ends the program.
func PageOnDemand(name, section, markdown string) {
	if len(os.Args) != 3 || os.Args[1] != "manual" {
		return
	}
	if err := WritePage(os.Args[2], name, section, markdown); err != nil {
		fmt.Fprintf(os.Stderr, "%s.%s: error: %v\n", name, section, err)
		os.Exit(1)
	}
}
