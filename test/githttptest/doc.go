// Package githttptest serves bare Git repositories over HTTP to tests: the real
// `git http-backend` behind net/http, on a loopback address, with pushing
// allowed, basic authentication where asked for, and a place to break things.
//
// It depends on the git program and the standard library only.
package githttptest
