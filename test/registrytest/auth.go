package registrytest

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
)

// Auth is what a Server requires: basic authentication or, with Bearer, a token that its /token gives for the same user and
// password, as Harbor does.
type Auth struct {
	Username, Password string
	Bearer             bool
}

const tokenPath = "/token"

// admit answers the request itself unless it may pass.
func (a *Auth) admit(w http.ResponseWriter, r *http.Request) bool {
	switch {
	case a.Bearer && r.URL.Path == tokenPath:
		a.serveToken(w, r)
		return false
	case a.Bearer && !strings.HasPrefix(r.URL.Path, chartsPath):
		return a.token(r) || a.challenge(w, fmt.Sprintf(`Bearer realm="http://%s%s",service="registrytest"`, r.Host, tokenPath))
	}
	return a.basic(r) || a.challenge(w, `Basic realm="registrytest"`)
}

func (a *Auth) challenge(w http.ResponseWriter, challenge string) bool {
	w.Header().Set("WWW-Authenticate", challenge)
	writeError(w, http.StatusUnauthorized, "UNAUTHORIZED", "authentication required")
	return false
}

func (a *Auth) basic(r *http.Request) bool {
	user, password, _ := r.BasicAuth()
	return equal(user, a.Username) && equal(password, a.Password)
}

func (a *Auth) token(r *http.Request) bool {
	return equal(r.Header.Get("Authorization"), "Bearer "+a.value())
}

// value is the one token there is, made from the password.
func (a *Auth) value() string {
	mac := hmac.New(sha256.New, []byte(a.Password))
	mac.Write([]byte(a.Username))
	return hex.EncodeToString(mac.Sum(nil))
}

func (a *Auth) serveToken(w http.ResponseWriter, r *http.Request) {
	if !a.basic(r) {
		a.challenge(w, `Basic realm="registrytest"`)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(map[string]string{"token": a.value()})
}

func equal(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }

// writeError answers in the form of the OCI distribution specification.
func writeError(w http.ResponseWriter, status int, code, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(map[string]any{"errors": []map[string]string{{"code": code, "message": message}}})
}
