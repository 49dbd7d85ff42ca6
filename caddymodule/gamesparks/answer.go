package gamesparks

import (
	"bytes"
	"encoding/json"

	"github.com/qqauth/qqauth/authcore"
)

const (
	loginClass   = ".AuthenticationResponse"
	connectClass = ".AuthenticatedConnectResponse"
	// errorClass is the @class of a refusal of nobody knows what.
	errorClass = ".ErrorResponse"
)

// The answers, keys in the vendor's order, which is the alphabet's.
type (
	loginAnswer struct {
		Class       string          `json:"@class"`
		AuthToken   string          `json:"authToken"`
		DisplayName string          `json:"displayName"`
		NewPlayer   bool            `json:"newPlayer"`
		RequestID   *string         `json:"requestId,omitempty"`
		User        authcore.UserID `json:"userId"`
	}
	refusal struct {
		Class     string      `json:"@class"`
		Error     reasons     `json:"error"`
		NewPlayer bool        `json:"newPlayer"`
		RequestID *string     `json:"requestId,omitempty"`
		Script    *scriptData `json:"scriptData,omitempty"`
		Summary   *summary    `json:"switchSummary,omitempty"`
	}
	// scriptData is how a login that waits goes on.
	scriptData struct {
		StateToken string `json:"state_token"`
		Data       string `json:"data,omitempty"` // JSON in a string
	}
	// summary is a player whom the caller would become.
	summary struct {
		DisplayName string            `json:"displayName"`
		ExternalIDs map[string]string `json:"externalIds"`
		ID          authcore.UserID   `json:"id"`
		Online      bool              `json:"online"`
	}
	plainAnswer struct {
		Class     string  `json:"@class"`
		RequestID *string `json:"requestId,omitempty"`
	}
	accountAnswer struct {
		Class        string            `json:"@class"`
		Achievements []string          `json:"achievements"`
		DisplayName  string            `json:"displayName"`
		ExternalIDs  map[string]string `json:"externalIds"`
		RequestID    *string           `json:"requestId,omitempty"`
		Segments     map[string]string `json:"segments"`
		User         authcore.UserID   `json:"userId"`
		VirtualGoods struct{}          `json:"virtualGoods"`
	}
	statusAnswer struct {
		Class     string         `json:"@class"`
		RequestID *string        `json:"requestId,omitempty"`
		Statuses  []socialSystem `json:"statuses"`
	}
	socialSystem struct {
		Active   bool   `json:"active"`
		SystemID string `json:"systemId"`
	}
	endAnswer struct {
		Class     string  `json:"@class"`
		RequestID *string `json:"requestId,omitempty"`
		Duration  int64   `json:"sessionDuration"` // ms
	}
)

// systemQQ is the vendor's name for QQ among the systems that a player can be
// connected to.
const systemQQ = "QQ"

// externalIDs are the accounts that a player is connected to.
func externalIDs(openID string) map[string]string {
	ids := map[string]string{}
	if openID != "" {
		ids[systemQQ] = openID
	}
	return ids
}

// class is the @class of the call's answer.
func (c *call) class() string {
	if c.request == nil {
		return errorClass
	}
	return c.request.answer
}

// refusal is the answer to a call that ended in a fault.
func (c *call) refusal(f *fault) any {
	return refusal{
		Class: c.class(), Error: f.reasons, RequestID: c.envelope.RequestID, Script: f.script, Summary: f.summary,
	}
}

// encode is JSON as the vendor writes it: < > & stand for themselves.
func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}
