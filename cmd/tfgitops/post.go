package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"

	"github.com/spf13/cobra"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/forge"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/gitrepo"
)

// postFlags say on which merge request to post what a command finds.
type postFlags struct {
	to     string
	remote string
}

const (
	// postOnOwn posts on the merge request of the pipeline, or of the commit that the command is about.
	postOnOwn = "own"
	// postIfAny does that where there are one and a token, and nothing otherwise: for pipelines that not every project and
	// not every commit has both in.
	postIfAny = "auto"
)

// The variables of a merge request's pipeline: its number, and the project that the number is of, which is not the
// pipeline's own where the branch is a fork's.
const (
	mergeRequestVariable        = "CI_MERGE_REQUEST_IID"
	mergeRequestProjectVariable = "CI_MERGE_REQUEST_PROJECT_PATH"
)

// errNoMergeRequest says that there is nothing to post on.
var errNoMergeRequest = errors.New("there is no merge request to post on")

func (f *postFlags) register(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.to, "post", "", "keep it as a note on merge request `NUMBER`, or without one on that of the pipeline or of the commit; auto posts nothing where there is no such merge request, or no token in "+forge.TokenVariable)
	cmd.Flags().Lookup("post").NoOptDefVal = postOnOwn
	cmd.Flags().StringVar(&f.remote, "remote", "origin", "with --post: the Git `REMOTE` that is the GitLab project")
}

// poster posts notes on one merge request.
type poster struct {
	client *forge.Client
	iid    int64
}

// ofCommit finds the commit whose merge request a command posts on where nobody says which.
type ofCommit func(context.Context, *gitrepo.Repo) (string, error)

// checkedOut is the commit that is checked out.
func checkedOut(ctx context.Context, git *gitrepo.Repo) (string, error) {
	return git.Resolve(ctx, "HEAD")
}

// poster finds the merge request before the work is done that is to be posted; nil where nothing is.
func (f *postFlags) poster(ctx context.Context, o *options, commit ofCommit) (*poster, error) {
	if f.to == "" {
		return nil, nil
	}
	found, err := f.find(ctx, o, commit)
	if f.to == postIfAny && (errors.Is(err, errNoMergeRequest) || errors.Is(err, forge.ErrNoToken)) {
		fmt.Fprintln(o.err, "not posted:", err)
		return nil, nil
	}
	return found, err
}

func (f *postFlags) find(ctx context.Context, o *options, commit ofCommit) (*poster, error) {
	if f.to == postIfAny && o.getenv(forge.TokenVariable) == "" { // a job's own token is in every job, and writes no notes
		return nil, forge.ErrNoToken
	}
	root, err := o.openRoot()
	if err != nil {
		return nil, err
	}
	defer root.Close()
	git, err := gitrepo.Open(ctx, root.Name())
	if err != nil {
		return nil, err
	}
	defer git.Close()
	client, err := o.openForge(ctx, git, f.remote)
	if err != nil {
		return nil, err
	}
	iid, err := f.mergeRequest(ctx, o, git, client, commit)
	return &poster{client, iid}, err
}

// mergeRequest returns the number that was given, that of the pipeline, or that of the commit.
func (f *postFlags) mergeRequest(ctx context.Context, o *options, git *gitrepo.Repo, client *forge.Client, commit ofCommit) (int64, error) {
	number := f.to
	if number == postOnOwn || number == postIfAny {
		number = o.getenv(mergeRequestVariable)
		if project := o.getenv(mergeRequestProjectVariable); number != "" && project != "" && project != client.Project().Path {
			return 0, fmt.Errorf("%w: !%s is of project %s, and the remote %q is %s", errNoMergeRequest, number, project, f.remote, client.Project().Path)
		}
	}
	if number != "" {
		iid, err := strconv.ParseInt(number, 10, 64)
		if err != nil || iid < 1 {
			return 0, usageError{fmt.Errorf("--post %q: write the number of a merge request, as in --post=42, or auto", number)}
		}
		return iid, nil
	}
	id, err := commit(ctx, git)
	if err != nil {
		return 0, err
	}
	found, err := client.Of(ctx, id)
	if err != nil {
		return 0, err
	}
	if len(found) == 0 {
		return 0, fmt.Errorf("%w: commit %s is of none; name one, as in --post=42", errNoMergeRequest, short(id))
	}
	return found[0].IID, nil
}

// post keeps the parts as the notes of a kind.
func (p *poster) post(ctx context.Context, messages io.Writer, kind string, parts ...string) error {
	if p == nil {
		return nil
	}
	posted, err := p.client.Post(ctx, p.iid, kind, parts...)
	if err != nil {
		return err
	}
	what := "it is there already"
	if posted.Created+posted.Updated > 0 {
		what = "posted"
	}
	fmt.Fprintf(messages, "%s: %s\n", what, posted.URL)
	return nil
}

// posted returns what a command comes to that was to post something: its own outcome goes before a note that was not posted.
func posted(messages io.Writer, outcome, posting error) error {
	if outcome == nil || posting == nil {
		return cmp.Or(outcome, posting)
	}
	fmt.Fprintln(messages, "not posted:", posting)
	return outcome
}
