package strictjson

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"unicode/utf8"
)

// The ways in which a body is refused; the one met first is told. Their texts
// name a field of the caller's struct at most, never a part of the input.
var (
	// ErrSyntax says that the data is not exactly one JSON object (RFC 8259),
	// is not valid UTF-8, escapes half a surrogate pair, or nests too deep.
	ErrSyntax = errors.New("not one JSON object")
	// ErrDuplicate says that an object has two members whose names are equal
	// or differ in case alone.
	ErrDuplicate = errors.New("duplicate member name")
	// ErrType says that a member does not fit the field it is named like.
	ErrType = errors.New("wrong JSON type")
)

// maxDepth bounds the recursion that a body of brackets would cause.
const maxDepth = 16

// Decode reads the one JSON object that data is into the struct that v points
// to. A field is filled by the member that its json tag spells, letter by
// letter, or its Go name if it has no tag; other members are checked and left
// out. null leaves a field as it is. Options in tags and embedded structs are
// not followed. A struct within the struct is read in the same way; a type with
// an UnmarshalJSON reads itself; everything else follows encoding/json.
//
// Errors wrap ErrSyntax, ErrDuplicate or ErrType, and leave v with nothing to
// rely on.
func Decode(data []byte, v any) error {
	if !utf8.Valid(data) {
		return ErrSyntax
	}
	p := parser{data: data}
	p.space()
	if p.peek() != '{' {
		return ErrSyntax
	}
	if err := p.object(reflect.ValueOf(v).Elem(), 1); err != nil {
		return err
	}
	p.space()
	if p.pos != len(data) {
		return ErrSyntax
	}
	return nil
}

// object reads an object into the struct dst, or only checks it if dst is the
// zero Value.
func (p *parser) object(dst reflect.Value, depth int) error {
	if depth > maxDepth {
		return ErrSyntax
	}
	var fields []field
	if dst.IsValid() {
		fields = fieldsOf(dst.Type())
	}
	var seen names
	p.pos++ // the brace
	if p.space(); p.skip('}') {
		return nil
	}
	for {
		name, err := p.name()
		if err != nil {
			return err
		}
		if !seen.add(name) {
			return ErrDuplicate
		}
		if f := find(fields, name); f != nil {
			err = p.fill(f, dst.Field(f.index), depth)
		} else {
			_, err = p.value(depth)
		}
		if err != nil {
			return err
		}
		if p.space(); p.skip('}') {
			return nil
		}
		if !p.skip(',') {
			return ErrSyntax
		}
		p.space()
	}
}

// name reads a member's name and the colon after it.
func (p *parser) name() ([]byte, error) {
	if p.peek() != '"' {
		return nil, ErrSyntax
	}
	start := p.pos
	escaped, err := p.text()
	if err != nil {
		return nil, err
	}
	name := p.data[start+1 : p.pos-1]
	if escaped {
		var s string
		if err := json.Unmarshal(p.data[start:p.pos], &s); err != nil {
			return nil, ErrSyntax
		}
		name = []byte(s)
	}
	if p.space(); !p.skip(':') {
		return nil, ErrSyntax
	}
	p.space()
	return name, nil
}

// fill reads the value of a member that has a field.
func (p *parser) fill(f *field, dst reflect.Value, depth int) error {
	if f.nested && p.peek() == '{' {
		return p.object(dst, depth+1)
	}
	start := p.pos
	escaped, err := p.value(depth)
	if err != nil {
		return err
	}
	raw := p.data[start:p.pos]
	switch {
	case string(raw) == "null":
		return nil
	case f.nested:
		err = ErrType
	case f.custom:
		err = dst.Addr().Interface().(json.Unmarshaler).UnmarshalJSON(raw)
	case f.plain && raw[0] == '"' && !escaped:
		dst.SetString(string(raw[1 : len(raw)-1]))
	default:
		err = json.Unmarshal(raw, dst.Addr().Interface())
	}
	if err != nil {
		return fmt.Errorf("%w in field %s", ErrType, f.name)
	}
	return nil
}
