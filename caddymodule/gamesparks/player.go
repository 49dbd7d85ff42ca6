package gamesparks

import (
	"context"
	"net/http"

	"github.com/qqauth/qqauth/authcore"
)

func changeDetails(ctx context.Context, c *call) (any, error) {
	var in struct {
		Display     string `json:"displayName"`
		UserName    string `json:"userName"`
		NewPassword string `json:"newPassword"`
		OldPassword string `json:"oldPassword"`
	}
	if err := c.fields(&in); err != nil {
		return nil, err
	}
	err := c.service.ChangeDetails(ctx, c.client, c.caller, c.session, authcore.Details{
		Name: given(in.Display), UserName: given(in.UserName), NewPassword: given(in.NewPassword), OldPassword: in.OldPassword,
	})
	return c.plain(err)
}

// given is nil for a field that is empty: SDKs send those that nobody has set.
func given(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func accountDetails(ctx context.Context, c *call) (any, error) {
	a, err := c.service.Account(ctx, c.client, c.session)
	if err != nil {
		return nil, err
	}
	answer := accountAnswer{
		Class: c.class(), Achievements: []string{}, DisplayName: a.Name, ExternalIDs: externalIDs(a.OpenID),
		RequestID: c.envelope.RequestID, Segments: a.Requested, User: a.User,
	}
	if answer.Segments == nil {
		answer.Segments = map[string]string{}
	}
	return answer, nil
}

func socialStatus(ctx context.Context, c *call) (any, error) {
	a, err := c.service.Account(ctx, c.client, c.session)
	if err != nil {
		return nil, err
	}
	answer := statusAnswer{Class: c.class(), RequestID: c.envelope.RequestID, Statuses: []socialSystem{}}
	if a.OpenID != "" {
		answer.Statuses = append(answer.Statuses, socialSystem{Active: true, SystemID: systemQQ})
	}
	return answer, nil
}

func socialDisconnect(ctx context.Context, c *call) (any, error) {
	var in struct {
		SystemID string `json:"systemId"`
	}
	if err := c.fields(&in); err != nil {
		return nil, err
	}
	if err := required("systemId", in.SystemID); err != nil {
		return nil, err
	}
	if in.SystemID != systemQQ {
		return nil, refuse(http.StatusOK, "systemId", "NOT_CONNECTED", "another system than QQ")
	}
	return c.plain(c.service.Disconnect(ctx, c.client, c.caller, c.session))
}

func endSession(ctx context.Context, c *call) (any, error) {
	lasted, err := c.service.EndPlay(ctx, c.client, c.caller, c.session)
	if err != nil {
		return nil, err
	}
	return endAnswer{Class: c.class(), RequestID: c.envelope.RequestID, Duration: max(0, lasted.Milliseconds())}, nil
}

// plain answers a call that was carried out and has nothing to say.
func (c *call) plain(err error) (any, error) {
	if err != nil {
		return nil, err
	}
	return plainAnswer{Class: c.class(), RequestID: c.envelope.RequestID}, nil
}
