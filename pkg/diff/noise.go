package diff

import (
	"encoding/base64"
	"slices"
	"strings"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/render"
)

// A noiseRule recognises changes that follow from others.
type noiseRule struct {
	noise   Noise
	matches func(c change) bool
}

var noiseRules = []noiseRule{
	{NoiseChecksum, func(c change) bool { return under(c, "annotations") && strings.HasPrefix(last(c), "checksum/") }},
	{NoiseChartLabel, func(c change) bool {
		return under(c, "labels") && slices.Contains([]string{"helm.sh/chart", "app.kubernetes.io/version", "chart"}, last(c))
	}},
	{NoiseProvenance, func(c change) bool { return under(c, "annotations") && last(c) == render.AnnotationCommit }},
	{NoiseCertificate, isCertificate},
	{NoiseEncryption, func(c change) bool {
		return len(c.at) == 2 && c.at[0] == "sops" && (last(c) == "mac" || last(c) == "lastmodified")
	}},
}

// noiseOf says why a change need not be read; empty where it should be.
func noiseOf(c change) Noise {
	for _, rule := range noiseRules {
		if rule.matches(c) {
			return rule.noise
		}
	}
	return ""
}

// under reports whether the change is of one entry of a mapping with that key in some metadata.
func under(c change, mapping string) bool {
	n := len(c.at)
	return n >= 3 && c.at[n-2] == mapping && c.at[n-3] == "metadata"
}

func last(c change) string {
	if len(c.at) == 0 {
		return ""
	}
	return c.at[len(c.at)-1]
}

// isCertificate recognises one certificate in another's place. One that comes or goes is worth reading.
func isCertificate(c change) bool {
	return c.Op == OpChanged && holdsCertificate(c.Old) && holdsCertificate(c.New)
}

func holdsCertificate(v any) bool {
	text := asText(v)
	if decoded, err := base64.StdEncoding.DecodeString(text); err == nil {
		text = string(decoded)
	}
	return strings.HasPrefix(strings.TrimSpace(text), "-----BEGIN CERTIFICATE-----")
}
