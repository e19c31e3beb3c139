package main

import (
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"go.yaml.in/yaml/v3"
)

// ciDir holds the GitLab CI components.
const ciDir = "../../ci/gitlab/templates"

// ciTemplate is a GitLab CI component: what it takes, and what it makes of it.
type ciTemplate struct {
	name   string
	inputs map[string]ciInput
	body   string
}

type ciInput struct {
	Description string
	Type        string
	Default     any
}

func ciTemplates(t *testing.T) []ciTemplate {
	t.Helper()
	files, err := filepath.Glob(ciDir + "/*.yml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no templates: %v", err)
	}
	templates := make([]ciTemplate, len(files))
	for i, file := range files {
		templates[i] = readTemplate(t, file)
	}
	return templates
}

func ciTemplateNamed(t *testing.T, name string) ciTemplate {
	t.Helper()
	return readTemplate(t, filepath.Join(ciDir, name+".yml"))
}

func readTemplate(t *testing.T, file string) ciTemplate {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	head, body, found := strings.Cut(string(data), "\n---\n")
	if !found {
		t.Fatalf("%s has no header", file)
	}
	var header struct {
		Spec struct{ Inputs map[string]ciInput }
	}
	if err := yaml.Unmarshal([]byte(head), &header); err != nil {
		t.Fatal(err)
	}
	return ciTemplate{strings.TrimSuffix(filepath.Base(file), ".yml"), header.Spec.Inputs, body}
}

var ciInterpolation = regexp.MustCompile(`\$\[\[ inputs\.(\w+) \]\]`)

// jobs interpolates the inputs as GitLab does, the others by their defaults, and returns the jobs.
func (c ciTemplate) jobs(t *testing.T, given map[string]string) map[string]ciJob {
	t.Helper()
	for name := range given {
		if _, known := c.inputs[name]; !known {
			t.Fatalf("%s has no input %q", c.name, name)
		}
	}
	text := ciInterpolation.ReplaceAllStringFunc(c.body, func(found string) string {
		name := ciInterpolation.FindStringSubmatch(found)[1]
		input, known := c.inputs[name]
		value, isGiven := given[name]
		switch {
		case !known:
			t.Fatalf("%s names an input %q that it does not take", c.name, name)
		case !isGiven && input.Default == nil:
			t.Fatalf("%s needs the input %q", c.name, name)
		case !isGiven:
			value = fmt.Sprint(input.Default)
		}
		return value
	})
	jobs := map[string]ciJob{}
	if err := yaml.Unmarshal([]byte(text), &jobs); err != nil {
		t.Fatalf("%s: %v\n%s", c.name, err, text)
	}
	return jobs
}

// required gives a value to each input that has no default.
func (c ciTemplate) required() map[string]string {
	values := map[string]string{}
	for name, input := range c.inputs {
		if input.Default == nil {
			values[name] = "group/" + name
		}
	}
	return values
}

// ciJob is what the tests look at of a job.
type ciJob struct {
	BeforeScript []string          `yaml:"before_script"`
	Script       []string          `yaml:"script"`
	Variables    map[string]string `yaml:"variables"`
}

// script is what the runner makes of the job: one script, of which the first failure is the end.
func (j ciJob) script() string {
	return strings.Join(slices.Concat([]string{"set -e"}, j.BeforeScript, j.Script), "\n")
}

// ciWord is one word of a command: text with quotes, or a substitution.
var ciWord = regexp.MustCompile(`(?:"[^"]*"|'[^']*'|[^\s"';|&<>()]+)+`)

// ciCommands returns the tfgitops commands in a script, as words.
func ciCommands(script string) [][]string {
	var commands [][]string
	for line := range strings.Lines(strings.ReplaceAll(script, "\\\n", " ")) {
		line, _, _ = strings.Cut(line, "# ")
		for _, part := range regexp.MustCompile(`[;|&<>]+|\$\(`).Split(line, -1) {
			words := ciWord.FindAllString(part, -1)
			if i := slices.Index(words, "tfgitops"); i >= 0 && i <= 1 {
				commands = append(commands, words[i+1:])
			}
		}
	}
	return commands
}

// checkCommand fails where there is no such command, or where it has no such flag.
func checkCommand(t *testing.T, root *cobra.Command, words []string) *cobra.Command {
	t.Helper()
	at := root
	for _, word := range words {
		name, isFlag := strings.CutPrefix(word, "-")
		switch {
		case isFlag:
			checkFlag(t, at, name)
		case at.HasSubCommands():
			next, _, err := at.Find([]string{strings.Trim(word, "\"'")})
			if err == nil && next != at {
				at = next
			}
		}
	}
	if at == root {
		t.Errorf("there is no command in: tfgitops %s", strings.Join(words, " "))
	}
	return at
}

// checkFlag fails where a command has no such flag; name is what follows the first hyphen.
func checkFlag(t *testing.T, at *cobra.Command, name string) {
	t.Helper()
	long, isLong := strings.CutPrefix(name, "-")
	long, _, _ = strings.Cut(long, "=")
	switch {
	case isLong && at.Flag(long) == nil && long != "":
		t.Errorf("`%s` has no flag --%s", at.CommandPath(), long)
	case !isLong && at.Flags().ShorthandLookup(name[:1]) == nil && at.PersistentFlags().ShorthandLookup(name[:1]) == nil:
		t.Errorf("`%s` has no flag -%s", at.CommandPath(), name)
	}
}

// TestCITemplatesNameWhatThereIs holds that every command and flag in the templates and their page exists. Flags that a job
// collects (set --) belong to each command that it gives them to.
func TestCITemplatesNameWhatThereIs(t *testing.T) {
	t.Parallel()
	collected := regexp.MustCompile(`(?m)set -- (.*)$`)
	described := regexp.MustCompile("`tfgitops (\\w+)`.*as in (--.*)\\.$")
	for _, c := range ciTemplates(t) {
		commands := 0
		for name, job := range c.jobs(t, c.required()) {
			root := newRootCmd(deps{out: io.Discard, err: io.Discard})
			for _, words := range ciCommands(job.script()) {
				commands++
				command := checkCommand(t, root, words)
				if !slices.Contains(words, `"$@"`) {
					continue
				}
				for _, line := range collected.FindAllStringSubmatch(job.script(), -1) {
					for _, word := range ciWord.FindAllString(line[1], -1) {
						if flag, isFlag := strings.CutPrefix(word, "-"); isFlag {
							checkFlag(t, command, flag)
						}
					}
				}
			}
			if t.Failed() {
				t.Logf("in job %s of %s", name, c.name)
			}
		}
		if commands == 0 {
			t.Errorf("%s runs no tfgitops command", c.name)
		}
		for name, input := range c.inputs {
			if found := described.FindStringSubmatch(input.Description); found != nil {
				checkCommand(t, newRootCmd(deps{out: io.Discard, err: io.Discard}), append([]string{found[1]}, strings.Fields(found[2])...))
			} else if strings.Contains(input.Description, "tfgitops ") && strings.Contains(input.Description, "--") {
				t.Errorf("the flags in the description of %s of %s are not checked: write `tfgitops COMMAND` …, as in --FLAG", name, c.name)
			}
		}
	}
	page, err := os.ReadFile("../../docs/ci.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, quoted := range regexp.MustCompile("`tfgitops ([^`]+)`").FindAllStringSubmatch(string(page), -1) {
		checkCommand(t, newRootCmd(deps{out: io.Discard, err: io.Discard}), strings.Fields(quoted[1]))
	}
}

// TestCIPageNamesEveryInput holds that docs/ci.md has a row for each template and input, and for nothing else.
func TestCIPageNamesEveryInput(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/ci.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range ciTemplates(t) {
		_, section, found := strings.Cut(string(page), "\n## `"+c.name+"`")
		if !found {
			t.Errorf("docs/ci.md has no section `%s`", c.name)
			continue
		}
		section, _, _ = strings.Cut(section, "\n## ")
		var documented []string
		for _, row := range regexp.MustCompile("(?m)^\\| ((?:`\\w+`(?:, )?)+) \\|").FindAllStringSubmatch(section, -1) {
			for name := range strings.SplitSeq(row[1], ", ") {
				documented = append(documented, strings.Trim(name, "`"))
			}
		}
		for name := range c.inputs {
			if !slices.Contains(documented, name) && !slices.Contains(ciCommonInputs, name) {
				t.Errorf("docs/ci.md does not name the input %s of %s", name, c.name)
			}
		}
		for _, name := range documented {
			if _, known := c.inputs[name]; !known {
				t.Errorf("docs/ci.md names an input %s that %s does not take", name, c.name)
			}
		}
	}
}

// ciCommonInputs are described once for all templates.
var ciCommonInputs = []string{"stage", "job_prefix", "image", "tfgitops_version"}

// TestCIScriptsAreClean runs shellcheck on every script of the templates, as a POSIX shell would have to run it.
func TestCIScriptsAreClean(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("shellcheck"); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("shellcheck is not installed: scripts/setup.sh installs it")
		}
		t.Skip("shellcheck is not installed, so the templates' scripts were not checked: scripts/setup.sh installs it")
	}
	for _, c := range ciTemplates(t) {
		for name, job := range c.jobs(t, c.required()) {
			cmd := exec.Command("shellcheck", "--shell=sh", "--severity=style", "-")
			cmd.Stdin = strings.NewReader(job.script() + "\n")
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("job %s of %s: %v\n%s", name, c.name, err, out)
			}
		}
	}
}

// ciLocal is the program that checks a configuration against the schema that GitLab publishes, which it brings along.
func ciLocal(t *testing.T) string {
	t.Helper()
	if found, err := exec.LookPath("gitlab-ci-local"); err == nil {
		return found
	}
	installed, err := filepath.Abs("../../.cache/gitlab-ci/node_modules/.bin/gitlab-ci-local")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(installed); err != nil {
		t.Skip("gitlab-ci-local is not installed, so the templates were not checked against GitLab's schema: scripts/setup.sh installs it, where there is npm")
	}
	return installed
}

// TestCITemplatesFitGitLabsSchema includes each template in a configuration, with its defaults and with every input given, and
// has it checked against GitLab's own schema.
func TestCITemplatesFitGitLabsSchema(t *testing.T) {
	t.Parallel()
	program := ciLocal(t)
	for _, c := range ciTemplates(t) {
		every := c.required()
		for name, input := range c.inputs {
			switch {
			case input.Type == "boolean":
				every[name] = "true"
			case strings.HasSuffix(name, "stage"):
				every[name] = "deploy"
			case name == "schedule":
				every[name] = `$CI_PIPELINE_SOURCE == "schedule" && $NIGHTLY`
			case every[name] == "":
				every[name] = "given"
			}
		}
		for given, values := range map[string]map[string]string{"defaults": c.required(), "every input": every} {
			t.Run(c.name+" with "+given, func(t *testing.T) {
				t.Parallel()
				out, err := preview(t, program, c.name, values, "")
				if err != nil {
					t.Fatalf("%v\n%s", err, out)
				}
				for name := range c.jobs(t, values) {
					if !strings.Contains(out, "\n"+name+":") {
						t.Errorf("the job %s is not in what comes of it:\n%s", name, out)
					}
				}
				if strings.Contains(out, "$[[") {
					t.Errorf("an input was not filled in:\n%s", out)
				}
			})
		}
	}
	t.Run("a mistake is found", func(t *testing.T) {
		t.Parallel()
		if out, err := preview(t, program, "update", nil, "  artefacts: {}\n"); err == nil || !strings.Contains(out, "'artefacts' property is not expected to be here") {
			t.Errorf("%v\n%s", err, out)
		}
	})
}

// preview has a configuration that includes a template, with a text after it, checked and written out.
func preview(t *testing.T, program, name string, values map[string]string, more string) (string, error) {
	t.Helper()
	dir := t.TempDir()
	template, err := os.ReadFile(filepath.Join(ciDir, name+".yml"))
	if err != nil {
		t.Fatal(err)
	}
	config := "include:\n  - local: templates/" + name + ".yml\n"
	for i, input := range slices.Sorted(maps.Keys(values)) {
		if i == 0 {
			config += "    inputs:\n"
		}
		value := values[input]
		if value != "true" {
			value = fmt.Sprintf("%q", value)
		}
		config += fmt.Sprintf("      %s: %s\n", input, value)
	}
	for file, content := range map[string]string{".gitlab-ci.yml": config, "templates/" + name + ".yml": string(template) + more} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, file)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, file), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	environment := []string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=" + os.DevNull}
	for _, args := range [][]string{{"init", "-q"}, {"remote", "add", "origin", "https://gitlab.example.org/group/project.git"}, {"add", "-A"}, {"-c", "user.name=x", "-c", "user.email=x@example.org", "commit", "-q", "-m", "x"}} {
		cmd := exec.Command("git", args...)
		cmd.Dir, cmd.Env = dir, environment
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("git %v: %v\n%s", args, err, out)
		}
	}
	cmd := exec.Command(program, "--preview")
	cmd.Dir, cmd.Env = dir, environment
	out, err := cmd.CombinedOutput()
	return string(out), err
}
