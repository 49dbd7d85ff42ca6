package qqtest

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
)

// Transport returns a transport that answers every request from the server, in
// this process and without a network. The URL's path alone counts.
func (s *Server) Transport() http.RoundTripper { return transport{s} }

type transport struct{ server *Server }

// RoundTrip returns when the handler has answered in full, or with the
// request's context's error when that ends first. A handler that breaks the
// connection gives io.ErrUnexpectedEOF.
func (t transport) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.Body != nil {
		defer req.Body.Close()
	}
	if err := req.Context().Err(); err != nil {
		return nil, err
	}
	answered := make(chan *http.Response, 1)
	go func() { answered <- t.answer(req) }()
	select {
	case resp := <-answered:
		if resp == nil {
			return nil, io.ErrUnexpectedEOF
		}
		return resp, nil
	case <-req.Context().Done():
		return nil, req.Context().Err()
	}
}

// answer runs the handler on a copy of the request that looks as if it had come
// over a loopback connection; nil if the handler breaks the connection.
func (t transport) answer(req *http.Request) (resp *http.Response) {
	defer func() {
		if broken := recover(); broken != nil && broken != http.ErrAbortHandler {
			panic(broken)
		}
	}()
	in := req.WithContext(req.Context())
	in.RequestURI = req.URL.RequestURI()
	in.RemoteAddr = "127.0.0.1:0"
	in.Proto, in.ProtoMajor, in.ProtoMinor = "HTTP/1.1", 1, 1
	if in.Body == nil {
		in.Body = http.NoBody
	}
	out := recorder{header: make(http.Header)}
	t.server.ServeHTTP(&out, in)
	out.WriteHeader(http.StatusOK)
	return &http.Response{
		Status:        fmt.Sprintf("%d %s", out.status, http.StatusText(out.status)),
		StatusCode:    out.status,
		Proto:         in.Proto,
		ProtoMajor:    in.ProtoMajor,
		ProtoMinor:    in.ProtoMinor,
		Header:        out.header,
		Body:          io.NopCloser(&out.body),
		ContentLength: int64(out.body.Len()),
		Request:       req,
	}
}

// recorder keeps an answer; the first status counts.
type recorder struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (r *recorder) Header() http.Header { return r.header }

func (r *recorder) WriteHeader(status int) {
	if r.status == 0 {
		r.status = status
	}
}

func (r *recorder) Write(p []byte) (int, error) {
	r.WriteHeader(http.StatusOK)
	return r.body.Write(p)
}

var _ http.RoundTripper = transport{}
