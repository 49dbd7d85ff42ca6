package authcore

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"math"
	"time"
)

const (
	// captchaLife is how long a puzzle may be solved, and how long the permission
	// to send that it turns into lasts.
	captchaLife = 2 * time.Minute
	// captchaError is how many pixels a solution may be off: a finger is no mouse.
	captchaError = 5
)

// Captcha is a puzzle that was shown, and after its solution the permission to
// send one code.
type Captcha struct {
	Token  TokenHash  `cbor:"1,keyasint"`
	Client ClientID   `cbor:"2,keyasint"`
	Device DeviceHash `cbor:"3,keyasint"`
	X      int        `cbor:"4,keyasint"` // the solution
	// Solved says that the puzzle is solved; Sender then stands for whom a code
	// may be sent to.
	Solved  bool       `cbor:"5,keyasint,omitempty"`
	Sender  HandleHash `cbor:"6,keyasint,omitempty"`
	Expires time.Time  `cbor:"7,keyasint"`
}

// NewPuzzle makes a slider puzzle for a client's device.
func (s *Service) NewPuzzle(ctx context.Context, client ClientID, caller Caller) (Puzzle, error) {
	if !s.HasClient(client) {
		return Puzzle{}, ErrUnknownClient
	}
	now := s.node.now()
	if !s.cfg.Limits.Off {
		if err := s.node.puzzled.take(caller.Addr, s.cfg.Limits.Captchas, now); err != nil {
			return Puzzle{}, err
		}
	}
	if err := s.node.store.Writable(); err != nil {
		return Puzzle{}, err
	}
	drawn := s.node.puzzles().Next()
	var random [16]byte
	rand.Read(random[:])
	token := hex.EncodeToString(random[:])
	captcha := Captcha{
		Token: hashToken(token), Client: client, Device: s.device(caller.Fingerprint), X: drawn.X,
		Expires: now.Add(captchaLife),
	}
	err := s.node.store.UpdateVolatile(ctx, func(tx Tx) error {
		tx.PutCaptcha(captcha)
		return nil
	})
	return Puzzle{Token: token, Picture: drawn.Picture, Piece: drawn.Piece}, err
}

// SolvePuzzle turns a puzzle into the permission to send one code to sender, if x
// is where its piece belongs. Whatever the verdict, the puzzle is used up.
func (s *Service) SolvePuzzle(ctx context.Context, client ClientID, caller Caller, token string, x float64, sender Contact) error {
	hash, device, now := hashToken(token), s.device(caller.Fingerprint), s.node.now()
	var verdict error
	err := s.node.update(ctx, func(tx Tx) ([]Event, error) {
		verdict = nil
		c, err := tx.Captcha(hash)
		if errors.Is(err, ErrNotFound) {
			return nil, ErrCaptcha
		} else if err != nil {
			return nil, err
		}
		if c.Solved || c.Client != client || c.Device != device || !now.Before(c.Expires) ||
			!(math.Abs(x-float64(c.X)) <= captchaError) { // which is so for what is not a number
			verdict = ErrCaptcha
			tx.DeleteCaptcha(hash)
			return nil, nil
		}
		c.Solved, c.Sender, c.Expires = true, s.handle(sender), now.Add(captchaLife)
		tx.PutCaptcha(c)
		return nil, nil
	})
	if err != nil {
		return err
	}
	return verdict
}

// usePass uses up the permission to send one code.
func (f *sending) usePass(tx Tx) error {
	c, err := tx.Captcha(f.pass)
	if errors.Is(err, ErrNotFound) {
		return ErrPass
	} else if err != nil {
		return err
	}
	if !c.Solved || c.Client != f.client.ID || c.Device != f.device || c.Sender != f.sender {
		return ErrPass
	}
	if !f.now.Before(c.Expires) {
		return ErrPassExpired
	}
	tx.DeleteCaptcha(f.pass)
	return nil
}
