package authcore_test

import (
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/qqauth/qqauth/authcore"
)

// goroutines are the stacks of what runs for nodes, whatever their services.
func goroutines() (stacks []string) {
	buffer := make([]byte, 4<<20)
	buffer = buffer[:runtime.Stack(buffer, true)]
	for _, stack := range strings.Split(string(buffer), "\n\n") {
		for _, own := range []string{"authcore.", "badgerstore.", "otter", "badger/v4"} {
			if strings.Contains(stack, own) && !strings.Contains(stack, "testing.tRunner") {
				stacks = append(stacks, stack)
				break
			}
		}
	}
	return stacks
}

func TestCloseLeavesNoGoroutine(t *testing.T) {
	await(t, "the nodes of other tests", func() bool { return len(goroutines()) == 0 })
	w := newWorld(t)
	p := w.newPlayer()
	g := w.guard()
	want(t, "admission", w.admit(g, p.session), nil)
	_, err := w.LoginQQ(t.Context(), mainClient, phone, "no token", "")
	want(t, "refused login", err, authcore.ErrQQToken)
	want(t, "log-out", w.Logout(t.Context(), mainClient, p.session, ""), nil)
	if len(goroutines()) == 0 {
		t.Fatal("a node that runs is not seen")
	}
	want(t, "close", w.node.Close(), nil)
	await(t, "the node's goroutines to end", func() bool { return len(goroutines()) == 0 })
}

func TestClosedNodeLetsNobodyIn(t *testing.T) {
	w := newWorld(t)
	g := w.guard()
	p := w.newPlayer()
	want(t, "admission", w.admit(g, p.session), nil)
	want(t, "close", w.node.Close(), nil)
	want(t, "admission", w.admit(g, p.session), authcore.ErrUnavailable)
	_, err := w.LoginQQ(t.Context(), mainClient, phone, p.access, p.openID)
	want(t, "login", err, authcore.ErrUnavailable)
}

func TestDrainWaitsForCallsThatWereBegun(t *testing.T) {
	w := newWorld(t)
	end := w.node.Begin()
	var drained atomic.Bool
	done := make(chan struct{})
	go func() {
		defer close(done)
		w.node.Drain(time.Minute)
		drained.Store(true)
	}()
	w.newPlayer() // takes longer than a Drain that waits for nothing
	if drained.Load() {
		t.Error("drained while a call runs")
	}
	end()
	<-done
	w.node.Begin()
	w.node.Drain(time.Millisecond) // gives up
}

func TestFaultOfARotationIsReported(t *testing.T) {
	w := newWorld(t)
	var reported error
	broken := &faultStore{Store: w.store.Store}
	broken.fail(authcore.ErrUnavailable)
	faults := make(chan error, 1)
	node := authcore.NewNode(authcore.NodeConfig{
		Store: closeless{broken}, Keys: w.keys, Now: w.clock.Now,
		OnFault: func(err error) {
			select {
			case faults <- err:
			default:
			}
		},
	})
	defer func() { want(t, "close", node.Close(), nil) }()
	select {
	case reported = <-faults:
	case <-time.After(10 * time.Second):
	}
	want(t, "fault", reported, authcore.ErrUnavailable)
}

// closeless is a store that belongs to another node.
type closeless struct{ authcore.Store }

func (closeless) Close() error { return nil }
