package badgerstore

import "github.com/qqauth/qqauth/authcore"

// Code implements [authcore.Tx].
func (t *tx) Code(h authcore.CodeHash) (authcore.Code, error) {
	var c authcore.Code
	err := t.load(kindCode.hash(h), &c)
	return c, err
}

// PutCode implements [authcore.Tx].
func (t *tx) PutCode(c authcore.Code) { t.save(kindCode.hash(c.Hash), c, t.store.ttl(c.Expires)) }

// DeleteCode implements [authcore.Tx].
func (t *tx) DeleteCode(h authcore.CodeHash) { t.delete(kindCode.hash(h)) }

// Captcha implements [authcore.Tx].
func (t *tx) Captcha(h authcore.TokenHash) (authcore.Captcha, error) {
	var c authcore.Captcha
	err := t.load(kindCaptcha.hash(h), &c)
	return c, err
}

// PutCaptcha implements [authcore.Tx].
func (t *tx) PutCaptcha(c authcore.Captcha) {
	t.save(kindCaptcha.hash(c.Token), c, t.store.ttl(c.Expires))
}

// DeleteCaptcha implements [authcore.Tx].
func (t *tx) DeleteCaptcha(h authcore.TokenHash) { t.delete(kindCaptcha.hash(h)) }

// Counters implements [authcore.Tx].
func (t *tx) Counters(keys ...authcore.CounterHash) ([]authcore.Counter, error) {
	counters := make([]authcore.Counter, len(keys))
	for i, h := range keys {
		counters[i].Key = h
		if err := allowAbsent(t.load(kindCounter.hash(h), &counters[i])); err != nil {
			return nil, err
		}
	}
	return counters, nil
}

// PutCounter implements [authcore.Tx].
func (t *tx) PutCounter(c authcore.Counter) {
	t.save(kindCounter.hash(c.Key), c, t.store.ttl(c.Expires))
}
