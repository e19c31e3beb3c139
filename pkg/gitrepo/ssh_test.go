package gitrepo

import (
	"slices"
	"testing"
)

// TestWithoutPrompt holds that ssh asks nobody, and that what people say of ssh stays, before there is a clone.
func TestWithoutPrompt(t *testing.T) {
	t.Parallel()
	const ours = "GIT_SSH_COMMAND=ssh -o BatchMode=yes"
	for name, c := range map[string]struct {
		env  []string
		want bool
	}{
		"nothing is said":           {nil, true},
		"a command in the variable": {[]string{"GIT_SSH_COMMAND=ssh -i key"}, false},
		"a program in the variable": {[]string{"GIT_SSH=plink"}, false},
		"a configured command":      {[]string{"GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=core.sshCommand", "GIT_CONFIG_VALUE_0=ssh -i key"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			missing := t.TempDir() + "/none"
			g := git{dir: missing, env: append([]string{"PATH=/usr/bin:/bin", "HOME=" + t.TempDir(), "GIT_CONFIG_NOSYSTEM=1", "GIT_DIR=" + missing}, c.env...)}
			if got := slices.Contains(withoutPrompt(t.Context(), g).env, ours); got != c.want {
				t.Errorf("ssh is told to ask nothing: %v, want %v", got, c.want)
			}
		})
	}
}
