package live

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/clientcmd/api"
)

// maxPage bounds one answer: 500 HelmReleases of an etcd value's size each would be over it, and none is near that.
const maxPage = 256 << 20

// Connection is a way to one cluster's API server.
type Connection struct {
	base   *url.URL
	http   *http.Client
	config *rest.Config
}

// Kubeconfig is where people keep how clusters are reached.
type Kubeconfig struct {
	rules  *clientcmd.ClientConfigLoadingRules
	config api.Config
}

// OpenKubeconfig reads a kubeconfig: the file, or, without one, as kubectl finds it (KUBECONFIG, ~/.kube/config). None at
// all is an empty one.
func OpenKubeconfig(file string) (*Kubeconfig, error) {
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	rules.ExplicitPath = file
	rules.Warner = func(error) {} // a part of KUBECONFIG that is not there
	config, err := rules.Load()
	if err != nil {
		return nil, fmt.Errorf("reading the kubeconfig: %s", clean(err.Error()))
	}
	return &Kubeconfig{rules: rules, config: *config}, nil
}

// Has reports whether there is a context of that name.
func (k *Kubeconfig) Has(contextName string) bool { return k.config.Contexts[contextName] != nil }

// Connect returns the way that a context describes. It asks the network nothing.
func (k *Kubeconfig) Connect(contextName string) (*Connection, error) {
	if contextName == "" {
		return nil, errors.New("cluster.yaml names no kubeconfig context: write context: there")
	}
	if !k.Has(contextName) {
		return nil, fmt.Errorf("the kubeconfig has no context %q", contextName)
	}
	config, err := clientcmd.NewNonInteractiveClientConfig(k.config, contextName, &clientcmd.ConfigOverrides{}, k.rules).ClientConfig()
	if err != nil {
		return nil, fmt.Errorf("the kubeconfig context %q cannot be used: %s", contextName, clean(err.Error()))
	}
	return connect(config)
}

func connect(config *rest.Config) (*Connection, error) {
	config.UserAgent = "tfgitops"
	config.WarningHandler = rest.NoWarnings{}
	client, err := rest.HTTPClientFor(config)
	if err != nil {
		return nil, fmt.Errorf("the credentials cannot be used: %s", clean(err.Error()))
	}
	base, _, err := rest.DefaultServerUrlFor(config)
	if err != nil {
		return nil, fmt.Errorf("the API server's address cannot be used: %s", clean(err.Error()))
	}
	// A redirect would carry the credentials to another place.
	refusing := *client
	refusing.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &Connection{base: base, http: &refusing, config: config}, nil
}

// get has one answer decoded. Its errors are for people and hold neither addresses nor credentials.
func (c *Connection) get(ctx context.Context, path string, query url.Values, decode func(*json.Decoder) error) error {
	target := c.base.JoinPath(path)
	target.RawQuery = query.Encode()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, target.String(), nil)
	if err != nil {
		return errors.New("the API server's address cannot be used")
	}
	request.Header.Set("Accept", "application/json")
	response, err := c.http.Do(request)
	if err != nil {
		return requestError(ctx, err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return statusError(response.StatusCode)
	}
	body := &io.LimitedReader{R: response.Body, N: maxPage}
	if err := decode(json.NewDecoder(body)); err != nil {
		if body.N == 0 {
			return fmt.Errorf("the answer is larger than %d MiB", maxPage>>20)
		}
		return requestError(ctx, err)
	}
	return nil
}

// statusError is what the API server answered instead. Its own words are left out: they name users.
func statusError(code int) error {
	switch code {
	case http.StatusUnauthorized:
		return errors.New("the API server does not accept the credentials (401)")
	case http.StatusForbidden:
		return errors.New("the account may not list this (403)")
	case http.StatusNotFound:
		return errNotServed
	}
	return fmt.Errorf("the API server answered %d", code)
}

// errNotServed says that the cluster does not know the kind: Flux is not installed, or is too old.
var errNotServed = errors.New("the API server does not know this kind (404): is Flux installed there?")

var (
	// errNotJSON says that something else than an API server answered.
	errNotJSON = errors.New("the API server did not answer in JSON")
	errNotList = errors.New("the API server did not answer with a list")
	errEndless = errors.New("the API server sends pages without end")
)

// requestError says in our own words why there was no answer: the library's hold the server's address.
func requestError(ctx context.Context, err error) error {
	var timeout net.Error
	var syntax *json.SyntaxError
	var operation *net.OpError
	switch {
	case errors.Is(ctx.Err(), context.Canceled):
		return context.Canceled
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return errors.New("no answer in time")
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return errors.New("the API server closed the connection")
	case errors.As(err, &syntax):
		return errNotJSON
	case errors.As(err, &operation) && operation.Op == "dial":
		return errors.New("the API server cannot be reached")
	case strings.Contains(err.Error(), "connection reset"):
		return errors.New("the API server closed the connection")
	}
	var inURL *url.Error
	if errors.As(err, &inURL) {
		err = inURL.Err
	}
	return errors.New(clean(err.Error()))
}
