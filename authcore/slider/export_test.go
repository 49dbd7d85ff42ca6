package slider

// NewOf is New with another way to draw.
func NewOf(draw func() *Puzzle) *Pool { return fill(draw) }
