package authcore

// Play is what a login at a game ended in.
type Play struct {
	// Outcome holds no id_token: games have no use for one.
	Outcome
	// Session, User, Name and Created are set for StatusSuccess.
	Session SessionID
	User    UserID
	Name    string // the display name, as far as the client gets it
	Created bool   // the login made the user
	// Refused says that the linking decision refused what was asked. Then nothing
	// has changed, and Status is empty.
	Refused Refusal
	// Owner is whom the QQ account belongs to, where Refused says that a switch to
	// them was in question and the game wanted to be asked. Nil otherwise.
	Owner *PlayerSummary
}

// Refusal says why a QQ account was neither logged in with nor linked.
type Refusal string

// The refusals.
const (
	// RefusedCreation: a user would have been created.
	RefusedCreation Refusal = "creation"
	// RefusedSwitch: the player would have become another user.
	RefusedSwitch Refusal = "switch"
	// RefusedLinked: the player has another QQ account.
	RefusedLinked Refusal = "linked"
)

// PlayerSummary is a user as one who has proved their QQ account may see them
// before switching to them.
type PlayerSummary struct {
	User   UserID
	Name   string
	OpenID string // of the QQ account
	// Online says that the user has a connection open at this node.
	Online bool
}

// QQConnect is a login with QQ at a game.
type QQConnect struct {
	// Current is the session of the player who is signed in on the connection;
	// empty, or no longer alive, means nobody.
	Current SessionID
	// Token is QQ's access token or, where the application has an app_key, a
	// one-time code in its place.
	Token string
	LinkFlags
	// SyncName takes QQ's nickname over now and at each later login.
	SyncName bool
	Segments map[string]string // for a user who is created
}

// DeviceLogin is a login by a device id.
type DeviceLogin struct {
	Current  SessionID // as in QQConnect
	OS, ID   string
	Name     string // of a user who is created; may be empty
	Segments map[string]string
}

// PasswordLogin is a login by user name and password.
type PasswordLogin struct {
	Current  SessionID // as in QQConnect
	UserName string
	Password string
}

// Registration makes a user with a name and a password.
type Registration struct {
	PasswordLogin
	Name     string // the display name
	Segments map[string]string
}

// Details is what a player changes. Nil leaves a thing as it is.
type Details struct {
	Name                  *string // the display name
	UserName, NewPassword *string
	OldPassword           string
}

// PlayerAccount is a player as their game may see them.
type PlayerAccount struct {
	User UserID
	Name string
	// OpenID is that of the QQ account in the client's application, empty if there
	// is none.
	OpenID string
	// Requested are the segments that this game asked for when the user was created.
	Requested map[string]string
}
