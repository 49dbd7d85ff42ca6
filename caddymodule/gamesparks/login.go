package gamesparks

import (
	"context"
	"fmt"
	"net/http"

	"github.com/qqauth/qqauth/authcore"
)

func connectQQ(ctx context.Context, c *call) (any, error) {
	var in struct {
		AccessToken      string           `json:"accessToken"`
		DoNotCreate      bool             `json:"doNotCreateNewPlayer"`
		DoNotLink        bool             `json:"doNotLinkToCurrentPlayer"`
		ErrorOnSwitch    bool             `json:"errorOnSwitch"`
		Segments         requestedSegment `json:"segments"`
		SwitchIfPossible bool             `json:"switchIfPossible"`
		SyncName         bool             `json:"syncDisplayName"`
	}
	if err := c.fields(&in); err != nil {
		return nil, err
	}
	if err := required("accessToken", in.AccessToken); err != nil {
		return nil, err
	}
	if err := in.Segments.check(); err != nil {
		return nil, err
	}
	return c.played(c.service.ConnectQQ(ctx, c.client, c.caller, authcore.QQConnect{
		Current: c.session,
		Token:   in.AccessToken,
		LinkFlags: authcore.LinkFlags{
			DoNotLink: in.DoNotLink, ErrorOnSwitch: in.ErrorOnSwitch,
			SwitchIfPossible: in.SwitchIfPossible, DoNotCreate: in.DoNotCreate,
		},
		SyncName: in.SyncName,
		Segments: in.Segments.of,
	}))
}

func loginDevice(ctx context.Context, c *call) (any, error) {
	var in struct {
		ID       string           `json:"deviceId"`
		OS       string           `json:"deviceOS"`
		Model    loose            `json:"deviceModel"`
		Name     loose            `json:"deviceName"`
		Type     loose            `json:"deviceType"`
		System   loose            `json:"operatingSystem"`
		Display  string           `json:"displayName"`
		Segments requestedSegment `json:"segments"`
	}
	if err := c.fields(&in); err != nil {
		return nil, err
	}
	if err := required("deviceId", in.ID, "deviceOS", in.OS); err != nil {
		return nil, err
	}
	os, ok := deviceOS(in.OS)
	if !ok {
		return nil, refuse(http.StatusOK, "deviceOS", "IOS|ANDROID|WP8|W8", "unknown deviceOS")
	}
	if err := in.Segments.check(); err != nil {
		return nil, err
	}
	caller := c.caller
	if agent := spaced(in.Model, in.Name, in.Type); agent != "" {
		caller.Agent = agent
	}
	if system := spaced(in.System); system != "" {
		caller.OS = system
	}
	return c.played(c.service.LoginDevice(ctx, c.client, caller, authcore.DeviceLogin{
		Current: c.session, OS: os, ID: in.ID, Name: in.Display, Segments: in.Segments.of,
	}))
}

func loginPassword(ctx context.Context, c *call) (any, error) {
	var in struct {
		UserName string `json:"userName"`
		Password string `json:"password"`
	}
	if err := c.fields(&in); err != nil {
		return nil, err
	}
	if err := required("password", in.Password, "userName", in.UserName); err != nil {
		return nil, err
	}
	return c.played(c.service.LoginPassword(ctx, c.client, c.caller, authcore.PasswordLogin{
		Current: c.session, UserName: in.UserName, Password: in.Password,
	}))
}

func register(ctx context.Context, c *call) (any, error) {
	var in struct {
		UserName string           `json:"userName"`
		Password string           `json:"password"`
		Display  string           `json:"displayName"`
		Segments requestedSegment `json:"segments"`
	}
	if err := c.fields(&in); err != nil {
		return nil, err
	}
	if err := required("displayName", in.Display, "password", in.Password, "userName", in.UserName); err != nil {
		return nil, err
	}
	if err := in.Segments.check(); err != nil {
		return nil, err
	}
	return c.played(c.service.RegisterPlayer(ctx, c.client, c.caller, authcore.Registration{
		PasswordLogin: authcore.PasswordLogin{Current: c.session, UserName: in.UserName, Password: in.Password},
		Name:          in.Display, Segments: in.Segments.of,
	}))
}

// required refuses the fields, given as names and values, that are empty: all of
// them at once, so that whoever writes a game sees them in one try.
func required(namesAndValues ...string) error {
	empty := reasons{}
	for i := 0; i < len(namesAndValues); i += 2 {
		if namesAndValues[i+1] == "" {
			empty[namesAndValues[i]] = "REQUIRED"
		}
	}
	if len(empty) == 0 {
		return nil
	}
	return &fault{status: http.StatusOK, reasons: empty, why: "a required field is empty"}
}

// played answers what a login ended in.
func (c *call) played(p authcore.Play, err error) (any, error) {
	if err == nil {
		err = unfinished(p)
	}
	if err != nil {
		return nil, err
	}
	c.play = &p
	return loginAnswer{
		Class: c.class(), AuthToken: p.Grant.Token.Reveal(), DisplayName: p.Name,
		NewPlayer: p.Created, RequestID: c.envelope.RequestID, User: p.User,
	}, nil
}

// refusedLinks are the answers to what the linking decision refuses.
var refusedLinks = map[authcore.Refusal]string{
	authcore.RefusedCreation: "CREATE_REFUSED",
	authcore.RefusedSwitch:   "SWITCH_REFUSED",
	authcore.RefusedLinked:   "ACCOUNT_ALREADY_LINKED",
}

// unfinished is the fault of a login that ended in something else than a session.
func unfinished(p authcore.Play) error {
	if p.Refused != "" {
		return refusedLink(p)
	}
	switch p.Status {
	case authcore.StatusSuccess:
		return nil
	case authcore.StatusUserRegister, authcore.StatusSocialBind:
		data, err := flow(p.Ways)
		if err != nil {
			return err
		}
		return waits(string(p.Status), scriptData{StateToken: p.StateToken, Data: data})
	case authcore.StatusMFAAuth:
		return waits("MFA_REQUIRED", scriptData{StateToken: p.StateToken})
	case authcore.StatusAccessDenied:
		return refuse(http.StatusOK, "authentication", "ACCESS_DENIED", "unknown users are not let in")
	default:
		return fmt.Errorf("login ended in unknown status %q", p.Status)
	}
}

func refusedLink(p authcore.Play) error {
	value, ok := refusedLinks[p.Refused]
	if !ok {
		return fmt.Errorf("login was refused for an unknown reason %q", p.Refused)
	}
	f := &fault{status: http.StatusOK, reasons: reasons{"accessToken": value}, why: "linking refused: " + string(p.Refused)}
	if o := p.Owner; o != nil {
		f.summary = &summary{DisplayName: o.Name, ExternalIDs: externalIDs(o.OpenID), ID: o.User, Online: o.Online}
	}
	return f
}

func waits(value string, script scriptData) error {
	return &fault{status: http.StatusOK, reasons: reasons{"authentication": value}, why: "login waits for a code", script: &script}
}

// The ways as the `data` of a login that waits spells them.
var flowWords = map[authcore.Way]string{authcore.WayPhone: "VERIFY_PHONE", authcore.WayEmail: "VERIFY_EMAIL"}

// flow is what a login can go on by, as the IDaaS API, which it goes on at, tells
// it.
func flow(ways []authcore.Way) (string, error) {
	spelt := []string{}
	for _, w := range ways {
		word, ok := flowWords[w]
		if !ok {
			return "", fmt.Errorf("login offers unknown way %q", w)
		}
		spelt = append(spelt, word)
	}
	data, err := encode(struct {
		Flow []string `json:"socialBindOrRegisterFlow"`
	}{spelt})
	return string(data), err
}
