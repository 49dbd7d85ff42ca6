package authcore

import (
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"fmt"
	"math/big"
	"time"

	"github.com/qqauth/qqauth/authcore/opaque"
)

// Code is a verification code that was sent, or what is left of one: how often
// it has been guessed.
type Code struct {
	Hash CodeHash `cbor:"1,keyasint"`
	// Answer stands for the digits and whom they were sent to; zero is never right.
	Answer  [32]byte  `cbor:"2,keyasint"`
	Tries   int       `cbor:"3,keyasint,omitempty"`
	Expires time.Time `cbor:"4,keyasint"`
}

// newDigits makes a code.
func newDigits() opaque.Secret {
	n, err := rand.Int(rand.Reader, big.NewInt(1_000_000))
	if err != nil {
		panic(err) // it cannot fail
	}
	return opaque.Of(fmt.Sprintf("%06d", n))
}

// loginCode is what the code of a type for an unfinished login is kept under.
// One login has one code of a type, whomever it was sent to.
func (s *Service) loginCode(login PendingID, purpose Purpose, way Way) CodeHash {
	return CodeHash(s.node.keys.Ring().Index("code", "login", string(login), string(purpose), string(way)))
}

// ownCode is what a code for whoever is signed in at a client on a device is kept
// under: two users of one device share it, and its target tells them apart.
func (s *Service) ownCode(client ClientID, device DeviceHash, way Way) CodeHash {
	return CodeHash(s.node.keys.Ring().Index("code", "own", string(client), string(device[:]), string(way)))
}

// answer stands for the digits that were sent to a target under a hash: of the
// digits alone there are too few to hide them.
func (s *Service) answer(hash CodeHash, target HandleHash, digits string) [32]byte {
	return s.node.keys.Ring().Index("answer", string(hash[:]), string(target[:]), digits)
}

// guess is a code that somebody sends back.
type guess struct {
	service *Service
	hash    CodeHash
	target  HandleHash // who is said to have got it
	digits  string
	user    UserID // whose wrong guesses are counted, if the login had proved who it is
	now     time.Time
}

// judge answers nil for the right code, which is used up, ErrCode or ErrLimited
// for any other, which is counted. Only err undoes what it writes.
func (g *guess) judge(tx Tx) (verdict, err error) {
	limits := &g.service.cfg.Limits
	wrong := g.service.wrongCodes(g.user)
	counters, _, verdict, err := wrong.read(tx, g.now)
	if err != nil || verdict != nil {
		return verdict, err
	}
	code, err := tx.Code(g.hash)
	if errors.Is(err, ErrNotFound) || err == nil && !g.now.Before(code.Expires) {
		// Guesses at a code that nobody was sent are counted, too, and answered
		// as any other.
		code = Code{Hash: g.hash, Expires: g.now.Add(g.service.cfg.Lifetimes.Code)}
	} else if err != nil {
		return nil, err
	}
	if !limits.Off && limits.CodeTries > 0 && code.Tries >= limits.CodeTries {
		return retryLater{ErrLimited, code.Expires.Sub(g.now)}, nil
	}
	right := g.service.answer(g.hash, g.target, g.digits)
	if subtle.ConstantTimeCompare(right[:], code.Answer[:]) == 1 {
		tx.DeleteCode(g.hash)
		return nil, nil
	}
	code.Tries++
	tx.PutCode(code)
	wrong.count(tx, counters, g.now)
	return ErrCode, nil
}

// wrongCodes limits the wrong codes of a user; nobody's are not limited.
func (s *Service) wrongCodes(user UserID) (q quotas) {
	if user != "" && !s.cfg.Limits.Off {
		q.add(s.node.keys.Ring(), s.cfg.Limits.UserCodes, 24*time.Hour, "wrong codes", string(user))
	}
	return q
}
