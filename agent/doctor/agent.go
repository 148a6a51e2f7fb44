package doctor

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"regexp"
	"strings"
	"time"
)

// agent asks a running agent what it knows of itself, which is more than can be seen from outside.
func (d *doctor) agent(ctx context.Context) {
	if d.shut {
		d.tell(Finding{"agent", Skipped, "this user cannot see whether it is running", "run this with sudo"})
		return
	}
	if !d.seen.InUse {
		d.tell(Finding{"agent", OK, "is not running: everything can be looked at", ""})
		return
	}
	if d.cfg.Metrics.Listen == "" {
		d.tell(Finding{"agent", OK, "is running; metrics.listen is empty, so it cannot be asked", ""})
		return
	}
	problems, err := askAgent(ctx, d.cfg.Metrics.Listen)
	switch {
	case err != nil:
		d.tell(Finding{"agent", Warning, fmt.Sprintf("is running and does not answer: %v", err), "journalctl -u tirewatch-agent -n 50 shows what it does"})
	case len(problems) > 0:
		d.tell(Finding{"agent", Failed, "is running and has trouble with: " + strings.Join(problems, ", "),
			"systemctl status tirewatch-agent and journalctl -u tirewatch-agent -p warning say more"})
	default:
		d.tell(Finding{"agent", OK, "is running and has no problem", ""})
	}
}

// problemLine is how agent/metrics shows a part that does not work.
var problemLine = regexp.MustCompile(`^tirewatch_problem\{part="([^"]*)"\} 1$`)

// askAgent reads which parts have a problem.
func askAgent(ctx context.Context, listen string) (parts []string, err error) {
	host, port, err := net.SplitHostPort(listen)
	if err != nil {
		return nil, err
	}
	// it listens everywhere, here too
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "localhost"
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+net.JoinHostPort(host, port)+"/metrics", nil)
	if err != nil {
		return nil, err
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("GET %s: %s", request.URL, answer.Status)
	}
	lines, ours := bufio.NewScanner(io.LimitReader(answer.Body, 1<<20)), false
	for lines.Scan() {
		ours = ours || strings.HasPrefix(lines.Text(), "tirewatch_")
		if m := problemLine.FindStringSubmatch(lines.Text()); m != nil {
			parts = append(parts, m[1])
		}
	}
	if lines.Err() == nil && !ours {
		return nil, fmt.Errorf("GET %s: the page of another program", request.URL)
	}
	return parts, lines.Err()
}
