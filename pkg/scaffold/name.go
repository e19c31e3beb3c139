package scaffold

import (
	"errors"
	"fmt"
	"net/url"
	"path"
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/api/v1alpha1"
)

var dnsLabel = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$`)

// checkName accepts DNS labels. Names become folders: nothing else may be looked up before this.
func checkName(what, name string) error {
	if dnsLabel.MatchString(name) {
		return nil
	}
	return fmt.Errorf("%q is no name for a %s: use lower-case letters, digits and -, at most 63 (a DNS label)", name, what)
}

// errCredentials keeps passwords out of files that everybody reads.
var errCredentials = errors.New("the URL has a user or password in it: leave them out")

// checkURL accepts an absolute URL of one of the schemes, without credentials.
func checkURL(given string, schemes ...string) (*url.URL, error) {
	parsed, err := url.Parse(given)
	accepted := "write " + strings.Join(schemes, "host/path or ") + "host/path"
	if err != nil {
		return nil, fmt.Errorf("this is no URL: %s", accepted) // the text may hold a password
	}
	if parsed.User != nil {
		return nil, errCredentials
	}
	for _, scheme := range schemes {
		if parsed.Scheme+"://" == scheme && parsed.Host != "" {
			return parsed, nil
		}
	}
	return nil, fmt.Errorf("%q is not accepted: %s", given, accepted)
}

// startsAsNumber matches text that some YAML parser may read as a number, such as 12e4567, which yaml.v3 writes plainly.
var startsAsNumber = regexp.MustCompile(`^[-+.0-9]`)

// scalar is a string as it is written in YAML, quoted where it must be.
func scalar(text string) string {
	if startsAsNumber.MatchString(text) {
		return strconv.Quote(text)
	}
	encoded, err := yaml.Marshal(text)
	if err != nil {
		panic("a string that is no YAML: " + err.Error()) // every string can be written
	}
	return strings.TrimSuffix(string(encoded), "\n")
}

// head is how a file of ours starts: the line that tells an editor the schema, a comment, if any, the kind and the name.
func head(kind v1alpha1.Kind, file, name, comment string) string {
	up := strings.Repeat("../", strings.Count(file, "/"))
	return fmt.Sprintf("# yaml-language-server: $schema=%s\n%sapiVersion: %s\nkind: %s\nmetadata:\n  name: %s\n",
		path.Join(up, schemasDir, kind.SchemaFile()), comment, v1alpha1.APIVersion, kind, scalar(name))
}
