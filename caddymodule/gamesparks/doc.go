// Package gamesparks speaks the GameSparks API of the hosted service that games
// come from: POST /rs/{credential}/{secret}/{RequestName}, and WebSockets at
// /ws/{credential}/{apiKey} with its handshake. Nine requests are served, each in
// the same way over both.
//
// It owns the wire format alone, and the connections: it decodes a request, tells
// whose it is, calls [Service] once and encodes what comes back. The connections
// of a process are in one [Sockets], which outlives the handlers, so that a
// replaced configuration ends none that it still has a place for.
//
// It decides nothing about players, sessions or linking, and must not know Caddy,
// a store, QQ, cookies or another wire format.
package gamesparks
