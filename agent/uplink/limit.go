package uplink

import (
	"crypto/tls"
	"fmt"
	"net"
	"net/url"
	"time"

	"tirewatch/agent/message"

	mqtt "github.com/eclipse/paho.mqtt.golang"
	"golang.org/x/net/proxy"
)

// paho allocates a whole packet as soon as it has read its length. That may be 256 MiB, and a
// broken or hostile broker may announce one such packet after another. So the connection itself
// reads the lengths, and ends when a packet is announced that is longer than anything we accept.
//
//	byte 0     kind and flags
//	byte 1..4  length of the rest, 7 bits each, the lowest first; bit 7: another byte follows
//	...        the rest

// maxPacket is the largest packet that a broker may send, bytes: a bundle and its topic. The margin
// lets a bundle that is slightly too large arrive, so that it can be refused with a reason.
const maxPacket = message.MaxBundle + 1<<20

// PacketSizeError ends a connection because the broker announced a packet of invalid size.
type PacketSizeError struct{ Size int } // bytes; 0 for an invalid length

func (e *PacketSizeError) Error() string {
	if e.Size == 0 {
		return "the broker sent a packet with an invalid length"
	}
	return fmt.Sprintf("the broker sent a packet of %d bytes, the limit is %d", e.Size, maxPacket)
}

// boundedConn is a connection that ends before a packet that is too large. Its state is owned by
// the goroutine that reads.
type boundedConn struct {
	net.Conn
	exceeded func() // called once, when a packet is too large
	left     int    // bytes of the current packet that are not read yet
	digits   int    // bytes of the length read so far; -1: the next byte is the first of a packet
	length   int    // the length, as far as it is read
	err      error  // set once a packet was too large
}

func newBoundedConn(c net.Conn, exceeded func()) *boundedConn {
	return &boundedConn{Conn: c, exceeded: exceeded, digits: -1}
}

// Read returns everything before a packet that is too large, and of that packet at most the bytes
// before the end of its length.
func (c *boundedConn) Read(p []byte) (int, error) {
	if c.err != nil {
		return 0, c.err
	}
	n, err := c.Conn.Read(p)
	for i := 0; i < n; {
		if c.left > 0 {
			step := min(c.left, n-i)
			c.left -= step
			i += step
			continue
		}
		if c.err = c.header(p[i]); c.err != nil {
			c.exceeded()
			c.Conn.Close()
			return i, c.err
		}
		i++
	}
	return n, err
}

// header reads one byte of a packet's header.
func (c *boundedConn) header(b byte) error {
	if c.digits < 0 {
		c.digits, c.length = 0, 0
		return nil
	}
	c.length |= int(b&0x7f) << (7 * c.digits)
	c.digits++
	switch more := b&0x80 != 0; {
	case c.length > maxPacket:
		return &PacketSizeError{Size: c.length}
	case more && c.digits == 4:
		return &PacketSizeError{}
	case !more:
		c.left, c.digits = c.length, -1
	}
	return nil
}

// opener opens connections as paho does, and bounds them. exceeded is called when a packet was too
// large: the error that paho reports does not always include it.
func opener(exceeded func()) mqtt.OpenConnectionFunc {
	return func(broker *url.URL, o mqtt.ClientOptions) (net.Conn, error) {
		conn, err := proxy.FromEnvironmentUsing(o.Dialer).Dial("tcp", broker.Host)
		if err != nil {
			return nil, err
		}
		if broker.Scheme == "mqtts" {
			secure := tls.Client(conn, o.TLSConfig)
			conn.SetDeadline(time.Now().Add(o.ConnectTimeout))
			if err := secure.Handshake(); err != nil {
				conn.Close()
				return nil, err
			}
			conn.SetDeadline(time.Time{})
			conn = secure
		}
		return newBoundedConn(conn, exceeded), nil
	}
}
