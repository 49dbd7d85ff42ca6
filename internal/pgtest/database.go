package pgtest

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
)

// shared is the server of all tests of this process that only need a database.
var shared struct {
	sync.Mutex
	server *Server
	err    error // why there is none
}

// Database returns the DSN of a new, empty database, which is dropped at the end
// of the test. Its server does not sync and is the same for all tests of this
// process, so it must be left running. The test skips without an installed server
// (see Require).
func Database(tb testing.TB) (dsn string) {
	tb.Helper()
	Require(tb)
	s, err := sharedServer()
	if err != nil {
		tb.Fatalf("start a PostgreSQL: %v", err)
	}
	name := "test_" + strings.ToLower(rand.Text())
	// A copy of template0 does not mind other sessions.
	if _, err := s.SQL(tb.Context(), "postgres", "CREATE DATABASE "+name+" TEMPLATE template0"); err != nil {
		tb.Fatalf("create a database: %v", err)
	}
	tb.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if _, err := s.SQL(ctx, "postgres", "DROP DATABASE "+name+" WITH (FORCE)"); err != nil {
			tb.Errorf("drop the database: %v", err)
		}
	})
	return s.DSN(name)
}

func sharedServer() (*Server, error) {
	shared.Lock()
	defer shared.Unlock()
	if shared.server == nil && shared.err == nil {
		shared.server, shared.err = Start(context.Background(), Config{NoSync: true})
	}
	return shared.server, shared.err
}

// Main runs the tests, closes the server of Database and returns the code to exit
// with. A TestMain that does not call it leaves the closing to the server's guard,
// which nobody waits for.
func Main(m *testing.M) int {
	code := m.Run()
	shared.Lock()
	defer shared.Unlock()
	if shared.server == nil {
		return code
	}
	err := shared.server.Close()
	shared.server, shared.err = nil, errors.New("the tests are over")
	if err != nil {
		fmt.Fprintln(os.Stderr, "close the PostgreSQL:", err)
		return max(code, 1)
	}
	return code
}
