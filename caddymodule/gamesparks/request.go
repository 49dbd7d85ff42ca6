package gamesparks

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/qqauth/qqauth/authcore"
	"github.com/qqauth/qqauth/authcore/strictjson"
)

// maxRequestID bounds in bytes what is sent back as it came.
const maxRequestID = 256

// request is one request of the API.
type request struct {
	name   string
	answer string // its answer's @class
	player bool   // it needs a current player
	run    func(context.Context, *call) (any, error)
}

// requests is the whole API.
var requests = byName(
	request{"QQConnectRequest", loginClass, false, connectQQ},
	request{"DeviceAuthenticationRequest", loginClass, false, loginDevice},
	request{"AuthenticationRequest", loginClass, false, loginPassword},
	request{"RegistrationRequest", ".RegistrationResponse", false, register},
	request{"ChangeUserDetailsRequest", ".ChangeUserDetailsResponse", true, changeDetails},
	request{"AccountDetailsRequest", ".AccountDetailsResponse", true, accountDetails},
	request{"SocialStatusRequest", ".SocialStatusResponse", true, socialStatus},
	request{"SocialDisconnectRequest", ".SocialDisconnectResponse", true, socialDisconnect},
	request{"EndSessionRequest", ".EndSessionResponse", true, endSession},
)

func byName(all ...request) map[string]*request {
	m := make(map[string]*request, len(all))
	for i := range all {
		m[all[i].name] = &all[i]
	}
	return m
}

// envelope is what every request may hold.
type envelope struct {
	Class     *string `json:"@class"`
	RequestID *string `json:"requestId"`
	AuthToken string  `json:"authToken"`
	PlayerID  string  `json:"playerId"`
}

// call is one request on its way, over HTTP or a WebSocket.
type call struct {
	// client is the one that calls. It is set only once it is known to be
	// configured: until then it is a caller's word, and not fit for a log.
	client  authcore.ClientID
	caller  authcore.Caller
	request *request // nil while it is not known
	service Service

	body     []byte
	envelope envelope

	// The current player; empty if nobody is signed in.
	session authcore.SessionID
	user    authcore.UserID

	// play is the login that the call was, if it was one and succeeded.
	play *authcore.Play
}

// read keeps the body, one JSON object, and what every request holds.
func (c *call) read(body []byte) error {
	var e envelope
	if err := decode(body, &e); err != nil {
		return err
	}
	if e.RequestID != nil && len(*e.RequestID) > maxRequestID {
		return malformed("requestId is too long")
	}
	c.body, c.envelope = body, e
	return nil
}

// named finds the request that the body says it is, for want of a path.
func (c *call) named() error {
	if c.envelope.Class == nil {
		return malformed("no @class")
	}
	name, ok := strings.CutPrefix(*c.envelope.Class, ".")
	if ok {
		c.request = requests[name]
	}
	if c.request == nil {
		return refuse(http.StatusNotFound, "request", "UNKNOWN", "no such request")
	}
	return nil
}

// run carries the call out, once its current player is known. Acting for a player
// whom one names and cannot prove to be is refused before anything is looked at.
func (c *call) run(ctx context.Context) (any, error) {
	if id := c.envelope.PlayerID; id != "" && authcore.UserID(id) != c.user {
		return nil, notAuthorized("playerId is not the current player's")
	}
	if c.request.player && c.session == "" {
		return nil, notAuthorized("nobody is signed in")
	}
	return c.request.run(ctx, c)
}

// fields reads the body into a request's own struct.
func (c *call) fields(v any) error { return decode(c.body, v) }

func decode(body []byte, v any) error {
	err := strictjson.Decode(body, v)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, strictjson.ErrDuplicate):
		return malformed("a duplicate key")
	case errors.Is(err, strictjson.ErrType):
		return malformed("a value of the wrong type")
	case errors.Is(err, strictjson.ErrSyntax):
		return malformed("not one JSON object")
	default:
		return err
	}
}

// isNoToken reports whether an authToken is what clients send who have none.
func isNoToken(token string) bool { return token == "" || token == "0" }
