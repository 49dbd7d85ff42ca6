package authcore

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/qqauth/qqauth/authcore/contact"
	"github.com/qqauth/qqauth/authcore/opaque"
	"github.com/qqauth/qqauth/authcore/token"
)

// sendLimit bounds one delivery: a gateway that is waited for, and tried three
// times for 5 s each.
const sendLimit = 25 * time.Second

// SendCode sends a code to a phone or an e-mail address, if a login of this client
// on this device waits for one of this type, or for a change a user is signed in
// there. Otherwise it sends nothing and answers just the same, after the time
// that sending takes: neither tells whether the target is anybody's.
func (s *Service) SendCode(ctx context.Context, id ClientID, caller Caller, r CodeRequest) error {
	c := s.clients[id]
	if c == nil {
		return ErrUnknownClient
	}
	sender := s.cfg.Senders[r.To.Way]
	if sender == nil {
		return fmt.Errorf("%w: nothing is configured to send by %s", ErrSend, r.To.Way)
	}
	if err := s.node.store.Writable(); err != nil {
		return err
	}
	f := &sending{
		service: s, client: c, caller: caller, request: r, device: s.device(caller.Fingerprint), now: s.node.now(),
		pass: hashToken(r.Pass), sender: s.handle(r.To), digits: newDigits(),
	}
	if err := s.node.update(ctx, func(tx Tx) ([]Event, error) { return nil, f.decide(tx) }); err != nil {
		return err
	}
	s.auditSending(f)
	switch {
	case f.verdict != nil:
		return f.verdict
	case f.to == "":
		if err := s.limitUnsent(f); err != nil {
			return err
		}
		return s.node.pace(r.To.Way).feign(ctx, f.probed)
	}
	return s.deliver(ctx, sender, f)
}

// deliver sends what was decided on. It goes on when the caller hangs up.
func (s *Service) deliver(ctx context.Context, sender Sender, f *sending) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), sendLimit)
	defer cancel()
	began := time.Now()
	err := sender.Send(ctx, Message{
		Time: f.now, Way: f.request.To.Way, To: f.to, Purpose: f.purpose, Code: f.digits,
		Lang: f.request.Lang, ExpiresIn: s.cfg.Lifetimes.Code,
	})
	s.node.pace(f.request.To.Way).note(time.Since(began), err)
	audit := AuditEvent{
		Name: AuditCodeSent, Client: f.client.ID, Addr: f.caller.Addr, User: f.user,
		Status: f.request.Type, Contact: star(f.request.To.Way, f.to),
	}
	if err != nil {
		audit.Name = AuditCodeNotSent
		s.node.onFault(fmt.Errorf("send a code by %s: %w", f.request.To.Way, err))
		err = ErrSend
	}
	s.cfg.Audit(audit)
	return err
}

// star is a contact as an audit may show it.
func star(way Way, value string) string {
	if way == WayEmail {
		return contact.StarEmail(value)
	}
	return contact.Star(value)
}

// sending is one request for a code: what it rests on, and what it was decided
// to be.
type sending struct {
	service *Service
	client  *client
	caller  Caller
	request CodeRequest
	device  DeviceHash
	now     time.Time
	pass    TokenHash
	sender  HandleHash
	digits  opaque.Secret

	verdict error // durable
	stopped bool  // nothing at all is sent any more today
	purpose Purpose
	to      string // empty if nothing is sent
	user    UserID // whom it is for
	proved  bool   // the login has proved who that is, by other than a code
	probed  bool   // the user's is another phone or address: own
	own     string
	hash    CodeHash
}

func (f *sending) decide(tx Tx) error {
	f.verdict, f.stopped, f.purpose = nil, false, ""
	f.to, f.user, f.proved, f.probed, f.own, f.hash = "", "", false, false, "", CodeHash{}
	if err := f.usePass(tx); err != nil {
		return err
	}
	if err := f.find(tx); err != nil {
		return err
	}
	limits, total := f.quotas()
	counters, full, verdict, err := limits.read(tx, f.now)
	if err != nil {
		return err
	}
	if verdict != nil {
		f.verdict, f.stopped = verdict, total >= 0 && full[total]
		return nil
	}
	limits.count(tx, counters, f.now)
	if f.to == "" {
		return nil
	}
	target := handleOf(f.service.node.keys.Ring(), f.request.To.Way, f.to)
	tx.PutCode(Code{
		Hash: f.hash, Answer: f.service.answer(f.hash, target, f.digits.Reveal()),
		Expires: f.now.Add(f.service.cfg.Lifetimes.Code),
	})
	return nil
}

// quotas are the limits of a sending, and which of them is that on all. For a guess
// at somebody's phone or address they are those of the right one, too, so that
// none tells. What is not sent uses up none but its address's and, where it was
// such a guess, the user's.
func (f *sending) quotas() (q quotas, total int) {
	l := &f.service.cfg.Limits
	if l.Off {
		return nil, -1
	}
	ring, way := f.service.node.keys.Ring(), f.request.To.Way
	total = -1
	if f.to != "" || f.probed {
		q.addTarget(ring, l, way, cmp.Or(f.to, f.own))
		if f.probed {
			q.addTarget(ring, l, way, f.request.To.Value)
		}
		q.add(ring, l.ClientHour, time.Hour, "sent for client", string(f.client.ID))
		q.add(ring, l.TotalDay, 24*time.Hour, "sent")
		if l.TotalDay > 0 {
			total = len(q) - 1
		}
	}
	for i := range q {
		q[i].look = f.probed
	}
	q.add(ring, l.AddressHour, time.Hour, "sent for address", network(f.caller.Addr).String())
	if f.purpose == PurposeMFA && f.proved {
		for _, wrong := range f.service.wrongCodes(f.user) {
			wrong.look = !f.probed
			q = append(q, wrong)
		}
	}
	return q, total
}

// addTarget adds the limits on what is sent to one phone or address.
func (q *quotas) addTarget(ring *token.Ring, l *Limits, way Way, subject ...string) {
	subject = append([]string{string(way)}, subject...)
	q.add(ring, l.TargetMinute, time.Minute, "sent to", subject...)
	q.add(ring, l.TargetHour, time.Hour, "sent to", subject...)
	q.add(ring, l.TargetDay, 24*time.Hour, "sent to", subject...)
}

// limitUnsent limits, on this node, what is asked for and not sent as if it had
// been.
func (s *Service) limitUnsent(f *sending) error {
	if s.cfg.Limits.Off {
		return nil
	}
	var q quotas
	q.addTarget(s.node.keys.Ring(), &s.cfg.Limits, f.request.To.Way, f.request.To.Value, string(f.client.ID), string(f.device[:]))
	return s.node.unsent.take(q, f.now)
}

// find looks for what waits for the code.
func (f *sending) find(tx Tx) error {
	for _, t := range codeTypes {
		if t.word == f.request.Type && t.way == f.request.To.Way {
			f.purpose = t.purpose
		}
	}
	switch f.purpose {
	case "":
		return nil
	case PurposeUpdate:
		return f.findSession(tx)
	}
	if f.request.Login != "" {
		_, err := f.tryLogin(tx, f.request.Login)
		return err
	}
	refs, err := tx.Waiting(f.client.ID, f.device)
	if err != nil {
		return err
	}
	for _, r := range slices.Backward(refs) {
		if found, err := f.tryLogin(tx, r.ID); err != nil || found {
			return err
		}
	}
	return nil
}

// tryLogin takes an unfinished login if that waits for the code.
func (f *sending) tryLogin(tx Tx, id PendingID) (found bool, err error) {
	p, u, err := readPending(tx, id, f.client.ID, f.device, f.now)
	if errors.Is(err, ErrState) {
		return false, nil
	} else if err != nil {
		return false, err
	}
	way := f.request.To.Way
	if purpose, ways := p.awaits(f.client, &u); purpose != f.purpose || !slices.Contains(ways, way) {
		return false, nil
	}
	f.hash = f.service.loginCode(p.ID, f.purpose, way)
	f.user, f.proved = u.ID, p.provesUser()
	switch own := u.contact(way); {
	case f.purpose != PurposeMFA && f.request.To.Starred:
	case f.purpose != PurposeMFA:
		f.to = f.request.To.Value
	case f.request.To.is(own):
		f.to = own
	default:
		f.probed, f.own = true, own
	}
	return true, nil
}

// is reports whether a user's phone or address is the one that is meant.
func (c Contact) is(own string) bool {
	if c.Starred {
		return contact.MatchesStarred(c.Value, own)
	}
	return c.Value == own
}

// findSession takes the newest living session of the client on the device.
func (f *sending) findSession(tx Tx) error {
	if f.request.To.Starred {
		return nil
	}
	refs, err := tx.SessionsAt(f.client.ID, f.device)
	if err != nil {
		return err
	}
	for _, r := range slices.Backward(refs) {
		s, u, err := tx.SessionByID(r.ID)
		if errors.Is(err, ErrNotFound) || err == nil && (!s.alive(&u, f.now) || s.Client != f.client.ID) {
			continue
		} else if err != nil {
			return err
		}
		f.user, f.to = u.ID, f.request.To.Value
		f.hash = f.service.ownCode(f.client.ID, f.device, f.request.To.Way)
		return nil
	}
	return nil
}

// auditSending audits a guess at somebody's phone or address and, once a minute,
// that no codes are sent any more today.
func (s *Service) auditSending(f *sending) {
	if f.probed {
		s.cfg.Audit(AuditEvent{Name: AuditCodeRefused, Client: f.client.ID, User: f.user, Addr: f.caller.Addr, Status: "wrong_contact"})
	}
	if last := s.node.stopped.Load(); f.stopped && f.now.Unix()-last >= 60 && s.node.stopped.CompareAndSwap(last, f.now.Unix()) {
		s.cfg.Audit(AuditEvent{Name: AuditSendingStopped, Client: f.client.ID})
	}
}
