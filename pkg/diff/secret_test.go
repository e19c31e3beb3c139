package diff

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"
)

// otherForms are how TestMask's secrets look encoded, as a number and elsewhere.
var otherForms = regexp.MustCompile(`dTpodW50ZXIy|48151623|AKIAIOS|hunter2Secret`)

func TestMask(t *testing.T) {
	t.Parallel()
	const hidden = "hunter2-Secret"
	tests := map[string]struct {
		object string
		shown  []string // what must stay
	}{
		"a Secret":           {"apiVersion: v1\nkind: Secret\nmetadata: {name: s}\ndata: {k: hunter2-Secret}\nstringData: {l: hunter2-Secret}\n", []string{`"k"`, `"name":"s"`}},
		"applied by kubectl": {`{"apiVersion": "v1", "kind": "Secret", "metadata": {"annotations": {"kubectl.kubernetes.io/last-applied-configuration": "{\"data\":{\"k\":\"hunter2-Secret\"}}"}}}`, nil},
		"a value":            {"kind: HelmRelease\nspec: {values: {db: {adminPassword: hunter2-Secret, passwordSecretRef: {name: db-password}}}}\n", []string{`"name":"db-password"`}},
		"an environment":     {"spec: {env: [{name: API_TOKEN, value: hunter2-Secret}, {name: MODE, value: fast}]}", []string{`"value":"fast"`}},
		"a file":             {"data: {conf: \"user = app\\npassword = hunter2-Secret\\nhost: x\\n\"}", []string{"user = app", "host: x"}},
		"quoted in a file":   {`data: {conf: '{"api_key": "hunter2-Secret", "b": 1}'}`, []string{`\"b\": 1`}},
		"an argument":        {"args: [--db-password=hunter2-Secret, --level=debug]", []string{"--level=debug"}},
		"a URL":              {"url: https://user:hunter2-Secret@example.org/x?y=z", []string{"@example.org/x?y=z"}},
		"a header":           {"header: 'Authorization: Bearer hunter2-Secret'", []string{"Authorization: Bearer "}},
		"a private key":      {"k: \"a\\n-----BEGIN EC PRIVATE KEY-----\\nhunter2-Secret\\n-----END EC PRIVATE KEY-----\\nb\"", []string{`"a\n`, `\nb"`}},
		"an unfinished key":  {"k: \"-----BEGIN PRIVATE KEY-----\\nhunter2-Secret\"", nil},
		"a number":           {"spec: {password: 48151623, ports: [80]}", []string{"[80]"}},
		"other names":        {"spec: {values: {dbPass: hunter2-Secret, pwd: hunter2-Secret, secret: hunter2-Secret}, env: [{name: APP_SECRET, value: hunter2-Secret}, {name: DB_PASS, value: hunter2-Secret}]}", nil},
		"an option":          {"args: [--level, debug, --password, hunter2-Secret, serve]", []string{`"--level","debug","--password"`, `"serve"`}},
		"of a list":          {"kind: List\nitems: [{apiVersion: v1, kind: Secret, data: {k: hunter2-Secret}}]\n", nil},
		"a broken Secret":    {"{apiVersion: v1, kind: Secret, data: hunter2-Secret, stringData: [hunter2-Secret]}", nil},
		"docker":             {"data: {c: '{\"auths\": {\"x\": {\"auth\": \"dTpodW50ZXIyLVNlY3JldA==\"}}}'}\nspec: {auth: dTpodW50ZXIyLVNlY3JldA==}", []string{"auths"}},
		"an odd password":    {"url: 'postgres://u:x@hunter2-Secret@h/db and redis://:hunter2-Secret@h'", []string{"@h/db and redis://"}},
		"a token in a URL":   {"url: https://hunter2-Secret-0123456789@github.com/x", []string{"@github.com/x"}},
		"issued tokens":      {"a: [glpat-hunter2-Secret-0123, 'AKIAIOSFODNN7EXAMPLE', 'https://hooks.slack.com/services/T0/B0/hunter2Secret', eyJhbGciOiJI.eyJzdWIiOiIx.hunter2-Secret]", nil},
		"SOPS":               {"kind: Thing\nspec: {x: 'ENC[AES256_GCM,data:hunter2-Secret]'}", nil},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			data, err := json.Marshal(masker{key: []byte("k")}.object(parse(t, test.object)))
			if err != nil {
				t.Fatal(err)
			}
			if strings.Contains(string(data), hidden) || otherForms.MatchString(string(data)) || !strings.Contains(string(data), "(secret ") {
				t.Errorf("the secret is shown: %s", data)
			}
			for _, want := range test.shown {
				if !strings.Contains(string(data), want) {
					t.Errorf("%s is hidden: %s", want, data)
				}
			}
		})
	}
}

// TestMaskLeaves lists what looks like a secret and is none.
func TestMaskLeaves(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"secretName: db", "tokenExpirationSeconds: 3600", "automountServiceAccountToken: false", "existingSecret: db",
		"a: 'password: {{ .Values.password }}'", "a: 'password=$PASSWORD'", "url: https://example.org:443/a@b",
		"passwordKey: pw", "bypass: always", "compass: north", "auth: basic", "auth: kubernetes", "author: Someone", "spec: {secret: {secretName: db}}",
		"a: '{\"url\": \"http://h:80\", \"mail\": \"x@y\"}'", "a: [--verbose, --password-file, /run/secret]", "tokens: 5", "a: 'http://h:80 x@y'", "a: placeholder-for-secret-db-password",
	} {
		data, err := json.Marshal(masker{}.object(parse(t, text)))
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(data), "(secret ") {
			t.Errorf("%s became %s", text, data)
		}
	}
}

// FuzzSecretWords holds that no pattern finds a secret in a text that has none of the words.
func FuzzSecretWords(f *testing.F) {
	for _, seed := range []string{
		"passwd", "htpasswd", "PASSPHRASE: x", "secret_access_key=x", "PrivateKey", "api-key: x", "ClientSecret", "to\u212aen", "pa\u017f\u017fword=x",
		"credentials", "ftp://a:b@c", "Basic aaaaaaaaaaaaaaaa", "bearer aaaaaaaaaaaaaaaa", "-----BEGIN EC PRIVATE KEY-----",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, pattern := range []*regexp.Regexp{secretKey, assignment, userinfo, bearer, issued, privateKey} {
			if pattern.MatchString(text) && !mayNameSecret(text) {
				t.Errorf("%q is matched by %s and has none of the words", text, pattern)
			}
		}
	})
}

// FuzzVisible holds that what is shown is one line of characters that show, and that harmless text stays as it is.
