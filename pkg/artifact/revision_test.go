package artifact

import (
	"errors"
	"strings"
	"testing"
)

func TestParseRevision(t *testing.T) {
	t.Parallel()
	full := strings.Repeat("0123456789", 4)
	for typed, want := range map[string]Revision{
		"latest":   {KindLatest, "latest"},
		"abc123":   {KindCommit, "abc123"},
		"ABC123":   {KindCommit, "abc123"},
		"1234":     {KindCommit, "1234"},
		"09895639": {KindCommit, "09895639"}, // all digits, leading zero
		"12345678": {KindCommit, "12345678"},
		"12e4567":  {KindCommit, "12e4567"}, // a float to YAML
		"40551e32": {KindCommit, "40551e32"},
		full:       {KindCommit, full},

		"1.2.3":                            {KindVersion, "1.2.3"},
		"v1.20.3":                          {KindVersion, "v1.20.3"},
		"1.2.3+meta":                       {KindVersion, "1.2.3+meta"},
		"1.2.3_meta":                       {KindVersion, "1.2.3+meta"},
		"0.0.213-20230705073411-09895639":  {KindVersion, "0.0.213-20230705073411-09895639"},
		"0.0.82-dev-mr-34":                 {KindVersion, "0.0.82-dev-mr-34"},
		"0.0.82-dev.mr34":                  {KindVersion, "0.0.82-dev.mr34"},
		"0.0.0-123456789012345678901234":   {KindVersion, "0.0.0-123456789012345678901234"},
		"0.0.0-20230705073411-12e4567+a.b": {KindVersion, "0.0.0-20230705073411-12e4567+a.b"},

		"image-0.0.213-20230705073411-09895639":                                             {KindTag, "image-0.0.213-20230705073411-09895639"},
		"tools-harbor.wmcloud.org/toolforge/jobs-api:image-0.0.213-20230705073411-09895639": {KindTag, "image-0.0.213-20230705073411-09895639"},
		"1.2":                    {KindTag, "1.2"},
		"Latest":                 {KindTag, "Latest"},
		"1.2.3.09895639":         {KindTag, "1.2.3.09895639"}, // no version: three numbers only
		"0.0.0-0123456":          {KindTag, "0.0.0-0123456"},  // a numeric field must not begin with 0
		"host:5000/p/image:tag1": {KindTag, "tag1"},
	} {
		got, err := ParseRevision(typed)
		if err != nil || got != want {
			t.Errorf("%q: got %+v, %v, want %+v", typed, got, err, want)
		}
	}
}

func TestParseRevisionRefuses(t *testing.T) {
	t.Parallel()
	for _, typed := range []string{
		"", "abc", "1", "12e", strings.Repeat("a", 41), strings.Repeat("0", 64), "a b", "x\n", "-x", "../x", "x@sha256:00", "ö",
		"1.2.3/4", "\x1b[31mred", strings.Repeat("x", 129),
	} {
		got, err := ParseRevision(typed)
		if !errors.Is(err, ErrRevision) || strings.ContainsAny(err.Error(), "\x1b\n") {
			t.Errorf("%q: got %+v, %v", typed, got, err)
		}
	}
}

func TestTagsAndVersions(t *testing.T) {
	t.Parallel()
	for tag, want := range map[string]string{
		"0.0.213-20230705073411-09895639":       "0.0.213-20230705073411-09895639",
		"0.0.82-dev-mr-34":                      "0.0.82-dev-mr-34",
		"1.2.3_meta":                            "1.2.3+meta",
		"1.2.3-rc.1_a.b-c":                      "1.2.3-rc.1+a.b-c",
		"image-0.0.213-20230705073411-09895639": "",
		"v1.2.3":                                "",
		"1.2":                                   "",
		"01.2.3":                                "",
		"1.2.3.4":                               "",
		"0.0.0-0123456":                         "",
		"1.2.3_":                                "",
		"1.2.3_a_b":                             "",
		"1.2.3+meta":                            "",
		"latest":                                "",
		"sha256-" + strings.Repeat("0", 64):     "",
	} {
		got, ok := TagVersion(tag)
		if ok != (want != "") || ok && got != want {
			t.Errorf("TagVersion(%q) = %q, %v, want %q", tag, got, ok, want)
		}
		if !ok {
			continue
		}
		if back, err := VersionTag(got); err != nil || back != tag {
			t.Errorf("VersionTag(%q) = %q, %v", got, back, err)
		}
	}
	for _, version := range []string{"v1.2.3", "1.2", "latest", "", "1.2.3-" + strings.Repeat("a", 123)} {
		if tag, err := VersionTag(version); !errors.Is(err, ErrRevision) {
			t.Errorf("VersionTag(%q) = %q, %v", version, tag, err)
		}
	}
}

func FuzzRevision(f *testing.F) {
	for _, seed := range []string{"latest", "09895639", "12e4567", "1.2.3", "v1.2.3", "1.2.3_meta", "image-0.0.1-20230705073411-09895639", "h/p:t", "", "0.0.0-0123456"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, typed string) {
		revision, err := ParseRevision(typed)
		if err != nil {
			if !errors.Is(err, ErrRevision) {
				t.Fatalf("%q: %v", typed, err)
			}
			return
		}
		again, err := ParseRevision(revision.Text)
		if revision.Kind != KindTag && (err != nil || again != revision) {
			t.Fatalf("%q is %+v, whose text is %+v, %v", typed, revision, again, err)
		}
		if revision.Kind == KindCommit != commitDigits.MatchString(typed) {
			t.Fatalf("%q is %+v", typed, revision)
		}
		if revision.Kind == KindVersion && !IsVersion(strings.TrimPrefix(revision.Text, "v")) {
			t.Fatalf("%q is %+v", typed, revision)
		}
	})
}

func FuzzTag(f *testing.F) {
	pattern, err := CompilePattern(`-(?P<commit>[0-9a-f]*)$`)
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range []string{"0.0.213-20230705073411-09895639", "1.2.3_meta", "image-0.0.1", "v1.2.3", "1.2.3-", "0.0.1-12e4567"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, tag string) {
		if build, ok := pattern.Build(tag); ok && !commitDigits.MatchString(build.Commit) {
			t.Fatalf("%q has commit %q", tag, build.Commit)
		}
		VersionTime(tag)
		embeddedVersion(tag)
		version, ok := TagVersion(tag)
		if !ok {
			return
		}
		if back, err := VersionTag(version); err != nil || back != tag {
			t.Fatalf("%q is version %q, which is tag %q, %v", tag, version, back, err)
		}
		if strings.HasPrefix(version, "v") || strings.Contains(version, "_") {
			t.Fatalf("%q is version %q", tag, version)
		}
	})
}

func FuzzIndex(f *testing.F) {
	f.Add([]byte("apiVersion: v1\nentries:\n  x:\n  - {version: v1.2.3, digest: abc, urls: [a.tgz], created: 2024-01-02T03:04:05Z}\n"))
	f.Add([]byte(`{"entries":{"x":[{"version":"1.2.3"},null]}}`))
	f.Add([]byte("entries: [1]"))
	f.Add([]byte("a: &a [*a]"))
	f.Fuzz(func(t *testing.T, data []byte) {
		versions, known, err := parseIndex(data, "x")
		if err == nil && !known && len(versions) > 0 {
			t.Fatalf("%d versions of an unknown chart", len(versions))
		}
		for _, v := range versions {
			if !IsVersion(strings.TrimPrefix(v.Version, "v")) {
				t.Fatalf("version %q", v.Version)
			}
		}
	})
}

func FuzzChartYAML(f *testing.F) {
	f.Add([]byte("\x1f\x8b\x08\x00"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if meta, err := ReadChartYAML(data); err == nil && (meta.Name == "" || meta.Version == "") {
			t.Fatalf("%+v", meta)
		}
	})
}
