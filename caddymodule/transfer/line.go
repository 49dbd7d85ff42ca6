package transfer

import (
	"encoding/base64"
	"errors"
	"math"
	"time"

	"github.com/qqauth/qqauth/authcore"
)

// version is that of the format. A file of a later one is refused: what it holds
// might be lost.
const version = 1

// maxLine bounds a line with its end, which is held in memory.
const maxLine = 256 << 10

// Header is the first line.
type Header struct {
	Created time.Time
	// Final says that the store was closed for writing: the file holds its
	// sessions.
	Final bool
}

// headerLine is the header as it is written.
type headerLine struct {
	Kind    string    `json:"qqauth"` // "export"
	Version int       `json:"version"`
	Created time.Time `json:"created"`
	Final   bool      `json:"final"`
}

// The values of "type".
const (
	typeKeys    = "keys"
	typeErased  = "erased"
	typeUser    = "user"
	typeSession = "session"
	typeRetired = "retired"
	typeAccess  = "access"
	typeAccount = "account"
	typeEnd     = "end"
)

type keysLine struct {
	Type string `json:"type"`
	Ring []byte `json:"ring"` // wrapped by secret_key
}

// erasedLine tells who was erased. Its hash is of a QQ account, of a user, or of a
// user name that was given up, under the keys of the file.
type erasedLine struct {
	Type string    `json:"type"`
	Hash hash      `json:"erased_hash"`
	At   time.Time `json:"at"`
}

type userLine struct {
	Type        string              `json:"type"`
	ID          authcore.UserID     `json:"id"`
	Created     time.Time           `json:"created"`
	Disabled    bool                `json:"disabled,omitempty"`
	DisabledBy  authcore.ClientID   `json:"disabled_by,omitempty"`
	Epoch       uint32              `json:"epoch,omitempty"`
	UserName    string              `json:"user_name,omitempty"`
	Password    string              `json:"password,omitempty"` // "$argon2id$…"
	DisplayName string              `json:"display_name,omitempty"`
	Mobile      string              `json:"mobile,omitempty"`
	MobileVia   []authcore.ClientID `json:"mobile_via,omitempty"`
	Email       string              `json:"email,omitempty"`
	EmailVia    []authcore.ClientID `json:"email_via,omitempty"`
	Segments    map[string]string   `json:"segments,omitempty"`
	Links       []linkPart          `json:"links,omitempty"`
	Home        authcore.ClientID   `json:"home,omitempty"`
	Devices     []devicePart        `json:"devices,omitempty"`
	Requested   map[string]string   `json:"requested_segments,omitempty"`
}

// linkPart has no hash of the identity: each store makes its own.
type linkPart struct {
	App     authcore.AppID `json:"app_id"`
	OpenID  string         `json:"open_id"`
	UnionID string         `json:"unionid,omitempty"`
	Since   time.Time      `json:"since"`
	// SyncName takes QQ's nickname over at each login.
	SyncName bool `json:"sync_display_name,omitempty"`
}

type devicePart struct {
	Client authcore.ClientID `json:"client_id"`
	OS     string            `json:"os"`
	ID     string            `json:"device_id"`
	Since  time.Time         `json:"since"`
}

type sessionLine struct {
	Type     string             `json:"type"`
	ID       authcore.SessionID `json:"sid"`
	Token    hash               `json:"token_hash"`
	User     authcore.UserID    `json:"user_id"`
	Client   authcore.ClientID  `json:"client_id"`
	Device   hash               `json:"device_hash,omitzero"`
	Methods  []authcore.Method  `json:"amr"`
	AuthTime time.Time          `json:"auth_time"`
	Issued   time.Time          `json:"issued"`
	Expires  time.Time          `json:"expires"`
	Epoch    uint32             `json:"epoch,omitempty"`
	Parent   authcore.SessionID `json:"parent_sid,omitempty"`
	Previous hash               `json:"previous_token_hash,omitzero"`
	Used     bool               `json:"used,omitempty"`
	Idle     seconds            `json:"idle,omitempty"` // with LastUse, or neither
	LastUse  time.Time          `json:"last_use,omitzero"`
	OS       string             `json:"operating_sys_version,omitempty"`
	Agent    string             `json:"agent,omitempty"`
	IP       string             `json:"ip,omitempty"`
	DeviceIP string             `json:"device_ip,omitempty"`
}

type retiredLine struct {
	Type    string             `json:"type"`
	Token   hash               `json:"token_hash"`
	Session authcore.SessionID `json:"sid"`
	At      time.Time          `json:"at"`
	Expires time.Time          `json:"expires"`
	// GoodUntil is absent where the token was refreshed.
	GoodUntil time.Time `json:"good_until,omitzero"`
}

type accessLine struct {
	Type    string          `json:"type"`
	Hash    hash            `json:"access_hash"`
	User    authcore.UserID `json:"user_id"`
	Epoch   uint32          `json:"epoch,omitempty"`
	Expires time.Time       `json:"expires"`
}

type accountLine struct {
	Type        string            `json:"type"`
	App         authcore.AppID    `json:"app_id"`
	OpenID      string            `json:"open_id"`
	UnionID     string            `json:"unionid,omitempty"`
	DisplayName string            `json:"display_name,omitempty"`
	Mobile      string            `json:"mobile,omitempty"`
	Email       string            `json:"email,omitempty"`
	Verified    bool              `json:"verified,omitempty"`
	Segments    map[string]string `json:"segments,omitempty"`
}

type endLine struct {
	Type string `json:"type"`
	Counts
}

// Counts are the records of a file by kind.
type Counts struct {
	Erased   int `json:"erased,omitempty"`
	Users    int `json:"users"`
	Sessions int `json:"sessions"`
	Retired  int `json:"retired"`
	Accesses int `json:"accesses"`
	Accounts int `json:"accounts,omitempty"`
}

// add counts a record.
func (c *Counts) add(r authcore.Record) {
	switch {
	case r.Erased != nil:
		c.Erased++
	case r.User != nil:
		c.Users++
	case r.Session != nil:
		c.Sessions++
	case r.Retired != nil:
		c.Retired++
	case r.Access != nil:
		c.Accesses++
	case r.Account != nil:
		c.Accounts++
	}
}

// Total is the number of all records.
func (c Counts) Total() int {
	return c.Erased + c.Users + c.Sessions + c.Retired + c.Accesses + c.Accounts
}

// seconds is a duration in whole seconds.
type seconds int64

// secondsOf rounds up: what may go unused so long must not end earlier.
func secondsOf(d time.Duration) seconds {
	whole := seconds(d / time.Second)
	if d%time.Second > 0 {
		whole++
	}
	return whole
}

// duration is false for what no duration can be.
func (s seconds) duration() (time.Duration, bool) {
	return time.Duration(s) * time.Second, 0 <= s && s <= seconds(math.MaxInt64/time.Second)
}

// hash is 32 bytes in base64url without padding.
type hash [32]byte

// MarshalText implements [encoding.TextMarshaler].
func (h hash) MarshalText() ([]byte, error) {
	return base64.RawURLEncoding.AppendEncode(nil, h[:]), nil
}

// UnmarshalText implements [encoding.TextUnmarshaler].
func (h *hash) UnmarshalText(text []byte) error {
	b, err := base64.RawURLEncoding.Strict().DecodeString(string(text))
	if err != nil || len(b) != len(h) {
		return errors.New("not 32 bytes in base64url")
	}
	copy(h[:], b)
	return nil
}
