package idaas

import (
	"bytes"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

const describedAs = "https://described.example/openapi.json"

// described is the description as tests read it.
type described struct {
	root    map[string]any
	schemas *jsonschema.Compiler
	mu      sync.Mutex // the compiler is one goroutine's at a time
}

var theDescription = sync.OnceValues(func() (*described, error) {
	root, err := jsonschema.UnmarshalJSON(bytes.NewReader(description))
	if err != nil {
		return nil, err
	}
	d := &described{root: root.(map[string]any), schemas: jsonschema.NewCompiler()}
	d.schemas.DefaultDraft(jsonschema.Draft2020)
	d.schemas.AssertFormat()
	return d, d.schemas.AddResource(describedAs, root)
})

func describedAPI(t testing.TB) *described {
	t.Helper()
	d, err := theDescription()
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// at follows a pointer of names, and what it finds there of references. It
// returns the pointer that it ends at.
func (d *described) at(names ...string) (value any, pointer []string) {
	value = d.root
	for _, name := range names {
		switch v := value.(type) {
		case map[string]any:
			value = v[name]
		case []any:
			i, err := strconv.Atoi(name)
			if err != nil || i >= len(v) {
				return nil, nil
			}
			value = v[i]
		default:
			return nil, nil
		}
		pointer = append(pointer, name)
		if m, ok := value.(map[string]any); ok && len(m) == 1 {
			if to, ok := m["$ref"].(string); ok {
				value, pointer = d.at(strings.Split(strings.TrimPrefix(to, "#/"), "/")...)
			}
		}
	}
	return value, pointer
}

// validate holds a value against the schema at a pointer.
func (d *described) validate(t testing.TB, value any, pointer ...string) error {
	t.Helper()
	escape := strings.NewReplacer("~", "~0", "/", "~1")
	location := describedAs + "#"
	for _, name := range pointer {
		location += "/" + escape.Replace(name)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	schema, err := d.schemas.Compile(strings.ReplaceAll(strings.ReplaceAll(location, "{", "%7B"), "}", "%7D"))
	if err != nil {
		t.Fatal(err)
	}
	return schema.Validate(value)
}

// routeOf is the route that a path belongs to, or nil.
func routeOf(path string) *route {
	for i := range routes {
		if _, ok := routes[i].match(path); ok {
			return &routes[i]
		}
	}
	return nil
}

// answerFor finds the description of an answer: nil for none.
func (d *described) answerFor(r *http.Request, status int) (answer map[string]any, pointer []string) {
	where := []string{"components", "responses", "UnknownPath"}
	switch rt := routeOf(r.URL.Path); {
	case status == http.StatusMethodNotAllowed:
		where[2] = "WrongMethod"
	case status != http.StatusNotFound && rt != nil:
		where = []string{"paths", rt.path, strings.ToLower(r.Method), "responses", strconv.Itoa(status)}
	case status != http.StatusNotFound:
		return nil, nil
	}
	found, pointer := d.at(where...)
	answer, _ = found.(map[string]any)
	return answer, pointer
}

// isDescribed checks that an answer is one that the description gives for its
// path, method and status.
func isDescribed(t testing.TB, r *http.Request, resp *http.Response, body []byte) {
	t.Helper()
	if resp.StatusCode == http.StatusNoContent && r.Method == http.MethodOptions {
		return // to a browser's question, which is no operation
	}
	d, what := describedAPI(t), fmt.Sprint(r.Method, " ", r.URL.Path, " ", resp.StatusCode)
	answer, at := d.answerFor(r, resp.StatusCode)
	if answer == nil {
		t.Errorf("%s is not described", what)
		return
	}
	headers, _ := answer["headers"].(map[string]any)
	if (headers["Retry-After"] != nil) != (resp.Header.Get("Retry-After") != "") {
		t.Errorf("%s: Retry-After %q", what, resp.Header.Get("Retry-After"))
	}
	if answer["content"] == nil {
		if len(body) > 0 {
			t.Errorf("%s: body is not described: %s", what, body)
		}
		return
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(body))
	if err != nil {
		t.Errorf("%s: body is no JSON: %v", what, err)
		return
	}
	if err := d.validate(t, value, append(at, "content", resp.Header.Get("Content-Type"), "schema")...); err != nil {
		t.Errorf("%s: %v", what, err)
	}
}

// codes are the codes that the description lists for an operation, each after
// its status.
func (d *described) codes(path, method string) []string {
	var found []string
	statuses, _ := d.at("paths", path, strings.ToLower(method), "responses")
	for status := range statuses.(map[string]any) {
		answer, _ := d.at("paths", path, strings.ToLower(method), "responses", status)
		enums(answer, func(code string) { found = append(found, status+" "+code) })
	}
	slices.Sort(found)
	return found
}

// enums finds the codes that are listed somewhere in a value.
func enums(v any, found func(string)) {
	switch v := v.(type) {
	case []any:
		for _, e := range v {
			enums(e, found)
		}
	case map[string]any:
		for name, e := range v {
			if m, ok := e.(map[string]any); ok && (name == "error_code" || name == "error") {
				list, _ := m["enum"].([]any)
				for _, code := range list {
					found(code.(string))
				}
				continue
			}
			enums(e, found)
		}
	}
}
