package authcore

import (
	"fmt"
	"runtime"
	"runtime/debug"
)

// PanicError is a panic of a function that was given to a store.
type PanicError struct {
	// What says what it was, as far as that cannot be a secret.
	What  string
	Stack []byte
}

func (*PanicError) Error() string { return "transaction panicked" }

// Call runs fn on tx, for stores. A panic of fn is a *[PanicError]: it may not
// take down a process that serves other sites.
func Call(tx Tx, fn func(Tx) error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			// The value may be anything, a secret included; a runtime error's
			// text is not.
			what := fmt.Sprintf("%T", p)
			if e, ok := p.(runtime.Error); ok {
				what = e.Error()
			}
			err = &PanicError{What: what, Stack: debug.Stack()}
		}
	}()
	return fn(tx)
}
