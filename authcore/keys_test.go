package authcore_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/qqauth/qqauth/authcore"
	"github.com/qqauth/qqauth/authcore/token"
)

// published are the key ids of a key document.
func published(t *testing.T, document []byte) map[string]bool {
	t.Helper()
	var set jose.JSONWebKeySet
	if err := json.Unmarshal(document, &set); err != nil {
		t.Fatalf("decode the key document: %v", err)
	}
	ids := make(map[string]bool)
	for _, k := range set.Keys {
		ids[k.KeyID] = true
	}
	return ids
}

// signedBy is the id of the key that a token was signed with.
func signedBy(t *testing.T, raw string) string {
	t.Helper()
	parsed, err := jose.ParseSignedCompact(raw, []jose.SignatureAlgorithm{jose.ES256})
	if err != nil {
		t.Fatalf("parse the token: %v", err)
	}
	return parsed.Signatures[0].Header.KeyID
}

// TestNoTokenIsLostAtARotation issues tokens by the old key in its last hour.
func TestNoTokenIsLostAtARotation(t *testing.T) {
	w := newWorld(t)
	g := w.guard()
	w.clock.step(89 * 24 * time.Hour)
	w.node.Rotate()
	w.clock.step(24*time.Hour - 2*time.Minute)
	p := w.newPlayer()
	before := w.freshIDToken(p)
	assertion, _ := w.assertion(g, p.session)
	w.clock.step(3 * time.Minute)
	w.node.Rotate()
	after := w.freshIDToken(p)
	if signedBy(t, before) == signedBy(t, after) {
		t.Error("after 90 days the old key still signs")
	}
	for _, raw := range []string{before, after} {
		w.idToken(raw)
		if !published(t, w.IDTokenKeys())[signedBy(t, raw)] {
			t.Error("the key of an id_token that is good is not published")
		}
	}
	all := published(t, w.AllKeys())
	if !all[signedBy(t, assertion)] || !all[signedBy(t, before)] {
		t.Error("the key of an assertion or id_token that is good is not published")
	}
	if published(t, w.IDTokenKeys())[signedBy(t, assertion)] {
		t.Error("a key of assertions is among those of id_tokens")
	}
}

func TestKeyRotationWhileServing(t *testing.T) {
	w := newWorld(t)
	g := w.guard()
	p := w.newPlayer()
	bearer, err := w.NewBearer(mainClient, "main-secret-0123456789abcdef")
	if err != nil {
		t.Fatalf("bearer: %v", err)
	}
	grant, err := w.IDToken(t.Context(), mainClient, phone, p.session)
	if err != nil {
		t.Fatalf("id_token: %v", err)
	}
	before := string(w.AllKeys())
	w.clock.step(89 * 24 * time.Hour) // the successors are published
	w.node.Rotate()
	w.clock.step(2 * 24 * time.Hour) // and sign
	w.node.Rotate()
	if string(w.AllKeys()) == before {
		t.Error("91 days later the keys are the same")
	}
	_, err = w.CheckBearer(bearer.Token.Reveal())
	want(t, "bearer of 91 days ago", err, authcore.ErrBearer)
	want(t, "session of 91 days ago", w.admit(g, p.session), authcore.ErrSession)
	if _, err := w.keys.Ring().VerifyIDToken(grant.IDToken, issuer, w.clock.Now()); err == nil {
		t.Error("id_token of 91 days ago is good")
	}
	again := w.again(p)
	if again.user != p.user {
		t.Errorf("the user is %s now; was %s", again.user, p.user)
	}
	w.assertion(g, again.session)
}

func TestRekey(t *testing.T) {
	w := newWorld(t)
	p := w.newPlayer()
	g := w.guard()
	wrong := w.keyConfig()
	wrong.Current = token.NewKEK()
	want(t, "rekey with a wrong secret", w.node.Rekey(t.Context(), wrong), authcore.ErrWrongSecret)
	want(t, "admission after a refused rekey", w.admit(g, p.session), nil)
	next := w.keyConfig()
	next.Current, next.Previous = token.NewKEK(), []token.KEK{w.kek}
	want(t, "rekey with the previous secret named", w.node.Rekey(t.Context(), next), nil)
	next.Previous = nil
	want(t, "rekey with the new secret alone", w.node.Rekey(t.Context(), next), nil)
	want(t, "rekey back to the old secret", w.node.Rekey(t.Context(), w.keyConfig()), authcore.ErrWrongSecret)
	w.node.Evict()
	want(t, "admission after the rekey", w.admit(g, p.session), nil)
	if again := w.again(p); again.user != p.user {
		t.Errorf("the user is %s now; was %s", again.user, p.user)
	}
}
