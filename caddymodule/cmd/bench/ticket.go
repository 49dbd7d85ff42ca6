package main

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
)

const ticketConns = 64

// ticketRow is the issue of a ticket and its redemption, over HTTP and durable.
func ticketRow(b *bench) ([]result, error) {
	s, err := b.makeStore(b.badger("few"), 100)
	if err != nil {
		return nil, err
	}
	server, err := (guarded{store: s}).start(b)
	if err != nil {
		return nil, err
	}
	defer server.discard()
	bearer, err := server.bearer()
	if err != nil {
		return nil, err
	}
	clients, err := newClient(server.login, ticketConns)
	if err != nil {
		return nil, err
	}
	defer clients.close()
	headers := "Content-Type: application/json\r\nAuthorization: Bearer " + bearer + "\r\n"
	pairs := side{pid: server.pid(), n: b.roundSize(5000), round: func(n int) error {
		return clients.drive(n, func(c *conn, i int) error {
			return ticketPair(c, server.login, headers, s.tokens[i%len(s.tokens)])
		})
	}}
	samples, err := b.repeat(pairs)
	if err != nil {
		return nil, err
	}
	const least = 4000
	low, high := medianInterval(rates(samples))
	return []result{{
		what: "ticket issue + redemption over HTTP, durable, 64 clients", goal: "≥ 4,000 pairs per second",
		measured: fmt.Sprintf("%s pairs per second (95 %% CI %s–%s); %s of Caddy's CPU a pair",
			count(rateOf(samples)), count(low), count(high), micros(cpuOf(samples))),
		met: beyond(least, low, high),
	}}, nil
}

// ticketPair asks for a ticket and redeems it.
func ticketPair(c *conn, host, headers, session string) error {
	const device = `"operating_sys_version":"Android13","device_ip":"127.0.0.1","agent":"bench","device_fingerprint":"` + fingerprint + `"`
	body, err := c.demand(post(c.out[:0], host, "/api/v2/tenant/sso/session-token/sso-ticket", headers,
		`{"session_token":"`+session+`",`+device+`}`))
	if err != nil {
		return err
	}
	ticket, err := member(body, "sso_ticket")
	if err != nil {
		return err
	}
	_, err = c.demand(post(c.out[:0], host, "/api/v2/tenant/sso/sso-ticket/verify", headers,
		`{"sso_ticket":"`+ticket+`",`+device+`}`))
	return err
}

// bearer logs the client's backend in.
func (s *server) bearer() (string, error) {
	basic := base64.StdEncoding.EncodeToString([]byte(clientID + ":" + clientSecret))
	body, err := askAt(s.login, post(nil, s.login, "/api/v2/tenant/token",
		"Content-Type: application/x-www-form-urlencoded\r\nAuthorization: Basic "+basic+"\r\n", "grant_type=client_credentials"))
	if err != nil {
		return "", err
	}
	return member(body, "access_token")
}

// member is a string of a JSON object whose strings hold no escapes.
func member(object []byte, name string) (string, error) {
	_, after, ok := bytes.Cut(object, []byte(`"`+name+`":"`))
	value, _, closed := bytes.Cut(after, []byte(`"`))
	if !ok || !closed {
		return "", errors.New("answer has no " + name)
	}
	return string(value), nil
}
