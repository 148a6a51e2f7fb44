package doctor

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"syscall"
	"time"
)

// agent asks a running agent for its problems: it knows more than can be seen from outside.
func (d *doctor) agent(ctx context.Context) {
	if d.denied {
		d.report(Finding{"agent", Skipped, "this user cannot see whether it is running", "run this command with sudo"})
		return
	}
	if !d.seen.InUse {
		d.report(Finding{"agent", OK, "is not running: everything can be checked", ""})
		return
	}
	if d.cfg.Metrics.Listen == "" {
		d.report(Finding{"agent", OK, "is running; metrics.listen is empty, so it cannot report problems", ""})
		return
	}
	problems, err := askAgent(ctx, d.cfg.Metrics.Listen)
	switch {
	case err != nil:
		d.report(Finding{"agent", Warning, fmt.Sprintf("is running, but does not report: %v", err),
			"read its log: journalctl -u tirewatch-agent -n 50"})
	case len(problems) > 0:
		d.report(Finding{"agent", Failed, "is running, with problems: " + strings.Join(problems, ", "),
			"read its log: journalctl -u tirewatch-agent -p warning"})
	default:
		d.report(Finding{"agent", OK, "is running, without problems", ""})
	}
}

// problemLine is how agent/metrics shows a part with a problem.
var problemLine = regexp.MustCompile(`^tirewatch_problem\{part="([^"]*)"\} 1$`)

// patience is how long an agent may take to answer.
const patience = 5 * time.Second

// askAgent reads from the metrics which parts have a problem.
func askAgent(ctx context.Context, listen string) (parts []string, err error) {
	host, port, err := net.SplitHostPort(listen)
	if err != nil {
		return nil, err
	}
	// it listens on all addresses, this machine's own included
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "localhost"
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	page := "http://" + net.JoinHostPort(host, port) + "/metrics"
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, page, nil)
	if err != nil {
		return nil, err
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", page, explain(err))
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("read %s: status %s", page, answer.Status)
	}
	lines, ours := bufio.NewScanner(io.LimitReader(answer.Body, 1<<20)), false
	for lines.Scan() {
		ours = ours || strings.HasPrefix(lines.Text(), "tirewatch_")
		if m := problemLine.FindStringSubmatch(lines.Text()); m != nil {
			parts = append(parts, m[1])
		}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("read %s: %w", page, explain(err))
	}
	if !ours {
		return nil, fmt.Errorf("read %s: another program answers", page)
	}
	return parts, nil
}

// explain says in plain words why there is no answer.
func explain(err error) error {
	if u, ok := errors.AsType[*url.Error](err); ok {
		err = u.Err
	}
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return errors.New("nothing listens there")
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("no answer within %v", patience)
	}
	return err
}
