// Command bench measures what the module costs and prints it as the table of the
// README:
//
//	go run ./caddymodule/cmd/bench
//
// It builds the Caddy of this checkout and runs it as operators do, as a process
// of its own. The upstream and a QQ simulator are processes of their own too, and
// the load comes from this one, so that the CPU time of the Caddy process is the
// cost of Caddy and of nothing else. What is compared runs side by side: a round
// of one, a round of the other, in changing order, many times over. A ratio is
// the median of the pairs' ratios, given with its 95 % confidence interval, so
// that a busy machine widens the interval instead of moving the result.
//
// It knows the product from outside, but for two things. A million sessions are
// made by the core itself, on the store's files, before Caddy opens them. And the
// rows about the size of a PostgreSQL, which name no goal, use the store without
// Caddy, and count the CPU time of all processes of the server.
//
// That server is the bench's own. Where none is installed, the rows postgres and
// sizing are left out.
package main
