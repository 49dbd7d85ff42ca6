package e2e

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coder/websocket"
)

// answersWithin is how long a game waits at most while others flood the server.
const answersWithin = 5 * time.Second

// handshakeTime is how long a connection may take to show that it is a game's.
const handshakeTime = 5 * time.Second

// bystander asks, one request after the other, until stop is called, which returns
// the slowest answers' times.
func (w *gameWorld) bystander(games ...func() error) (stop func() []time.Duration) {
	done := make(chan struct{})
	var wait sync.WaitGroup
	slowest := make([]time.Duration, len(games))
	for i, ask := range games {
		wait.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				began := time.Now()
				if err := ask(); err != nil {
					w.t.Errorf("bystander %d: %v", i, err)
					return
				}
				slowest[i] = max(slowest[i], time.Since(began))
				time.Sleep(5 * time.Millisecond) // a game does not ask without end
			}
		})
	}
	return func() []time.Duration {
		close(done)
		wait.Wait()
		return slowest
	}
}

// floods are what one who wants to stop a server does, while others play on.
func (w *gameWorld) floods() {
	c := w.dialGame(theGame)
	l := w.guest(c)
	asks := func() error {
		got, err := c.tryRequest("AccountDetailsRequest", nil)
		if err == nil && got.members()["userId"] != l.User {
			err = fmt.Errorf("answered %s", got.body)
		}
		return err
	}
	calls := func() error {
		id, body := gameBody("AccountDetailsRequest", fields{"authToken": l.AuthToken})
		got, err := w.tryRest(gamesHTTP, theGame, "AccountDetailsRequest", body)
		if err == nil && (got.status != http.StatusOK || !strings.Contains(got.text(), `"userId":"`+l.User) || !strings.Contains(got.text(), id)) {
			err = fmt.Errorf("answered %d %s", got.status, got.body)
		}
		return err
	}
	joins := func() error {
		conn, first, err := shakeHands(w.t.Context(), gamesHTTP, w.socketURL(theGame), theGame.secret, l.AuthToken, "")
		if err == nil {
			_ = conn.CloseNow()
			if first.UserID != l.User {
				err = fmt.Errorf("connected as %s", first.raw)
			}
		}
		return err
	}
	stop := w.bystander(asks, calls, joins)
	// All of them at once.
	var wait sync.WaitGroup
	for _, flood := range []func(*gameWorld) error{(*gameWorld).floodUnread, (*gameWorld).floodHalfOpen, (*gameWorld).floodLong} {
		wait.Go(func() {
			if err := flood(w); err != nil {
				w.t.Error(err)
			}
		})
	}
	wait.Wait()
	slowest := stop()
	w.t.Logf("the slowest answers were %v", slowest)
	if took := slices.Max(slowest); took > answersWithin {
		w.t.Errorf("a bystander waited %v", took)
	}
	if d := detailsOf(c); d.User != l.User {
		w.t.Errorf("a bystander is %+v", d)
	}
}

// floodUnread sends 50,000 messages on one connection and reads no answer. The
// server takes no more of them than it has answers taken, and then ends it.
func (w *gameWorld) floodUnread() error {
	conn, _, err := shakeHands(w.t.Context(), gameHTTP("127.0.0.2"), w.socketURL(theGame), theGame.secret, "", "")
	if err != nil {
		return err
	}
	defer conn.CloseNow()
	// The network goes on taking a few now and then, for which the server waits anew.
	ctx, cancel := context.WithTimeout(w.t.Context(), 2*patience)
	defer cancel()
	// Its requestId comes back, and 50,000 of them are more than the network holds.
	message := []byte(`{"@class":".AccountDetailsRequest","requestId":"` + strings.Repeat("x", 256) + `"}`)
	sent := 0
	for ; sent < 50_000 && err == nil; sent++ {
		err = conn.Write(ctx, websocket.MessageText, message)
	}
	if err == nil || ctx.Err() != nil {
		return fmt.Errorf("a connection that takes no answers is open after %d messages: %v", sent, err)
	}
	w.t.Logf("%d messages were taken of a connection that read no answer", sent)
	return nil
}

// floodHalfOpen opens 200 connections that never answer the nonce, and 200 that do
// not get as far.
func (w *gameWorld) floodHalfOpen() error {
	const each, addresses = 20, 10
	request := "GET /ws/device/" + theGame.key + " HTTP/1.1\r\nHost: " + w.host("LOGIN") + "\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
	var wait sync.WaitGroup
	var greeted, ended, halves atomic.Int64
	began := time.Now()
	for n := range each * addresses {
		dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 1, byte(1+n%addresses))}, Timeout: patience}
		address := net.JoinHostPort("127.0.0.1", w.ports["LOGIN"])
		half, err := dialer.Dial("tcp4", address)
		if err != nil {
			return err
		}
		defer half.Close()
		if _, err := half.Write([]byte(request)); err != nil { // the empty line never comes
			return err
		}
		halves.Add(1)
		conn, err := dialer.Dial("tcp4", address)
		if err != nil {
			return err
		}
		wait.Go(func() {
			defer conn.Close()
			_ = conn.SetDeadline(time.Now().Add(patience))
			r := bufio.NewReader(conn)
			if _, err := conn.Write([]byte(request + "\r\n")); err != nil {
				return
			}
			response, err := http.ReadResponse(r, nil)
			if err != nil || response.StatusCode != http.StatusSwitchingProtocols {
				return
			}
			greeted.Add(1)
			// A close frame is the first byte that is no text's, and comes before the end.
			_, err = r.ReadSlice(0x88)
			if took := time.Since(began); took < handshakeTime/2 || took > handshakeTime+endsWithin {
				err = fmt.Errorf("ended after %v", took)
			}
			if err == nil {
				ended.Add(1)
			}
		})
	}
	wait.Wait()
	if greeted.Load() != each*addresses || ended.Load() != greeted.Load() {
		return fmt.Errorf("of %d connections that say nothing %d were let in and %d ended", each*addresses, greeted.Load(), ended.Load())
	}
	w.t.Logf("%d silent connections ended within %v", ended.Load(), time.Since(began))
	return nil
}

// floodLong has 50 connections send messages of 256 KiB at once, without their last
// byte, and then the rest of them.
func (w *gameWorld) floodLong() error {
	const connections = 50
	var wait sync.WaitGroup
	start := make(chan struct{})
	answers := make(chan error, connections)
	text := append([]byte(`{"@class":".AccountDetailsRequest",`), bodyOf(256<<10 - len(`{"@class":".AccountDetailsRequest"`))[1:]...)
	for n := range connections {
		conn, _, err := shakeHands(w.t.Context(), gameHTTP(fmt.Sprintf("127.0.2.%d", 1+n%5)), w.socketURL(theGame), theGame.secret, "", "")
		if err != nil {
			return err
		}
		wait.Go(func() {
			defer conn.CloseNow()
			<-start
			answers <- func() error {
				ctx, cancel := context.WithTimeout(w.t.Context(), patience)
				defer cancel()
				out, err := conn.Writer(ctx, websocket.MessageText)
				if err != nil {
					return err
				}
				for i := 0; i < len(text); i += 16 << 10 {
					if _, err := out.Write(text[i:min(len(text), i+16<<10)]); err != nil {
						return err
					}
				}
				if err := out.Close(); err != nil {
					return err
				}
				m, err := readGame(ctx, conn)
				if err == nil && m.Class != ".AccountDetailsResponse" {
					err = fmt.Errorf("a message of 256 KiB was answered %s", m.raw)
				}
				return err
			}()
		})
	}
	close(start)
	wait.Wait()
	close(answers)
	for err := range answers {
		if err != nil {
			return err
		}
	}
	return nil
}
