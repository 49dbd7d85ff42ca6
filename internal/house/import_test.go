package house

import (
	"slices"
	"strings"
	"testing"
)

// mayImport says which packages of this module each package may import; every
// package has to be here. All arrows point at authcore, wire formats do not know
// each other, nor do stores, and only caddymodule sees everything.
var mayImport = map[string][]string{
	"authcore":               {"authcore/contact", "authcore/opaque", "authcore/slider", "authcore/token"},
	"authcore/contact":       nil,
	"authcore/opaque":        nil,
	"authcore/slider":        nil,
	"authcore/token":         {"authcore/opaque"},
	"authcore/strictjson":    nil,
	"authcore/delivery":      {"authcore", "authcore/opaque"},
	"authcore/qq":            {"authcore", "authcore/opaque", "authcore/strictjson"},
	"authcore/qq/qqtest":     nil, // QQ knows nothing of us
	"authcore/storetest":     {"authcore"},
	"authcore/record":        nil,
	"authcore/badgerstore":   {"authcore", "authcore/record"},
	"authcore/pgstore":       {"authcore", "authcore/record"},
	"caddymodule/gamesparks": {"authcore", "authcore/opaque", "authcore/strictjson"},
	"caddymodule/idaas":      {"authcore", "authcore/contact", "authcore/opaque", "authcore/strictjson"},
	"caddymodule/oidc":       {"authcore", "authcore/strictjson"},
	"caddymodule/transfer":   {"authcore", "authcore/strictjson"},
	"caddymodule":            {"*"},
	"caddymodule/cmd/caddy":  {"caddymodule"},
	"caddymodule/cmd/bench":  {"*"},
	"caddymodule/e2e":        nil, // it knows the program only
	"internal/house":         nil,
	"internal/pgtest":        nil,
	"internal/solver":        nil,
}

// onlyIn says which packages may import what is not ours: the server and each
// driver stay behind one door.
var onlyIn = map[string][]string{
	"github.com/caddyserver/":     {"caddymodule", "caddymodule/cmd/caddy"},
	"github.com/coder/websocket":  {"caddymodule/gamesparks"},
	"github.com/dgraph-io/badger": {"authcore/badgerstore"},
	"github.com/go-jose/go-jose":  {"authcore/token"},
	"github.com/jackc/pgx":        {"authcore/pgstore"},
	"github.com/nyaruka/":         {"authcore/contact"},
	"github.com/prometheus/":      {"caddymodule"},
	"github.com/tencentcloud/":    {"authcore/delivery"},
	"github.com/wneessen/go-mail": {"authcore/delivery"},
	"golang.org/x/oauth2":         nil, // it cannot speak QQ's dialect
}

func TestImportsWithinTheModule(t *testing.T) {
	module, unknown := modulePath(t)+"/", make(map[string]bool)
	each(t, func(s source) {
		allowed, known := mayImport[s.dir]
		if !known && !unknown[s.dir] {
			t.Errorf("say in mayImport what %s may import", s.dir)
			unknown[s.dir] = true
		}
		for _, i := range s.imports {
			own, ok := strings.CutPrefix(i, module)
			if ok && known && !s.test && !slices.Contains(allowed, own) && !slices.Contains(allowed, "*") {
				t.Errorf("%s: must not import %s", s.path(), own)
			}
		}
	})
}

func TestImportsFromOutside(t *testing.T) {
	each(t, func(s source) {
		for _, i := range s.imports {
			for prefix, dirs := range onlyIn {
				if strings.HasPrefix(i, prefix) && !s.test && !slices.Contains(dirs, s.dir) {
					t.Errorf("%s: must not import %s", s.path(), i)
				}
			}
		}
	})
}

// TestRulesAreAboutWhatExists: a package that moved leaves no rule behind.
func TestRulesAreAboutWhatExists(t *testing.T) {
	exists := make(map[string]bool)
	each(t, func(s source) { exists[s.dir] = true })
	for dir, allowed := range mayImport {
		for _, d := range append(slices.Clone(allowed), dir) {
			if d != "*" && !exists[d] {
				t.Errorf("mayImport names %s, which does not exist", d)
			}
		}
	}
}
