package uplink_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"tirewatch/agent/uplink"
	"tirewatch/agent/uplink/brokertest"
)

// startTLS starts a broker whose certificate is for localhost only, and returns its URL. It writes
// the certificate of the authority to dir/ca.pem, and one for a station to dir/client.pem and
// client.key.
func startTLS(t *testing.T, dir string, conf ...string) string {
	t.Helper()
	write := func(name, kind string, der []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	newKey := func() *ecdsa.PrivateKey {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		return key
	}
	caKey, key := newKey(), newKey()
	ca := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test authority"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	server := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "localhost"}, DNSNames: []string{"localhost"},
		NotBefore: ca.NotBefore, NotAfter: ca.NotAfter,
	}
	client := &x509.Certificate{
		SerialNumber: big.NewInt(3), Subject: pkix.Name{CommonName: "station3"}, NotBefore: ca.NotBefore, NotAfter: ca.NotAfter,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	caDER, err := x509.CreateCertificate(rand.Reader, ca, ca, &caKey.PublicKey, caKey)
	if err != nil {
		t.Fatal(err)
	}
	serverDER, err := x509.CreateCertificate(rand.Reader, server, ca, &key.PublicKey, caKey)
	if err != nil {
		t.Fatal(err)
	}
	clientDER, err := x509.CreateCertificate(rand.Reader, client, ca, &key.PublicKey, caKey)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	write("ca.pem", "CERTIFICATE", caDER)
	write("client.pem", "CERTIFICATE", clientDER)
	write("client.key", "EC PRIVATE KEY", keyDER)
	conf = append(conf, brokertest.Anonymous,
		"certfile "+write("server.pem", "CERTIFICATE", serverDER),
		"keyfile "+write("server.key", "EC PRIVATE KEY", keyDER))
	broker := brokertest.Start(t, conf...)
	return fmt.Sprintf("mqtts://localhost:%d", broker.Port)
}

// A false broker learns neither the password nor a verdict.
func TestAttackFalseBroker(t *testing.T) {
	dir, foreign := t.TempDir(), t.TempDir()
	startTLS(t, dir)
	startTLS(t, foreign)
	password := filepath.Join(dir, "password")
	if err := os.WriteFile(password, []byte("right-4d8c1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, host, certificate string
		max                     uint16 // version of TLS
		says                    string
	}{
		{"another authority's certificate", "localhost", foreign, tls.VersionTLS13,
			"its certificate is signed by an unknown authority"},
		{"a certificate for another name", "127.0.0.1", dir, tls.VersionTLS13, "its certificate is for another host"},
		{"an unsafe version of TLS", "localhost", dir, tls.VersionTLS11, "TLS older than 1.2"},
	} {
		t.Run(c.name, func(t *testing.T) {
			pair, err := tls.LoadX509KeyPair(c.certificate+"/server.pem", c.certificate+"/server.key")
			if err != nil {
				t.Fatal(err)
			}
			impostor, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{
				Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS10, MaxVersion: c.max,
			})
			if err != nil {
				t.Fatal(err)
			}
			var learned atomic.Int64
			visits := make(chan struct{}, 64)
			var wg sync.WaitGroup
			wg.Go(func() {
				for conn, err := impostor.Accept(); err == nil; conn, err = impostor.Accept() {
					n, _ := io.Copy(io.Discard, conn) // what passes the handshake
					learned.Add(n)
					visits <- struct{}{}
					conn.Close()
				}
			})
			t.Cleanup(func() { impostor.Close(); wg.Wait() })

			cfg := settings(fmt.Sprintf("mqtts://%s:%d", c.host, impostor.Addr().(*net.TCPAddr).Port))
			cfg.CAFile, cfg.Username, cfg.PasswordFile = dir+"/ca.pem", "station3", password
			j := newJournal(t)
			appendN(t, j, 1)
			log, logger := newLog()
			u := uplink.New(cfg, topics, j, logger, uplink.Options{})
			u.SetPauses(20*time.Millisecond, time.Minute)
			stop := run(t, u)
			log.wait(c.says)
			for range 3 { // the station keeps trying
				<-visits
			}
			stop()
			if n, _, err := j.Depth(); err != nil || n != 1 || learned.Load() != 0 {
				t.Errorf("%d verdicts wait, %v; the impostor learned %d bytes", n, err, learned.Load())
			}
			t.Logf("3 visits: %d bytes learned, the verdict waits", learned.Load())
		})
	}
}
