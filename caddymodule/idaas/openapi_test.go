package idaas

import (
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

var (
	statusKey    = regexp.MustCompile(`^[1-5][0-9][0-9]$`)
	componentKey = regexp.MustCompile(`^[a-zA-Z0-9._-]+$`)
	pathSegment  = regexp.MustCompile(`\{([^}]*)\}`)
)

// rules are what OpenAPI 3.1 demands of a document, as far as this one goes: each
// object has the members that it must have and none that its kind does not know.
type rules struct {
	t          *testing.T
	d          *described
	operations map[string]bool
}

func TestDescriptionIsOpenAPI(t *testing.T) {
	r := &rules{t, describedAPI(t), map[string]bool{}}
	root := r.object("root", r.d.root, []string{"openapi", "info", "paths"}, "servers", "tags", "components")
	if version, _ := root["openapi"].(string); !strings.HasPrefix(version, "3.1.") {
		t.Errorf("openapi: %q", version)
	}
	r.object("info", root["info"], []string{"title", "version"}, "description")
	for _, server := range root["servers"].([]any) {
		r.object("servers", server, []string{"url"})
	}
	tags := map[string]bool{}
	for _, tag := range root["tags"].([]any) {
		tags[r.object("tags", tag, []string{"name"}, "description")["name"].(string)] = true
	}
	for path, item := range root["paths"].(map[string]any) {
		if !strings.HasPrefix(path, "/") {
			t.Errorf("path %s", path)
		}
		for method, operation := range r.object(path, item, nil, "get", "post", "delete") {
			r.operation(path, method, operation, tags)
		}
	}
	r.components(root["components"])
	r.references(root)
}

// object is a value that must be an object with all of the members, and none but
// these and the optional ones.
func (r *rules) object(where string, v any, required []string, optional ...string) map[string]any {
	r.t.Helper()
	m, ok := v.(map[string]any)
	if !ok {
		r.t.Errorf("%s is no object", where)
	}
	for _, name := range required {
		if m[name] == nil {
			r.t.Errorf("%s has no %s", where, name)
		}
	}
	for name := range m {
		if !slices.Contains(required, name) && !slices.Contains(optional, name) {
			r.t.Errorf("%s has a %s", where, name)
		}
	}
	return m
}

func (r *rules) operation(path, method string, v any, tags map[string]bool) {
	where := method + " " + path
	o := r.object(where, v, []string{"operationId", "responses", "summary", "tags"}, "parameters", "requestBody", "security", "description")
	if id := o["operationId"].(string); r.operations[id] {
		r.t.Errorf("%s: operationId %s is another's", where, id)
	} else {
		r.operations[id] = true
	}
	for _, tag := range o["tags"].([]any) {
		if !tags[tag.(string)] {
			r.t.Errorf("%s: tag %s is not declared", where, tag)
		}
	}
	var inPath []string
	seen := map[string]bool{}
	list, _ := o["parameters"].([]any)
	for i := range list {
		p, _ := r.d.at("paths", path, method, "parameters", strconv.Itoa(i))
		name, in := r.parameter(where, p)
		if seen[in+" "+name] {
			r.t.Errorf("%s: two parameters %s", where, name)
		}
		seen[in+" "+name] = true
		if in == "path" {
			inPath = append(inPath, name)
		}
	}
	var segments []string
	for _, m := range pathSegment.FindAllStringSubmatch(path, -1) {
		segments = append(segments, m[1])
	}
	if !slices.Equal(inPath, segments) {
		r.t.Errorf("%s: path parameters %v", where, inPath)
	}
	if body := o["requestBody"]; body != nil {
		r.content(where, r.object(where, body, []string{"content"}, "required", "description")["content"])
	}
	if method == "get" && o["requestBody"] != nil {
		r.t.Errorf("%s has a body", where)
	}
	r.security(where, o["security"])
	statuses := o["responses"].(map[string]any)
	for status := range statuses {
		answer, _ := r.d.at("paths", path, method, "responses", status)
		if !statusKey.MatchString(status) {
			r.t.Errorf("%s: status %s", where, status)
		}
		r.response(where+" "+status, answer)
	}
	if statuses["200"] == nil {
		r.t.Errorf("%s never succeeds", where)
	}
}

func (r *rules) parameter(where string, v any) (name, in string) {
	p := r.object(where, v, []string{"name", "in", "schema"}, "required", "description")
	name, in = p["name"].(string), p["in"].(string)
	switch {
	case !slices.Contains([]string{"query", "header", "path", "cookie"}, in):
		r.t.Errorf("%s: parameter %s in %s", where, name, in)
	case in == "path" && p["required"] != true:
		r.t.Errorf("%s: path parameter %s is not required", where, name)
	case in == "header" && slices.Contains([]string{"accept", "content-type", "authorization"}, strings.ToLower(name)):
		r.t.Errorf("%s: header %s is ignored as a parameter", where, name)
	}
	return name, in
}

func (r *rules) response(where string, v any) {
	answer := r.object(where, v, []string{"description"}, "content", "headers")
	if content := answer["content"]; content != nil {
		r.content(where, content)
	}
	headers, _ := answer["headers"].(map[string]any)
	for name, header := range headers {
		if m := header.(map[string]any); m["$ref"] == nil {
			r.object(where+" "+name, m, []string{"schema"}, "description", "required")
		}
	}
}

func (r *rules) content(where string, v any) {
	content, _ := v.(map[string]any)
	if len(content) == 0 {
		r.t.Errorf("%s: content without a media type", where)
	}
	for media, m := range content {
		if !strings.Contains(media, "/") {
			r.t.Errorf("%s: media type %s", where, media)
		}
		r.object(where+" "+media, m, []string{"schema"})
	}
}

func (r *rules) security(where string, v any) {
	alternatives, _ := v.([]any)
	for _, alternative := range alternatives {
		for scheme := range alternative.(map[string]any) {
			if found, _ := r.d.at("components", "securitySchemes", scheme); found == nil {
				r.t.Errorf("%s: security scheme %s is not declared", where, scheme)
			}
		}
	}
}

func (r *rules) components(v any) {
	all := r.object("components", v, nil, "schemas", "responses", "parameters", "headers", "securitySchemes")
	for kind, members := range all {
		for name, member := range members.(map[string]any) {
			if !componentKey.MatchString(name) {
				r.t.Errorf("component %s", name)
			}
			switch where := kind + " " + name; kind {
			case "responses":
				r.response(where, member)
			case "parameters":
				r.parameter(where, member)
			case "securitySchemes":
				r.object(where, member, []string{"type", "scheme"}, "bearerFormat", "description")
			case "headers":
				r.object(where, member, []string{"schema"}, "description", "required")
			case "schemas":
				// It must compile; whether anything fits it is not asked.
				_ = r.d.validate(r.t, nil, "components", "schemas", name)
			}
		}
	}
}

// references checks that each leads somewhere, and that no component is there for
// nothing but the two answers of what is no operation.
func (r *rules) references(root map[string]any) {
	used := map[string]bool{"#/components/responses/UnknownPath": true, "#/components/responses/WrongMethod": true}
	var walk func(any)
	walk = func(v any) {
		switch v := v.(type) {
		case []any:
			for _, e := range v {
				walk(e)
			}
		case map[string]any:
			if ref, ok := v["$ref"].(string); ok {
				used[ref] = true
				if found, _ := r.d.at(strings.Split(strings.TrimPrefix(ref, "#/"), "/")...); found == nil {
					r.t.Errorf("%s leads nowhere", ref)
				}
			}
			for _, e := range v {
				walk(e)
			}
		}
	}
	walk(root)
	for kind, members := range root["components"].(map[string]any) {
		if kind == "securitySchemes" {
			continue
		}
		for _, name := range slices.Sorted(maps.Keys(members.(map[string]any))) {
			if !used["#/components/"+kind+"/"+name] {
				r.t.Errorf("%s %s is used nowhere", kind, name)
			}
		}
	}
}

// An object that an answer is made of names all that it has: a key too many or too
// few is a breach.
func TestAnswersAreClosed(t *testing.T) {
	d := describedAPI(t)
	var walk func(where string, v any)
	walk = func(where string, v any) {
		m, ok := v.(map[string]any)
		if !ok {
			if list, ok := v.([]any); ok {
				for i, e := range list {
					walk(where+"/"+strconv.Itoa(i), e)
				}
			}
			return
		}
		properties, _ := m["properties"].(map[string]any)
		if m["type"] == "object" && properties != nil {
			required, _ := m["required"].([]any)
			if m["additionalProperties"] != false || len(required) != len(properties) {
				t.Errorf("%s is open", where)
			}
		}
		for name, e := range m {
			if name != "requestBody" {
				walk(where+"/"+name, e)
			}
		}
	}
	walk("", d.root)
}
