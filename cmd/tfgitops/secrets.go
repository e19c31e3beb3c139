package main

import (
	"io"
	"strings"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/forge"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/gitrepo"
)

// shortestSecret keeps what is no token, but an "x" in its place, from being taken out of every word.
const shortestSecret = 8

// hiding takes secrets out of what is said: a server, a proxy or a hook may tell what it was sent. A write is whole lines.
type hiding struct {
	io.Writer

	secrets *strings.Replacer
}

// hidingSecrets hides the tokens of the environment, whoever told them, and what stands before the host of an address.
func hidingSecrets(out io.Writer, getenv func(string) string) io.Writer {
	var pairs []string
	for _, secret := range append(forge.Secrets(getenv), getenv(tokenVariable)) {
		if len(secret) >= shortestSecret {
			pairs = append(pairs, secret, "***")
		}
	}
	return hiding{out, strings.NewReplacer(pairs...)}
}

func (h hiding) Write(p []byte) (int, error) {
	if _, err := h.secrets.WriteString(h.Writer, gitrepo.Redact(string(p))); err != nil {
		return 0, err
	}
	return len(p), nil
}
