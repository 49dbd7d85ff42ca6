package authcore

import (
	"crypto/sha256"
	"fmt"
	"slices"
	"time"

	"github.com/qqauth/qqauth/authcore/contact"
	"github.com/qqauth/qqauth/authcore/token"
)

// UnknownUser says what becomes of a QQ account that belongs to no user.
type UnknownUser string

// The rules for unknown users.
const (
	UnknownCreate   UnknownUser = "create"   // make a user
	UnknownRegister UnknownUser = "register" // USER_REGISTER
	UnknownBind     UnknownUser = "bind"     // SOCIAL_BIND
	UnknownDeny     UnknownUser = "deny"     // ACCESS_DENIED
	UnknownRefuse   UnknownUser = "refuse"   // ErrNoUser
)

// Claim names personal data that a client gets.
type Claim string

// The claims.
const (
	ClaimName   Claim = "name"
	ClaimMobile Claim = "mobile"
	ClaimEmail  Claim = "email"
)

// Client is an application that logs its users in.
type Client struct {
	ID      ClientID
	Name    string
	Secrets []string // for the tenant API, current first; none closes it
	App     AppID
	Unknown UnknownUser
	Verify  []Way // what registering and binding may use
	// MFA is what a second factor may be; none demands none.
	MFA    []Way
	Claims []Claim
	// ClaimProved gives the client also the phone and the e-mail address that
	// were proved through it.
	ClaimProved bool
	// Games opens the logins by device and by password to the client.
	Games bool
	// TicketsFor are other clients that may receive this one's tickets.
	TicketsFor []ClientID
}

// App is a QQ Connect application.
type App struct {
	ID AppID
	QQ QQ
	// UnionWith are the applications, this one included, whose accounts with
	// one unionid are one user. Empty joins nobody.
	UnionWith []AppID
	// LoopbackOnly answers only callers on this machine: it is a simulator.
	LoopbackOnly bool
}

// Lifetimes bound what is issued.
type Lifetimes struct {
	Session    time.Duration // absolute, refreshes included
	IDToken    time.Duration
	Ticket     time.Duration
	Assertion  time.Duration
	StateToken time.Duration
	Code       time.Duration
	// Idle is how long a session may go unused; 0 is for ever.
	Idle time.Duration
}

// Limits are the limits of attempts; Off lifts them for load tests. A limit of 0
// is none.
type Limits struct {
	Off bool
	// QQRefused is how many logins refused by QQ one address has a minute.
	QQRefused int
	// Pendings is how many unfinished logins an identity may have; one more
	// voids the oldest.
	Pendings int
	// Captchas is how many puzzles one address gets a minute.
	Captchas int
	// CodeTries is how often one code may be guessed wrong, and UserCodes how many
	// wrong codes a user has a day, over all of them.
	CodeTries int
	UserCodes int
	// How many codes are sent to one phone or e-mail address, for one network
	// address, for one client, and in all.
	TargetMinute, TargetHour, TargetDay int
	AddressHour                         int
	ClientHour                          int
	TotalDay                            int
	// How many wrong passwords there may be for one user name from one address in
	// an hour, and for one user name at one client in a day.
	PasswordHour, PasswordDay int
	// Arrivals is how many guests and registrations one address has an hour, and
	// Sockets how many connections of one address may be open without a player.
	Arrivals, Sockets int
}

// Config is one configuration of a Service.
type Config struct {
	Issuer    string // public_url
	Clients   []Client
	Apps      []App
	Lifetimes Lifetimes
	Alg       token.Alg // of id_tokens
	Limits    Limits
	// Senders deliver codes; a way without one has no codes.
	Senders map[Way]Sender
	// Countries are the calling codes of the countries whose phones may get codes;
	// a number without one is of the first. Empty means 86.
	Countries []int
	// Audit is told what happened, once, after it is durable. It must not
	// block. May be nil.
	Audit func(AuditEvent)
}

// Service applies one configuration's rules on a node. It is safe for
// concurrent use; several may share a node while one configuration takes over
// from another.
type Service struct {
	node       *Node
	generation uint64 // grows from one configuration of the node to the next
	cfg        Config
	clients    map[ClientID]*client
	countries  *contact.Countries
	apps       map[AppID]*App
}

// client is a Client made ready.
type client struct {
	Client
	secrets [][32]byte // SHA-256 of each
}

// NewService makes a Service. The configuration is the caller's to validate;
// what is returned here are contradictions.
func NewService(node *Node, cfg Config) (*Service, error) {
	s := &Service{
		node: node, generation: node.numbers.Add(1), cfg: cfg,
		clients: make(map[ClientID]*client, len(cfg.Clients)),
		apps:    make(map[AppID]*App, len(cfg.Apps)),
	}
	if s.cfg.Audit == nil {
		s.cfg.Audit = func(AuditEvent) {}
	}
	if len(cfg.Countries) == 0 {
		cfg.Countries = []int{86}
	}
	var err error
	if s.countries, err = contact.NewCountries(cfg.Countries); err != nil {
		return nil, err
	}
	for i := range cfg.Apps {
		s.apps[cfg.Apps[i].ID] = &cfg.Apps[i]
	}
	for _, c := range cfg.Clients {
		if s.apps[c.App] == nil {
			return nil, fmt.Errorf("client %s: no qq application %q", c.ID, c.App)
		}
		ready := &client{Client: c}
		for _, secret := range c.Secrets {
			ready.secrets = append(ready.secrets, sha256.Sum256([]byte(secret)))
		}
		s.clients[c.ID] = ready
	}
	return s, nil
}

// HasClient reports whether a client is configured.
func (s *Service) HasClient(id ClientID) bool { return s.clients[id] != nil }

// profile is the user as the client may see them.
func (c *client) profile(u *User) Profile {
	p := Profile{ID: u.ID}
	if slices.Contains(c.Claims, ClaimName) {
		p.Name, p.UserName = u.DisplayName, u.UserName
	}
	if slices.Contains(c.Claims, ClaimMobile) || c.ClaimProved && slices.Contains(u.MobileVia, c.ID) {
		p.Mobile = u.Mobile
	}
	if slices.Contains(c.Claims, ClaimEmail) || c.ClaimProved && slices.Contains(u.EmailVia, c.ID) {
		p.Email = u.Email
	}
	return p
}
