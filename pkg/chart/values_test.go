package chart

import (
	"errors"
	"strings"
	"testing"

	helmv2 "github.com/fluxcd/helm-controller/api/v2"
	"github.com/fluxcd/pkg/apis/meta"
)

func TestValues(t *testing.T) {
	secret := func(key string) Reference { return Reference{"Secret", "creds", key} }
	from := func(refs ...meta.ValuesReference) func(*helmv2.HelmRelease) {
		return func(hr *helmv2.HelmRelease) { hr.Spec.ValuesFrom = refs }
	}
	ref := func(key, target string) meta.ValuesReference {
		return meta.ValuesReference{Kind: "Secret", Name: "creds", ValuesKey: key, TargetPath: target}
	}
	literal := ref("text", "a.text")
	literal.Literal = true
	optional := ref("gone", "a.gone")
	optional.Optional = true
	cases := []struct {
		name         string
		inline       string
		change       func(*helmv2.HelmRelease)
		references   map[Reference][]byte
		placeholders bool
		want         string
		err          string
		warning      string
	}{
		{name: "inline wins over a document", inline: "a: {x: inline}", change: from(ref("", "")), references: map[Reference][]byte{secret("values.yaml"): []byte("a: {x: doc, z: doc}\nl: [1]")}, want: `{"a":{"x":"inline","z":"doc"},"l":[1]}`},
		{name: "a target path is parsed as --set", change: from(ref("text", "a.text")), references: map[Reference][]byte{secret("text"): []byte("{1,two}")}, want: `{"a":{"text":[1,"two"]}}`},
		{name: "a literal is not", change: from(literal), references: map[Reference][]byte{secret("text"): []byte(`{1,two}=[\]`)}, want: `{"a":{"text":"{1,two}=[\\]"}}`},
		{name: "inline wins over a target path at the top", inline: "text: inline", change: from(ref("text", "text")), references: map[Reference][]byte{secret("text"): []byte("x")}, want: `{"text":"inline"}`},
		{name: "a target path below wins over inline", inline: "a: {text: inline}", change: from(literal), references: map[Reference][]byte{secret("text"): []byte("x")}, want: `{"a":{"text":"x"}}`},
		{name: "a ConfigMap", change: from(meta.ValuesReference{Kind: "ConfigMap", Name: "c"}), references: map[Reference][]byte{{"ConfigMap", "c", "values.yaml"}: []byte("c: 1")}, want: `{"c":1}`},
		{name: "a missing object", change: from(ref("text", "a.text")), err: "not found"},
		{name: "a missing key", change: from(ref("text", "a.text")), references: map[Reference][]byte{secret("other"): nil}, err: "key not found"},
		{name: "a missing optional one", change: from(optional), want: `{}`},
		{name: "a placeholder", change: from(ref("text", "a.text")), placeholders: true, want: `{"a":{"text":"placeholder-for-secret-creds-text"}}`},
		{name: "a placeholder for a document", change: from(ref("", "")), placeholders: true, want: `{}`, warning: `Secret "creds" with key "values.yaml" is not known`},
		{name: "no placeholder for an optional one", change: from(optional), placeholders: true, want: `{}`},
		{name: "another kind", change: from(meta.ValuesReference{Kind: "Pod", Name: "x"}), err: "unsupported values reference kind"},
		{name: "an integer beyond floating point", inline: "a: {big: 9007199254740993}\nm: 9007199254740992", want: `{"a":{"big":9007199254740992},"m":9007199254740992}`, warning: "value a.big: helm-controller reads 9007199254740993 as floating point"},
		{name: "a date", inline: "d: 2024-04-01", want: `{"d":"2024-04-01"}`},
		{name: "an upgrade that keeps values", change: func(hr *helmv2.HelmRelease) { hr.Spec.Upgrade = &helmv2.Upgrade{PreserveValues: true} }, want: `{}`, warning: "preserveValues"},
		{name: "values files of the chart", inline: "c: 3", change: func(hr *helmv2.HelmRelease) {
			hr.Spec.Chart = &helmv2.HelmChartTemplate{Spec: helmv2.HelmChartTemplateSpec{ValuesFiles: []string{"conf/one.yaml", "./conf/two.yaml"}}}
		}, want: `{"a":1,"b":2,"c":3}`},
		{name: "a missing values file", change: func(hr *helmv2.HelmRelease) {
			hr.Spec.Chart = &helmv2.HelmChartTemplate{Spec: helmv2.HelmChartTemplateSpec{ValuesFiles: []string{"conf/none.yaml"}}}
		}, err: `no values file "conf/none.yaml"`},
		{name: "a missing values file that may be", change: func(hr *helmv2.HelmRelease) {
			hr.Spec.Chart = &helmv2.HelmChartTemplate{Spec: helmv2.HelmChartTemplateSpec{ValuesFiles: []string{"conf/one.yaml", "conf/none.yaml"}, IgnoreMissingValuesFiles: true}}
		}, want: `{"a":1,"b":1}`},
	}
	chart := files{"templates/a.yaml": configMap("v: {{ toJson .Values | quote }}"), "conf/one.yaml": "a: 1\nb: 1\n", "conf/two.yaml": "b: 2\n"}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			in := input(t, chart, c.inline)
			if c.change != nil {
				c.change(in.Release)
			}
			in.References, in.Placeholders = c.references, c.placeholders
			e, err := Expand(t.Context(), in)
			if c.err != "" {
				if err == nil || !strings.Contains(err.Error(), c.err) {
					t.Fatalf("err = %v, want it to say %q", err, c.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got := data(t, e, "demo")["v"]; got != c.want {
				t.Errorf("values are %s, want %s", got, c.want)
			}
			if got := strings.Join(e.Warnings, "\n"); c.warning == "" && got != "" || !strings.Contains(got, c.warning) {
				t.Errorf("warnings are %q, want %q", got, c.warning)
			}
		})
	}
}

func TestSchema(t *testing.T) {
	schema := func(body string) files {
		return files{
			"values.schema.json": body, "templates/a.yaml": configMap("a: b"),
			"charts/sub/Chart.yaml": "apiVersion: v2\nname: sub\nversion: 1.0.0\n", "charts/sub/values.schema.json": `{"properties":{"count":{"type":"integer"}}}`,
		}
	}
	cases := []struct {
		name, schema, values string
		change               func(*helmv2.HelmRelease)
		err                  error
		says, warning        string
	}{
		{name: "met", schema: `{"required":["a"]}`, values: "a: 1"},
		{name: "violated", schema: `{"required":["a"],"additionalProperties":false}`, err: ErrSchema, says: "missing property 'a'"},
		{name: "violated in a subchart", schema: `{}`, values: "sub: {count: x}", err: ErrSchema, says: `chart "sub"`},
		{name: "a table that is text", schema: `{}`, values: "sub: x", says: "type mismatch on sub"},
		{name: "not checked", schema: `{"required":["a"]}`, change: func(hr *helmv2.HelmRelease) { hr.Spec.Upgrade = &helmv2.Upgrade{DisableSchemaValidation: true} }},
		{name: "only install is not checked", schema: `{"required":["a"]}`, change: func(hr *helmv2.HelmRelease) { hr.Spec.Install = &helmv2.Install{DisableSchemaValidation: true} }, err: ErrSchema},
		{name: "not JSON", schema: `{`, err: ErrSchema, says: "not JSON"},
		{name: "a URL is not fetched", schema: `{"properties":{"x":{"$ref":"http://127.0.0.1:1/x.json"}},"required":["a"]}`, values: "a: 1\nx: anything", warning: "http://127.0.0.1:1/x.json"},
		{name: "a file is not read", schema: `{"properties":{"x":{"$ref":"file:///etc/passwd"}}}`, values: "x: anything", warning: "file:///etc/passwd"},
		{name: "the rest is checked", schema: `{"properties":{"x":{"$ref":"other.json"}},"required":["a"]}`, err: ErrSchema},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			in := input(t, schema(c.schema), c.values)
			if c.change != nil {
				c.change(in.Release)
			}
			for range 2 { // the second time the schema is compiled already
				e, err := Expand(t.Context(), in)
				switch {
				case c.err == nil && c.says == "" && err != nil:
					t.Fatal(err)
				case c.err != nil && !errors.Is(err, c.err):
					t.Fatalf("err = %v, want %v", err, c.err)
				case c.says != "" && (err == nil || !strings.Contains(err.Error(), c.says)):
					t.Fatalf("err = %v, want it to say %q", err, c.says)
				case c.warning != "" && !strings.Contains(strings.Join(e.Warnings, "\n"), c.warning):
					t.Errorf("warnings are %q, want %q", e.Warnings, c.warning)
				}
			}
		})
	}
}

func TestErrorsHideSecrets(t *testing.T) {
	secrets := map[Reference][]byte{{"Secret", "creds", "values.yaml"}: []byte("password: \"hunter2\\nsecond\"\nnested: {list: [tops3cret, 12345678]}\n"), {"ConfigMap", "open", "values.yaml"}: []byte("public: visible")}
	in := input(t, files{"templates/a.yaml": "{{ fail (printf \"%s %s %v %q %s\" .Values.password (index .Values.nested.list 0) (index .Values.nested.list 1) .Values.password .Values.public) }}"}, "")
	in.References = secrets
	in.Release.Spec.ValuesFrom = []meta.ValuesReference{{Kind: "Secret", Name: "creds"}, {Kind: "ConfigMap", Name: "open"}}
	_, err := Expand(t.Context(), in)
	if err == nil {
		t.Fatal("no error")
	}
	for _, secret := range []string{"hunter2", "tops3cret", "12345678", "1.2345678e+07"} {
		if strings.Contains(err.Error(), secret) {
			t.Errorf("the error shows %q: %v", secret, err)
		}
	}
	if !strings.Contains(err.Error(), "visible") {
		t.Errorf("the error hides what is no secret: %v", err)
	}
}
