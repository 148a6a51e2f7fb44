package web

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/net/netutil"

	"tirewatch/agent/config"
)

// Bounds of what a browser can take of the station.
const (
	maxConnections = 48
	maxHeader      = 16 << 10 // bytes
	maxBody        = 4 << 10  // bytes
	// longPoll is how long a request for a picture waits for one.
	longPoll = 10 * time.Second
	// writeTimeout is how long an answer may take, waiting included. A browser that hangs loses its
	// connection then.
	writeTimeout = 30 * time.Second
)

// Server answers browsers. The listener stands when Listen has returned.
type Server struct {
	page     *Page
	listener net.Listener
	server   *http.Server
	scheme   string
}

// Listen opens the address of the configuration, with TLS when it names a certificate.
func (p *Page) Listen() (*Server, error) {
	c := p.o.Page
	scheme := "http"
	var secure *tls.Config
	if c.CertFile != "" {
		pair, err := config.ReadKeyPair(c.CertFile, c.KeyFile)
		if err != nil {
			return nil, fmt.Errorf("page: %w", err)
		}
		scheme, secure = "https", &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12, NextProtos: []string{"h2", "http/1.1"}}
	}
	l, err := net.Listen("tcp", c.Listen)
	if err != nil {
		return nil, fmt.Errorf("page: %w: choose another page.listen, or none", err)
	}
	bounded := netutil.LimitListener(l, maxConnections)
	if secure != nil {
		bounded = tls.NewListener(bounded, secure)
	}
	return &Server{p, bounded, &http.Server{
		Handler: p.Handler(), MaxHeaderBytes: maxHeader,
		ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second, WriteTimeout: writeTimeout, IdleTimeout: time.Minute,
		// what scanners and broken connections cause
		ErrorLog: slog.NewLogLogger(p.o.Log.Handler(), slog.LevelDebug),
	}, scheme}, nil
}

// URL is where the page is.
func (s *Server) URL() string { return s.scheme + "://" + s.listener.Addr().String() + "/" }

// Run answers until ctx ends. What it returns is not fatal: a station works without its page.
func (s *Server) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	var saving sync.WaitGroup
	defer saving.Wait()
	defer cancel()
	saving.Go(func() { s.page.stateFile.run(ctx, s.page.shifts, s.page.o.Log) })
	defer context.AfterFunc(ctx, func() { s.server.Close() })()
	s.server.BaseContext = func(net.Listener) context.Context { return ctx }
	go s.page.live.run(ctx, s.page.o.Margin)
	go func() {
		if err := s.page.shifts.load(s.page.o.Journal); err != nil {
			s.page.o.Log.Error("page: the verdicts of earlier shifts are not counted", "error", err)
		}
	}()
	if err := s.server.Serve(s.listener); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("page: %w", err)
	}
	return nil
}

// Handler answers requests: guard, then routes. Listen and Run put it behind their bounds.
func (p *Page) Handler() http.Handler {
	return p.guard(http.NewCrossOriginProtection().Handler(p.routes()))
}

// contentPolicy lets the page load what comes from this station and nothing else, and nobody frame it.
const contentPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; connect-src 'self'; form-action 'self'; " +
	"base-uri 'none'; frame-ancestors 'none'"

// guard is in front of every answer.
func (p *Page) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for name, value := range map[string]string{
			"Content-Security-Policy": contentPolicy, "X-Frame-Options": "DENY", "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer",
			"Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Resource-Policy": "same-origin", "Cache-Control": "no-store",
			"Permissions-Policy": "camera=(), microphone=(), geolocation=(), payment=(), usb=()",
		} {
			w.Header().Set(name, value)
		}
		// A name of the attacker's that leads to this machine would make his page one of the same
		// origin. With TLS the certificate forbids that.
		if p.o.Page.Local() && !isLocalHost(r.Host) {
			http.Error(w, "this page is for localhost and 127.0.0.1", http.StatusMisdirectedRequest)
			return
		}
		r.Body = http.MaxBytesReader(w, r.Body, maxBody)
		next.ServeHTTP(w, r)
	})
}

// local says whether a Host names this machine to itself. The port may be another one, of an ssh
// tunnel.
func isLocalHost(host string) bool {
	name := host
	if h, _, err := net.SplitHostPort(host); err == nil {
		name = h
	}
	if len(name) > 2 && name[0] == '[' {
		name = name[1 : len(name)-1]
	}
	ip, err := netip.ParseAddr(name)
	return name == "localhost" || err == nil && ip.IsLoopback()
}
