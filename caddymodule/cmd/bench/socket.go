package main

import (
	"bufio"
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
)

// socket is the WebSocket of a game that does as little as a game can. It masks
// with zeros, which leaves what it sends as it is, and takes nothing but messages
// in one frame; a ping, which would be something else, comes to games that say
// nothing for a minute.
type socket struct{ *conn }

// dialGame connects, over TLS if there is something to trust. It ends as those of
// games often do, without a word: a port whose connection has been closed properly
// rests for a minute, and there are not enough ports for that.
func dialGame(addr string, trusted *tls.Config) (*conn, error) {
	c, err := net.DialTimeout("tcp", addr, patience)
	if err != nil {
		return nil, err
	}
	if err := c.(*net.TCPConn).SetLinger(0); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	if trusted != nil {
		c = tls.Client(c, trusted)
	}
	return &conn{Conn: c, in: bufio.NewReader(c)}, nil
}

// upgrade makes a WebSocket of a connection.
func upgrade(c *conn, host, path string) (socket, error) {
	request := "GET " + path + " HTTP/1.1\r\nHost: " + host + "\r\nUser-Agent: bench\r\nConnection: Upgrade\r\n" +
		"Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " +
		base64.StdEncoding.EncodeToString(make([]byte, 16)) + "\r\n\r\n"
	if _, err := io.WriteString(c, request); err != nil {
		return socket{}, err
	}
	line, err := c.in.ReadSlice('\n')
	if err == nil && !bytes.HasPrefix(line, []byte("HTTP/1.1 101 ")) {
		err = fmt.Errorf("no upgrade but %q", line)
	}
	for err == nil && len(line) > len("\r\n") {
		line, err = c.in.ReadSlice('\n')
	}
	return socket{c}, err
}

const (
	textFrame = 0x80 | 1 // the last of a message, RFC 6455 section 5.2
	masked    = 0x80
	twoBytes  = 126 // a length in the two bytes that follow
)

// send sends a message.
func (s socket) send(text string) error {
	s.out = append(s.out[:0], textFrame)
	switch n := len(text); {
	case n < twoBytes:
		s.out = append(s.out, masked|byte(n))
	case n < 1<<16:
		s.out = binary.BigEndian.AppendUint16(append(s.out, masked|twoBytes), uint16(n))
	default:
		return fmt.Errorf("a message of %d bytes", n)
	}
	s.out = append(append(s.out, 0, 0, 0, 0), text...)
	_, err := s.Write(s.out)
	return err
}

// receive waits for a message. It is good until the next one.
func (s socket) receive() ([]byte, error) {
	var head [2]byte
	if _, err := io.ReadFull(s.in, head[:]); err != nil {
		return nil, err
	}
	n := int(head[1])
	if head[0] != textFrame || n > twoBytes {
		return nil, fmt.Errorf("no short text but a frame that begins with %#x", head)
	}
	if n == twoBytes {
		if _, err := io.ReadFull(s.in, head[:]); err != nil {
			return nil, err
		}
		n = int(binary.BigEndian.Uint16(head[:]))
	}
	s.body = append(s.body[:0], make([]byte, n)...)
	_, err := io.ReadFull(s.in, s.body)
	return s.body, err
}

// exchange sends a message, and returns a member that the answer must have.
func (s socket) exchange(text, name string) (string, error) {
	if err := s.send(text); err != nil {
		return "", err
	}
	return s.receiveMember(name)
}

func (s socket) receiveMember(name string) (string, error) {
	answer, err := s.receive()
	if err != nil {
		return "", err
	}
	return member(answer, name)
}

// signIn carries the handshake out, and signs in whoever plays on a device.
func (s socket) signIn(device string) error {
	nonce, err := s.receiveMember("nonce")
	if err != nil {
		return err
	}
	mac := hmac.New(sha256.New, []byte(gameSecret))
	mac.Write([]byte(nonce))
	proof := base64.StdEncoding.EncodeToString(mac.Sum(nil))
	if _, err := s.exchange(`{"@class":".AuthenticatedConnectRequest","hmac":"`+proof+`","os":"LINUX","platform":"bench"}`, "sessionId"); err != nil {
		return err
	}
	_, err = s.exchange(`{"@class":".DeviceAuthenticationRequest","requestId":"1","deviceId":"`+device+`","deviceOS":"LINUX"}`, "authToken")
	return err
}
