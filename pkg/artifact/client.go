package artifact

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

// Options is what a Client is handed. The zero value is usable: the Docker keychain, the default transport, no cache.
type Options struct {
	// Keychain finds credentials by host, for OCI and HTTP repositories; nil: the Docker configuration's.
	Keychain authn.Keychain
	// Transport sends requests; nil: go-containerregistry's default, which has time-outs for connecting.
	Transport http.RoundTripper
	// UserAgent is sent with each request.
	UserAgent string
	// Timeout bounds one request with its body; 0: one minute.
	Timeout time.Duration
	// RetryWait is the first pause before a request is repeated; 0: half a second. A request is sent at most three times.
	RetryWait time.Duration
	// Clock paces repetitions; nil: the system's.
	Clock Clock
	// Cache keeps charts; nil: none.
	Cache *Cache
	// Offline answers from the Cache alone and sends nothing.
	Offline bool
	// Warn is told what went wrong without harming the answer (the cache could not be written); nil: nobody is.
	Warn func(error)
}

// Client asks registries. It is safe for concurrent use, and remembers tokens for as long as it lives.
type Client struct {
	options Options
	http    *http.Client

	mu      sync.Mutex
	pullers map[host]*remote.Puller
}

// host is one registry, as spoken to.
type host struct {
	name     string
	insecure bool
}

// New returns a Client.
func New(o Options) *Client {
	o = o.withDefaults()
	return &Client{
		options: o,
		pullers: map[host]*remote.Puller{},
		http:    &http.Client{Transport: o.roundTripper(o.Transport), CheckRedirect: refuseDowngrade},
	}
}

func (o Options) withDefaults() Options {
	if o.Keychain == nil {
		o.Keychain = authn.DefaultKeychain
	}
	if o.Transport == nil {
		o.Transport = remote.DefaultTransport
	}
	if o.Timeout == 0 {
		o.Timeout = time.Minute
	}
	if o.RetryWait == 0 {
		o.RetryWait = 500 * time.Millisecond
	}
	if o.Clock == nil {
		o.Clock = SystemClock{}
	}
	if o.Warn == nil {
		o.Warn = func(error) {}
	}
	return o
}

// puller speaks to one registry. Its own repetitions are switched off: ours stop when the context does.
func (c *Client) puller(registry name.Registry, insecure bool) (*remote.Puller, error) {
	key := host{registry.RegistryStr(), insecure}
	c.mu.Lock()
	defer c.mu.Unlock()
	if p := c.pullers[key]; p != nil {
		return p, nil
	}
	p, err := remote.NewPuller(
		remote.WithAuthFromKeychain(c.options.Keychain),
		remote.WithTransport(c.options.roundTripper(schemeGuard{key, c.options.Transport})),
		remote.WithUserAgent(c.options.UserAgent),
		remote.WithPageSize(pageSize),
		remote.WithRetryBackoff(remote.Backoff{Steps: 1}),
		remote.WithRetryPredicate(func(error) bool { return false }),
		remote.WithRetryStatusCodes(),
	)
	if err != nil {
		return nil, fmt.Errorf("registry %q: %w", key.name, err)
	}
	c.pullers[key] = p
	return p, nil
}

// offline is the error of everything that the cache cannot answer.
func (c *Client) offline(op, ref string) error {
	return &Error{Op: op, Ref: redact(ref), Kind: ErrOffline}
}

// Clock tells and passes time; tests hand in one that does not wait.
type Clock interface {
	// Now is the current time.
	Now() time.Time
	// Sleep returns after d, or earlier with the context's error.
	Sleep(ctx context.Context, d time.Duration) error
}

// SystemClock is the machine's clock.
type SystemClock struct{}

// Now is time.Now.
func (SystemClock) Now() time.Time { return time.Now() } //nolint:forbidigo // this is the clock that is handed in

// Sleep waits for d or the context.
func (SystemClock) Sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
