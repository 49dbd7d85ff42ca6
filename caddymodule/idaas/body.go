package idaas

import (
	"errors"
	"io"
	"net/http"
	"strings"

	"github.com/qqauth/qqauth/authcore/strictjson"
)

// maxBody bounds a request body in bytes, so that nobody fills the memory.
const maxBody = 64 << 10

// decode reads the body, one JSON object, into each of the structs. Content type
// and size come before the JSON; nothing of a body that is refused is used.
func (c *call) decode(into ...any) error {
	if !c.contentType("application/json") {
		return refuse(notJSON, "content type is not application/json")
	}
	body, err := c.read()
	if err != nil {
		return err
	}
	for _, v := range into {
		if err := decode(body, v); err != nil {
			return err
		}
	}
	return nil
}

func decode(body []byte, v any) error {
	err := strictjson.Decode(body, v)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, strictjson.ErrDuplicate):
		return refuse(duplicateKey, "body has a duplicate key")
	case errors.Is(err, strictjson.ErrType):
		return refuse(wrongType, "body has a value of the wrong type")
	case errors.Is(err, strictjson.ErrSyntax):
		return refuse(malformedBody, "body is not one JSON object")
	default:
		return err
	}
}

// contentType reports whether the body says that it is of a media type, with
// whatever parameters: some clients write charset=utf8, which is no charset, and
// JSON has but one.
func (c *call) contentType(want string) bool {
	v, ok := header(c.r.Header, "Content-Type")
	media, _, _ := strings.Cut(v, ";")
	return ok && strings.EqualFold(strings.TrimSpace(media), want)
}

// read returns the whole body, which is never longer than maxBody.
func (c *call) read() ([]byte, error) {
	tooLarge := refuse(bodyTooLarge, "body is too large")
	if c.r.ContentLength > maxBody {
		return nil, tooLarge
	}
	body, err := io.ReadAll(http.MaxBytesReader(c.w, c.r.Body, maxBody))
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return nil, tooLarge
	}
	if err != nil {
		return nil, refuse(malformedBody, "body ends early")
	}
	return body, nil
}
