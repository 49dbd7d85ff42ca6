// Package house holds no code, only tests of the rules that this repository
// keeps: who may import whom, how packages are described, how long a file gets,
// which module path the manual names.
package house
