package harness

import (
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	"k8s.io/client-go/util/cert"
)

// admin is the user with all rights.
const admin = "admin"

// contextName is the name of the one context in every kubeconfig.
const contextName = "e2e"

// controllerNames are Flux's controllers, each with a user of its own.
var controllerNames = []string{"source-controller", "kustomize-controller", "helm-controller"}

// access is how the API server is reached, and by whom.
type access struct {
	port             int
	certificate, key string // files
	tokenFile        string
	tokens           map[string]string // by user
}

// newAccess chooses a port and writes a certificate, its key and a token for each user.
func newAccess(ctx context.Context, r *Run, dir string) (access, error) {
	port, err := r.FreePort(ctx)
	if err != nil {
		return access{}, err
	}
	a := access{
		port:        port,
		certificate: filepath.Join(dir, "apiserver.crt"),
		key:         filepath.Join(dir, "apiserver.key"),
		tokenFile:   filepath.Join(dir, "tokens.csv"),
		tokens:      map[string]string{},
	}
	certificate, key, err := cert.GenerateSelfSignedCertKey("127.0.0.1", nil, nil)
	if err != nil {
		return access{}, fmt.Errorf("making a certificate: %w", err)
	}
	files := map[string][]byte{a.certificate: certificate, a.key: key, a.tokenFile: a.newTokens()}
	for name, content := range files {
		if err := os.WriteFile(name, content, 0o600); err != nil {
			return access{}, err
		}
	}
	return a, nil
}

// newTokens gives each user a token, and returns the API server's file of them.
func (a access) newTokens() []byte {
	var lines strings.Builder
	add := func(name, user, groups string) {
		a.tokens[name] = rand.Text()
		fmt.Fprintf(&lines, "%s,%s,%s,%q\n", a.tokens[name], user, name, groups)
	}
	add(admin, admin, "system:masters")
	for _, name := range controllerNames {
		add(name, "system:serviceaccount:"+FluxNamespace+":"+name, "system:serviceaccounts,system:serviceaccounts:"+FluxNamespace)
	}
	return []byte(lines.String())
}

// kubeconfig writes the file with which a user reaches the API server.
func (a access) kubeconfig(dir, user string) (string, error) {
	file := filepath.Join(dir, user+".kubeconfig")
	content := clientcmdapi.NewConfig()
	content.Clusters["e2e"] = &clientcmdapi.Cluster{Server: "https://" + loopback(a.port), CertificateAuthority: a.certificate}
	content.AuthInfos[user] = &clientcmdapi.AuthInfo{Token: a.tokens[user]}
	content.Contexts[contextName] = &clientcmdapi.Context{Cluster: "e2e", AuthInfo: user}
	content.CurrentContext = contextName
	return file, clientcmd.WriteToFile(*content, file)
}

// config is kubeconfig in memory, without the client's own limit of requests a second.
func (a access) config(user string) (*rest.Config, error) {
	authority, err := os.ReadFile(a.certificate)
	if err != nil {
		return nil, err
	}
	return &rest.Config{
		Host:            "https://" + loopback(a.port),
		BearerToken:     a.tokens[user],
		TLSClientConfig: rest.TLSClientConfig{CAData: authority},
		QPS:             -1,
	}, nil
}
