package qqtest

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"time"
)

// nicknames are those of the default accounts.
var nicknames = []string{"林小雨", "Jonny", "🐼 熊猫哥哥", "👩‍🚀 星辰", "陈默Leo", "ぽんぽこ"}

// Account is an account of the page, as one application sees it.
type Account struct {
	Nickname    string `json:"nickname"`
	AppID       string `json:"app_id"`
	OpenID      string `json:"open_id"`
	AccessToken string `json:"access_token"`
}

// Accounts returns the accounts that have a nickname of their own, in every
// application, each with its lasting token.
func (s *Server) Accounts() []Account {
	var all []Account
	for _, a := range s.apps {
		for n, nickname := range s.nicknames {
			all = append(all, Account{
				Nickname:    nickname,
				AppID:       a.ID,
				OpenID:      a.openID(n),
				AccessToken: a.seal(claim{account: n}),
			})
		}
	}
	return all
}

// Token returns the lasting access token of an account in an application. It is
// the same in every process and never expires. It panics if there is no such
// application, or the account is negative or 2^40 and more; so
// do the other methods that take an account.
func (s *Server) Token(appID string, account int) string {
	return s.mustApp(appID, account).seal(claim{account: account})
}

// OpenID returns the account's open id in an application.
func (s *Server) OpenID(appID string, account int) string {
	return s.mustApp(appID, account).openID(account)
}

// UnionID returns the account's unionid with an application's developer.
func (s *Server) UnionID(appID string, account int) string {
	return s.mustApp(appID, account).unionID(account)
}

// Nickname returns an account's nickname.
func (s *Server) Nickname(account int) string {
	if account < len(s.nicknames) {
		return s.nicknames[account]
	}
	return fmt.Sprintf("网友%d", account)
}

// Issue returns a fresh access token, as one more authorisation of the app does.
// It lives as long as Behavior.ExpiresIn says.
func (s *Server) Issue(appID string, account int) string {
	return s.issue(s.mustApp(appID, account), account)
}

// Expire ends an access token as time does: row M6 from now on.
func (s *Server) Expire(token string) { s.end(token, M6) }

// Revoke ends an access token as its user does: row M7 from now on.
func (s *Server) Revoke(token string) { s.end(token, M7) }

func (s *Server) end(token string, row Row) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.dead[token] = row
}

func (s *Server) issue(a *app, account int) string {
	life := time.Duration(s.behavior.Load().ExpiresIn) * time.Second
	return a.seal(claim{
		account: account,
		serial:  s.serial.Add(1) % (1 << 24),
		expires: uint32(s.now().Add(life).Unix()),
	})
}

func (s *Server) mustApp(id string, account int) *app {
	a := s.app(id)
	if a == nil || account < 0 || account >= maxAccounts {
		panic(fmt.Sprintf("qqtest: no app %q or no account %d", id, account))
	}
	return a
}

// maxAccounts bounds the number of an account by its room in a token.
const maxAccounts = 1 << 40

// claim is what an access token says.
type claim struct {
	account int    // below maxAccounts
	serial  uint32 // below 2^24; tells an account's tokens apart
	expires uint32 // Unix seconds; 0 is never
}

func newApp(a App) *app {
	return &app{
		App:      a,
		openIDs:  block("openid/" + a.ID),
		unionIDs: block("unionid/" + a.Developer),
		tokens:   block("token/" + a.ID),
	}
}

// block returns the cipher of a purpose. The secret is none: what it guards is
// printed on the page of accounts.
func block(purpose string) cipher.Block {
	mac := hmac.New(sha256.New, []byte("qqtest: an offline QQ, not for production"))
	mac.Write([]byte(purpose))
	b, err := aes.NewCipher(mac.Sum(nil))
	if err != nil {
		panic(err) // 32 bytes are a key
	}
	return b
}

// openID enciphers the account's number, so no two accounts share an open id.
func (a *app) openID(account int) string {
	var b [aes.BlockSize]byte
	binary.BigEndian.PutUint64(b[:], uint64(account))
	a.openIDs.Encrypt(b[:], b[:])
	return upperHex(b)
}

// account undoes openID, so the open id that was made here is known without any
// state.
func (a *app) account(openID string) (account int, ok bool) {
	var b [aes.BlockSize]byte
	if len(openID) != hex.EncodedLen(len(b)) {
		return 0, false
	}
	if _, err := hex.Decode(b[:], []byte(openID)); err != nil || upperHex(b) != openID {
		return 0, false
	}
	a.openIDs.Decrypt(b[:], b[:])
	n := binary.BigEndian.Uint64(b[:])
	return int(n), n < maxAccounts && binary.BigEndian.Uint64(b[8:]) == 0
}

func (a *app) unionID(account int) string {
	var b [aes.BlockSize]byte
	binary.BigEndian.PutUint64(b[:], uint64(account))
	a.unionIDs.Encrypt(b[:], b[:])
	return "UID_" + upperHex(b)
}

// seal makes an access token: one AES block of account, serial, expiry and 32
// zero bits.
func (a *app) seal(c claim) string {
	var b [aes.BlockSize]byte
	binary.BigEndian.PutUint64(b[:], uint64(c.account)<<24|uint64(c.serial))
	binary.BigEndian.PutUint32(b[8:], c.expires)
	a.tokens.Encrypt(b[:], b[:])
	return upperHex(b)
}

// open undoes seal. A block that was not made under this application's key
// deciphers to noise, so the zeros say whose token it is, without any state.
func (a *app) open(token [aes.BlockSize]byte) (claim, bool) {
	a.tokens.Decrypt(token[:], token[:])
	high := binary.BigEndian.Uint64(token[:])
	return claim{
		account: int(high >> 24),
		serial:  uint32(high & (1<<24 - 1)),
		expires: binary.BigEndian.Uint32(token[8:]),
	}, binary.BigEndian.Uint32(token[12:]) == 0
}

const hexDigits = "0123456789ABCDEF"

func upperHex(b [aes.BlockSize]byte) string {
	var out [2 * aes.BlockSize]byte
	for i, c := range b {
		out[2*i], out[2*i+1] = hexDigits[c>>4], hexDigits[c&15]
	}
	return string(out[:])
}
