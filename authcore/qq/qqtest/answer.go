package qqtest

import (
	"crypto/aes"
	"encoding/hex"
	"encoding/json"
	"net/http"
)

// resolve finds what an access token says and whose it is, or the row that says
// why it is not good.
func (s *Server) resolve(token string) (*app, claim, Row) {
	if token == "" {
		return nil, claim{}, M4
	}
	var raw [aes.BlockSize]byte
	if len(token) != hex.EncodedLen(len(raw)) {
		return nil, claim{}, M5
	}
	if _, err := hex.Decode(raw[:], []byte(token)); err != nil || upperHex(raw) != token {
		return nil, claim{}, M5
	}
	for _, a := range s.apps {
		c, ok := a.open(raw)
		if !ok {
			continue
		}
		s.mu.RLock()
		row := s.dead[token]
		s.mu.RUnlock()
		if row == "" && c.expires != 0 && s.now().Unix() >= int64(c.expires) {
			row = M6
		}
		return a, c, row
	}
	return nil, claim{}, M5
}

// me answers /oauth2.0/me: rows M1 to M7. It is not told who asks, so it names
// the application of whatever token it is shown; a check of the audience here
// would hide the lack of one in the caller.
func (s *Server) me(w http.ResponseWriter, r *http.Request, b *Behavior) {
	q := r.URL.Query()
	bare := q.Get("fmt") == "json" && !b.JSONP
	a, c, row := s.resolve(q.Get("access_token"))
	unionID := q.Get("unionid") == "1"
	if row == "" && unionID && !a.UnionID {
		row = M3
	}
	if row != "" {
		s.fail(w, b, bare, row)
		return
	}
	answer := struct {
		ClientID string `json:"client_id"`
		OpenID   string `json:"openid"`
		UnionID  string `json:"unionid,omitempty"`
	}{ClientID: a.ID, OpenID: a.openID(c.account)}
	if unionID {
		answer.UnionID = a.unionID(c.account)
	}
	write(w, b, bare, answer)
}

// failure returns what a row answers here.
func (s *Server) failure(row Row) Failure {
	if f, ok := s.replace[row]; ok {
		return f
	}
	return rows[row].Failure
}

// fail answers a row of token or me.
func (s *Server) fail(w http.ResponseWriter, b *Behavior, bare bool, row Row) {
	f := s.failure(row)
	write(w, b, bare, struct {
		Error       int    `json:"error"`
		Description string `json:"error_description"`
	}{f.Number, f.Text})
}

// write answers a compact object with status 200, in the JSONP frame unless it
// is bare.
func write(w http.ResponseWriter, b *Behavior, bare bool, object any) {
	body, err := json.Marshal(object)
	if err != nil {
		panic(err) // strings and numbers of our own
	}
	if !bare {
		body = append(append([]byte("callback( "), body...), " );\n"...)
	}
	send(w, b, body)
}

func send(w http.ResponseWriter, b *Behavior, body []byte) {
	w.Header().Set("Content-Type", b.ContentType)
	_, _ = w.Write(body) // the caller is gone; QQ would not care either
}
