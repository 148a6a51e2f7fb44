package metrics

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"
)

// Server serves scrapes.
type Server struct {
	listener net.Listener
	server   *http.Server
}

// Listen opens address (host:port), so that a wrong address is an error at the start.
func (m *Metrics) Listen(address string) (*Server, error) {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("open metrics endpoint: %w: set metrics.listen to another address, or remove it", err)
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", m.Handler())
	return &Server{l, &http.Server{
		Handler: mux, MaxHeaderBytes: 16 << 10,
		ReadTimeout: 5 * time.Second, WriteTimeout: 10 * time.Second, IdleTimeout: time.Minute,
	}}, nil
}

// Addr returns the address of the listener.
func (s *Server) Addr() string { return s.listener.Addr().String() }

// Run serves until ctx ends. Its error is not fatal: a station works without metrics.
func (s *Server) Run(ctx context.Context) error {
	defer context.AfterFunc(ctx, func() { s.server.Close() })()
	if err := s.server.Serve(s.listener); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve metrics: %w", err)
	}
	return nil
}
