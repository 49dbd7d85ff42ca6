package idaas

import (
	"time"

	"github.com/qqauth/qqauth/authcore"
)

// userInfo is a user as the vendor writes one, in tickets and elsewhere.
type userInfo struct {
	ID       authcore.UserID `json:"id"`
	UserName string          `json:"userName"`
	Name     string          `json:"name"`
	Mobile   string          `json:"mobile"`
	Email    string          `json:"email"`
}

func infoOf(p authcore.Profile) userInfo {
	return userInfo{p.ID, p.UserName, p.Name, p.Mobile, p.Email}
}

func profile(c *call) error {
	p, err := c.service.Profile(c.r.Context(), c.client, c.session)
	if err != nil {
		return err
	}
	return c.ok(infoOf(p))
}

// profileUpdate changes the name, or the phone or e-mail address that a code
// proves, or both. One code proves one of them: of two, the phone is read.
func profileUpdate(c *call) error {
	var in struct {
		Name string `json:"name"`
	}
	var by proof
	if err := c.decode(&in, &by); err != nil {
		return err
	}
	var u authcore.ProfileUpdate
	if in.Name != "" {
		u.Name = &in.Name
	}
	way, ok := by.given(bothWays)
	if !ok && u.Name == nil {
		return empty("name")
	}
	if ok {
		to, err := c.check(&by, way, false)
		if err != nil {
			return err
		}
		u.Contact, u.Code = &to, by.Code
	}
	return c.done(c.service.UpdateProfile(c.r.Context(), c.client, c.who, c.session, u))
}

// linked is a QQ account that a user logs in with, with all the keys of the
// vendor's. A QQ application is both channel and provider.
type linked struct {
	ID        string          `json:"id"`
	User      authcore.UserID `json:"userId"`
	Type      string          `json:"socialType"`
	OpenID    string          `json:"socialUid"`
	Channel   authcore.AppID  `json:"socialChannelId"`
	Nickname  string          `json:"socialNickname"`
	HeadImage string          `json:"socialHeadImage"`
	Details   string          `json:"socialAccountDetails"`
	Provider  authcore.AppID  `json:"idpId"`
	Created   string          `json:"createdAt"`
	Updated   string          `json:"updatedAt"`
}

func social(c *call) error {
	socials, err := c.service.Socials(c.r.Context(), c.client, c.session)
	if err != nil {
		return err
	}
	out := []linked{}
	for _, s := range socials {
		since := s.Since.UTC().Format(time.RFC3339)
		out = append(out, linked{
			ID: s.ID, User: s.User, Type: "qq", OpenID: s.OpenID, Channel: s.App, Nickname: s.Name,
			Provider: s.App, Created: since, Updated: since,
		})
	}
	return c.ok(struct {
		Social []linked `json:"social"`
	}{out})
}

func unbind(c *call) error {
	var in struct {
		ID string `json:"id"`
	}
	if err := c.decode(&in); err != nil {
		return err
	}
	if in.ID == "" {
		return empty("id")
	}
	return c.done(c.service.Unlink(c.r.Context(), c.client, c.who, c.session, in.ID))
}

func deleteAccount(c *call) error {
	return c.done(c.service.DeleteAccount(c.r.Context(), c.client, c.who, c.session))
}
