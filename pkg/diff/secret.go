package diff

import (
	"crypto/hmac"
	"crypto/sha256"
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
	if textAt(object, "kind") == "Secret" && textAt(object, "apiVersion") == "v1" {
		for _, field := range []string{"data", "stringData"} {
			content := mapAt(object, field)
			for key := range content {
				asMap(masked[field])[key] = m.fingerprint(fmt.Sprint(content[key]))
			}
		}
	}
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
		list := make([]any, len(v))
		for i := range v {
			list[i] = m.value(key, v[i])
		}
		return list
	case string:
		return m.text(key, v)
	default:
		return scalar(v)
	}
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
	return out
}

var (
	// secretKey matches what people call secrets. Names of Secrets (secretName, passwordSecretRef) are none.
	secretKey = regexp.MustCompile(`(?i)(passw(or)?d|passphrase|htpasswd|secret([_-]?access)?[_-]?key|private[_-]?key|api[_-]?key|client[_-]?secret|([_-]|^)(access|auth|bearer|api)?[_-]?token|(access|auth|bearer|api)token|credentials?)$`)
	// assignment finds the same in text: files in a ConfigMap, arguments of a command.
	assignment = regexp.MustCompile(`(?i)((?:passw(?:or)?d|passphrase|htpasswd|secret(?:[_-]?access)?[_-]?key|private[_-]?key|api[_-]?key|client[_-]?secret|(?:access|auth|bearer|api)[_-]?token|[_-]token)["']?[ \t]*[:=][ \t]*)("[^"\n]*"|'[^'\n]*'|[^\s"',;}]+)`)
	// userinfo finds credentials in URLs.
	userinfo = regexp.MustCompile(`([A-Za-z][A-Za-z0-9+.-]*://)([^\s/@:]*:[^\s/@]+)@`)
	// bearer finds credentials in headers.
	bearer = regexp.MustCompile(`(?i)((?:bearer|basic)[ ]+)([A-Za-z0-9+/_.=-]{12,})`)
	// privateKey finds the PEM armour of private keys.
	privateKey = regexp.MustCompile(`(?s)-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----.*?(-----END [A-Z0-9 ]*PRIVATE KEY-----|$)`)
)

// secretWords are in every text that one of the patterns above matches. Nearly all texts have none of them, and looking for
// words takes a twentieth of the time of the patterns.
var secretWords = []string{"passw", "passphrase", "secret", "key", "token", "credential", "://", "bearer", "basic"}

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
	case strings.HasPrefix(text, encrypted), mayNameSecret(key) && secretKey.MatchString(key) && !strings.ContainsAny(text, " \n"):
		return m.fingerprint(text)
	}
	if !strings.ContainsAny(text, ":= -") || !mayNameSecret(text) {
		return text // nothing below matches
	}
	text = privateKey.ReplaceAllStringFunc(text, m.fingerprint)
	text = m.second(userinfo, text, "@")
	text = m.second(bearer, text, "")
	return m.second(assignment, text, "")
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
