package main

import (
	"bufio"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"

	"github.com/qqauth/qqauth/authcore/qq/qqtest"
)

// qqApp is the application at the simulator.
const qqApp = "100000001"

// helpers are processes beside Caddy, by the argument that starts them.
var helpers = map[string]func() (http.Handler, error){
	"upstream": func() (http.Handler, error) { return http.HandlerFunc(answerUpstream), nil },
	"qq": func() (http.Handler, error) {
		return newSimulator()
	},
}

func newSimulator() (*qqtest.Server, error) {
	return qqtest.New(qqtest.Config{Apps: []qqtest.App{{ID: qqApp}}})
}

// assertionPath shows the assertion that reached the upstream.
const assertionPath = "/assertion"

func answerUpstream(w http.ResponseWriter, r *http.Request) {
	answer := "hello"
	if r.URL.Path == assertionPath {
		answer = r.Header.Get(assertionHeader)
	}
	_, _ = io.WriteString(w, answer) // a client that is gone needs none
}

// serveHelper serves until standard input ends, which it does at the latest with
// the bench that holds its other end. The first line of its output is its
// address.
func serveHelper(make func() (http.Handler, error)) error {
	handler, err := make()
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Println(listener.Addr())
	go func() { log.Fatal(http.Serve(listener, handler)) }()
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}

// startHelpers starts all helpers and notes their addresses.
func (b *bench) startHelpers() (stop func(), err error) {
	var ends []io.Closer
	stop = func() {
		for _, end := range ends {
			_ = end.Close() // ends the process
		}
	}
	for name, addr := range map[string]*string{"upstream": &b.upstream, "qq": &b.qq} {
		end, err := startHelper(name, addr)
		if err != nil {
			stop()
			return nil, fmt.Errorf("start %s: %w", name, err)
		}
		ends = append(ends, end)
	}
	return stop, nil
}

func startHelper(name string, addr *string) (io.Closer, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(self, name)
	cmd.Stderr = os.Stderr
	end, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	*addr = strings.TrimSpace(line)
	return end, err
}
