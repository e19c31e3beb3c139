package helmfile

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"reflect"
	"slices"
	"strings"
	"text/template"

	"github.com/Masterminds/sprig/v3"
	"sigs.k8s.io/yaml"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/control"
)

// maxItems bounds what functions that make any number of items make, in one template.
const maxItems = 100_000

// unsteady are functions whose result differs from run to run: what they make cannot be written down.
var unsteady = []string{
	"now", "ago", "date", "dateInZone", "date_in_zone", "dateModify", "date_modify", "mustDateModify", "must_date_modify", "htmlDate", "htmlDateInZone",
	"randAlpha", "randAlphaNum", "randAscii", "randNumeric", "randBytes", "randInt", "shuffle", "uuidv4",
	"bcrypt", "htpasswd", "encryptAES", "genPrivateKey", "genCA", "genCAWithKey", "genSelfSignedCert", "genSelfSignedCertWithKey",
	"genSignedCert", "genSignedCertWithKey", "buildCustomCert", "derivePassword",
}

// removed are functions that reach out of the folder, to the network or the environment.
var removed = []string{"getHostByName", "expandenv"}

// passes are the functions that a secret goes through without being changed, or only in ways that the value from a Secret
// does not need: space around it, YAML's quotes, its place in a collection.
var passes = []string{
	"quote", "squote", "trim", "trimSuffix", "indent", "nindent", "toYaml", "toJson", "toPrettyJson", "toRawJson", "mustToJson", "mustToRawJson",
	"default", "required", "coalesce", "list", "tuple", "dict", "set", "setValueAtPath", "merge", "mergeOverwrite", "mustMerge", "mustMergeOverwrite",
	"get", "sprigGet", "getOrNil", "hasKey", "pluck", "pick", "omit", "keys", "values", "first", "last", "rest", "initial", "append", "prepend", "concat",
	"deepCopy", "tpl", "include", "dig", "kindOf", "kindIs", "typeOf", "isFile", "isDir", "fail",
}

// functions returns what templates may call: sprig's and helmfile's, with everything in them that would reach outside
// replaced.
func (x *execution) functions() template.FuncMap {
	functions := sprig.TxtFuncMap()
	functions["sprigGet"] = functions["get"]
	maps.Copy(functions, template.FuncMap{
		"exec": x.exec,
		"envExec": func(_ map[string]any, command string, args []any, input ...string) (string, error) {
			return x.exec(command, args, input...)
		},
		"fetchSecretValue": x.reference,
		"expandSecretRefs": func(value any) any { return x.reader.vault.withReferences(value, x.at) },
		"readFile":         x.readFile,
		"readDir":          x.readDir,
		"readDirEntries":   x.readDirEntries,
		"isFile":           func(name string) (bool, error) { return x.is(name, x.reader.source.isFile) },
		"isDir":            func(name string) (bool, error) { return x.is(name, x.reader.source.isDir) },
		"env":              x.env,
		"requiredEnv":      x.requiredEnv,
		"toYaml":           toYAML,
		"fromYaml":         fromYAML,
		"setValueAtPath":   setValueAtPath,
		"get":              get,
		"getOrNil":         getOrNil,
		"required":         required,
		"tpl":              x.tpl,
		"repeat":           x.repeat,
		"until":            func(n int) ([]int, error) { return x.until(0, n, 1) },
		"untilStep":        x.until,
		"seq":              x.seq(functions["seq"]),
	})
	for _, name := range unsteady {
		functions[name] = func(...any) (string, error) {
			return "", fmt.Errorf("%s gives something else each time: write down what it is to be", name)
		}
	}
	for _, name := range removed {
		functions[name] = func(...any) (string, error) { return "", fmt.Errorf("%s is not carried out by an import", name) }
	}
	for name, function := range functions {
		if !slices.Contains(passes, name) {
			functions[name] = x.guarded(name, function)
		}
	}
	return functions
}

// guarded follows secrets through a function that changes its arguments: a text made from a placeholder is a placeholder
// of its own. Anything else cannot be followed, and is an error.
func (x *execution) guarded(name string, function any) any {
	call := reflect.ValueOf(function)
	return reflect.MakeFunc(call.Type(), func(args []reflect.Value) []reflect.Value {
		from := x.secretsIn(args)
		if len(from) == 0 {
			if call.Type().IsVariadic() {
				return call.CallSlice(args)
			}
			return call.Call(args)
		}
		if call.Type().Out(0).Kind() != reflect.String || len(from) != 1 {
			panic(fmt.Errorf("%s works on the output of a command (%s), which is not known here: write down what it is to be", name, x.reader.vault.sources[from[0]].Name))
		}
		source := x.reader.vault.sources[from[0]]
		source.Name = name + "-" + source.Name
		source.Origin = name + " of " + source.Origin
		source.Command, source.Args = "", nil
		results := []reflect.Value{reflect.ValueOf(x.issue(source)).Convert(call.Type().Out(0))}
		for i := 1; i < call.Type().NumOut(); i++ {
			results = append(results, reflect.Zero(call.Type().Out(i)))
		}
		return results
	}).Interface()
}

func (x *execution) secretsIn(args []reflect.Value) []string {
	if len(x.reader.vault.sources) == 0 {
		return nil
	}
	var found []string
	for _, arg := range args {
		found = append(found, x.secretsOf(arg, 0)...)
	}
	slices.Sort(found)
	return slices.Compact(found)
}

func (x *execution) secretsOf(v reflect.Value, depth int) []string {
	if !v.IsValid() || depth > maxDepth {
		return nil
	}
	var found []string
	switch v.Kind() {
	case reflect.String:
		return x.reader.vault.in(v.String())
	case reflect.Interface, reflect.Pointer:
		return x.secretsOf(v.Elem(), depth+1)
	case reflect.Slice, reflect.Array:
		for i := range v.Len() {
			found = append(found, x.secretsOf(v.Index(i), depth+1)...)
		}
	case reflect.Map:
		for entries := v.MapRange(); entries.Next(); {
			found = append(found, x.secretsOf(entries.Value(), depth+1)...)
		}
	}
	return found
}

// exec runs nothing. Like a real command's, the output ends in a newline.
func (x *execution) exec(command string, args []any, _ ...string) (string, error) {
	if x.draft {
		return "", nil
	}
	var texts []string
	for _, arg := range args {
		texts = append(texts, fmt.Sprint(arg))
	}
	return x.issue(ofCommand(x.dir, command, texts, x.at)) + "\n", nil
}

func (x *execution) reference(reference string) string {
	return x.issue(ofReference(reference, x.at))
}

// issue returns a placeholder and remembers that the template must lead to it somewhere.
func (x *execution) issue(source secretSource) string {
	p := x.reader.vault.placeholder(source)
	if !slices.Contains(x.issued, p) {
		x.issued = append(x.issued, p)
	}
	return p
}

func (x *execution) readFile(name string) (string, error) {
	if x.draft {
		return "", nil
	}
	file, err := x.reader.source.resolve(x.dir, name)
	if err != nil {
		return "", err
	}
	data, err := x.reader.source.file(file)
	return string(data), err
}

func (x *execution) readDirEntries(name string) ([]fs.DirEntry, error) {
	dir, err := x.reader.source.resolve(x.dir, name)
	if err != nil {
		return nil, err
	}
	return fs.ReadDir(x.reader.source.fsys, dir)
}

func (x *execution) readDir(name string) ([]string, error) {
	entries, err := x.readDirEntries(name)
	var names []string
	for _, entry := range entries {
		if !entry.IsDir() {
			names = append(names, name+"/"+entry.Name())
		}
	}
	return names, err
}

func (x *execution) is(name string, what func(string) bool) (bool, error) {
	resolved, err := x.reader.source.resolve(x.dir, name)
	return err == nil && what(resolved), err
}

// env reads only what the import was given: the variables of whoever runs it are not the same on two machines.
func (x *execution) env(name string) string {
	value, given := x.reader.options.Env[name]
	if !x.draft {
		x.reader.noteEnv(name, given, x.at)
	}
	return value
}

func (x *execution) requiredEnv(name string) (string, error) {
	if value := x.env(name); value != "" {
		return value, nil
	}
	return "", fmt.Errorf("the environment variable %q is required: give it with --env %s=VALUE", name, name)
}

func (x *execution) tpl(text string, data any) (string, error) {
	out, err := x.execute("tpl", text, data)
	return string(out), err
}

// spend counts items that functions make out of nothing.
func (x *execution) spend(n int) error {
	if x.items += max(n, 0); n > maxItems || x.items > maxItems {
		return fmt.Errorf("more than %d items", maxItems)
	}
	return nil
}

func (x *execution) repeat(n int, text string) (string, error) {
	if n < 0 || n > maxItems {
		return "", fmt.Errorf("%d is no number of repetitions", n)
	}
	if err := x.spend(n * max(len(text), 1)); err != nil {
		return "", err
	}
	return strings.Repeat(text, n), nil
}

func (x *execution) until(start, stop, step int) ([]int, error) {
	if step == 0 || (stop-start)/step < 0 {
		return nil, nil
	}
	if err := x.spend((stop - start) / step); err != nil {
		return nil, err
	}
	var items []int
	for i := start; step > 0 && i < stop || step < 0 && i > stop; i += step {
		items = append(items, i)
	}
	return items, nil
}

// seq bounds sprig's, which makes a text of numbers.
func (x *execution) seq(sprigs any) any {
	make, isFunction := sprigs.(func(...int) string)
	return func(params ...int) (string, error) {
		if !isFunction {
			return "", errors.New("seq is not known")
		}
		for _, n := range params {
			if err := x.spend(max(n, -n)); err != nil {
				return "", err
			}
		}
		return make(params...), nil
	}
}

func toYAML(v any) (string, error) {
	data, err := yaml.Marshal(v)
	return string(data), err
}

// fromYAML reads YAML as Helm does, with numbers that templates can count with.
func fromYAML(text string) (any, error) {
	var wrapped strings.Builder
	if strings.TrimSpace(text) == "" {
		return nil, nil
	}
	values, err := control.ParseValues([]byte(text))
	if err == nil {
		return forTemplates(values), nil
	}
	wrapped.WriteString("value:\n") // a list or a scalar
	for line := range strings.Lines(text) {
		wrapped.WriteString("  " + line)
	}
	values, secondErr := control.ParseValues([]byte(wrapped.String()))
	if secondErr != nil {
		return nil, err
	}
	return forTemplates(values["value"]), nil
}

// setValueAtPath sets a value below keys that must be there.
func setValueAtPath(path string, value any, values map[string]any) (map[string]any, error) {
	at := values
	keys := strings.Split(path, ".")
	for _, key := range keys[:len(keys)-1] {
		next, isMap := at[key].(map[string]any)
		if !isMap {
			return nil, fmt.Errorf("cannot set %q: there is no mapping at %q", path, key)
		}
		at = next
	}
	at[keys[len(keys)-1]] = value
	return values, nil
}

var errNoValue = errors.New("there is no value")

// get is helmfile's: get PATH [DEFAULT] OBJECT.
func get(path string, args ...any) (any, error) {
	if len(args) < 1 || len(args) > 2 {
		return nil, fmt.Errorf("get takes a path, perhaps a default, and an object, not %d arguments", len(args)+1)
	}
	at := args[len(args)-1]
	for key := range strings.SplitSeq(path, ".") {
		if path == "" {
			break
		}
		if pointer, isPointer := at.(*map[string]any); isPointer {
			at = *pointer
		}
		mapping, isMap := at.(map[string]any)
		next, known := mapping[key]
		if !isMap || !known {
			if len(args) == 2 && (isMap || at == nil) {
				return args[0], nil
			}
			return nil, fmt.Errorf("%w at %q", errNoValue, path)
		}
		at = next
	}
	return at, nil
}

func getOrNil(path string, object any) (any, error) {
	value, err := get(path, object)
	if errors.Is(err, errNoValue) {
		return nil, nil
	}
	return value, err
}

func required(message string, value any) (any, error) {
	if value == nil || value == "" {
		return nil, errors.New(message)
	}
	return value, nil
}
