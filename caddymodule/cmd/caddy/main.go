// Command caddy is Caddy with its standard modules and qqauth compiled in. It
// is what `xcaddy build --with github.com/qqauth/qqauth/caddymodule` makes.
package main

import (
	caddycmd "github.com/caddyserver/caddy/v2/cmd"

	_ "github.com/caddyserver/caddy/v2/modules/standard"

	_ "github.com/qqauth/qqauth/caddymodule"
)

func main() {
	caddycmd.Main()
}
