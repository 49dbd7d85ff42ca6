package delivery

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/common"
	tcerrors "github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/common/errors"
	"github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/common/profile"
	sms "github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/sms/v20210111"

	"github.com/qqauth/qqauth/authcore"
	"github.com/qqauth/qqauth/authcore/opaque"
)

const (
	defaultTencentEndpoint = "https://sms.tencentcloudapi.com"
	defaultTencentRegion   = "ap-guangzhou"
	defaultTencentTimeout  = 5 * time.Second

	// maxTencentAnswer caps an answer, which the SDK would read whatever its
	// size. A real one has a few hundred bytes.
	maxTencentAnswer = 64 << 10
)

// TencentConfig says for whom and as what Tencent Cloud SMS sends.
type TencentConfig struct {
	// SecretID and SecretKey are an API key that may call SendSms. Required.
	SecretID, SecretKey opaque.Secret
	// App is the SdkAppId. Required.
	App string
	// Sign is the approved signature's text. Required.
	Sign string
	// Template is the id of the approved template for every type of message that
	// Templates, by type (REGISTER_SMS), does not name. Each template has two
	// parameters: the code, and how many minutes it is good.
	Template  string
	Templates map[string]string
	// Region is ap-guangzhou if empty.
	Region string
	// Endpoint is an http or https URL without a path;
	// https://sms.tencentcloudapi.com if empty.
	Endpoint string
	// Timeout bounds one Send; 5 s if zero.
	Timeout time.Duration
}

// SMSTypes are the types of messages that a phone may get.
func SMSTypes() []string {
	var types []string
	for _, p := range []authcore.Purpose{authcore.PurposeRegister, authcore.PurposeBind, authcore.PurposeMFA, authcore.PurposeUpdate} {
		types = append(types, (&authcore.Message{Way: authcore.WayPhone, Purpose: p}).Type())
	}
	return types
}

// Tencent sends messages by Tencent Cloud SMS.
type Tencent struct {
	client    *sms.Client
	app, sign string
	templates map[string]string // by type
	timeout   time.Duration
	transport *http.Transport
	slots     slots
}

// NewTencent returns a Tencent, or an error that says which field of c is wrong.
// It connects to nothing.
func NewTencent(c TencentConfig) (*Tencent, error) {
	for _, required := range []struct {
		name  string
		empty bool
	}{
		{"secret id", c.SecretID.IsZero()}, {"secret key", c.SecretKey.IsZero()},
		{"app", c.App == ""}, {"sign", c.Sign == ""},
	} {
		if required.empty {
			return nil, fmt.Errorf("tencent: the %s is empty", required.name)
		}
	}
	templates, err := c.allTemplates()
	if err != nil {
		return nil, err
	}
	endpoint, err := url.Parse(cmp.Or(c.Endpoint, defaultTencentEndpoint))
	if err != nil || endpoint.Scheme != "http" && endpoint.Scheme != "https" || endpoint.Host == "" || endpoint.User != nil ||
		strings.Trim(endpoint.Path, "/") != "" || endpoint.RawQuery != "" || endpoint.Fragment != "" {
		return nil, errors.New("tencent: the endpoint is not an http or https URL of a host alone")
	}
	t := &Tencent{
		app: c.App, sign: c.Sign, templates: templates,
		timeout: cmp.Or(c.Timeout, defaultTencentTimeout), slots: newSlots(),
	}
	t.transport = newTransport(http.ProxyFromEnvironment, t.timeout)
	p := profile.NewClientProfile()
	p.HttpProfile.Endpoint, p.HttpProfile.Scheme = endpoint.Host, endpoint.Scheme
	p.HttpProfile.ReqTimeout = 0 // contexts end calls
	credential := common.NewCredential(c.SecretID.Reveal(), c.SecretKey.Reveal())
	if t.client, err = sms.NewClient(credential, cmp.Or(c.Region, defaultTencentRegion), p); err != nil {
		return nil, errors.New("tencent: the SDK refuses its settings")
	}
	t.client.WithHttpTransport(wholeAnswers{t.transport})
	return t, nil
}

// allTemplates names a template for each type.
func (c *TencentConfig) allTemplates() (map[string]string, error) {
	all, types := map[string]string{}, SMSTypes()
	for _, kind := range types {
		if all[kind] = cmp.Or(c.Templates[kind], c.Template); all[kind] == "" {
			return nil, fmt.Errorf("tencent: there is no template for %s", kind)
		}
	}
	for kind := range c.Templates {
		if !slices.Contains(types, kind) {
			return nil, fmt.Errorf("tencent: a template is for none of %s", strings.Join(types, ", "))
		}
	}
	return all, nil
}

// internationalNumber is a receiver as authcore writes it.
var internationalNumber = regexp.MustCompile(`^\+[1-9][0-9]{0,3}-[0-9]{4,14}$`)

// Send returns nil when Tencent has taken the message. Whether the operator of
// the phone does is told to nobody.
func (t *Tencent) Send(ctx context.Context, m authcore.Message) error {
	if t.templates[m.Type()] == "" {
		return fmt.Errorf("send sms: %w", errType)
	}
	if !internationalNumber.MatchString(m.To) {
		return errors.New("send sms: the receiver is no number with its country code")
	}
	ctx, cancel := context.WithTimeoutCause(ctx, t.timeout, errTimeout)
	defer cancel()
	if err := t.slots.enter(ctx, t.timeout); err != nil {
		return fmt.Errorf("send sms: %w", err)
	}
	defer t.slots.leave()
	req := sms.NewSendSmsRequest()
	req.PhoneNumberSet = common.StringPtrs([]string{strings.Replace(m.To, "-", "", 1)})
	req.SmsSdkAppId, req.SignName = &t.app, &t.sign
	req.TemplateId = common.StringPtr(t.templates[m.Type()])
	req.TemplateParamSet = common.StringPtrs([]string{m.Code.Reveal(), minutes(m.ExpiresIn)})
	resp, err := t.client.SendSmsWithContext(ctx, req)
	if err != nil {
		return fmt.Errorf("send sms: %w", tencentFault(ctx, err))
	}
	if err := accepted(resp); err != nil {
		return fmt.Errorf("send sms: %w", err)
	}
	return nil
}

// minutes promises no more than what is left; a template cannot say seconds.
func minutes(d time.Duration) string {
	return strconv.FormatInt(max(1, int64(d/time.Minute)), 10)
}

// accepted finds that the one message of a request was taken.
func accepted(resp *sms.SendSmsResponse) error {
	if resp == nil || resp.Response == nil || len(resp.Response.SendStatusSet) != 1 ||
		resp.Response.SendStatusSet[0] == nil || resp.Response.SendStatusSet[0].Code == nil {
		return errUnreadable
	}
	if code := *resp.Response.SendStatusSet[0].Code; code != "Ok" {
		return refusedWith(code)
	}
	return nil
}

var errUnreadable = errors.New("unreadable answer")

// tencentFault says why there is no answer. The SDK's own text quotes the
// answer, and Tencent's the number.
func tencentFault(ctx context.Context, err error) error {
	for _, known := range []error{errOverlong, errRedirect, errEncoded} {
		if errors.Is(err, known) {
			return known
		}
	}
	said, ok := errors.AsType[*tcerrors.TencentCloudSDKError](err)
	switch {
	case ok && said.Code == "ClientError.ParseJsonError":
		return errUnreadable
	case ok && said.Code != "ClientError.NetworkError":
		return refusedWith(said.Code)
	default:
		return outOfReach(ctx, err)
	}
}

// errorCode is what Tencent's names of errors look like. None has a digit, so
// that one which looks like them holds neither code nor number.
var errorCode = regexp.MustCompile(`^[A-Za-z]+(\.[A-Za-z]+)*$`)

func refusedWith(code string) error {
	if len(code) > 100 || !errorCode.MatchString(code) {
		return errUnreadable
	}
	return fmt.Errorf("refused with %s", code)
}

// Close drops idle connections. Messages under way go on, and later ones work.
func (t *Tencent) Close() { t.transport.CloseIdleConnections() }

var (
	errOverlong = errors.New("answer over 64 KiB")
	errRedirect = errors.New("answered with a redirect")
	errEncoded  = errors.New("answer in an encoding that was not asked for")
)

// wholeAnswers is a transport that returns answers which are read to their end:
// the SDK follows redirects, unpacks and reads without bound, and takes an
// answer for a stream if it says so.
type wholeAnswers struct{ next http.RoundTripper }

func (w wholeAnswers) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := w.next.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	switch {
	case resp.StatusCode/100 == 3:
		return nil, errRedirect
	case resp.Header.Get("Content-Encoding") != "":
		return nil, errEncoded
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxTencentAnswer+1))
	if err != nil {
		return nil, err
	}
	if len(body) > maxTencentAnswer {
		return nil, errOverlong
	}
	resp.Body = io.NopCloser(bytes.NewReader(body))
	resp.Header.Set("Content-Type", "application/json")
	return resp, nil
}

var _ authcore.Sender = (*Tencent)(nil)
