package chart

import (
	"maps"
	"text/template"
)

// functions replaces the template functions whose result depends on chance, on
// the clock or on the machine, so that one release always expands to the same.
//
//	now, date, ago, toDate …   a fixed time, in UTC                    clock.go
//	randAlphaNum, uuidv4 …     drawn from a seed: the release, the
//	                           function, its arguments and how many
//	                           times it was called so before           random.go
//	htpasswd, bcrypt           the same, in the form of a bcrypt hash  random.go
//	encryptAES                 real, with such a vector; decryptable   random.go
//	genCA, genPrivateKey …     placeholders in PEM armour              certificates.go
//	keys, values               sorted                                  random.go
//	toYaml                     Helm's result, sooner                   toyaml.go
//
// Not replaced: derivePassword and buildCustomCert, which only depend on their
// arguments. env and expandenv do not exist in Helm; lookup and getHostByName
// return nothing without a cluster and without DNS.
func functions(seed []byte) template.FuncMap {
	chance := &chance{seed: seed, calls: map[string]int{}}
	funcs := template.FuncMap{}
	maps.Copy(funcs, clockFunctions())
	maps.Copy(funcs, chance.functions())
	maps.Copy(funcs, chance.certificateFunctions())
	funcs["toYaml"] = toYAML
	return funcs
}
