package gitrepo

import (
	"fmt"
	"net"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"unicode"
)

// CheckURL returns nil for the addresses of repositories that this package
// gives to Git: https, http to a loopback address, ssh, file, and absolute
// paths. Everything else is ErrRefusedURL, in particular what Git would run as a
// program (ext::), take for an option, or send in the clear. A password in the
// URL is refused too: it would be stored; credential helpers and ~/.netrc are
// Git's places for it.
func CheckURL(raw string) error {
	if err := checkURL(raw); err != nil {
		return fmt.Errorf("%w %q: %w; accepted are https://…, ssh://…, file:///… and absolute paths", ErrRefusedURL, Redact(raw), err)
	}
	return nil
}

func checkURL(raw string) error {
	if raw == "" || strings.HasPrefix(raw, "-") || strings.ContainsFunc(raw, unicode.IsControl) {
		return fmt.Errorf("it is empty, starts with a hyphen or holds control characters")
	}
	if filepath.IsAbs(raw) {
		return nil
	}
	parsed, err := url.Parse(raw)
	if err != nil {
		return fmt.Errorf("it cannot be parsed") // the cause would repeat the URL with its secrets
	}
	if _, hasPassword := parsed.User.Password(); hasPassword {
		return fmt.Errorf("it holds a password; keep that in a credential helper")
	}
	if strings.HasPrefix(parsed.Hostname(), "-") || strings.HasPrefix(parsed.User.Username(), "-") {
		return fmt.Errorf("its host or user starts with a hyphen")
	}
	return checkScheme(parsed)
}

func checkScheme(parsed *url.URL) error {
	host := parsed.Hostname()
	switch parsed.Scheme {
	case "https", "ssh":
		if host == "" {
			return fmt.Errorf("it names no host")
		}
	case "http":
		if !isLoopback(host) {
			return fmt.Errorf("plain http is accepted for this machine alone")
		}
	case "file":
		if host != "" && host != "localhost" {
			return fmt.Errorf("a file URL names no other host")
		}
	default:
		return fmt.Errorf("scheme %q is not accepted", parsed.Scheme)
	}
	return nil
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// remoteName matches the name of a configured remote.
var remoteName = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9._/-]*$`)

// checkRemote accepts the name of a configured remote, or a URL.
func checkRemote(remote string) error {
	if remoteName.MatchString(remote) {
		return nil
	}
	return CheckURL(remote)
}
