package authcore_test

import (
	"testing"
	"time"

	"github.com/qqauth/qqauth/authcore"
)

const oldSecret, newSecret = "main-secret-0123456789abcdef", "main-secret-of-the-next-year"

// secrets sets the main client's secrets, the current one first.
func secrets(list ...string) func(*authcore.Config) {
	return func(cfg *authcore.Config) { clientOf(cfg, mainClient).Secrets = list }
}

func TestBearerCredentials(t *testing.T) {
	for _, test := range []struct {
		name    string
		secrets []string
		client  authcore.ClientID
		secret  string
		want    error
	}{
		{"the secret", []string{oldSecret}, mainClient, oldSecret, nil},
		{"the previous secret", []string{newSecret, oldSecret}, mainClient, oldSecret, nil},
		{"the current of two", []string{newSecret, oldSecret}, mainClient, newSecret, nil},
		{"a wrong secret", []string{oldSecret}, mainClient, newSecret, authcore.ErrClientSecret},
		{"no secret", []string{oldSecret}, mainClient, "", authcore.ErrClientSecret},
		{"a client without one", nil, mainClient, "", authcore.ErrClientSecret},
		{"an empty one configured", []string{""}, mainClient, "", authcore.ErrClientSecret},
		{"another client's secret", []string{oldSecret}, foreignClient, oldSecret, authcore.ErrClientSecret},
		{"an unknown client", []string{oldSecret}, "nobody", oldSecret, authcore.ErrUnknownClient},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t, secrets(test.secrets...))
			bearer, err := w.NewBearer(test.client, test.secret)
			want(t, "bearer", err, test.want)
			if err != nil {
				return
			}
			if bearer.ExpiresIn != 1800*time.Second {
				t.Errorf("expires in %s; want 1800 s", bearer.ExpiresIn)
			}
			if id, err := w.CheckBearer(bearer.Token.Reveal()); err != nil || id != test.client {
				t.Errorf("the bearer is %s's, %v; want %s", id, err, test.client)
			}
		})
	}
}

func TestBearerEndsWithItsSecret(t *testing.T) {
	w := newWorld(t, secrets(oldSecret))
	bearer, err := w.NewBearer(mainClient, oldSecret)
	if err != nil {
		t.Fatalf("bearer: %v", err)
	}
	for _, step := range []struct {
		name    string
		secrets []string
		want    error
	}{
		{"while its secret is the previous one", []string{newSecret, oldSecret}, nil},
		{"when its secret is gone", []string{newSecret}, authcore.ErrBearer},
		{"when the client has none", nil, authcore.ErrBearer},
	} {
		cfg := w.config()
		secrets(step.secrets...)(&cfg)
		_, err := w.service(cfg).CheckBearer(bearer.Token.Reveal())
		want(t, "bearer "+step.name, err, step.want)
	}
}

func TestBearerExpires(t *testing.T) {
	w := newWorld(t, secrets(oldSecret))
	bearer, err := w.NewBearer(mainClient, oldSecret)
	if err != nil {
		t.Fatalf("bearer: %v", err)
	}
	w.clock.step(1799 * time.Second)
	_, err = w.CheckBearer(bearer.Token.Reveal())
	want(t, "bearer of 1799 s", err, nil)
	w.clock.step(time.Second)
	_, err = w.CheckBearer(bearer.Token.Reveal())
	want(t, "bearer of 1800 s", err, authcore.ErrBearer)
	for _, raw := range []string{"", "nonsense", bearer.Token.Reveal() + "x"} {
		_, err = w.CheckBearer(raw)
		want(t, "a bearer that is none", err, authcore.ErrBearer)
	}
}

func TestServiceRefusesAClientWithoutItsApplication(t *testing.T) {
	w := newWorld(t)
	cfg := w.config()
	clientOf(&cfg, mainClient).App = "none"
	if _, err := authcore.NewService(w.node, cfg); err == nil {
		t.Error("made a service")
	}
	if !w.HasClient(mainClient) || w.HasClient("nobody") {
		t.Error("HasClient does not tell the configured clients")
	}
}
