// Package idaas speaks the IDaaS API of the hosted service that mobile apps
// come from: its paths under /api/v2/sdk/ and /api/v2/tenant/, its headers,
// JSON keys, error codes and their texts in Chinese and English. It describes all
// that, and the documents that stand beside it, at /api/openapi.json; a test holds
// every answer of the other tests against openapi.json.
//
// It owns the wire format alone: it decodes a request, checks what can be
// checked without knowing anybody, calls [Service] once and encodes what comes
// back. Which of several faults is answered is the order of a route's steps;
// every refusal is written, and logged, in one place.
//
// It decides nothing about users, sessions or tickets, and must not know Caddy,
// a store, QQ, cookies or another wire format.
package idaas
