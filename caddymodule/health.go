package caddymodule

import (
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"github.com/qqauth/qqauth/authcore"
	"github.com/qqauth/qqauth/caddymodule/idaas"
)

// silentAfter is the age of the last word from the store at which a node counts
// as unhealthy; three of its heartbeats have failed by then.
const silentAfter = 20 * time.Second

const storeUp = "up"

// health is what the health page says. It tells no more than anybody may know.
type health struct {
	Status string `json:"status"` // ok | unavailable
	Store  string `json:"store"`  // up | unavailable | damaged
	// FeedAge is how long ago the store answered, in seconds; null if it never
	// has.
	FeedAge *float64 `json:"feed_age_seconds"`
	// QQ says how the last call to each QQ application ended: up | down, or
	// unknown if there was none.
	QQ map[authcore.AppID]string `json:"qq"`
}

// health answers 200 if logins and guards work as far as this node is
// concerned, else 503. QQ's state is told and does not count: sessions are
// checked without QQ, and taking the node out of service would not bring it
// back.
func (l *Login) health(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		idaas.WriteFault(w, r, http.StatusMethodNotAllowed, idaas.ErrMethod)
		return
	}
	state := l.app.health()
	status := http.StatusOK
	if state.Status != "ok" {
		status = http.StatusServiceUnavailable
		w.Header().Set("Retry-After", "5")
	}
	body, _ := json.Marshal(state)
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(body)
}

// health looks at the store and at what QQ last did.
func (a *App) health() health {
	h := health{Status: "ok", Store: storeUp, QQ: make(map[authcore.AppID]string)}
	for _, app := range a.Config.apps() {
		h.QQ[app] = a.metrics.qqState(app)
	}
	now, err := a.current()
	if err == nil {
		age := now.node.FeedAge()
		seconds := age.Seconds()
		h.FeedAge = &seconds
		if err = now.node.Store().Writable(); err == nil && age > silentAfter {
			err = authcore.ErrUnavailable
		}
	}
	if err != nil {
		h.Status, h.Store = "unavailable", "unavailable"
	}
	if errors.Is(err, authcore.ErrDamaged) {
		h.Store = "damaged"
	}
	return h
}
