package chart

import (
	"encoding/base64"
	"encoding/pem"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// each renders one template with every function and gives the data of the
// result.
func each(t *testing.T, change func(*Input), lines ...string) map[string]any {
	t.Helper()
	in := input(t, files{"templates/a.yaml": configMap(lines...)}, "")
	if change != nil {
		change(&in)
	}
	return data(t, expand(t, in), "demo")
}

var chancy = []string{
	`alnum: {{ randAlphaNum 24 | quote }}`, `alnum2: {{ randAlphaNum 24 | quote }}`, `alpha: {{ randAlpha 24 | quote }}`,
	`numeric: {{ randNumeric 24 | quote }}`, `ascii: {{ randAscii 24 | b64enc | quote }}`, `bytes: {{ randBytes 24 | quote }}`,
	`int: {{ randInt 5 9 | quote }}`, `shuffle: {{ shuffle "abcdefghijklmnop" | quote }}`, `uuid: {{ uuidv4 | quote }}`,
	`bcrypt: {{ bcrypt "pw" | quote }}`, `htpasswd: {{ htpasswd "user" "pw" | quote }}`,
	`aes: {{ encryptAES "key" "text" | decryptAES "key" | quote }}`, `aesRaw: {{ encryptAES "key" "text" | quote }}`,
	`key: {{ genPrivateKey "ed25519" | quote }}`, `odd: {{ genPrivateKey "rot13" | quote }}`,
	`{{ $ca := genCA "ca" 365 }}ca: {{ $ca.Cert | quote }}`, `caKey: {{ $ca.Key | quote }}`,
	`{{ $cert := genSignedCert "host" (list "10.0.0.1") (list "a" "b") 365 $ca }}cert: {{ $cert.Cert | quote }}`,
	`self: {{ (genSelfSignedCert "host" nil nil 365).Cert | quote }}`,
	`withKey: {{ (genCAWithKey "ca" 365 $ca.Key).Key | quote }}`, `selfWithKey: {{ (genSelfSignedCertWithKey "h" nil nil 1 $ca.Key).Key | quote }}`,
	`signedWithKey: {{ (genSignedCertWithKey "h" nil nil 1 $ca $ca.Key).Key | quote }}`,
	`keys: {{ keys (dict "c" 3 "a" 1 "b" 2) | join "" }}`, `values: {{ values (dict "c" "3" "a" "1" "b" "2") | join "" | quote }}`,
}

func TestRandomFunctionsRepeat(t *testing.T) {
	first := each(t, nil, chancy...)
	for range 5 {
		if diff := cmp.Diff(first, each(t, nil, chancy...)); diff != "" {
			t.Fatalf("an expansion differs from the first:\n%s", diff)
		}
	}
	forms := map[string]string{
		"alnum": `^[0-9A-Za-z]{24}$`, "alpha": `^[A-Za-z]{24}$`, "numeric": `^[0-9]{24}$`, "bytes": `^[0-9A-Za-z+/]{32}$`, "int": `^[5-8]$`,
		"uuid": `^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`, "bcrypt": `^\$2a\$10\$[./0-9A-Za-z]{53}$`,
		"htpasswd": `^user:\$2a\$10\$`, "aes": `^text$`, "keys": "^abc$", "values": "^123$", "odd": "^Unknown type rot13$",
	}
	for name, form := range forms {
		if got := first[name].(string); !regexp.MustCompile(form).MatchString(got) {
			t.Errorf("%s is %q, want %s", name, got, form)
		}
	}
	if first["alnum"] == first["alnum2"] {
		t.Error("two calls give one password")
	}
	if first["withKey"] != first["caKey"] || first["selfWithKey"] != first["caKey"] || first["signedWithKey"] != first["caKey"] {
		t.Error("a given key is not kept")
	}
	for _, name := range []string{"ca", "caKey", "cert", "self", "key"} {
		block, _ := pem.Decode([]byte(first[name].(string)))
		if block == nil || !strings.HasPrefix(string(block.Bytes), "placeholder ") {
			t.Errorf("%s is no placeholder in PEM: %q", name, first[name])
		}
	}
	if ascii, _ := base64.StdEncoding.DecodeString(first["ascii"].(string)); len(ascii) != 24 {
		t.Errorf("ascii is %q", ascii)
	}
}

// What a template draws depends on the release and the key, and a new draw
// elsewhere changes nothing.
func TestRandomFunctionsDiffer(t *testing.T) {
	first := each(t, nil, chancy...)
	changes := map[string]func(*Input){
		"another release":   func(in *Input) { in.Release.Spec.ReleaseName = "other" },
		"another namespace": func(in *Input) { in.Release.Spec.TargetNamespace = "other" },
		"another key":       func(in *Input) { in.Key = []byte("k") },
	}
	for name, change := range changes {
		other := each(t, change, chancy...)
		for _, value := range []string{"alnum", "uuid", "cert", "bcrypt"} {
			if other[value] == first[value] {
				t.Errorf("%s: %s is the same", name, value)
			}
		}
	}
	more := each(t, nil, append([]string{`new: {{ randAlphaNum 10 }}`, `newer: {{ uuidv4 | quote }}`, `p: {{ bcrypt "other" | quote }}`}, chancy...)...)
	for _, value := range []string{"alnum", "alnum2", "cert", "bcrypt"} {
		if more[value] != first[value] {
			t.Errorf("a new draw changed %s", value)
		}
	}
	if more["p"] == more["bcrypt"] {
		t.Error("two passwords have one hash")
	}
}

func TestTimeStandsStill(t *testing.T) {
	t.Setenv("TZ", "Asia/Tokyo")
	got := each(t, nil,
		`now: {{ now | date "2006-01-02T15:04:05Z07:00" | quote }}`, `unix: {{ now | unixEpoch | quote }}`,
		`date: {{ date "15:04" 3600 | quote }}`, `dateOfText: {{ date "2006" "x" | quote }}`, `html: {{ htmlDate now | quote }}`,
		`zone: {{ dateInZone "15:04" now "Europe/Berlin" | quote }}`, `local: {{ date_in_zone "15:04" now "Local" | quote }}`, `noZone: {{ htmlDateInZone now "No/Where" | quote }}`,
		`parsed: {{ toDate "2006-01-02" "2024-05-06" | unixEpoch | quote }}`, `must: {{ mustToDate "2006-01-02" "2024-05-06" | date "Jan 2" | quote }}`,
		`ago: {{ ago (toDate "2006-01-02" "1999-12-31") | quote }}`, `round: {{ durationRound (toDate "2006-01-02" "1999-12-01") | quote }}`,
		`rounds: "{{ durationRound "2h10m5s" }} {{ durationRound "1s" }} {{ durationRound "800h" }} {{ durationRound "-90s" }}"`,
		`later: {{ now | dateModify "24h" | htmlDate | quote }}`)
	want := map[string]any{
		"now": "2000-01-01T00:00:00Z", "unix": "946684800", "date": "01:00", "dateOfText": "2000", "html": "2000-01-01",
		"zone": "01:00", "local": "00:00", "noZone": "2000-01-01", "parsed": "1714953600", "must": "May 6", "ago": "24h0m0s", "round": "1mo",
		"rounds": "2h 0s 1mo 1m", "later": "2000-01-02",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestFunctionErrors(t *testing.T) {
	got := each(t, nil, `colon: {{ htpasswd "a:b" "c" | quote }}`, `empty: {{ encryptAES "k" "" | quote }}`, `none: {{ randAlpha -1 | quote }}`)
	want := map[string]any{"colon": "invalid username: a:b", "empty": "", "none": ""}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	in := input(t, files{"templates/a.yaml": "{{ randInt 5 5 }}"}, "")
	if _, err := Expand(t.Context(), in); err == nil {
		t.Error("no error for an empty range")
	}
}
