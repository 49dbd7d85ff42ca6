package idaas

import (
	"bytes"
	_ "embed"
	"net/http"
)

const descriptionPath = "/api/openapi.json"

// description is this API and what stands beside it at the same server, in
// OpenAPI 3.1. It names describedURL as the server.
//
//go:embed openapi.json
var description []byte

const describedURL = `"https://id.example.com"`

// descriptionAt is the description of the API as it is reached at a URL.
func descriptionAt(publicURL string) []byte {
	quoted, _ := encode(publicURL) // a string always encodes
	return bytes.Replace(description, []byte(describedURL), quoted, 1)
}

func describeAPI(c *call) error {
	write(c.w, http.StatusOK, c.description)
	return nil
}
