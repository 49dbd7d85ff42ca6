package gamesparks

import (
	"slices"
	"time"
)

// Times are the times of a Sockets that a test shortens; zero leaves one.
type Times struct {
	Handshake, Whole, Taken, Closing, Farewell, Ping, Silence, Sweep time.Duration
}

// Shorten sets the times of a Sockets that has no connection yet.
func Shorten(ss *Sockets, t Times) {
	for _, set := range []struct {
		to   *time.Duration
		from time.Duration
	}{
		{&ss.times.handshake, t.Handshake}, {&ss.times.whole, t.Whole}, {&ss.times.taken, t.Taken},
		{&ss.times.closing, t.Closing}, {&ss.times.farewell, t.Farewell},
		{&ss.times.ping, t.Ping}, {&ss.times.silence, t.Silence}, {&ss.times.sweep, t.Sweep},
	} {
		if set.from != 0 {
			*set.to = set.from
		}
	}
}

// SetBudget sets what is left for unfinished messages, and Budget tells it.
func SetBudget(ss *Sockets, bytes int) {
	ss.budget.mu.Lock()
	ss.budget.left = bytes
	ss.budget.mu.Unlock()
}

// SetShare sets what one place may have of the budget.
func SetShare(ss *Sockets, bytes int) {
	ss.budget.mu.Lock()
	ss.budget.ofOne = bytes
	ss.budget.mu.Unlock()
}

func Budget(ss *Sockets) int {
	ss.budget.mu.Lock()
	defer ss.budget.mu.Unlock()
	return ss.budget.left
}

// Sweeping reports whether a goroutine looks for silent connections.
func Sweeping(ss *Sockets) bool {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	return ss.stop != nil
}

// RequestNames are the requests that exist.
func RequestNames() []string {
	var names []string
	for name := range requests {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// Decoded is what a socket makes of a message before it asks anybody.
func Decoded(body []byte) (class, requestID, authToken, playerID string, err error) {
	c := new(call)
	if err := c.read(body); err != nil {
		return "", "", "", "", err
	}
	if err := c.named(); err != nil {
		return "", "", "", "", err
	}
	if id := c.envelope.RequestID; id != nil {
		requestID = *id
	}
	return *c.envelope.Class, requestID, c.envelope.AuthToken, c.envelope.PlayerID, nil
}

// DecodedSegments is what the segments of a body are taken for.
func DecodedSegments(body string) (map[string]string, error) {
	var in struct {
		Segments requestedSegment `json:"segments"`
	}
	if err := decode([]byte(body), &in); err != nil {
		return nil, err
	}
	return in.Segments.of, in.Segments.check()
}
