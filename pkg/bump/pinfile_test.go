package bump

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/api/v1alpha1"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/control"
)

const pinPath = "clusters/beta/pins/app.yaml"

func fullPin() *v1alpha1.PinSpec {
	return &v1alpha1.PinSpec{
		Commit: "09895639",
		Releases: map[string]v1alpha1.PinnedRelease{
			"web": {Version: "v1.20.3"},
			"app": {Version: "0.0.213-20230705073411-09895639", Digest: sha256Of("x"), Values: &apiextensionsv1.JSON{Raw: []byte(`{"z":1,"a":{"on":"no","list":[],"map":{}}}`)}},
		},
		Images: []v1alpha1.PinnedImage{{Name: "b.example/x", Tag: "12e4567", Digest: sha256Of("b")}, {Name: "a.example/x", Digest: sha256Of("a")}},
		Hold:   &v1alpha1.Hold{Reason: "it: breaks # here", Task: "T1", Until: "2026-12-01", Refuse: []string{"12e4567", "0.0.1"}},
	}
}

const fullPinFile = `# yaml-language-server: $schema=../../../schemas/pin.schema.json
apiVersion: tfgitops.toolforge.org/v1alpha1
kind: Pin
metadata:
  name: app
spec:
  commit: "09895639"
  releases:
    app:
      version: "0.0.213-20230705073411-09895639"
      digest: "sha256:2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"
      values:
        "a":
          "list": []
          "map": {}
          "on": "no"
        "z": 1
    web:
      version: "v1.20.3"
  images:
    - name: "b.example/x"
      tag: "12e4567"
      digest: "sha256:3e23e8160039594a33894f6564e1b1348bbd7a0088d42c4acb73eeaed59c009d"
    - name: "a.example/x"
      digest: "sha256:ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb"
  hold:
    reason: "it: breaks # here"
    task: "T1"
    until: "2026-12-01"
    refuse:
      - "12e4567"
      - "0.0.1"
`

func encode(t testing.TB, pin *v1alpha1.PinSpec, old string) string {
	t.Helper()
	content, err := EncodePin(pinPath, "app", pin, []byte(old))
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

func TestEncodePin(t *testing.T) {
	t.Parallel()
	if diff := cmp.Diff(fullPinFile, encode(t, fullPin(), "")); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if diff := cmp.Diff(fullPinFile, encode(t, fullPin(), fullPinFile)); diff != "" {
		t.Errorf("a second time:\n%s", diff)
	}
	want := "# yaml-language-server: $schema=../../../schemas/pin.schema.json\napiVersion: tfgitops.toolforge.org/v1alpha1\nkind: Pin\nmetadata:\n  name: app\nspec: {}\n"
	if diff := cmp.Diff(want, encode(t, &v1alpha1.PinSpec{}, "")); diff != "" {
		t.Errorf("empty:\n%s", diff)
	}
}

// However the file was written, it comes out in the one form.
func TestEncodePinIsCanonical(t *testing.T) {
	t.Parallel()
	written := "{kind: Pin, spec: {hold: {refuse: ['12e4567', \"0.0.1\"], until: \"2026-12-01\", reason: 'it: breaks # here', task: T1}," +
		" commit: '09895639', images: []}, metadata: {name: app}, apiVersion: tfgitops.toolforge.org/v1alpha1}"
	without := strings.TrimPrefix(fullPinFile, "# yaml-language-server: $schema=../../../schemas/pin.schema.json\n")
	if diff := cmp.Diff(without, encode(t, fullPin(), written)); diff != "" {
		t.Error(diff)
	}
}

// Comments stay with what they are on; those on what is gone are gone.
func TestEncodePinKeepsComments(t *testing.T) {
	t.Parallel()
	commented := strings.NewReplacer(
		"# yaml-language", "# of the file\n\n# yaml-language",
		"spec:\n", "# before spec\nspec: # at spec\n",
		"  commit: \"09895639\"\n", "  # before commit\n  commit: \"09895639\" # at commit\n",
		"      version: \"v1.20.3\"\n", "      version: \"v1.20.3\" # at web\n",
		"    - name: \"a.example/x\"\n", "    # before the second image\n    - name: \"a.example/x\" # at the second image\n",
		"      - \"0.0.1\"\n", "      - \"0.0.1\" # at the refused\n# at the end\n",
	).Replace(fullPinFile)
	if diff := cmp.Diff(commented, encode(t, fullPin(), commented)); diff != "" {
		t.Errorf("nothing changes, but the file does (-want +got)\n%s", diff)
	}
	next := fullPin()
	next.Commit = "12e45671"
	next.Images = next.Images[1:]
	delete(next.Releases, "web")
	got := encode(t, next, commented)
	for _, comment := range []string{"# of the file", "# yaml-language-server", "# before spec", "# at spec", "# before commit", "\"12e45671\" # at commit", "# before the second image", "# at the second image", "# at the refused", "# at the end"} {
		if !strings.Contains(got, comment) {
			t.Errorf("%q is lost:\n%s", comment, got)
		}
	}
	if strings.Contains(got, "# at web") {
		t.Errorf("the comment of a release that is gone is still there:\n%s", got)
	}
	if again := encode(t, next, got); again != got {
		t.Errorf("a second time it is another file:\n%s", cmp.Diff(got, again))
	}
}

// nasty are texts that some YAML parser reads as something else.
var nasty = []string{
	"09895639", "0123456", "12e4567", "40551e32", "1e3", "0x10", "0o7", "0b1", "1_000", "1:30", "190:20:30", "12345678", "+1", "-0", ".5", "1.", ".inf", "-.Inf", ".nan",
	"true", "no", "on", "Y", "null", "~", "", "2026-12-01", "=", "<<", "!tag", "&a", "*a", "- x", "? x", ": x", "x: y", "x #y", "# x", "[", "]", "{", "}", ",", "|", ">", "%", "@", "`",
	"'", `"`, `\`, "a\nb", "a\r\nb", "\t", " x ", "x\u00a0", "\u2028", "\u2029", "\u0085", "\ufeffx", "\u202ex", "é", "日本", "\U0001f600", "\x7f", "\x00", "\x1b[31m", "---", "...", "v1.20.3", "1.2.3+meta",
	strings.Repeat("x", 300), strings.Repeat("long words ", 50),
}

func TestEncodePinOfNastyTexts(t *testing.T) {
	t.Parallel()
	for _, text := range nasty {
		checkEncoding(t, text)
	}
}

// checkEncoding writes a text wherever a pin takes one and holds the file to be read as it was meant, quoted.
func checkEncoding(t *testing.T, text string) {
	t.Helper()
	values, err := json.Marshal(map[string]any{text: text, "list": []any{text, map[string]any{"k": text}}})
	if err != nil {
		t.Fatal(err)
	}
	pin := &v1alpha1.PinSpec{
		Releases: map[string]v1alpha1.PinnedRelease{"app": {Version: "v" + text, Values: &apiextensionsv1.JSON{Raw: values}}},
		Images:   []v1alpha1.PinnedImage{{Name: "n" + text, Tag: text, Digest: sha256Of("x")}},
		Hold:     &v1alpha1.Hold{Reason: "r" + text, Task: text, Refuse: []string{text}},
	}
	content, err := EncodePin(pinPath, "app", pin, nil)
	if err != nil {
		t.Errorf("%q: %v", text, err)
		return
	}
	read, findings := control.DecodePin(pinPath, content)
	if err := findings.Err(); err != nil || !samePin(&read.Spec, pin) {
		t.Errorf("%q: %v\n%s", text, err, content)
	}
	again, err := EncodePin(pinPath, "app", &read.Spec, content)
	if err != nil || !bytes.Equal(again, content) {
		t.Errorf("%q: a second time: %v\n%s", text, err, cmp.Diff(string(content), string(again)))
	}
	var document yaml.Node
	if err := yaml.Unmarshal(content, &document); err != nil {
		t.Fatal(err)
	}
	for _, node := range stringsBelow(t, &document, "spec") {
		if node.Style != yaml.DoubleQuotedStyle {
			t.Errorf("%q: %q on line %d is not quoted", text, node.Value, node.Line)
		}
	}
}

// stringsBelow returns the string values below a key of the document.
func stringsBelow(t *testing.T, document *yaml.Node, name string) []*yaml.Node {
	t.Helper()
	root := document.Content[0]
	for i := 0; i+1 < len(root.Content); i += 2 {
		if root.Content[i].Value == name {
			return stringValues(root.Content[i+1])
		}
	}
	t.Fatalf("there is no %q", name)
	return nil
}

func stringValues(n *yaml.Node) []*yaml.Node {
	switch n.Kind {
	case yaml.ScalarNode:
		if n.ShortTag() == "!!str" {
			return []*yaml.Node{n}
		}
	case yaml.MappingNode:
		var found []*yaml.Node
		for i := 1; i < len(n.Content); i += 2 {
			found = append(found, stringValues(n.Content[i])...)
		}
		return found
	case yaml.SequenceNode:
		var found []*yaml.Node
		for _, item := range n.Content {
			found = append(found, stringValues(item)...)
		}
		return found
	}
	return nil
}

// Numbers in values keep their digits, as far as the parser of values files does.
func TestEncodePinNumbers(t *testing.T) {
	t.Parallel()
	for _, number := range []string{"0", "-1", "1.5", "9007199254740993", "18446744073709551615", "123456789012345678901234567890", "1e3", "-0", "0.10", "1e-7", "-0.0", "1e21", "1e300", "0x10", "0o17", "1_000", "0.1e-300"} {
		values, err := control.ParseValues([]byte("num: " + number))
		if err != nil {
			t.Fatal(err)
		}
		pin := &v1alpha1.PinSpec{Releases: map[string]v1alpha1.PinnedRelease{"app": {Version: "1.0.0", Values: rawValues(values)}}}
		content, err := EncodePin(pinPath, "app", pin, nil)
		if err != nil {
			t.Errorf("%s: %v", number, err)
			continue
		}
		if strings.HasPrefix(number, "9") && !strings.Contains(string(content), `"num": `+number+"\n") {
			t.Errorf("%s:\n%s", number, content)
		}
	}
}

// What cannot be read as it was meant is not written.
func TestEncodePinRefuses(t *testing.T) {
	t.Parallel()
	for _, raw := range []string{`{"n":1E400}`, `{"n":123456789012345678901234567890}`} {
		pin := &v1alpha1.PinSpec{Releases: map[string]v1alpha1.PinnedRelease{"app": {Version: "1.0.0", Values: &apiextensionsv1.JSON{Raw: []byte(raw)}}}}
		if content, err := EncodePin(pinPath, "app", pin, nil); err == nil {
			t.Errorf("%s is written as\n%s", raw, content)
		}
	}
}

func FuzzEncodePin(f *testing.F) {
	for _, text := range nasty {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if strings.ToValidUTF8(text, "") != text {
			t.Skip() // a file is UTF-8
		}
		checkEncoding(t, text)
	})
}

// Whatever the file was before, what is written is the pin, or there is an error and no file.
func FuzzEncodePinOverOldFile(f *testing.F) {
	f.Add([]byte(fullPinFile))
	f.Add([]byte("# a\n\n# b\nspec:\n  # c\n  commit: x # d\n  # e\n# f\n"))
	f.Add([]byte("spec: {releases: {app: {version: 1 # x\n}}}\n#y"))
	f.Add([]byte("a: &a [1]\nspec: *a\n"))
	f.Add([]byte("--- # x\nspec:\n- a # b\n...\n# c"))
	f.Fuzz(func(t *testing.T, old []byte) {
		content, err := EncodePin(pinPath, "app", fullPin(), old)
		if err != nil {
			t.Fatalf("%v", err)
		}
		read, findings := control.DecodePin(pinPath, content)
		if findings.Err() != nil || !samePin(&read.Spec, fullPin()) {
			t.Errorf("%s", content)
		}
		again, err := EncodePin(pinPath, "app", fullPin(), content)
		if err != nil || !bytes.Equal(again, content) {
			t.Errorf("a second time: %v\n%s", err, cmp.Diff(string(content), string(again)))
		}
	})
}
