package artifact

import (
	"fmt"
	"net/url"
	"regexp"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
)

// Repository is a place where charts are published.
type Repository struct {
	// URL is oci://host/path, under which each chart is a repository of its own, or the http(s) URL of the directory that
	// holds index.yaml.
	URL string
	// Insecure lets an OCI registry be spoken to in plain HTTP, and then only so. An HTTP repository's URL says it itself.
	Insecure bool
}

// String is the URL without credentials.
func (r Repository) String() string { return redact(r.URL) }

// IsOCI tells an OCI registry from an HTTP chart repository.
func (r Repository) IsOCI() bool { return strings.HasPrefix(r.URL, ociScheme) }

// Check says whether the URL is one that this package understands.
func (r Repository) Check() error {
	if r.IsOCI() {
		_, err := r.oci("chart")
		return err
	}
	_, err := r.index()
	return err
}

// Ref names a chart's version for people and as a key of the cache: oci://host/path/chart:version, or
// https://host/path/chart:version.
func (r Repository) Ref(chart, version string) string {
	ref := strings.TrimRight(r.String(), "/") + "/" + chart
	if version != "" {
		ref += ":" + version
	}
	return ref
}

const ociScheme = "oci://"

// chartName is what Helm allows in the name of a chart; in an OCI registry it is lower-case besides.
var chartName = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9._-]*$`)

// oci is the registry's repository of one chart.
func (r Repository) oci(chart string) (name.Repository, error) {
	path := strings.TrimPrefix(r.URL, ociScheme)
	if strings.Contains(path, "@") {
		return name.Repository{}, r.refuse(`holds credentials: put them in the Docker configuration with "docker login"`)
	}
	if !chartName.MatchString(chart) {
		return name.Repository{}, fmt.Errorf("chart %q: %w: a name is letters, digits, '.', '_' and '-'", chart, ErrInvalid)
	}
	repo, err := name.NewRepository(strings.TrimRight(path, "/")+"/"+chart, nameOptions(r.Insecure)...)
	if err != nil {
		return name.Repository{}, r.refuse(err.Error())
	}
	return repo, nil
}

func nameOptions(insecure bool) []name.Option {
	if insecure {
		return []name.Option{name.StrictValidation, name.Insecure}
	}
	return []name.Option{name.StrictValidation}
}

// index is the URL of an HTTP repository's index.yaml.
func (r Repository) index() (*url.URL, error) {
	u, err := url.Parse(r.URL)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, r.refuse("write oci://HOST/PATH, or the https:// URL of the directory that holds index.yaml")
	}
	return u.JoinPath("index.yaml"), nil
}

func (r Repository) refuse(why string) error {
	return fmt.Errorf("chart repository %q: %w: %s", r.String(), ErrInvalid, redact(why))
}
