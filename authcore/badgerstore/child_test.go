package badgerstore

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/qqauth/qqauth/authcore"
)

// childVar holds what a child process of these tests does, and where: what may
// end a process is done in one of its own.
const childVar = "QQAUTH_BADGERSTORE_CHILD"

// damageVar tells a looking child to damage the open store.
const damageVar = "QQAUTH_BADGERSTORE_DAMAGE"

func TestMain(m *testing.M) {
	mode, dir, _ := strings.Cut(os.Getenv(childVar), ":")
	switch mode {
	case "":
		os.Exit(m.Run())
	case "write":
		childWrite(dir)
	case "look":
		childLook(dir)
	}
}

func childOpen(dir string) (*Store, error) {
	return Open(context.Background(), Config{Dir: dir, Vault: &testVault{}})
}

// startChild runs program, a build of this test, in a mode.
func startChild(t *testing.T, program, mode, dir string, env ...string) (*exec.Cmd, *bufio.Scanner) {
	t.Helper()
	cmd := exec.Command(program)
	// The race detector waits a second at the end of a process.
	cmd.Env = append(os.Environ(), append(env, childVar+"="+mode+":"+dir, "GORACE=atexit_sleep_ms=0")...)
	cmd.Stderr = t.Output()
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatalf("child's output: %v", err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatalf("start a child: %v", err)
	}
	return cmd, bufio.NewScanner(out)
}

// childWriters and childRecord make a log of 8 MiB full in about 30 batches, so
// that logs are changed often.
const (
	childWriters = 64
	childRecord  = 4 << 10
)

// childWrite makes users as fast as it can and prints each as soon as it is
// acknowledged: "d" and the id if durably, "v" if not. It runs until it is
// killed.
func childWrite(dir string) {
	s, err := childOpen(dir)
	if err != nil {
		fmt.Println("error", err)
		os.Exit(1)
	}
	var workers sync.WaitGroup
	for w := range childWriters {
		workers.Go(func() {
			for i := 0; ; i++ {
				id := fmt.Sprint(os.Getpid(), "-", w, "-", i)
				update, kind := s.Update, "d"
				if i%4 == 3 {
					update, kind = s.UpdateVolatile, "v"
				}
				if err := update(context.Background(), putUser(id)); err != nil {
					fmt.Println("error", err)
					os.Exit(1)
				}
				fmt.Println(kind, id)
			}
		})
	}
	workers.Wait()
}

func putUser(id string) func(authcore.Tx) error {
	return func(t authcore.Tx) error {
		t.PutUser(authcore.User{ID: authcore.UserID(id), DisplayName: strings.Repeat("x", childRecord)})
		return nil
	}
}

// writeAndKill runs a writing child, kills it after so many durable writes and
// returns what it had acknowledged.
func writeAndKill(t *testing.T, program, dir string, writes int, env ...string) (durable, volatile []string) {
	t.Helper()
	cmd, out := startChild(t, program, "write", dir, env...)
	for out.Scan() {
		kind, id, _ := strings.Cut(out.Text(), " ")
		switch kind {
		case "d":
			durable = append(durable, id)
		case "v":
			volatile = append(volatile, id)
		default:
			t.Errorf("child: %s", out.Text())
		}
		if len(durable) == writes {
			if err := cmd.Process.Kill(); err != nil {
				t.Fatalf("kill the child: %v", err)
			}
		}
	}
	_ = cmd.Wait() // killed
	if len(durable) < writes {
		t.Fatalf("the child ended after %d writes", len(durable))
	}
	return durable, volatile
}

// missing counts the users that are not in the store.
func missing(t *testing.T, s *Store, ids []string) (lost int) {
	t.Helper()
	for _, id := range ids {
		err := s.View(t.Context(), func(tx authcore.Tx) error { _, err := tx.User(authcore.UserID(id)); return err })
		switch {
		case errors.Is(err, authcore.ErrNotFound):
			lost++
		case err != nil:
			t.Fatalf("read user %s: %v", id, err)
		}
	}
	return lost
}

// A killed process takes nothing with it that was acknowledged, volatile or not.
func TestKilledProcessLosesNothing(t *testing.T) {
	rounds := 3
	if testing.Short() {
		rounds = 1
	}
	dir := t.TempDir()
	var all []string
	for round := range rounds {
		durable, volatile := writeAndKill(t, os.Args[0], dir, 3000+700*round)
		all = append(append(all, durable...), volatile...)
		s := openIn(t, dir)
		if lost := missing(t, s, all); lost > 0 {
			t.Errorf("round %d: %d of %d acknowledged writes are lost", round, lost, len(all))
		}
		if err := s.Close(); err != nil {
			t.Fatalf("close: %v", err)
		}
	}
}

// Wherever a process is killed, also while it makes the store, the store opens.
func TestKilledAtAnyMoment(t *testing.T) {
	if testing.Short() {
		t.Skip("starts many processes")
	}
	var dir string
	var acknowledged []string
	for round := range 24 {
		if round%3 == 0 {
			dir, acknowledged = t.TempDir(), nil
		}
		cmd, out := startChild(t, os.Args[0], "write", dir)
		time.Sleep(rand.N(60 * time.Millisecond)) // any moment
		if err := cmd.Process.Kill(); err != nil {
			t.Fatalf("kill the child: %v", err)
		}
		for out.Scan() {
			if _, id, ok := strings.Cut(out.Text(), " "); ok {
				acknowledged = append(acknowledged, id)
			}
		}
		_ = cmd.Wait() // killed
		s := openIn(t, dir)
		if lost := missing(t, s, acknowledged); lost > 0 {
			t.Errorf("round %d: %d of %d acknowledged writes are lost", round, lost, len(acknowledged))
		}
		if err := s.Close(); err != nil {
			t.Fatalf("close: %v", err)
		}
	}
}

// logins is how many users the damaged stores had.
const logins = 600

func identity(i int) authcore.IdentityHash {
	return authcore.IdentityHash(tokenHash("identity", i))
}

func tokenHash(kind string, i int) (h authcore.TokenHash) {
	copy(h[:], fmt.Sprintf("%08d %s %08d", i*7919%logins, kind, i)) // spread over the keys
	return h
}

func userID(i int) authcore.UserID { return authcore.UserID("user-" + strconv.Itoa(i)) }

// logIn does what a first login does, for user i.
func logIn(s *Store, i int) error {
	now := time.Now()
	return s.Update(context.Background(), func(t authcore.Tx) error {
		t.PutUser(authcore.User{ID: userID(i), Created: now, Links: []authcore.Link{{Identity: identity(i), App: "101"}}})
		t.PutLink(authcore.Link{Identity: identity(i), App: "101"}, userID(i))
		t.PutSession(aSession(i))
		return nil
	})
}

func aSession(i int) authcore.Session {
	now := time.Now()
	return authcore.Session{
		ID: authcore.SessionID("session-" + strconv.Itoa(i)), Token: tokenHash("token", i), User: userID(i),
		Client: "client", Issued: now, Expires: now.Add(time.Hour),
	}
}

func logOut(s *Store, i int) error {
	return s.Update(context.Background(), func(t authcore.Tx) error {
		t.DeleteSession(userID(i), authcore.SessionRef{ID: aSession(i).ID, Token: aSession(i).Token})
		return nil
	})
}

// childLook opens a store and prints what it says of each identity: "linked",
// "unknown" or "damaged"; and "alive" for a session that was logged out, which
// are those of odd numbers. Or it prints "refused" with what is wrong.
func childLook(dir string) {
	s, err := childOpen(dir)
	if err != nil {
		fmt.Println("refused", errors.Is(err, authcore.ErrDamaged), err)
		return
	}
	damage(s, os.Getenv(damageVar))
	for i := range logins {
		fmt.Println(i, look(s, i))
		if i%2 == 1 && alive(s, i) {
			fmt.Println(i, "alive")
		}
	}
	_ = s.Close()
}

// alive reports whether user i's session gets in.
func alive(s *Store, i int) bool {
	return s.View(context.Background(), func(t authcore.Tx) error {
		_, _, err := t.Session(tokenHash("token", i))
		return err
	}) == nil
}

// look says what a login of user i would see.
func look(s *Store, i int) string {
	var r authcore.LoginRecord
	err := s.View(context.Background(), func(t authcore.Tx) error {
		var err error
		r, err = t.Login(authcore.LoginQuery{Identity: identity(i)})
		return err
	})
	switch {
	case errors.Is(err, authcore.ErrDamaged):
		return "damaged"
	case err != nil:
		return err.Error()
	case !r.Linked:
		return "unknown"
	case r.User.ID != userID(i):
		return "somebody else"
	}
	return "linked"
}
