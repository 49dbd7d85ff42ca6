package delivery

import (
	"bytes"
	"encoding/json"
	"errors"
	"time"

	"github.com/qqauth/qqauth/authcore"
)

// notice is a message as a file and a webhook get it, its members in the order
// of the contract.
type notice struct {
	Time      string `json:"time"`
	Channel   string `json:"channel"`
	To        string `json:"to"`
	Type      string `json:"type"`
	Code      string `json:"code"`
	Lang      string `json:"lang"`
	ExpiresIn int64  `json:"expires_in"` // seconds
}

var channels = map[authcore.Way]string{authcore.WayPhone: "sms", authcore.WayEmail: "email"}

var errType = errors.New("no such type of message")

// encodeNotice returns one JSON object without a line break.
func encodeNotice(m *authcore.Message) ([]byte, error) {
	if m.Type() == "" {
		return nil, errType
	}
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	err := enc.Encode(notice{
		Time: m.Time.UTC().Format(time.RFC3339), Channel: channels[m.Way], To: m.To, Type: m.Type(),
		Code: m.Code.Reveal(), Lang: m.Lang, ExpiresIn: int64(m.ExpiresIn / time.Second),
	})
	return bytes.TrimSuffix(out.Bytes(), []byte("\n")), err
}
