// Package registrytest is a registry on loopback for tests and for the demo: an OCI registry and HTTP chart repositories behind
// one address, with what real registries have and go-containerregistry's in-memory one lacks: pages with Link headers,
// basic and bearer authentication, faults on request, a log of requests, and helpers that push small charts and images.
//
// It holds everything in memory and listens on 127.0.0.1 only. It depends on go-containerregistry alone, and on nothing of
// the testing package, so that a program may embed it.
package registrytest
