package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/coder/websocket"
)

// seen is a request as the upstream got it.
type seen struct {
	Method  string      `json:"method"`
	URI     string      `json:"uri"`
	Header  http.Header `json:"header"`
	Trailer http.Header `json:"trailer"`
	Body    string      `json:"body"`
}

// has reports whether a header reached the upstream under any spelling.
func (s seen) has(name string) bool {
	normal := strings.NewReplacer("_", "-", ".", "-")
	for _, fields := range []http.Header{s.Header, s.Trailer} {
		for key := range fields {
			if strings.EqualFold(normal.Replace(key), name) {
				return true
			}
		}
	}
	return false
}

func (a answer) seen() (s seen) {
	a.t.Helper()
	if a.status != http.StatusOK {
		a.t.Fatalf("got %d %s, want the upstream's echo", a.status, a.body)
	}
	a.json(&s)
	return s
}

// upstream is a backend without login code. It echoes requests; below /ws it
// echoes WebSocket messages, below /sse it sends one event and stays, below
// /slow it answers when the test says so, and below /cookies it sets some.
type upstream struct {
	*httptest.Server
	slow    chan struct{} // gets a value when a slow request has come
	release chan struct{} // lets one slow request answer
}

func newUpstream(t *testing.T) *upstream {
	t.Helper()
	u := &upstream{slow: make(chan struct{}, 16), release: make(chan struct{})}
	mux := http.NewServeMux()
	mux.HandleFunc("/", echo)
	mux.HandleFunc("/ws", echoMessages)
	mux.HandleFunc("/sse", u.events)
	mux.HandleFunc("/slow", u.wait)
	mux.HandleFunc("/cookies", setCookies)
	u.Server = httptest.NewServer(mux)
	t.Cleanup(func() {
		u.CloseClientConnections()
		u.Close()
	})
	return u
}

// address is where Caddy finds it.
func (u *upstream) address() string { return u.Listener.Addr().String() }

func echo(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body) // trailers come after it
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	_ = json.NewEncoder(w).Encode(seen{r.Method, r.RequestURI, r.Header, r.Trailer, string(body)})
}

// echoMessages sends the request's headers first, and then what it gets.
func echoMessages(w http.ResponseWriter, r *http.Request) {
	conn, err := websocket.Accept(w, r, &websocket.AcceptOptions{InsecureSkipVerify: true})
	if err != nil {
		return
	}
	defer func() { _ = conn.CloseNow() }()
	first, _ := json.Marshal(seen{Method: r.Method, URI: r.RequestURI, Header: r.Header})
	if conn.Write(r.Context(), websocket.MessageText, first) != nil {
		return
	}
	for {
		kind, message, err := conn.Read(r.Context())
		if err != nil || conn.Write(r.Context(), kind, message) != nil {
			return
		}
	}
}

func (u *upstream) events(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/event-stream")
	fmt.Fprint(w, "data: hello\n\n")
	_ = http.NewResponseController(w).Flush()
	<-r.Context().Done()
}

func (u *upstream) wait(w http.ResponseWriter, r *http.Request) {
	u.slow <- struct{}{}
	select {
	case <-u.release:
		fmt.Fprint(w, "finished")
	case <-r.Context().Done():
	}
}

// setCookies sets the cookies named by the query, as whole lines.
func setCookies(w http.ResponseWriter, r *http.Request) {
	w.Header()["Set-Cookie"] = r.URL.Query()["line"]
	if r.URL.Query().Has("early") {
		w.Header()["Link"] = []string{"</style.css>; rel=preload"}
		w.WriteHeader(http.StatusEarlyHints)
	}
	fmt.Fprint(w, "set")
}
