package e2e

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"testing"
	"time"
)

// answer is a whole HTTP response.
type answer struct {
	t      *testing.T
	status int
	header http.Header
	body   []byte
}

func (a answer) text() string { return string(a.body) }

// json decodes the body into v.
func (a answer) json(v any) {
	a.t.Helper()
	if err := json.Unmarshal(a.body, v); err != nil {
		a.t.Fatalf("decode %q: %v", a.body, err)
	}
}

// code is the error code of the body, of either kind.
func (a answer) code() string {
	var body struct {
		Code  string `json:"error_code"`
		OAuth string `json:"error"`
	}
	_ = json.Unmarshal(a.body, &body)
	return body.Code + body.OAuth
}

// want fails the test unless the answer has a status and an error code, which is
// empty for an answer that is no error.
func (a answer) want(status int, code string) answer {
	a.t.Helper()
	if a.status != status || a.code() != code {
		a.t.Fatalf("got %d %s, want %d %q", a.status, a.body, status, code)
	}
	return a
}

// client keeps connections, follows no redirect and has no cookies.
var client = &http.Client{
	Transport:     &http.Transport{MaxIdleConnsPerHost: 64, DisableCompression: true},
	Timeout:       patience,
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

func newRequest(t *testing.T, method, url string, body []byte, header ...string) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Add(header[i], header[i+1])
	}
	return r
}

// ask sends a request and reads the whole answer.
func (h *home) ask(method, url string, body []byte, header ...string) answer {
	h.t.Helper()
	a, err := try(h.t, method, url, body, header...)
	if err != nil {
		h.t.Fatal(err)
	}
	return a
}

// try is ask for requests that may find no server.
func try(t *testing.T, method, url string, body []byte, header ...string) (answer, error) {
	t.Helper()
	return send(t, client, newRequest(t, method, url, body, header...))
}

func send(t *testing.T, c *http.Client, r *http.Request) (answer, error) {
	response, err := c.Do(r)
	if err != nil {
		return answer{}, err
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	return answer{t, response.StatusCode, response.Header, content}, err
}

// raw sends bytes as they are over a connection of their own and reads one
// answer: what no HTTP client would send.
func (h *home) raw(port, request string) answer {
	h.t.Helper()
	conn, err := net.DialTimeout("tcp", h.host(port), patience)
	if err != nil {
		h.t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(patience))
	if _, err := io.WriteString(conn, request); err != nil {
		h.t.Fatal(err)
	}
	return readAnswer(h.t, bufio.NewReader(conn))
}

func readAnswer(t *testing.T, r *bufio.Reader) answer {
	t.Helper()
	response, err := http.ReadResponse(r, nil)
	if err != nil {
		t.Fatalf("read the answer: %v", err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatalf("read the answer's body: %v", err)
	}
	return answer{t, response.StatusCode, response.Header, body}
}
