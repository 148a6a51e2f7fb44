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
	// also how long paho holds on to a message if the connection breaks at that moment
	writeTimeout = 3 * time.Second
	// a broker declares a silent station lost after one and a half times this
	keepAlive   = 30 * time.Second
	pingTimeout = 10 * time.Second
)

// clientOptions returns the options of one connection. Files are read each time, so that a new
// password or certificate needs no restart. paho must not remember anything: it does not reconnect
// or resume, and the broker's session ends with the connection.
func clientOptions(cfg config.MQTT) (*mqtt.ClientOptions, error) {
	broker, err := brokerURL(cfg.Broker)
	if err != nil {
		return nil, err
	}
	o := mqtt.NewClientOptions().
		AddBroker(broker.String()).
		SetClientID(cfg.ClientID).
		SetUsername(cfg.Username).
		SetProtocolVersion(4). // otherwise paho tries a refused password again with MQTT 3.1
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

// brokerURL parses the URL of a broker. The result has the scheme mqtt or mqtts and a port.
func brokerURL(broker string) (*url.URL, error) {
	u, err := url.Parse(broker)
	if err != nil || u.Hostname() == "" {
		u = new(url.URL)
	}
	port := "1883"
	switch u.Scheme {
	case "mqtt", "tcp":
		u.Scheme = "mqtt"
	case "mqtts", "ssl":
		u.Scheme, port = "mqtts", "8883"
	default:
		return nil, fmt.Errorf("invalid broker URL %q: want mqtt://HOST or mqtts://HOST", redacted(broker))
	}
	if u.Port() == "" {
		u.Host = net.JoinHostPort(u.Hostname(), port)
	}
	return u, nil
}

// redacted returns the URL of a broker with its password, if any, replaced by xxxxx. The URL may be
// invalid: the password is everything between the first colon of the user and the last @.
func redacted(broker string) string {
	at := strings.LastIndex(broker, "@")
	if at < 0 {
		return broker
	}
	start := strings.Index(broker[:at], "://")
	if start >= 0 {
		start += len("://")
	} else {
		start = 0
	}
	user, _, found := strings.Cut(broker[start:at], ":")
	if !found {
		return broker
	}
	return broker[:start] + user + ":xxxxx" + broker[at:]
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
			return nil, fmt.Errorf("CA file %s contains no PEM certificate", cfg.CAFile)
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

// connect opens a connection. lost receives at most one error, when the open connection breaks.
func connect(ctx context.Context, cfg config.MQTT, adjust func(*mqtt.ClientOptions)) (
	client mqtt.Client, lost <-chan error, err error) {
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
		return nil, nil, brokerError(cfg, contextError(ctx, "connect"))
	}
	if err := token.Error(); err != nil {
		return nil, nil, explain(cfg, err)
	}
	return c, ended, nil
}

// brokerError adds the broker to an error.
func brokerError(cfg config.MQTT, err error) error {
	return fmt.Errorf("broker %s: %w", redacted(cfg.Broker), err)
}

// lostError is the error of a broken connection.
func lostError(err error) error { return fmt.Errorf("connection lost (%w)", err) }

// contextError says what was not finished when ctx ended.
func contextError(ctx context.Context, action string) error {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return fmt.Errorf("%s: no answer in time (%w)", action, ctx.Err())
	}
	return fmt.Errorf("%s: stopped (%w)", action, ctx.Err())
}

// ConnectError says why there is no connection.
type ConnectError struct {
	Broker string // URL, without its password
	// what is wrong. The same for the same cause; Err may differ, for it may contain a local port.
	Text   string
	Advice string // what to check; may be empty
	Err    error  // of the network or the MQTT library
}

func (e *ConnectError) Error() string { return fmt.Sprintf("%s (%v)", e.cause(), e.Err) }
func (e *ConnectError) Unwrap() error { return e.Err }

// cause is the error without the part that may differ between two attempts.
func (e *ConnectError) cause() string {
	text := fmt.Sprintf("broker %s: %s", e.Broker, e.Text)
	if e.Advice != "" {
		text += ": " + e.Advice
	}
	return text
}

// Refused reports whether the broker answered and refused the client's name, password or client id.
func Refused(err error) bool {
	return refusedLogin(err) || errors.Is(err, packets.ErrorRefusedIDRejected)
}

func refusedLogin(err error) bool {
	return errors.Is(err, packets.ErrorRefusedBadUsernameOrPassword) ||
		errors.Is(err, packets.ErrorRefusedNotAuthorised)
}

// explain says in a technician's words why there is no connection and what to check.
func explain(cfg config.MQTT, err error) error {
	err = withoutPrefix(err)
	text, advice, ok := explainRefusal(cfg, err)
	if !ok {
		text, advice, ok = explainTLS(err)
	}
	if !ok {
		text, advice = explainNetwork(err)
	}
	return &ConnectError{Broker: redacted(cfg.Broker), Text: text, Advice: advice, Err: err}
}

// withoutPrefix removes paho's "network Error : " from an error of the network.
func withoutPrefix(err error) error {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		if all := joined.Unwrap(); len(all) == 2 && all[0] == packets.ErrorNetworkError {
			return all[1]
		}
	}
	return err
}

// explainRefusal explains an MQTT answer that refuses the connection.
func explainRefusal(cfg config.MQTT, err error) (text, advice string, ok bool) {
	switch {
	case refusedLogin(err) && cfg.Username == "":
		return "it requires a user name", "set the user name and password file", true
	case refusedLogin(err):
		return fmt.Sprintf("it refuses user %q", cfg.Username), "check the user name and the password file", true
	case errors.Is(err, packets.ErrorRefusedIDRejected):
		return fmt.Sprintf("it refuses client id %q", cfg.ClientID), "set another client id", true
	case errors.Is(err, packets.ErrorRefusedServerUnavailable):
		return "it reports that it is unavailable", "read the broker's log", true
	}
	return "", "", false
}

// explainTLS explains a failed TLS handshake, or a connection whose two sides do not agree on TLS.
func explainTLS(err error) (text, advice string, ok bool) {
	var (
		authority x509.UnknownAuthorityError
		hostname  x509.HostnameError
		invalid   x509.CertificateInvalidError
		record    tls.RecordHeaderError
		operation *net.OpError
	)
	switch {
	case errors.As(err, &authority):
		return "its certificate is signed by an unknown authority", "set the CA file", true
	case errors.As(err, &hostname):
		return "its certificate is for another host", "use the host name in the certificate", true
	case errors.As(err, &invalid):
		return "its certificate is not valid", "check the dates of the certificate, and the clock of this machine", true
	case errors.As(err, &record), errors.Is(err, io.EOF), errors.Is(err, syscall.ECONNRESET):
		return "it closes the connection at once",
			"it may use another protocol on this port (mqtts:// needs its TLS port), " +
				"or require a client certificate", true
	case errors.As(err, &operation) && operation.Op == "remote error": // crypto/tls: an alert from the other side
		return "it ends the TLS handshake",
			"it may require a client certificate, or support only TLS older than 1.2", true
	case strings.Contains(err.Error(), "unsupported protocol version"): // crypto/tls has no type for it
		return "it supports only TLS older than 1.2, which is not safe", "update the broker", true
	}
	return "", "", false
}

// explainNetwork explains every other error.
func explainNetwork(err error) (text, advice string) {
	var (
		unknownHost *net.DNSError
		timeout     net.Error
	)
	switch {
	case errors.As(err, &unknownHost):
		return fmt.Sprintf("host %s not found", unknownHost.Name),
			"check the host name, and this machine's network and DNS"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "nothing listens there", "check the port, and that the broker is running"
	case errors.As(err, &timeout) && timeout.Timeout():
		return "it does not answer", "check the address, the network and the firewall"
	}
	return "the connection failed", ""
}
