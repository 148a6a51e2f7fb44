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

// Limits on what browsers can use of the station's resources.
const (
	maxConnections = 48
	maxHeader      = 16 << 10 // bytes
	maxBody        = 4 << 10  // bytes
	// longPoll is how long a request waits for a new image.
	longPoll = 10 * time.Second
	// writeTimeout is how long a response may take, including the wait. It ends the connection of
	// a browser that hangs.
	writeTimeout = 30 * time.Second
)

// Server serves the page. Its listener is open when Listen returns.
type Server struct {
	page     *Page
	listener net.Listener
	server   *http.Server
	scheme   string
}

// Listen opens the configured address, with TLS if a certificate is configured.
func (p *Page) Listen() (*Server, error) {
	c := p.o.Page
	scheme := "http"
	var secure *tls.Config
	if c.CertFile != "" {
		pair, err := config.ReadKeyPair(c.CertFile, c.KeyFile)
		if err != nil {
			return nil, fmt.Errorf("page: %w", err)
		}
		scheme = "https"
		secure = &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12,
			NextProtos: []string{"h2", "http/1.1"}}
	}
	l, err := net.Listen("tcp", c.Listen)
	if err != nil {
		return nil, fmt.Errorf("page: listen on %s: %w; change page.listen, or leave it empty for no page",
			c.Listen, cause(err))
	}
	bounded := netutil.LimitListener(l, maxConnections)
	if secure != nil {
		bounded = tls.NewListener(bounded, secure)
	}
	return &Server{p, bounded, &http.Server{
		Handler: p.Handler(), MaxHeaderBytes: maxHeader,
		ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second,
		WriteTimeout: writeTimeout, IdleTimeout: time.Minute,
		// port scanners and broken connections cause these
		ErrorLog: slog.NewLogLogger(p.o.Log.Handler(), slog.LevelDebug),
	}, scheme}, nil
}

// cause removes the operation and the address that net puts before the reason.
func cause(err error) error {
	if op, ok := errors.AsType[*net.OpError](err); ok {
		return op.Err
	}
	return err
}

// URL returns the address of the page.
func (s *Server) URL() string { return s.scheme + "://" + s.listener.Addr().String() + "/" }

// Run serves the page until ctx ends. Its error is not fatal: a station works without its page.
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
			s.page.o.Log.Error("page: earlier shifts not counted", "error", err)
		}
	}()
	if err := s.server.Serve(s.listener); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("page: %w", err)
	}
	return nil
}

// Handler serves the requests: guard first, then the check of the origin, then the routes. Listen
// and Run add the limits on connections and time.
func (p *Page) Handler() http.Handler {
	sameOrigin := http.NewCrossOriginProtection()
	sameOrigin.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Error(w, "The station refuses requests that the page of another site sends.", http.StatusForbidden)
	}))
	return p.guard(sameOrigin.Handler(p.routes()))
}

// contentPolicy lets the page load files from this station only, and no other page embed it.
const contentPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; " +
	"connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// guard sets the security headers of every response and limits every request.
func (p *Page) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for name, value := range map[string]string{
			"Content-Security-Policy":      contentPolicy,
			"X-Frame-Options":              "DENY",
			"X-Content-Type-Options":       "nosniff",
			"Referrer-Policy":              "no-referrer",
			"Cross-Origin-Opener-Policy":   "same-origin",
			"Cross-Origin-Resource-Policy": "same-origin",
			"Cache-Control":                "no-store",
			"Permissions-Policy":           "camera=(), microphone=(), geolocation=(), payment=(), usb=()",
		} {
			w.Header().Set(name, value)
		}
		// DNS rebinding: if an attacker's name resolves to this machine, the attacker's page has
		// the same origin as this one. With TLS, the certificate prevents that.
		if p.o.Page.Local() && !isLocalHost(r.Host) {
			http.Error(w, "This page answers on this computer only: open it as localhost or 127.0.0.1.",
				http.StatusMisdirectedRequest)
			return
		}
		r.Body = http.MaxBytesReader(w, r.Body, maxBody)
		next.ServeHTTP(w, r)
	})
}

// isLocalHost reports whether a Host header is a loopback name or address. The port may differ from
// the page's own: an SSH tunnel has another one.
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
