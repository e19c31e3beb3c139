// Package artifact owns everything tfgitops asks of registries: which versions of a chart are published, which of them a
// typed revision means, what a chart or an image is (digests, contents, platforms), and the cache of what was downloaded.
//
// Two kinds of chart repository are known: OCI registries (oci://host/path) and HTTP chart repositories (an index.yaml).
// Every answer is one of a few outcomes a caller can branch on with errors.Is. The one rule behind them: only a registry's
// own "there is no such thing" is [ErrMissing]; whatever kept it from answering is [ErrUnreachable] or [ErrUnauthorized],
// never "missing".
//
// The middle is pure: [ParseRevision], [CompilePattern] and [Select] work on lists of versions and know no network. The
// edge is [Client], which is handed its transport, credentials, clock and [Cache].
//
// It depends on go-containerregistry for the OCI protocol, Masterminds/semver for versions and yaml.v3 for index.yaml and
// Chart.yaml. It knows nothing of control repos and of rendering.
package artifact
