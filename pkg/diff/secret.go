package diff

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// masker replaces secrets in objects by fingerprints. With one key, equal secrets have equal fingerprints, so that a changed
// secret shows; without the key nobody can try values.
type masker struct{ key []byte }

func (m masker) fingerprint(secret string) string {
	mac := hmac.New(sha256.New, m.key)
	mac.Write([]byte(secret))
	return "(secret " + hex.EncodeToString(mac.Sum(nil)[:6]) + ")"
}

// annotationApplied holds a copy of the whole object.
const annotationApplied = "kubectl.kubernetes.io/last-applied-configuration"

// object returns a copy without secrets, its numbers as json.Number.
func (m masker) object(object map[string]any) map[string]any {
	masked := asMap(m.value("", object))
	if applied := annotation(object, annotationApplied); applied != "" {
		mapAt(masked, "metadata", "annotations")[annotationApplied] = m.fingerprint(applied)
	}
	return masked
}

// value copies a JSON value; key is what it stands under.
func (m masker) value(key string, v any) any {
	switch v := v.(type) {
	case map[string]any:
		return m.mapping(v)
	case []any:
		return m.list(key, v)
	case string:
		return m.text(key, v)
	case nil, bool:
		return v
	default:
		if namesSecret(key) {
			return m.fingerprint(fmt.Sprint(v))
		}
		return scalar(v)
	}
}

// list copies a list. In [--password, X], as in a command's arguments, X is what the option before it says.
func (m masker) list(key string, v []any) []any {
	list := make([]any, len(v))
	under := key
	for i := range v {
		option, _ := v[i].(string)
		isOption := strings.HasPrefix(option, "-")
		if isOption {
			under = key
		}
		list[i], under = m.value(under, v[i]), key
		if isOption && !strings.Contains(option, "=") {
			under = option
		}
	}
	return list
}

// mapping copies a mapping. In {name: X, value: Y}, as in a container's environment, X says what Y is.
func (m masker) mapping(v map[string]any) map[string]any {
	out := make(map[string]any, len(v))
	for key, item := range v {
		under := key
		if name, named := v["name"].(string); named && key == "value" {
			under = name
		}
		out[key] = m.value(under, item)
	}
	if v["kind"] == "Secret" && v["apiVersion"] == "v1" {
		m.secretContent(out, v)
	}
	return out
}

// secretContent hides all that a Secret holds, whatever form it has.
func (m masker) secretContent(out, secret map[string]any) {
	for _, field := range []string{"data", "stringData"} {
		content := mapAt(secret, field)
		if content == nil && secret[field] != nil {
			out[field] = m.fingerprint(fmt.Sprint(secret[field]))
		}
		for key := range content {
			asMap(out[field])[key] = m.fingerprint(fmt.Sprint(content[key]))
		}
	}
}

var (
	// secretKey matches what people call secrets. Names of Secrets (secretName, existingSecret, passwordSecretRef) are none.
	secretKey = regexp.MustCompile(`(?i)(passw(or)?d|passphrase|htpasswd|secret([_-]?access)?[_-]?key|private[_-]?key|api[_-]?key|client[_-]?secret|([_-]|^)(secret|pass|pwd)|([_-]|^)(access|auth|bearer|api)?[_-]?token|(access|auth|bearer|api)token|credentials?|(?-i:[a-z]P(ass|wd)))$`)
	// assignment finds the same in text: files in a ConfigMap, arguments of a command. A docker configuration has auth.
	assignment = regexp.MustCompile(`(?i)((?:passw(?:or)?d|passphrase|htpasswd|secret(?:[_-]?access)?[_-]?key|private[_-]?key|api[_-]?key|client[_-]?secret|[_-](?:secret|pass|pwd)|(?:access|auth|bearer|api)[_-]?token|[_-]token|"auth)["']?[ \t]*[:=][ \t]*)("[^"\n]*"|'[^'\n]*'|[^\s"',;}]+)`)
	// userinfo finds credentials in URLs: a name with a password, or a token alone.
	userinfo = regexp.MustCompile(`([A-Za-z][A-Za-z0-9+.-]*://)([^\s/@:]*:[^\s/"',]+|[A-Za-z0-9_-]{16,})@`)
	// issued finds tokens that say themselves what they are: GitLab's, GitHub's, Slack's, Amazon's, Vault's, and JSON Web Tokens.
	issued = regexp.MustCompile(`()(glpat-[\w.-]{16,}|gh[pousr]_\w{30,}|github_pat_\w{30,}|xox[a-z]-[\w-]{10,}|hooks\.slack\.com/services/[\w/]+|AKIA[0-9A-Z]{16}|hvs\.[\w-]{20,}|eyJ[\w-]{8,}\.eyJ[\w-]{8,}\.[\w-]+)`)
	// bearer finds credentials in headers.
	bearer = regexp.MustCompile(`(?i)((?:bearer|basic)[ ]+)([A-Za-z0-9+/_.=-]{12,})`)
	// privateKey finds the PEM armour of private keys.
	privateKey = regexp.MustCompile(`(?s)-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----.*?(-----END [A-Z0-9 ]*PRIVATE KEY-----|$)`)
)

// secretWords are in every text that one of the patterns above matches. Nearly all texts have none of them, and looking for
// words takes a twentieth of the time of the patterns.
var secretWords = []string{
	"pass", "pwd", "secret", "key", "token", "credential", "auth", "://", "bearer", "basic",
	"glpat-", "ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_", "xox", "hooks.slack", "akia", "hvs.", "eyj",
}

// mayNameSecret reports whether a pattern may match. Beyond ASCII, patterns find letters that strings.ToLower does not.
func mayNameSecret(text string) bool {
	for i := range len(text) {
		if text[i] >= utf8.RuneSelf {
			return true
		}
	}
	text = strings.ToLower(text)
	return slices.ContainsFunc(secretWords, func(word string) bool { return strings.Contains(text, word) })
}

// encrypted is how SOPS writes an encrypted value: no secret, and of no use to a reader.
const encrypted = "ENC["

// text masks a string under a key. Templates in it stay, so that `{{ .Values.password }}` can be read.
func (m masker) text(key, text string) string {
	switch {
	case text == "" || strings.HasPrefix(text, placeholder):
		return text
	case strings.HasPrefix(text, encrypted), namesSecret(key) && !strings.ContainsAny(text, " \n"), isAuth(key, text):
		return m.fingerprint(text)
	}
	if !mayNameSecret(text) {
		return text // nothing below matches
	}
	text = privateKey.ReplaceAllStringFunc(text, m.fingerprint)
	text = m.second(userinfo, text, "@")
	text = m.second(bearer, text, "")
	text = m.second(issued, text, "")
	return m.second(assignment, text, "")
}

// namesSecret reports whether what stands under a key is a secret.
func namesSecret(key string) bool { return mayNameSecret(key) && secretKey.MatchString(key) }

// isAuth reports whether text is the name and password of a docker configuration.
func isAuth(key, text string) bool {
	if key != "auth" {
		return false
	}
	decoded, err := base64.StdEncoding.DecodeString(text)
	return err == nil && bytes.Contains(decoded, []byte(":"))
}

// placeholder is how what stands for a Secret's value begins: chart.Reference.Placeholder.
const placeholder = "placeholder-for-"

// second replaces the second group of each match, which ends in suffix.
func (m masker) second(pattern *regexp.Regexp, text, suffix string) string {
	return pattern.ReplaceAllStringFunc(text, func(match string) string {
		groups := pattern.FindStringSubmatch(match)
		secret := strings.Trim(groups[2], `"'`)
		if secret == "" || strings.HasPrefix(secret, placeholder) || strings.HasPrefix(secret, "(secret") || strings.HasPrefix(secret, "{{") || strings.HasPrefix(secret, "$") {
			return match
		}
		return groups[1] + m.fingerprint(secret) + suffix
	})
}

// scalar makes a number of either layer a json.Number.
func scalar(v any) any {
	switch v := v.(type) {
	case int64:
		return json.Number(strconv.FormatInt(v, 10))
	case int:
		return json.Number(strconv.Itoa(v))
	case float64:
		return json.Number(strconv.FormatFloat(v, 'g', -1, 64))
	default:
		return v
	}
}
