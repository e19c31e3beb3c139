package helmfile

import (
	"errors"
	"fmt"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// chartRepository is a chart repository as a helmfile declares it.
type chartRepository struct {
	name        string // helmfile's
	url         string // with its scheme
	insecure    bool
	credentials bool // it has a user name and password
	certificate bool // it has a certificate of its own
	at          Position
}

// repositories reads what a helmfile declares, by name.
func (r *reader) repositoriesOf(s state) (map[string]chartRepository, error) {
	found := map[string]chartRepository{}
	for _, node := range contentOf(child(s.node, "repositories")) {
		repository, err := r.repositoryOf(node)
		if err != nil {
			return nil, err
		}
		found[repository.name] = repository
	}
	return found, nil
}

func (r *reader) repositoryOf(node *yaml.Node) (chartRepository, error) {
	at := r.position(node)
	repository := chartRepository{name: text(child(node, "name")), at: at}
	isOCI, err := isTrue(plain(child(node, "oci")), false)
	if err == nil {
		repository.insecure, err = isTrue(plain(child(node, "plainHttp")), false)
	}
	if err != nil {
		return repository, wrongAt(at, "the repository %q: %w", repository.name, err)
	}
	repository.url, err = repositoryURL(text(child(node, "url")), isOCI)
	if err != nil {
		return repository, wrongAt(at, "the repository %q: %w", repository.name, err)
	}
	repository.credentials = !isEmptyNode(child(node, "username")) || !isEmptyNode(child(node, "password"))
	for _, key := range []string{"caFile", "certFile", "keyFile"} {
		repository.certificate = repository.certificate || !isEmptyNode(child(node, key))
	}
	return repository, nil
}

// repositoryURL returns a repository's address with its scheme. It never quotes one with a password in it.
func repositoryURL(address string, isOCI bool) (string, error) {
	if isOCI && !strings.HasPrefix(address, "oci://") {
		address = "oci://" + address
	}
	parsed, err := url.Parse(address)
	if err != nil || parsed.Host == "" || !slices.Contains([]string{"oci", "https", "http"}, parsed.Scheme) {
		return "", errors.New("its URL is none that Flux can read charts from: oci://, https:// or http:// is wanted")
	}
	if parsed.User != nil {
		return "", errors.New("its URL has a user name in it: take that out, and put it into a Secret (secretRef in tfgitops.yaml)")
	}
	return strings.TrimSuffix(address, "/"), nil
}

// chartOf splits a release's chart into its repository and name.
func (r *reader) chartOf(s state, chart string) (chartRepository, string, error) {
	if chart == "" {
		return chartRepository{}, "", errors.New("none is named")
	}
	if strings.HasPrefix(chart, "oci://") {
		address, err := repositoryURL(path.Dir(strings.TrimPrefix(chart, "oci://")), true)
		return chartRepository{name: lastName(address), url: address, at: Position{File: s.file}}, path.Base(chart), err
	}
	if strings.Contains(chart, "://") || strings.Contains(chart, "::") || strings.HasPrefix(chart, ".") || path.IsAbs(chart) {
		return chartRepository{}, "", fmt.Errorf("%q is in no chart repository, and Flux takes charts from one: push it to a registry (helm push), and name it from there", chart)
	}
	alias, name, both := strings.Cut(chart, "/")
	if !both || name == "" || strings.Contains(name, "/") {
		return r.nestedChart(s, chart)
	}
	repository, err := r.repositoryNamed(s, alias)
	return repository, name, err
}

// nestedChart is a chart below a folder of an OCI repository: NAME/folder/chart.
func (r *reader) nestedChart(s state, chart string) (chartRepository, string, error) {
	alias, rest, nested := strings.Cut(chart, "/")
	repository, err := r.repositoryNamed(s, alias)
	if err != nil || !nested || !strings.HasPrefix(repository.url, "oci://") {
		return chartRepository{}, "", fmt.Errorf("%q is none: REPOSITORY/CHART is wanted, with a repository of this helmfile", chart)
	}
	repository.url += "/" + path.Dir(rest)
	repository.name += "-" + strings.ReplaceAll(path.Dir(rest), "/", "-")
	return repository, path.Base(rest), nil
}

// repositoryNamed looks a repository up in the helmfile, and then in all others: helm knows them all once any of them was
// deployed from the same machine.
func (r *reader) repositoryNamed(s state, alias string) (chartRepository, error) {
	own, err := r.repositoriesOf(s)
	if err != nil {
		return chartRepository{}, err
	}
	if repository, known := own[alias]; known {
		return repository, nil
	}
	others := r.repositories[alias]
	switch {
	case len(others) == 0:
		return chartRepository{}, fmt.Errorf("the repository %q is declared nowhere: add it to repositories", alias)
	case slices.ContainsFunc(others, func(o chartRepository) bool { return o.url != others[0].url }):
		return chartRepository{}, fmt.Errorf("the repository %q is not declared here, and others declare it differently: add it to repositories", alias)
	}
	r.notes.add(Item{
		Position: Position{File: s.file}, Construct: "repositories", Status: Todo, Text: fmt.Sprintf("the repository %q is used and not declared here", alias),
		Help: fmt.Sprintf("taken from %s: check that this is what is meant", others[0].at),
	})
	return others[0], nil
}

// lastName is the last part of a URL's path, or its host.
func lastName(address string) string {
	parsed, err := url.Parse(address)
	if err != nil {
		return "charts"
	}
	if name := path.Base(parsed.Path); name != "." && name != "/" {
		return dnsName(name)
	}
	return dnsName(parsed.Hostname())
}

var dnsLabel = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$`)

// isName reports whether a text can name a component, cluster or release.
func isName(text string) bool { return dnsLabel.MatchString(text) }

// dnsName makes a text a name for a Kubernetes object.
func dnsName(name string) string {
	name = strings.Map(func(c rune) rune {
		if c >= 'a' && c <= 'z' || c >= '0' && c <= '9' {
			return c
		}
		return '-'
	}, strings.ToLower(name))
	name = strings.Trim(name, "-")
	if len(name) > 63 {
		name = strings.Trim(name[:63], "-")
	}
	if name == "" {
		return "unnamed"
	}
	return name
}
