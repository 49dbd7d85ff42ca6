// Package qqtest is an offline QQ: a faithful double of the four paths of
// graph.qq.com that a login uses, for tests, for load tests and for trying the
// product out. It is no identity provider: it hands a token of every account to
// whoever asks.
//
// Everything it answers carries a grade that says how far it is known to be
// what QQ answers; see [Grade]. What is only inferred can be replaced through
// Config.Replace, so that no test need depend on a guess. QQ's traps are kept:
// errors have status 200 and text/html, /oauth2.0/me takes any application's
// token and names that application, a unionid without the grant costs the whole
// answer, codes and refresh tokens are good once. There is no PKCE, because QQ
// has none.
//
// Accounts are numbers from 0 up, without end and without state: open ids,
// unionids and lasting tokens are computed from the number under fixed keys, so
// they are the same after every start and in every process. Only what is issued
// in a flow, or ended through a hook, is remembered.
//
// Two paths are ours and not QQ's. / lists the accounts, each with its lasting
// token. POST /code with the form fields app_id and open_id gives
// {"code":"…"}: the one-time code that an account's app gets by a server-side
// login, in the place of the access token.
//
// It owns QQ's side alone and knows nothing of the product: it shares no code
// with what it tests.
package qqtest
