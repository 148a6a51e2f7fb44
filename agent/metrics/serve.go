package metrics

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"
)

// Server answers scrapes. The listener stands when Listen has returned, so that a wrong address is
// an error of the start.
type Server struct {
	listener net.Listener
	server   *http.Server
}

// Listen opens address, host:port.
func (m *Metrics) Listen(address string) (*Server, error) {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("metrics: %w: choose another metrics.listen, or none", err)
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", m.Handler())
	return &Server{l, &http.Server{
		Handler: mux, MaxHeaderBytes: 16 << 10,
		ReadTimeout: 5 * time.Second, WriteTimeout: 10 * time.Second, IdleTimeout: time.Minute,
	}}, nil
}

// Addr is where it listens.
func (s *Server) Addr() string { return s.listener.Addr().String() }

// Run answers until ctx ends. What it returns is not fatal: a station works without being watched.
func (s *Server) Run(ctx context.Context) error {
	defer context.AfterFunc(ctx, func() { s.server.Close() })()
	if err := s.server.Serve(s.listener); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("metrics: %w", err)
	}
	return nil
}
