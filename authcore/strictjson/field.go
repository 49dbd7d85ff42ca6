package strictjson

import (
	"encoding/json"
	"reflect"
	"strings"
	"sync"
)

// field is a field of a struct that a member may fill.
type field struct {
	name   string
	index  int
	plain  bool // a string without a decoder of its own
	custom bool // has an UnmarshalJSON
	nested bool // a struct without one
}

var (
	fieldCache  sync.Map // reflect.Type to []field
	unmarshaler = reflect.TypeFor[json.Unmarshaler]()
)

func fieldsOf(t reflect.Type) []field {
	if known, ok := fieldCache.Load(t); ok {
		return known.([]field)
	}
	var fields []field
	for i := range t.NumField() {
		sf := t.Field(i)
		name, _, _ := strings.Cut(sf.Tag.Get("json"), ",")
		if !sf.IsExported() || name == "-" {
			continue
		}
		if name == "" {
			name = sf.Name
		}
		custom := reflect.PointerTo(sf.Type).Implements(unmarshaler)
		fields = append(fields, field{
			name:   name,
			index:  i,
			plain:  !custom && sf.Type.Kind() == reflect.String,
			custom: custom,
			nested: !custom && sf.Type.Kind() == reflect.Struct,
		})
	}
	fieldCache.Store(t, fields)
	return fields
}

func find(fields []field, name []byte) *field {
	for i := range fields {
		if fields[i].name == string(name) {
			return &fields[i]
		}
	}
	return nil
}
