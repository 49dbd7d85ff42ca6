package qqtest

import (
	"encoding/json"
	"net/http"
)

const (
	// codePath is where a program that is none of ours gets a one-time code. It
	// is not QQ's: there an app's SDK asks, in a protocol that nobody tells of.
	codePath = "/code"

	// maxCodeForm caps the form of codePath; a real one has a hundred bytes.
	maxCodeForm = 4 << 10
)

// code answers codePath with a mobile app's code for an account, as QQ's
// server-side login puts it in the place of an access token.
func (s *Server) code(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		http.Error(w, "POST a form with app_id and open_id", http.StatusMethodNotAllowed)
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxCodeForm)
	if err := r.ParseForm(); err != nil {
		http.Error(w, "bad form", http.StatusBadRequest)
		return
	}
	a := s.app(r.PostForm.Get("app_id"))
	if a == nil {
		http.Error(w, "no such app_id", http.StatusNotFound)
		return
	}
	account, ok := a.account(r.PostForm.Get("open_id"))
	if !ok {
		http.Error(w, "no such open_id in this app", http.StatusNotFound)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(struct { // fails only when the reader is gone
		Code string `json:"code"`
	}{s.Code(a.ID, account, "")})
}
