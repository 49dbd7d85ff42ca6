package pgstore

import (
	"github.com/jackc/pgx/v5"

	"github.com/qqauth/qqauth/authcore"
	"github.com/qqauth/qqauth/authcore/record"
)

// Code implements [authcore.Tx].
func (t *tx) Code(h authcore.CodeHash) (c authcore.Code, err error) {
	found := false
	err = t.read(statement{
		sql:  "SELECT answer, tries, expires FROM qqauth_codes WHERE code = $1",
		args: []any{h[:]},
		scan: func(rows pgx.Rows) error {
			found = true
			var answer []byte
			err := rows.Scan(&answer, &c.Tries, &c.Expires)
			c.Hash, c.Answer, c.Expires = h, hash(answer), c.Expires.UTC()
			return err
		},
	})
	return c, none(found, err)
}

// PutCode implements [authcore.Tx].
func (t *tx) PutCode(c authcore.Code) {
	t.write(`INSERT INTO qqauth_codes (code, answer, tries, expires) VALUES ($1, $2, $3, $4)
		ON CONFLICT (code) DO UPDATE SET answer = excluded.answer, tries = excluded.tries, expires = excluded.expires`,
		c.Hash[:], orNull(c.Answer), c.Tries, c.Expires)
}

// DeleteCode implements [authcore.Tx].
func (t *tx) DeleteCode(h authcore.CodeHash) {
	t.write("DELETE FROM qqauth_codes WHERE code = $1", h[:])
}

// Captcha implements [authcore.Tx].
func (t *tx) Captcha(h authcore.TokenHash) (c authcore.Captcha, err error) {
	found := false
	err = t.read(statement{
		sql:  "SELECT client, device, x, solved, sender, expires FROM qqauth_captchas WHERE token = $1",
		args: []any{h[:]},
		scan: func(rows pgx.Rows) error {
			found = true
			var client string
			var device, sender []byte
			err := rows.Scan(&client, &device, &c.X, &c.Solved, &sender, &c.Expires)
			c.Token, c.Client, c.Device = h, authcore.ClientID(client), hash(device)
			c.Sender, c.Expires = hash(sender), c.Expires.UTC()
			return err
		},
	})
	return c, none(found, err)
}

// PutCaptcha implements [authcore.Tx].
func (t *tx) PutCaptcha(c authcore.Captcha) {
	t.write(`INSERT INTO qqauth_captchas (token, client, device, x, solved, sender, expires) VALUES ($1, $2, $3, $4, $5, $6, $7)
		ON CONFLICT (token) DO UPDATE SET client = excluded.client, device = excluded.device, x = excluded.x,
			solved = excluded.solved, sender = excluded.sender, expires = excluded.expires`,
		c.Token[:], string(c.Client), orNull(c.Device), c.X, c.Solved, orNull(c.Sender), c.Expires)
}

// DeleteCaptcha implements [authcore.Tx].
func (t *tx) DeleteCaptcha(h authcore.TokenHash) {
	t.write("DELETE FROM qqauth_captchas WHERE token = $1", h[:])
}

// Counters implements [authcore.Tx].
func (t *tx) Counters(keys ...authcore.CounterHash) ([]authcore.Counter, error) {
	if len(keys) == 0 {
		return nil, nil
	}
	wanted := make([][]byte, len(keys))
	for i := range keys {
		wanted[i] = keys[i][:]
	}
	found := make(map[authcore.CounterHash]authcore.Counter, len(keys))
	err := t.read(statement{
		sql:  "SELECT counter, slots, expires FROM qqauth_counters WHERE counter = ANY($1)",
		args: []any{wanted},
		scan: func(rows pgx.Rows) error {
			var key, slots []byte
			var c authcore.Counter
			if err := rows.Scan(&key, &slots, &c.Expires); err != nil {
				return err
			}
			if record.Decode(slots, &c.Slots) != nil {
				return t.damaged("qqauth_counters", "cannot be decoded")
			}
			c.Key, c.Expires = hash(key), c.Expires.UTC()
			found[c.Key] = c
			return nil
		},
	})
	if err != nil {
		return nil, err
	}
	counters := make([]authcore.Counter, len(keys))
	for i, key := range keys {
		counters[i] = found[key]
		counters[i].Key = key
	}
	return counters, nil
}

// PutCounter implements [authcore.Tx]. Its slots are no secret and stay in clear.
func (t *tx) PutCounter(c authcore.Counter) {
	slots, err := record.Encode(c.Slots)
	if err != nil {
		t.refuse(err)
		return
	}
	t.write(`INSERT INTO qqauth_counters (counter, slots, expires) VALUES ($1, $2, $3)
		ON CONFLICT (counter) DO UPDATE SET slots = excluded.slots, expires = excluded.expires`, c.Key[:], slots, c.Expires)
}
