package authcore

import (
	"context"
	"sync"
	"time"
)

// Attend notes that a connection belongs to the player of a session, until leave is
// called. If the session ends before, ended is told that it is terminated, at the
// latest 500 ms later; if the node closes or has lost its store, ended is told so.
// It is called at most once, from any goroutine, must not block, and is not called
// after leave has returned, but perhaps meanwhile.
func (s *Service) Attend(ctx context.Context, id ClientID, token SessionToken, ended func(terminated bool)) (leave func(), err error) {
	n, hash := s.node, TokenHash(token.Hash())
	for {
		e, err := n.lookup(ctx, hash, token.Reveal(), n.now())
		if err != nil {
			return nil, err
		}
		if e.client != id {
			return nil, ErrSession
		}
		p := &Pass{entry: e, ended: ended}
		e.shard.enter(p)
		leave := sync.OnceFunc(func() {
			p.gone.Store(true)
			e.shard.leave(p)
		})
		if n.current(e) && n.ctx.Err() == nil {
			return leave, nil
		}
		// As in Guard.Admit: an event came between, or the node closes.
		leave()
		if n.ctx.Err() != nil {
			return nil, ErrUnavailable
		}
	}
}

// over ends what the pass let in. terminated says that it is because of the session.
func (p *Pass) over(terminated bool) {
	if p.ended == nil {
		p.cancel()
	} else if p.gone.CompareAndSwap(false, true) {
		p.ended(terminated)
	}
}

// online reports whether a user has a connection.
func (l *liveRequests) online(user UserID) bool {
	shard := l.shardOf(user)
	shard.mu.Lock()
	defer shard.mu.Unlock()
	for p := shard.first; p != nil; p = p.next {
		if p.entry.user == user && p.ended != nil {
			return true
		}
	}
	return false
}

// lobbyRetry is when whoever found the lobby full may come back: some handshakes
// will have ended by then.
const lobbyRetry = 5 * time.Second

// EnterLobby counts a connection that has no player yet against its address, until
// leave is called; ErrLimited if there are too many.
func (s *Service) EnterLobby(caller Caller) (leave func(), err error) {
	most := s.cfg.Limits.Sockets
	if s.cfg.Limits.Off {
		most = 0
	}
	leave, ok := s.node.lobby.enter(network(caller.Addr), most)
	if !ok {
		return nil, retryLater{ErrLimited, lobbyRetry}
	}
	return leave, nil
}
