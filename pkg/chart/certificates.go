package chart

import (
	"encoding/pem"
	"text/template"
)

// certificate has the fields that templates read of sprig's certificates.
type certificate struct {
	Cert string
	Key  string
}

// keyBlocks are the PEM types of the keys that genPrivateKey makes.
var keyBlocks = map[string]string{
	"":        "RSA PRIVATE KEY",
	"rsa":     "RSA PRIVATE KEY",
	"dsa":     "DSA PRIVATE KEY",
	"ecdsa":   "EC PRIVATE KEY",
	"ed25519": "PRIVATE KEY",
}

// placeholderSize is how much a placeholder holds: enough to tell two apart.
const placeholderSize = 48

// certificateFunctions return PEM blocks that look right from outside and hold
// nothing: nobody can take a rendered key for a real one, and no time is spent
// on making keys. A certificate changes with its names, validity and CA.
func (c *chance) certificateFunctions() template.FuncMap {
	return template.FuncMap{
		"genPrivateKey": func(kind string) string {
			block, ok := keyBlocks[kind]
			if !ok {
				return "Unknown type " + kind
			}
			return c.pem(block, "genPrivateKey", kind)
		},
		"genCA": func(cn string, days int) certificate {
			return c.certificate("", "genCA", cn, days)
		},
		"genCAWithKey": func(cn string, days int, key string) certificate {
			return c.certificate(key, "genCA", cn, days)
		},
		"genSelfSignedCert": func(cn string, ips, names []any, days int) certificate {
			return c.certificate("", "genSelfSignedCert", cn, ips, names, days)
		},
		"genSelfSignedCertWithKey": func(cn string, ips, names []any, days int, key string) certificate {
			return c.certificate(key, "genSelfSignedCert", cn, ips, names, days)
		},
		"genSignedCert": func(cn string, ips, names []any, days int, ca any) certificate {
			return c.certificate("", "genSignedCert", cn, ips, names, days, ca)
		},
		"genSignedCertWithKey": func(cn string, ips, names []any, days int, ca any, key string) certificate {
			return c.certificate(key, "genSignedCert", cn, ips, names, days, ca)
		},
	}
}

// certificate draws a certificate, and its key unless one is given.
func (c *chance) certificate(key, function string, args ...any) certificate {
	if key == "" {
		key = c.pem("RSA PRIVATE KEY", function+" key", args...)
	}
	return certificate{Cert: c.pem("CERTIFICATE", function, args...), Key: key}
}

func (c *chance) pem(block, function string, args ...any) string {
	return string(pem.EncodeToMemory(&pem.Block{
		Type:  block,
		Bytes: append([]byte("placeholder "), c.bytes(placeholderSize, function, args...)...),
	}))
}
