package uplink

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"strings"
	"syscall"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"
	"github.com/eclipse/paho.mqtt.golang/packets"

	"tirewatch/agent/config"
)

// Limits of one connection.
const (
	connectTimeout = 10 * time.Second
	// also how long paho holds on to a message when the connection breaks in that moment
	writeTimeout = 3 * time.Second
	// a broker calls a silent station lost after one and a half of it
	keepAlive   = 30 * time.Second
	pingTimeout = 10 * time.Second
)

// clientOptions prepares one connection. Files are read anew each time, so that a changed password
// or certificate needs no restart. paho gets nothing to remember: it neither reconnects nor
// resumes, and the session at the broker ends with the connection.
func clientOptions(cfg config.MQTT) (*mqtt.ClientOptions, error) {
	broker, err := brokerURL(cfg.Broker)
	if err != nil {
		return nil, err
	}
	o := mqtt.NewClientOptions().
		AddBroker(broker.String()).
		SetClientID(cfg.ClientID).
		SetUsername(cfg.Username).
		SetProtocolVersion(4). // paho would try a refused password again with MQTT 3.1
		SetCleanSession(true).
		SetAutoReconnect(false).
		SetConnectRetry(false).
		SetDialer(&net.Dialer{Timeout: connectTimeout}).
		SetCustomOpenConnectionFn(opener(func() {})).
		SetConnectTimeout(connectTimeout).
		SetWriteTimeout(writeTimeout).
		SetKeepAlive(keepAlive).
		SetPingTimeout(pingTimeout)
	if cfg.PasswordFile != "" {
		password, err := config.ReadPassword(cfg.PasswordFile)
		if err != nil {
			return nil, err
		}
		o.SetPassword(password)
	}
	if broker.Scheme == "mqtts" {
		t, err := tlsConfig(cfg, broker.Hostname())
		if err != nil {
			return nil, err
		}
		o.SetTLSConfig(t)
	}
	return o, nil
}

// brokerURL makes the scheme mqtt or mqtts and adds the port that goes with it.
func brokerURL(broker string) (*url.URL, error) {
	u, err := url.Parse(broker)
	if err != nil {
		return nil, fmt.Errorf("broker %q: %w", broker, err)
	}
	port := "1883"
	switch u.Scheme {
	case "mqtt", "tcp":
		u.Scheme = "mqtt"
	case "mqtts", "ssl":
		u.Scheme, port = "mqtts", "8883"
	default:
		return nil, fmt.Errorf("broker %q: want mqtt://HOST or mqtts://HOST", broker)
	}
	if u.Hostname() == "" {
		return nil, fmt.Errorf("broker %q: names no host", broker)
	}
	if u.Port() == "" {
		u.Host = net.JoinHostPort(u.Hostname(), port)
	}
	return u, nil
}

func tlsConfig(cfg config.MQTT, host string) (*tls.Config, error) {
	t := &tls.Config{ServerName: host, MinVersion: tls.VersionTLS12}
	if cfg.CAFile != "" {
		pem, err := config.ReadFile(cfg.CAFile)
		if err != nil {
			return nil, fmt.Errorf("read CA certificates: %w", err)
		}
		t.RootCAs = x509.NewCertPool()
		if !t.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("CA file %s holds no PEM certificate", cfg.CAFile)
		}
	}
	if cfg.CertFile != "" {
		pair, err := config.ReadKeyPair(cfg.CertFile, cfg.KeyFile)
		if err != nil {
			return nil, fmt.Errorf("client %w", err)
		}
		t.Certificates = []tls.Certificate{pair}
	}
	return t, nil
}

// connect opens a connection. lost receives at most one error, when the open connection ends by
// itself.
func connect(ctx context.Context, cfg config.MQTT, adjust func(*mqtt.ClientOptions)) (client mqtt.Client, lost <-chan error, err error) {
	o, err := clientOptions(cfg)
	if err != nil {
		return nil, nil, err
	}
	ended := make(chan error, 1)
	o.SetConnectionLostHandler(func(_ mqtt.Client, err error) { ended <- err })
	if adjust != nil {
		adjust(o)
	}
	c := mqtt.NewClient(o)
	token := c.Connect()
	select {
	case <-token.Done():
	case <-ctx.Done():
		c.Disconnect(0)
		return nil, nil, ctx.Err()
	}
	if err := token.Error(); err != nil {
		return nil, nil, explain(cfg, err)
	}
	return c, ended, nil
}

// ConnectError is why there is no connection.
type ConnectError struct {
	Broker string
	// what is wrong, the same for the same cause, while Err may name a port that differs in each
	// attempt
	Text   string
	Advice string // what to look at; may be empty
	Err    error
}

func (e *ConnectError) Error() string { return fmt.Sprintf("%s (%v)", e.cause(), e.Err) }
func (e *ConnectError) Unwrap() error { return e.Err }

// cause is the error without what may differ between two attempts.
func (e *ConnectError) cause() string {
	text := fmt.Sprintf("broker %s: %s", e.Broker, e.Text)
	if e.Advice != "" {
		text += ": " + e.Advice
	}
	return text
}

// Refused tells whether the broker was there and did not let the client in, for its name, password
// or client id.
func Refused(err error) bool {
	return errors.Is(err, packets.ErrorRefusedBadUsernameOrPassword) || errors.Is(err, packets.ErrorRefusedNotAuthorised) || errors.Is(err, packets.ErrorRefusedIDRejected)
}

// explain says in a technician's words why there is no connection and what can be done.
func explain(cfg config.MQTT, err error) error {
	var (
		unknownHost *net.DNSError
		authority   x509.UnknownAuthorityError
		hostname    x509.HostnameError
		invalid     x509.CertificateInvalidError
		record      tls.RecordHeaderError
		operation   *net.OpError
		timeout     net.Error
	)
	trouble := func(text, advice string) error {
		return &ConnectError{Broker: cfg.Broker, Text: text, Advice: advice, Err: err}
	}
	switch {
	case errors.Is(err, packets.ErrorRefusedBadUsernameOrPassword), errors.Is(err, packets.ErrorRefusedNotAuthorised):
		if cfg.Username == "" {
			return trouble("it lets nobody in without a user name", "set the user name and password file")
		}
		return trouble(fmt.Sprintf("it refuses user %q", cfg.Username), "check the user name and the password file")
	case errors.Is(err, packets.ErrorRefusedIDRejected):
		return trouble(fmt.Sprintf("it refuses the client id %q", cfg.ClientID), "set another")
	case errors.Is(err, packets.ErrorRefusedServerUnavailable):
		return trouble("it answers that it is unavailable", "look at the broker's log")
	case errors.As(err, &unknownHost):
		return trouble(fmt.Sprintf("the name %s cannot be found", unknownHost.Name), "check the broker's name, and this machine's network and DNS")
	case errors.Is(err, syscall.ECONNREFUSED):
		return trouble("nothing listens there", "check that the broker runs, and the port")
	case errors.As(err, &authority):
		return trouble("its certificate comes from an unknown authority", "set the CA file")
	case errors.As(err, &hostname):
		return trouble("its certificate is for another host", "use the name in the certificate")
	case errors.As(err, &invalid):
		return trouble("its certificate is not valid", "check its dates, and the clock of this machine")
	case errors.As(err, &record), errors.Is(err, io.EOF), errors.Is(err, syscall.ECONNRESET):
		return trouble("it closes the connection at once", "it may speak another protocol on this port (mqtts:// wants its TLS port), or want a client certificate")
	case errors.As(err, &operation) && operation.Op == "remote error": // how crypto/tls names an alert of the other side
		return trouble("it breaks the TLS handshake off", "it may want a client certificate, or speak only TLS older than 1.2")
	case strings.Contains(err.Error(), "unsupported protocol version"): // crypto/tls has no type for it
		return trouble("it speaks only TLS older than 1.2, which is not safe", "update the broker")
	case errors.As(err, &timeout) && timeout.Timeout():
		return trouble("it does not answer", "check address, network and firewall")
	}
	return trouble("no connection", "")
}
