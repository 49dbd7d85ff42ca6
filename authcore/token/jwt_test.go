package token_test

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/qqauth/qqauth/authcore/token"
)

const issuer = "https://id.example.com"

var (
	idClaims = token.IDClaims{
		Issuer: issuer, Audience: "app", Subject: "20220425140138519-BF1B-528B05551", Session: "sid1",
		AuthTime: start.Add(-time.Hour), Methods: []string{"qq"}, Expires: start.Add(2 * time.Hour),
		API: token.API{Name: "小明 <&> \"x\"", Mobile: "+86-15201657321", ID: "20220425140138519-BF1B-528B05551", UserName: "louxi"},
	}
	assertionClaims = token.AssertionClaims{
		Issuer: issuer, Audience: "https://app.example.com", Subject: "u1", Client: "app", Session: "sid1",
		AuthTime: start.Add(-time.Hour), Methods: []string{"qq", "sms"}, Name: "小明 <b>",
		Segments: map[string]string{"tier": "gold", "a": "1"}, Expires: start.Add(5 * time.Minute),
	}
	stateClaims = token.StateClaims{
		ID: token.NewStateID(start), Status: "USER_REGISTER", SocialUID: "B1A2", Expires: start.Add(30 * time.Minute),
	}
	secretHash = sha256.Sum256([]byte("client secret"))
)

func secrets(string) [][32]byte { return [][32]byte{secretHash} }

// kinds is every kind of token: how it is made, and whether its verifier takes
// what it is given.
var kinds = map[string]struct {
	mint   func(*token.Ring) (string, error)
	verify func(*token.Ring, string, time.Time) error
}{
	"id_token": {
		func(r *token.Ring) (string, error) { return r.SignIDToken(token.ES256, idClaims, start) },
		func(r *token.Ring, raw string, now time.Time) error {
			_, err := r.VerifyIDToken(raw, issuer, now)
			return err
		},
	},
	"assertion": {
		func(r *token.Ring) (string, error) { return r.SignAssertion(assertionClaims, start) },
		func(r *token.Ring, raw string, now time.Time) error {
			_, err := r.VerifyAssertion(raw, issuer, assertionClaims.Audience, now)
			return err
		},
	},
	"state": {
		func(r *token.Ring) (string, error) { return r.SignState(stateClaims, start) },
		func(r *token.Ring, raw string, now time.Time) error { _, err := r.VerifyState(raw, now); return err },
	},
	"bearer": {
		func(r *token.Ring) (string, error) { return r.NewBearer("app", secretHash, start, time.Hour), nil },
		func(r *token.Ring, raw string, now time.Time) error {
			_, err := r.VerifyBearer(raw, secrets, now)
			return err
		},
	},
	"session_token": {
		func(r *token.Ring) (string, error) { return r.NewOpaque("session").Reveal(), nil },
		func(r *token.Ring, raw string, _ time.Time) error {
			if !r.ValidOpaque("session", raw) {
				return token.ErrInvalid
			}
			return nil
		},
	},
}

func mint(t testing.TB, r *token.Ring, kind string) string {
	t.Helper()
	raw, err := kinds[kind].mint(r)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func decode(t testing.TB, segment string) string {
	t.Helper()
	b, err := base64.RawURLEncoding.DecodeString(segment)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func encode(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }

// A token of one kind is refused wherever another kind is asked for, and by
// every other ring.
func TestKindsDoNotMix(t *testing.T) {
	r, stranger := ringOf(t, token.ES256), ringOf(t, token.ES256)
	for made := range kinds {
		raw := mint(t, r, made)
		for asked, k := range kinds {
			err := k.verify(r, raw, start)
			if made == asked && err != nil {
				t.Errorf("%s: %v", made, err)
			}
			if made != asked && !errors.Is(err, token.ErrInvalid) {
				t.Errorf("%s passes for %s: %v", made, asked, err)
			}
			if err := k.verify(stranger, raw, start); !errors.Is(err, token.ErrInvalid) {
				t.Errorf("%s of another ring passes for %s: %v", made, asked, err)
			}
		}
	}
}

// The tokens are the vendor's and the contract's, to the letter.
func TestTokensAreAsDocumented(t *testing.T) {
	r := ringOf(t, token.ES256)
	ids := regexp.MustCompile(`"(jti|kid)":"[A-Za-z0-9_-]{22,43}"`)
	for kind, want := range map[string][2]string{
		"id_token": {
			`{"kid":"*","alg":"ES256"}`,
			`{"iss":"https://id.example.com","aud":"app","exp":1767330245,"jti":"*","iat":1767323045,"nbf":1767322925,` +
				`"sub":"20220425140138519-BF1B-528B05551","sid":"sid1","auth_time":1767319445,"amr":["qq"],` +
				`"api":"{\"name\":\"小明 <&> \\\"x\\\"\",\"mobile\":\"+86-15201657321\",\"id\":\"20220425140138519-BF1B-528B05551\",\"userName\":\"louxi\",\"email\":\"\"}"}`,
		},
		"assertion": {
			`{"typ":"qqauth-ticket+jwt","alg":"ES256","kid":"*"}`,
			`{"iss":"https://id.example.com","aud":"https://app.example.com","sub":"u1","client_id":"app","sid":"sid1","jti":"*",` +
				`"iat":1767323045,"exp":1767323345,"auth_time":1767319445,"amr":["qq","sms"],"name":"小明 <b>","segments":{"a":"1","tier":"gold"}}`,
		},
		"state": {
			`{"alg":"HS256","typ":"JWT"}`,
			`{"sub":"{\"socialUid\":\"B1A2\",\"status\":\"USER_REGISTER\"}","exp":1767324845,"iat":1767323045,"jti":"*"}`,
		},
	} {
		parts := strings.Split(mint(t, r, kind), ".")
		for i := range want {
			if got := ids.ReplaceAllString(decode(t, parts[i]), `"$1":"*"`); got != want[i] {
				t.Errorf("%s:\n got %s\nwant %s", kind, got, want[i])
			}
		}
	}
}

func TestEmptyListsAreNotNull(t *testing.T) {
	r := ringOf(t, token.EdDSA)
	a, err := r.SignAssertion(token.AssertionClaims{Subject: "u"}, start)
	if err != nil {
		t.Fatal(err)
	}
	i, err := r.SignIDToken(token.EdDSA, token.IDClaims{}, start)
	if err != nil {
		t.Fatal(err)
	}
	for _, raw := range []string{a, i} {
		if claims := decode(t, strings.Split(raw, ".")[1]); strings.Contains(claims, "null") {
			t.Error(claims)
		}
	}
}

func TestClaimsRoundTrip(t *testing.T) {
	for _, alg := range []token.Alg{token.RS256, token.ES256, token.EdDSA} {
		r := ringOf(t, alg)
		raw, err := r.SignIDToken(alg, idClaims, start)
		if err != nil {
			t.Fatal(err)
		}
		got, err := r.VerifyIDToken(raw, issuer, start)
		if err != nil {
			t.Fatalf("%s: %v", alg, err)
		}
		want := idClaims
		want.ID, want.Issued = got.ID, start.Truncate(time.Second)
		want.AuthTime, want.Expires = want.AuthTime.Truncate(time.Second), want.Expires.Truncate(time.Second)
		if diff := cmp.Diff(want, got); diff != "" || len(got.ID) != 22 {
			t.Errorf("%s: %s", alg, diff)
		}
	}
	r := ringOf(t, token.ES256)
	got, err := r.VerifyAssertion(mint(t, r, "assertion"), issuer, assertionClaims.Audience, start)
	if err != nil {
		t.Fatal(err)
	}
	want := assertionClaims
	want.ID, want.Issued = got.ID, start.Truncate(time.Second)
	want.AuthTime, want.Expires = want.AuthTime.Truncate(time.Second), want.Expires.Truncate(time.Second)
	if diff := cmp.Diff(want, got); diff != "" || len(got.ID) != 22 {
		t.Error(diff)
	}
	if _, err := r.SignIDToken(token.RS256, idClaims, start); err == nil {
		t.Error("signed with an algorithm that the ring has no key for")
	}
	bad := idClaims
	bad.API.ID = "another"
	if _, err := r.SignIDToken(token.ES256, bad, start); err == nil {
		t.Error("signed a profile of another user")
	}
}

func TestTimes(t *testing.T) {
	r := ringOf(t, token.ES256)
	second := start.Truncate(time.Second)
	for kind, life := range map[string]time.Duration{
		"id_token": 2 * time.Hour, "assertion": 5 * time.Minute, "state": 30 * time.Minute, "bearer": time.Hour,
	} {
		raw := mint(t, r, kind)
		for _, tt := range []struct {
			at   time.Duration
			want error
		}{
			{0, nil},
			{life - time.Nanosecond, nil},
			{life, token.ErrExpired},
			{life + time.Hour, token.ErrExpired},
			{-60 * time.Second, nil},
		} {
			if err := kinds[kind].verify(r, raw, second.Add(tt.at)); !errors.Is(err, tt.want) {
				t.Errorf("%s after %v: %v, want %v", kind, tt.at, err, tt.want)
			}
		}
		if kind == "bearer" {
			continue // carries no time of issue
		}
		if err := kinds[kind].verify(r, raw, second.Add(-61*time.Second)); !errors.Is(err, token.ErrInvalid) || errors.Is(err, token.ErrExpired) {
			t.Errorf("%s before its time: %v", kind, err)
		}
	}
}

// Log-out takes the session of an id_token that has run out.
func TestExpiredIDTokenStillNamesItsSession(t *testing.T) {
	r := ringOf(t, token.ES256)
	c, err := r.VerifyIDToken(mint(t, r, "id_token"), issuer, start.Add(2*time.Hour))
	if !errors.Is(err, token.ErrExpired) || c.Session != "sid1" || c.Audience != "app" {
		t.Errorf("%+v, %v", c, err)
	}
	c, err = r.VerifyIDToken(mint(t, r, "id_token"), "https://other.example", start.Add(2*time.Hour))
	if errors.Is(err, token.ErrExpired) || c.Session != "" {
		t.Errorf("another issuer's: %+v, %v", c, err)
	}
}

// Nothing is parsed of what is too long to be a token of ours.
func TestOversize(t *testing.T) {
	r := ringOf(t, token.ES256)
	claims := assertionClaims
	claims.Segments = map[string]string{"x": strings.Repeat("x", 11<<10)}
	for size, want := range map[int]error{11 << 10: nil, 13 << 10: token.ErrInvalid} {
		claims.Segments["x"] = strings.Repeat("x", size)
		raw, err := r.SignAssertion(claims, start)
		if err != nil {
			t.Fatal(err)
		}
		if err := kinds["assertion"].verify(r, raw, start); !errors.Is(err, want) {
			t.Errorf("%d bytes: %v", len(raw), err)
		}
	}
	long := strings.Repeat("A", 1<<20)
	for kind, k := range kinds {
		if err := k.verify(r, long, start); !errors.Is(err, token.ErrInvalid) {
			t.Errorf("%s: %v", kind, err)
		}
	}
}

func FuzzVerify(f *testing.F) {
	// Ed25519 and HMAC signatures have one spelling each; ECDSA's do not.
	r := ringOf(f, token.EdDSA)
	id, err := r.SignIDToken(token.EdDSA, idClaims, start)
	if err != nil {
		f.Fatal(err)
	}
	state, bearer := mint(f, r, "state"), mint(f, r, "bearer")
	for _, raw := range []string{id, state, bearer, mint(f, r, "assertion"), id + ".", strings.ToLower(id), "a.b.c", "eyJ9.e30."} {
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		for kind, made := range map[string]string{"id_token": id, "state": state, "bearer": bearer} {
			err := kinds[kind].verify(r, raw, start)
			if (err == nil) != (raw == made) {
				t.Errorf("%s verifies %q: %v", kind, raw, err)
			}
			if err != nil && !errors.Is(err, token.ErrInvalid) {
				t.Errorf("%s: uncoded error %v", kind, err)
			}
		}
	})
}
