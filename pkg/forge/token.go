package forge

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"unicode"
)

// The environment variables that hold a token.
const (
	// TokenVariable holds an access token, or the absolute path of a file with one: what a CI variable of type File holds.
	TokenVariable = "GITLAB_TOKEN"
	// JobTokenVariable is what GitLab gives to each job. It may read some things, and write none of ours.
	JobTokenVariable = "CI_JOB_TOKEN"
)

// ErrNoToken says that there is no token.
var ErrNoToken = errors.New("no token for GitLab: set " + TokenVariable + " to an access token, or to the path of a file with one")

// Token is a secret. However it is printed, it does not show.
type Token struct {
	secret func() string // a function, for what prints a struct prints its unexported fields
	job    bool
}

// NewToken returns an access token: a project's, a group's or a person's.
func NewToken(secret string) Token { return Token{secret: func() string { return secret }} }

// String hides the token.
func (Token) String() string { return "***" }

// GoString hides the token.
func (Token) GoString() string { return "***" }

// ReadToken returns the token that the environment has.
func ReadToken(getenv func(string) string) (Token, error) {
	if value := getenv(TokenVariable); value != "" {
		return accessToken(value)
	}
	if value := getenv(JobTokenVariable); value != "" {
		token := NewToken(value)
		token.job = true
		return token, nil
	}
	return Token{}, ErrNoToken
}

// Secrets are the tokens that the environment holds, whether they are used or not. They must be in nothing that is said.
func Secrets(getenv func(string) string) []string {
	var secrets []string
	for _, value := range []string{getenv(TokenVariable), getenv(JobTokenVariable)} {
		if token, err := accessToken(value); err == nil { // of a file
			secrets = append(secrets, token.value())
		} else if value != "" {
			secrets = append(secrets, value)
		}
	}
	return secrets
}

// maxToken is more than any token has.
const maxToken = 4096

func accessToken(value string) (Token, error) {
	from := TokenVariable
	if filepath.IsAbs(value) {
		from = value
		data, err := os.ReadFile(filepath.Clean(value))
		if err != nil {
			return Token{}, fmt.Errorf("reading the token that %s names: %w", TokenVariable, err)
		}
		value = string(data)
	}
	value = strings.TrimSpace(value)
	if value == "" || len(value) > maxToken || strings.ContainsFunc(value, func(r rune) bool { return r > unicode.MaxASCII || !unicode.IsGraphic(r) || r == ' ' }) {
		return Token{}, fmt.Errorf("%s holds no token: one line of letters, digits and signs is wanted", from)
	}
	return NewToken(value), nil
}

// without returns a text with the token taken out of it.
func (t Token) without(text string) string {
	if secret := t.value(); secret != "" {
		text = strings.ReplaceAll(text, secret, "***")
	}
	return text
}

func (t Token) value() string {
	if t.secret == nil {
		return ""
	}
	return t.secret()
}
