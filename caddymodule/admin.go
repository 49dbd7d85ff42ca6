package caddymodule

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/qqauth/qqauth/authcore"
	"github.com/qqauth/qqauth/authcore/strictjson"
)

func init() {
	caddy.RegisterModule(AdminAPI{})
}

// maxAdminBody bounds what the admin API reads of a request.
const maxAdminBody = 64 << 10

// AdminAPI is the admin API under /qqauth/, on Caddy's admin endpoint. It is
// closed unless the app says `admin_api`. It never shows a secret.
type AdminAPI struct{}

// CaddyModule returns the Caddy module information.
func (AdminAPI) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "admin.api.qqauth", New: func() caddy.Module { return new(AdminAPI) }}
}

// Routes returns the one route, below which we find our way ourselves.
func (a *AdminAPI) Routes() []caddy.AdminRoute {
	mux := http.NewServeMux()
	for pattern, serve := range map[string]adminCall{
		"GET /qqauth/users":                  a.findUser,
		"POST /qqauth/users/{id}/disable":    a.disable,
		"POST /qqauth/users/{id}/enable":     a.enable,
		"PUT /qqauth/users/{id}/segments":    a.setSegments,
		"GET /qqauth/users/{id}/sessions":    a.sessions,
		"DELETE /qqauth/users/{id}/sessions": a.endSessions,
		"DELETE /qqauth/sessions/{sid}":      a.endSession,
	} {
		mux.HandleFunc(pattern, a.call(serve))
	}
	a.routeTransfers(mux)
	return []caddy.AdminRoute{{Pattern: "/qqauth/", Handler: caddy.AdminHandlerFunc(func(w http.ResponseWriter, r *http.Request) error {
		if app := activeApp(); app == nil || !app.AdminAPI {
			return adminError(http.StatusNotFound, errors.New("write admin_api in the qqauth block to open this API"))
		}
		w.Header().Set("Cache-Control", "no-store")
		mux.ServeHTTP(w, r)
		return nil
	})}}
}

func adminError(status int, err error) error {
	return caddy.APIError{HTTPStatus: status, Err: err}
}

// activeApp is the app of the configuration in force, or nil. It is asked for with
// every call: Caddy makes its admin routes before a new configuration is known to
// be good, and keeps them when it is not.
func activeApp() *App {
	app, err := caddy.ActiveContext().AppIfConfigured("qqauth")
	if err != nil {
		return nil
	}
	return app.(*App)
}

// adminCall answers with a value to show, or nil for 204.
type adminCall func(*http.Request, *authcore.Service) (any, error)

func (a *AdminAPI) call(serve adminCall) http.HandlerFunc {
	return a.onNode(func(r *http.Request, _ *App, now *running) (any, error) { return serve(r, now.service) })
}

// nodeCall is an adminCall that goes past the service. It may also answer with an
// adminStream.
type nodeCall func(*http.Request, *App, *running) (any, error)

// adminStream writes an answer that is too long to be held.
type adminStream func(http.ResponseWriter)

func (a *AdminAPI) onNode(serve nodeCall) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		app := activeApp()
		if app == nil {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		now, err := app.current()
		var answer any
		if err == nil {
			defer now.node.Begin()()
			answer, err = serve(r, app, now)
		}
		if write, ok := answer.(adminStream); ok && err == nil {
			write(w)
			return
		}
		switch {
		case err != nil:
			writeAdmin(w, adminStatus(err), struct {
				Error string `json:"error"`
			}{err.Error()})
		case answer == nil:
			w.WriteHeader(http.StatusNoContent)
		default:
			writeAdmin(w, http.StatusOK, answer)
		}
	}
}

func writeAdmin(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v)
}

func adminStatus(err error) int {
	switch {
	case errors.Is(err, authcore.ErrNoUser), errors.Is(err, authcore.ErrSession):
		return http.StatusNotFound
	case errors.Is(err, authcore.ErrSegments), errors.Is(err, errAdminRequest):
		return http.StatusBadRequest
	case errors.Is(err, authcore.ErrWrongSecret), errors.Is(err, authcore.ErrNotFrozen):
		return http.StatusConflict
	case errors.Is(err, authcore.ErrUnavailable):
		return http.StatusServiceUnavailable
	}
	return http.StatusInternalServerError
}

// adminUser is a user as an administrator sees them.
type adminUser struct {
	ID          authcore.UserID   `json:"id"`
	Created     time.Time         `json:"created"`
	Disabled    bool              `json:"disabled"`
	UserName    string            `json:"user_name"`
	DisplayName string            `json:"display_name"`
	Mobile      string            `json:"mobile"`
	Email       string            `json:"email"`
	Segments    map[string]string `json:"segments"`
	Links       []adminLink       `json:"links"`
	HasPassword bool              `json:"has_password"`
	Devices     []adminDevice     `json:"devices"`
}

type adminLink struct {
	App     authcore.AppID `json:"app_id"`
	OpenID  string         `json:"open_id"`
	UnionID string         `json:"unionid,omitempty"`
	Since   time.Time      `json:"since"`
}

// adminDevice is a device that logs in as the user. Its id is not shown: whoever
// has it can do so.
type adminDevice struct {
	Client authcore.ClientID `json:"client_id"`
	OS     string            `json:"os"`
	Since  time.Time         `json:"since"`
}

var errAdminRequest = errors.New("bad request")

func (a *AdminAPI) findUser(r *http.Request, service *authcore.Service) (any, error) {
	query := r.URL.Query()
	id, app, openID := query.Get("id"), query.Get("app_id"), query.Get("open_id")
	var u authcore.User
	var err error
	switch {
	case id != "" && app == "" && openID == "":
		u, err = service.UserByID(r.Context(), authcore.UserID(id))
	case id == "" && app != "" && openID != "":
		u, err = service.UserByOpenID(r.Context(), authcore.AppID(app), openID)
	default:
		err = adminRequest("ask with id, or with app_id and open_id")
	}
	if err != nil {
		return nil, err
	}
	shown := adminUser{
		ID: u.ID, Created: u.Created.UTC(), Disabled: u.Disabled, UserName: u.UserName, DisplayName: u.DisplayName,
		Mobile: u.Mobile, Email: u.Email, Segments: u.Segments, Links: []adminLink{},
		HasPassword: u.Password != "", Devices: []adminDevice{},
	}
	if shown.Segments == nil {
		shown.Segments = map[string]string{}
	}
	for _, d := range u.Devices {
		shown.Devices = append(shown.Devices, adminDevice{Client: d.Client, OS: d.OS, Since: d.Since.UTC()})
	}
	for _, l := range u.Links {
		shown.Links = append(shown.Links, adminLink{App: l.App, OpenID: l.OpenID, UnionID: l.UnionID, Since: l.Since.UTC()})
	}
	return shown, nil
}

func (a *AdminAPI) disable(r *http.Request, service *authcore.Service) (any, error) {
	return nil, service.Disable(r.Context(), authcore.UserID(r.PathValue("id")))
}

func (a *AdminAPI) enable(r *http.Request, service *authcore.Service) (any, error) {
	return nil, service.Enable(r.Context(), authcore.UserID(r.PathValue("id")))
}

func (a *AdminAPI) setSegments(r *http.Request, service *authcore.Service) (any, error) {
	body, err := io.ReadAll(io.LimitReader(r.Body, maxAdminBody+1))
	if err != nil || len(body) > maxAdminBody {
		return nil, adminRequest("the body is over 64 KiB or incomplete")
	}
	segments, err := readSegments(body)
	if err != nil {
		return nil, err
	}
	return nil, service.SetSegments(r.Context(), authcore.UserID(r.PathValue("id")), segments)
}

// readSegments reads a JSON object of strings that can be read in one way only.
func readSegments(body []byte) (map[string]string, error) {
	var any struct{}
	var values map[string]*string
	if strictjson.Decode(body, &any) != nil || json.Unmarshal(body, &values) != nil {
		return nil, adminRequest("send a JSON object of strings")
	}
	segments := make(map[string]string, len(values))
	for name, value := range values {
		if value == nil {
			return nil, adminRequest("send a JSON object of strings, without those that are to go")
		}
		segments[name] = *value
	}
	return segments, nil
}

// adminSession is a session as an administrator sees it.
type adminSession struct {
	ID       authcore.SessionID `json:"sid"`
	Client   authcore.ClientID  `json:"client_id"`
	Parent   authcore.SessionID `json:"parent_sid,omitempty"`
	Methods  []authcore.Method  `json:"amr"`
	AuthTime time.Time          `json:"auth_time"`
	Issued   time.Time          `json:"issued"`
	Expires  time.Time          `json:"expires"`
	OS       string             `json:"operating_sys_version"`
	Agent    string             `json:"agent"`
	IP       string             `json:"ip"`
	DeviceIP string             `json:"device_ip"`
}

func (a *AdminAPI) sessions(r *http.Request, service *authcore.Service) (any, error) {
	sessions, err := service.Sessions(r.Context(), authcore.UserID(r.PathValue("id")))
	if err != nil {
		return nil, err
	}
	shown := make([]adminSession, 0, len(sessions))
	for _, s := range sessions {
		shown = append(shown, adminSession{
			ID: s.ID, Client: s.Client, Parent: s.Parent, Methods: s.Methods, AuthTime: s.AuthTime.UTC(),
			Issued: s.Issued.UTC(), Expires: s.Expires.UTC(), OS: s.OS, Agent: s.Agent, IP: s.IP, DeviceIP: s.DeviceIP,
		})
	}
	return shown, nil
}

func (a *AdminAPI) endSessions(r *http.Request, service *authcore.Service) (any, error) {
	return nil, service.EndSessions(r.Context(), authcore.UserID(r.PathValue("id")))
}

func (a *AdminAPI) endSession(r *http.Request, service *authcore.Service) (any, error) {
	return nil, service.EndSession(r.Context(), authcore.SessionID(r.PathValue("sid")))
}

func adminRequest(why string) error { return fmt.Errorf("%w: %s", errAdminRequest, why) }

var (
	_ caddy.AdminRouter = (*AdminAPI)(nil)
)
