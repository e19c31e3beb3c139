package chart

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	helmv2 "github.com/fluxcd/helm-controller/api/v2"
	"k8s.io/apimachinery/pkg/runtime/serializer/cbor/direct"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/internal/filecache"
)

// Renders keeps expansions in a folder, so that what was rendered once is read
// instead. It is safe for concurrent use, by several processes too. A nil
// *Renders keeps nothing.
//
// A file is found by an HMAC of all that its expansion depends on, the program
// included, so nothing stale is ever found. It is sealed with AES-GCM under that
// name: charts render Secrets, which must not lie about, and what somebody put
// there who has not the key is no expansion. The keys come from one that the
// caller keeps elsewhere.
type Renders struct {
	files   *filecache.Cache
	names   []byte // the key of the HMAC
	seal    cipher.AEAD
	program string
}

// DefaultRendersSize is room for some thousand expansions.
const DefaultRendersSize = 256 * mebibyte

// maxKept is how large an expansion may be to be kept.
const maxKept = 16 * mebibyte

// NewRenders keeps at most max bytes in dir, which is created with the first
// write; the least recently used goes first. Whoever has the key can read and
// forge what is kept. program names the code that expands, down to the build:
// no other finds what it kept.
func NewRenders(dir string, max int64, key []byte, program string, now func() time.Time) (*Renders, error) {
	keys, err := hkdf.Key(sha256.New, key, nil, "tfgitops renders", 2*sha256.Size)
	if err != nil {
		return nil, fmt.Errorf("deriving the keys of kept renders: %w", err)
	}
	block, err := aes.NewCipher(keys[sha256.Size:])
	if err != nil {
		return nil, fmt.Errorf("sealing kept renders: %w", err)
	}
	seal, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return nil, fmt.Errorf("sealing kept renders: %w", err)
	}
	return &Renders{files: filecache.New(dir, max, now), names: keys[:sha256.Size], seal: seal, program: program}, nil
}

// Expand is [Expand] of the chart with that digest, without its Manifest and
// Notes, which are not kept. in.Chart is ignored; load gives the chart when it
// has to be rendered.
func (r *Renders) Expand(ctx context.Context, in Input, digest string, load func(context.Context) (*Chart, error)) (*Expansion, error) {
	return keep(r, in.identity(digest), func() (*Expansion, error) {
		chart, err := load(ctx)
		if err != nil {
			return nil, err
		}
		in.Chart = chart
		expansion, err := Expand(ctx, in)
		if err != nil {
			return nil, err
		}
		expansion.Manifest, expansion.Notes = "", ""
		return expansion, nil
	})
}

// Defaults is [Chart.Defaults] of the chart with that digest. load gives the
// chart when they have to be read.
func (r *Renders) Defaults(ctx context.Context, digest string, load func(context.Context) (*Chart, error)) (map[string]any, error) {
	defaults, err := keep(r, identity{What: "defaults", Chart: digest}, func() (*map[string]any, error) {
		chart, err := load(ctx)
		if err != nil {
			return nil, err
		}
		values := chart.Defaults()
		return &values, nil
	})
	if err != nil {
		return nil, err
	}
	return *defaults, nil
}

// identity is all that a kept value depends on.
type identity struct {
	Program, What string
	Chart         string // the digest of its archive
	Release       struct {
		Namespace, Name string
		Spec            helmv2.HelmReleaseSpec
	}
	SourceRevision string
	Capabilities   Capabilities
	References     []referenced
	Placeholders   bool
	Upgrade        bool
	Revision       int
	Key            []byte
}

// referenced is one of an Input's references.
type referenced struct {
	Reference
	Content []byte
}

// identity of an expansion. Labels and annotations of the HelmRelease itself are
// not in it: nothing of them reaches the chart.
func (in Input) identity(digest string) identity {
	id := identity{
		What: "expansion", Chart: digest, SourceRevision: in.SourceRevision, Capabilities: in.Capabilities,
		Placeholders: in.Placeholders, Upgrade: in.Upgrade, Revision: in.Revision, Key: in.Key,
	}
	id.Release.Namespace, id.Release.Name, id.Release.Spec = in.Release.Namespace, in.Release.Name, in.Release.Spec
	for ref, content := range in.References {
		id.References = append(id.References, referenced{ref, content})
	}
	slices.SortFunc(id.References, func(a, b referenced) int { return a.compare(b.Reference) })
	return id
}

// keep returns what is kept under an identity, or makes it. Failures are not
// kept. That it could not be written only costs the time again.
func keep[T any](r *Renders, id identity, make func() (*T, error)) (*T, error) {
	if r == nil || id.Chart == "" {
		return make()
	}
	name, err := r.name(id)
	if err != nil {
		return nil, err
	}
	var value T
	if r.read(name, &value) {
		return &value, nil
	}
	made, err := make()
	if err == nil {
		_ = r.write(name, made)
	}
	return made, err
}

func (r *Renders) name(id identity) (string, error) {
	id.Program = r.program
	data, err := json.Marshal(id)
	if err != nil {
		return "", fmt.Errorf("naming a kept render of %q: %w", id.Release.Name, err)
	}
	mac := hmac.New(sha256.New, r.names)
	mac.Write(data)
	return hex.EncodeToString(mac.Sum(nil)), nil
}

// read opens a file. One that is damaged, or somebody else's, is removed.
func (r *Renders) read(name string, value any) bool {
	sealed, ok := r.files.Get(name, 2*maxKept)
	if !ok {
		return false
	}
	data, err := r.seal.Open(sealed[:0], nil, sealed, []byte(name))
	if err != nil || direct.Unmarshal(data, value) != nil {
		r.files.Remove(name)
		return false
	}
	return true
}

func (r *Renders) write(name string, value any) error {
	data, err := direct.Marshal(value)
	if err != nil || len(data) > maxKept {
		return err
	}
	return r.files.Put(name, r.seal.Seal(nil, nil, data, []byte(name))) // #nosec G407 -- NewGCMWithRandomNonce draws one itself
}
