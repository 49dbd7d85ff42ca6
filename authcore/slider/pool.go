package slider

import (
	"sync"
	"time"
)

const (
	// poolSize is how many puzzles are kept: at about 33 KiB each, 2 MiB, and
	// three seconds of drawing in hand for a crowd.
	poolSize = 64
	// maxDrawn is how many puzzles are drawn within any second. At about 5 ms
	// each that is a tenth of one core, whatever number is asked for: drawing on
	// demand would let strangers take it from those who are logged in.
	maxDrawn = 20
)

// Puzzle is a drawn puzzle. Nobody may change it: it may be handed out again.
type Puzzle struct {
	// X is how many pixels from the left edge of Picture the left edge of Piece
	// has to come to lie: 70 to 255.
	X int
	// Picture has the hole, 310 x 155 pixels; Piece has the same height and 47
	// pixels across, transparent but for the piece at the height of the hole.
	// Both are PNG in standard base64.
	Picture, Piece string
}

// Pool has puzzles at hand. It is safe for concurrent use.
type Pool struct {
	draw func() *Puzzle

	mu      sync.Mutex
	arrived sync.Cond // a puzzle was put in
	places  []place   // at most poolSize
	drawn   [maxDrawn]time.Time
	oldest  int // of drawn, the one to be overwritten next

	wake   chan struct{} // a place is worth redrawing
	closed chan struct{}
	close  sync.Once
	done   sync.WaitGroup
}

// place is a puzzle and how often it has been handed out.
type place struct {
	puzzle *Puzzle
	served int
}

// New returns a pool that fills in the background. It has to be closed.
func New() *Pool { return fill(draw) }

func fill(draw func() *Puzzle) *Pool {
	p := &Pool{draw: draw, wake: make(chan struct{}, 1), closed: make(chan struct{})}
	p.arrived.L = &p.mu
	p.done.Go(p.redraw)
	return p
}

// Close ends the drawing in the background and returns when it has ended. Next
// goes on working, and draws for itself.
func (p *Pool) Close() {
	p.close.Do(func() { close(p.closed) })
	p.done.Wait()
}

// Next returns a puzzle that nobody has been given. Where none is at hand it
// draws one; where that would be too many within a second, it returns the one
// that the fewest have been given.
func (p *Pool) Next() *Puzzle {
	puzzle := p.take()
	if puzzle == nil {
		puzzle = p.draw()
		p.put(puzzle, 1)
	}
	select {
	case p.wake <- struct{}{}:
	default:
	}
	return puzzle
}

// take returns nil if the caller has to draw a puzzle.
func (p *Pool) take() *Puzzle {
	p.mu.Lock()
	defer p.mu.Unlock()
	for {
		least := p.least()
		if (least == nil || least.served > 0) && p.admit(time.Now()) {
			return nil
		}
		if least != nil {
			least.served++
			return least.puzzle
		}
		// All that may be drawn within this second is being drawn: it is a
		// matter of milliseconds, and only just after New.
		p.arrived.Wait()
	}
}

// put takes in a drawn puzzle, in the place of the one most handed out.
func (p *Pool) put(puzzle *Puzzle, served int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	defer p.arrived.Broadcast()
	if len(p.places) < poolSize {
		p.places = append(p.places, place{puzzle, served})
		return
	}
	most := &p.places[0]
	for i := range p.places {
		if p.places[i].served > most.served {
			most = &p.places[i]
		}
	}
	*most = place{puzzle, served}
}

// least is the place that was handed out least, nil if there is none.
func (p *Pool) least() *place {
	var least *place
	for i := range p.places {
		if least == nil || p.places[i].served < least.served {
			least = &p.places[i]
		}
	}
	return least
}

// admit reports whether another puzzle may be drawn now, and counts it.
func (p *Pool) admit(now time.Time) bool {
	if last := p.drawn[p.oldest]; !last.IsZero() && now.Sub(last) < time.Second {
		return false
	}
	p.drawn[p.oldest] = now
	p.oldest = (p.oldest + 1) % maxDrawn
	return true
}

// redraw keeps the places full of puzzles that nobody has been given, one by
// one: all that a second allows at its beginning would be felt.
func (p *Pool) redraw() {
	pace := time.NewTimer(0)
	defer pace.Stop()
	for {
		select {
		case <-pace.C:
		case <-p.closed:
			return
		}
		stale, admitted := p.stale()
		if admitted {
			p.put(p.draw(), 0)
		}
		if !stale {
			select {
			case <-p.wake:
			case <-p.closed:
				return
			}
		}
		pace.Reset(time.Second / maxDrawn)
	}
}

// stale reports whether a place is empty or holds a puzzle that somebody has
// been given, and whether the caller is to draw another.
func (p *Pool) stale() (stale, admitted bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	stale = len(p.places) < poolSize
	for i := range p.places {
		stale = stale || p.places[i].served > 0
	}
	return stale, stale && p.admit(time.Now())
}
