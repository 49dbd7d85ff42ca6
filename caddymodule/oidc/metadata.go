package oidc

import "strings"

// metadata is what this issuer says of itself. It lists what exists and nothing
// else, because libraries go by it and a promise that fails at the first login
// is worse than none:
//
//   - There is no authorization endpoint and no code flow: a login is proved by
//     QQ, through an API of its own. So authorization_endpoint is absent
//     (RFC 8414 section 2 allows that where no grant uses it) and no response
//     type is supported. That list is required, and lists without elements are
//     to be left out (OpenID Connect Discovery 1.0 sections 3 and 4.2); libraries
//     refuse metadata without it and take an empty one, so it is empty.
//   - The token endpoint issues bearers for a client's backend, by
//     client_credentials alone. grant_types_supported says so: left out, it
//     would mean authorization_code and implicit.
//   - jwks_uri names the set of all keys, since assertions have the same issuer
//     as id_tokens and whoever verifies either starts here. Which key is good
//     for which kind of token is not the set's to say but `typ` and `aud`.
//   - id_tokens have one algorithm. RS256 is not added where it is not used,
//     although Discovery wants it listed: it would tell verifiers to accept it.
type metadata struct {
	Issuer             string   `json:"issuer"`
	JWKSURI            string   `json:"jwks_uri"`
	TokenEndpoint      string   `json:"token_endpoint"`
	TokenEndpointAuth  []string `json:"token_endpoint_auth_methods_supported"`
	GrantTypes         []string `json:"grant_types_supported"`
	ResponseTypes      []string `json:"response_types_supported"`
	SubjectTypes       []string `json:"subject_types_supported"`
	IDTokenSigningAlgs []string `json:"id_token_signing_alg_values_supported"`
	Claims             []string `json:"claims_supported"`
}

func metadataOf(issuer, alg string) metadata {
	base := strings.TrimSuffix(issuer, "/")
	return metadata{
		Issuer:             issuer,
		JWKSURI:            base + jwksPath,
		TokenEndpoint:      base + "/api/v2/tenant/token",
		TokenEndpointAuth:  []string{"client_secret_basic", "client_secret_post"},
		GrantTypes:         []string{"client_credentials"},
		ResponseTypes:      []string{},
		SubjectTypes:       []string{"public"},
		IDTokenSigningAlgs: []string{alg},
		Claims: []string{
			"iss", "aud", "sub", "exp", "iat", "nbf", "jti", "sid", "auth_time", "amr", "api",
		},
	}
}
