package scaffold

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"
)

const (
	// maxManifests bounds what is fetched for one version. The largest bundle known, of Gateway API's CRDs, has 1 MiB.
	maxManifests = 32 << 20
	// fetchTimeout is for one file; release pages of big projects answer within seconds.
	fetchTimeout = 2 * time.Minute
)

// fetched is one file as it was found.
type fetched struct {
	name    string // in the version's folder
	origin  string // where it is from, without anything secret
	content []byte
}

// fetch reads a file from an https URL, an http URL on this machine, or a path.
func fetch(ctx context.Context, client *http.Client, source string) (fetched, error) {
	if !strings.Contains(source, "://") {
		content, err := readFile(source)
		return fetched{filepath.Base(source), filepath.Base(source), content}, err
	}
	from, err := url.Parse(source)
	if err != nil {
		return fetched{}, errors.New("one of the sources is no URL") // the text may hold a password
	}
	if err := checkSource(from); err != nil {
		return fetched{}, err
	}
	content, err := download(ctx, client, from)
	if err != nil {
		return fetched{}, fmt.Errorf("cannot fetch %s: %w", origin(from), err)
	}
	return fetched{path.Base(from.Path), origin(from), content}, nil
}

// origin is a URL without its query, which may hold a token.
func origin(u *url.URL) string {
	return (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}).String()
}

// checkSource accepts what nobody on the way can change or read along.
func checkSource(u *url.URL) error {
	switch {
	case u.User != nil:
		return errCredentials
	case u.Scheme == "https" && u.Host != "", u.Scheme == "http" && isLoopback(u.Hostname()):
		return nil
	}
	return fmt.Errorf("%s is not accepted: give an https:// URL or a file (http:// only on this machine)", origin(u))
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

func readFile(name string) ([]byte, error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	if info, err := file.Stat(); err != nil || !info.Mode().IsRegular() {
		return nil, errors.Join(fmt.Errorf("%s is not a regular file", name), err)
	}
	content, err := readAll(file)
	if err != nil {
		return nil, fmt.Errorf("cannot read %s: %w", name, err)
	}
	return content, nil
}

func download(ctx context.Context, client *http.Client, from *url.URL) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, from.String(), nil)
	if err != nil {
		return nil, withoutURL(err)
	}
	guarded := *client
	guarded.CheckRedirect = checkRedirect
	response, err := guarded.Do(request)
	if err != nil {
		return nil, withoutURL(err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("the server answered %s", response.Status)
	}
	return readAll(response.Body)
}

func checkRedirect(request *http.Request, via []*http.Request) error {
	if len(via) >= 10 {
		return errors.New("more than 10 redirects")
	}
	return checkSource(request.URL)
}

// withoutURL leaves out the address of an HTTP error, in which there may be a token.
func withoutURL(err error) error {
	var inURL *url.Error
	if errors.As(err, &inURL) {
		return inURL.Err
	}
	return err
}

func readAll(from io.Reader) ([]byte, error) {
	content, err := io.ReadAll(io.LimitReader(from, maxManifests+1))
	if err == nil && len(content) > maxManifests {
		err = fmt.Errorf("more than %d MiB", maxManifests>>20)
	}
	return content, err
}
