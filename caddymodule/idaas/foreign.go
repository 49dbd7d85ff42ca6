package idaas

import (
	"cmp"
	"net/http"
)

// ErrMethod is the fault of a method that a path does not take. Whoever answers
// it sets Allow.
var ErrMethod = refuse(wrongMethod, "method is not allowed")

// WriteFault answers, in this API's error body and the request's language, a
// fault that another handler of this server met. status is the answer's where it
// is not the one of this API's table; 0 takes that. Nothing is logged.
func WriteFault(w http.ResponseWriter, r *http.Request, status int, err error) {
	harden(w.Header())
	f := translate(err)
	f.write(w, r, cmp.Or(status, codes[f.code].status))
}
