package authcore

import "net/netip"

// AuditEvent is something that an operator may have to account for. It holds no
// token or code, and no phone or e-mail in clear.
type AuditEvent struct {
	Name    string // one of the Audit constants
	User    UserID
	From    UserID // whose session was left by AuditPlayerSwitched
	Client  ClientID
	Session SessionID
	App     AppID
	Addr    netip.Addr
	// Status is what a login ended in, or why it was refused.
	Status string
	// Count is how many sessions ended.
	Count int
	// Contact is a phone or an e-mail address, starred.
	Contact string
}

// The names of audit events.
const (
	AuditLogin          = "login"           // a login ended in Status
	AuditLoginRefused   = "login_refused"   // a login failed for the reason in Status
	AuditUserCreated    = "user_created"    // a QQ account became a user
	AuditUserJoined     = "user_joined"     // a QQ account joined a user by its unionid
	AuditUserDisabled   = "user_disabled"   // a user was disabled
	AuditUserEnabled    = "user_enabled"    // a user was enabled
	AuditUserErased     = "user_erased"     // a user was erased
	AuditWayAdded       = "way_added"       // a user got a new way in: a QQ account, a phone or an e-mail
	AuditWayRemoved     = "way_removed"     // a user lost one
	AuditUserSegments   = "user_segments"   // an administrator set a user's segments
	AuditPlayerSwitched = "player_switched" // a player became another user: the session of the first ended
	AuditWrongPassword  = "wrong_password"  // a password was wrong, or one too many
	AuditSessionResumed = "session_resumed" // a game connected again: its session got a new token
	AuditSessionRefresh = "session_refresh" // a session got a new token
	AuditSessionReplay  = "session_replay"  // a refreshed token came back: the session ended
	AuditSessionEnd     = "session_end"     // sessions ended by log-out or revocation
	AuditCodeSent       = "code_sent"       // a code of the type in Status was sent
	AuditCodeNotSent    = "code_not_sent"   // sending one failed
	AuditCodeRefused    = "code_refused"    // a wrong code came back, one too many, or a code was asked for to a wrong phone or address
	AuditSendingStopped = "sending_stopped" // no more codes are sent today
	AuditTicketIssued   = "ticket_issued"
	AuditTicketRedeemed = "ticket_redeemed"
	AuditTicketRefused  = "ticket_refused" // a ticket was burnt by a wrong redemption
)
