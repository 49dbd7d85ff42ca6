package storetest

import (
	"math"
	"testing"
	"time"

	"github.com/qqauth/qqauth/authcore"
)

func testCodes(t *testing.T, f *Fixture) {
	code := authcore.Code{Hash: hash("code"), Answer: hash("123456"), Tries: 2, Expires: base.Add(time.Hour)}
	other := authcore.Code{Hash: hash("other"), Expires: base.Add(time.Hour)}
	update(t, f.Store, func(t *run, tx authcore.Tx) { tx.PutCode(code); tx.PutCode(other) })
	view(t, f.Store, func(t *run, tx authcore.Tx) {
		got, err := tx.Code(code.Hash)
		want(t, "Code", got, err, code)
		got, err = tx.Code(other.Hash)
		want(t, "a code without an answer", got, err, other)
	})
	code.Answer, code.Tries, code.Expires = [32]byte{}, 5, base.Add(2*time.Hour)
	update(t, f.Store, func(t *run, tx authcore.Tx) {
		tx.PutCode(code)
		tx.DeleteCode(other.Hash)
		tx.DeleteCode(hash("never there"))
	})
	view(t, f.Store, func(t *run, tx authcore.Tx) {
		got, err := tx.Code(code.Hash)
		want(t, "a code that was used up", got, err, code)
		_, err = tx.Code(other.Hash)
		wantErr(t, "deleted", err, authcore.ErrNotFound)
	})
}

func testCaptchas(t *testing.T, f *Fixture) {
	shown := authcore.Captcha{
		Token: hash("captcha"), Client: "client", Device: hash("device"), X: 131, Expires: base.Add(time.Hour),
	}
	bare := authcore.Captcha{Token: hash("bare"), Expires: base.Add(time.Hour)}
	solved := shown
	solved.Solved, solved.Sender, solved.X, solved.Expires = true, hash("phone"), -1, base.Add(2*time.Hour)
	update(t, f.Store, func(t *run, tx authcore.Tx) { tx.PutCaptcha(shown); tx.PutCaptcha(bare) })
	view(t, f.Store, func(t *run, tx authcore.Tx) {
		for _, wanted := range []authcore.Captcha{shown, bare} {
			got, err := tx.Captcha(wanted.Token)
			want(t, "Captcha", got, err, wanted)
		}
	})
	update(t, f.Store, func(t *run, tx authcore.Tx) {
		tx.PutCaptcha(solved)
		tx.DeleteCaptcha(bare.Token)
		tx.DeleteCaptcha(hash("never there"))
	})
	view(t, f.Store, func(t *run, tx authcore.Tx) {
		got, err := tx.Captcha(shown.Token)
		want(t, "solved", got, err, solved)
		_, err = tx.Captcha(bare.Token)
		wantErr(t, "deleted", err, authcore.ErrNotFound)
	})
}

func testCounters(t *testing.T, f *Fixture) {
	day := authcore.Counter{
		Key: hash("day"), Slots: []authcore.Slot{{At: 20000, N: 1}, {At: math.MaxInt64, N: math.MaxUint32}}, Expires: base.Add(time.Hour),
	}
	hour := authcore.Counter{Key: hash("hour"), Slots: []authcore.Slot{{At: -1, N: 7}}, Expires: base.Add(2 * time.Hour)}
	absent := authcore.Counter{Key: hash("absent")}
	wanted := []authcore.Counter{hour, absent, day, hour}
	read := func(t *run, tx authcore.Tx, what string) {
		var keys []authcore.CounterHash
		for _, c := range wanted {
			keys = append(keys, c.Key)
		}
		got, err := tx.Counters(keys...)
		want(t, what, got, err, wanted)
	}
	update(t, f.Store, func(t *run, tx authcore.Tx) {
		tx.PutCounter(day)
		tx.PutCounter(hour)
		read(t, tx, "in the transaction")
	})
	view(t, f.Store, func(t *run, tx authcore.Tx) { read(t, tx, "Counters") })
	hour.Slots, hour.Expires = append(hour.Slots, authcore.Slot{At: 3, N: 1}), base.Add(3*time.Hour)
	wanted = []authcore.Counter{hour}
	update(t, f.Store, func(t *run, tx authcore.Tx) { tx.PutCounter(hour) })
	view(t, f.Store, func(t *run, tx authcore.Tx) { read(t, tx, "counted on") })
	view(t, f.Store, func(t *run, tx authcore.Tx) {
		got, err := tx.Counters()
		want(t, "none", len(got), err, 0)
	})
}
