// Package record is the encoding of what stores seal: deterministic CBOR, read
// back strictly, so that bytes which open and still cannot be a record are found
// out. It must not know what the records are.
package record

import "github.com/fxamacker/cbor/v2"

var (
	encoding = must(cbor.EncOptions{
		Sort:        cbor.SortCoreDeterministic,
		Time:        cbor.TimeRFC3339NanoUTC,
		IndefLength: cbor.IndefLengthForbidden,
		TagsMd:      cbor.TagsForbidden,
	}.EncMode())
	decoding = must(cbor.DecOptions{
		DupMapKey:         cbor.DupMapKeyEnforcedAPF,
		IndefLength:       cbor.IndefLengthForbidden,
		TagsMd:            cbor.TagsForbidden,
		MaxNestedLevels:   8,
		MaxArrayElements:  1 << 14,
		MaxMapPairs:       1 << 14,
		ExtraReturnErrors: cbor.ExtraDecErrorUnknownField,
	}.DecMode())
)

// must is for the two modes above, whose options are constants.
func must[T any](mode T, err error) T {
	if err != nil {
		panic(err)
	}
	return mode
}

// Encode returns the bytes of v. It fails for types that CBOR has no place for.
func Encode(v any) ([]byte, error) { return encoding.Marshal(v) }

// Decode fills v from bytes that Encode made of a value of its type. Anything
// else is an error: unknown and repeated fields, and bytes that are left over.
func Decode(data []byte, v any) error { return decoding.Unmarshal(data, v) }
