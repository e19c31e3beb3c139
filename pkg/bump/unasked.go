package bump

import (
	"errors"
	"slices"
	"strings"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/artifact"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/gitrepo"
)

// unasked is a question that nobody answered, and why.
type unasked struct{ what, why string }

// couldNotAsk notes for the rule "unverified" what could not be asked for a cluster, or for the plan as a whole ("").
func (w *planning) couldNotAsk(cluster, what string, why error) {
	question := unasked{what, causeOf(why)}
	if w.unasked == nil {
		w.unasked = map[string][]unasked{}
	}
	if !slices.Contains(w.unasked[cluster], question) {
		w.unasked[cluster] = append(w.unasked[cluster], question)
	}
}

// takesEffect says when a change does, whatever is down now. Flux keeps what runs until then.
const takesEffect = "it takes effect once Flux can read the commit from Git and the chart from its registry"

// causeOf is why nothing was learnt, without what was asked: that is said once for several questions.
func causeOf(err error) string {
	var registry *artifact.Error
	var git *gitrepo.GitError
	switch {
	case errors.As(err, &registry):
		return registry.Cause()
	case errors.As(err, &git):
		said, _, _ := strings.Cut(git.Error(), "\n") // advice follows
		return said
	default:
		return err.Error()
	}
}

// unaskedOf says what could not be asked for a cluster, each cause once; empty where all was.
func (w *planning) unaskedOf(cluster string) string {
	var causes []string
	questions := map[string][]string{}
	for _, question := range w.unasked[cluster] {
		if questions[question.why] == nil {
			causes = append(causes, question.why)
		}
		questions[question.why] = append(questions[question.why], question.what)
	}
	for i, cause := range causes {
		causes[i] = "could not ask " + strings.Join(questions[cause], ", nor ") + ": " + cause
	}
	return strings.Join(causes, "; ")
}
