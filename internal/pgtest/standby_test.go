package pgtest

import (
	"testing"
	"time"
)

func TestStandby(t *testing.T) {
	primary := New(t, Config{NoSync: true, Settings: map[string]string{"max_connections": "210"}})
	query(t, primary, "CREATE TABLE copied (n int); INSERT INTO copied VALUES (1)")
	standby, err := primary.Standby(t.Context(), "second", Config{NoSync: true})
	must(t, err)
	t.Cleanup(func() { must(t, standby.Close()) })
	if standby.Port == primary.Port {
		t.Error("the standby has the port of its primary")
	}
	query(t, primary, "INSERT INTO copied VALUES (2)")
	await(t, "the second row", func() bool { return query(t, standby, "SELECT count(*) FROM copied") == "2" })
	if _, err := standby.SQL(t.Context(), "postgres", "INSERT INTO copied VALUES (0)"); err == nil {
		t.Error("a standby takes writes")
	}

	must(t, primary.SetSynchronous("second"))
	query(t, primary, "INSERT INTO copied VALUES (3)")
	must(t, standby.Pause())
	committed := make(chan error, 1)
	go func() {
		_, err := primary.SQL(t.Context(), "postgres", "INSERT INTO copied VALUES (4)")
		committed <- err
	}()
	await(t, "the wait for the standby", func() bool {
		return query(t, primary, "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'") == "1"
	})
	select {
	case err := <-committed:
		t.Fatalf("a commit did not wait for the standby: %v", err)
	case <-time.After(100 * time.Millisecond):
	}
	must(t, standby.Resume())
	must(t, <-committed)

	must(t, primary.Restart(), standby.Restart(), primary.SetSynchronous("second"))
	must(t, standby.Pause(), primary.SetSynchronous())
	query(t, primary, "INSERT INTO copied VALUES (5)")
	must(t, standby.Resume())
	await(t, "the fifth row", func() bool { return query(t, standby, "SELECT count(*) FROM copied") == "5" })

	must(t, primary.SetSynchronous("second"))
	third, err := primary.Standby(t.Context(), "third", Config{NoSync: true})
	must(t, err)
	t.Cleanup(func() { must(t, third.Close()) })
	must(t, primary.Kill(), third.Promote(), standby.Promote())
	query(t, third, "INSERT INTO copied VALUES (6)") // waits for nobody
	query(t, standby, "INSERT INTO copied VALUES (6)")
	if got := query(t, standby, "SELECT string_agg(n::text, ' ' ORDER BY n) FROM copied"); got != "1 2 3 4 5 6" {
		t.Errorf("the promoted standby has the rows %s", got)
	}
}
