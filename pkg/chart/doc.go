// Package chart expands a Flux HelmRelease into the resources that
// helm-controller would apply for it, without a cluster, a network, a clock
// or an environment.
//
// It owns the loading of charts ([Load], [LoadDir], kept parsed by [Cache])
// and their expansion ([Expand], kept between runs by [Renders]). It depends on
// the Helm SDK, which renders; on Flux' API and values libraries; and on
// kustomize, which post-renders. Only [Renders] writes to disk: what it keeps,
// sealed.
//
// It also applies releases without Flux ([Target], [Target.Prepare],
// [Preparation.Apply], [Target.Rollback]): with Helm's own actions, the options
// that helm-controller gives them, the cluster's own Secrets and Helm's own
// random functions. What "different" says below is about [Expand] alone.
//
// # What is the same as in the cluster
//
// Release name and namespaces, values (valuesFrom, targetPath, literal, inline
// values, chart.spec.valuesFiles), subcharts with conditions, tags, aliases and
// import-values, the chart version with the digest that helm-controller adds
// for an OCIRepository, values.schema.json, the chart's kubeVersion range, CRD
// policies, hooks, postRenderers with their strategy, commonMetadata and origin
// labels. Rendered documents are read as helm-controller reads them, through
// kustomize: an unquoted date in a template does become a timestamp there, a
// duplicate key or a resource without a name is an error there.
//
// Values decode as helm-controller decodes them: numbers are floating point.
// `{{ .Values.n }}` of 30000000 prints 3e+07 in the cluster, so it does here;
// an integer that floating point cannot hold is a warning.
//
// # What is different
//
//   - Random, time and certificate functions are deterministic: see
//     functions.go for each of them. Keys and certificates are placeholders in
//     PEM armour, no usable key pairs.
//   - `lookup` and getHostByName return nothing.
//   - `keys` and `values` return their results sorted; Helm's are in random
//     order.
//   - .Capabilities.APIVersions is computed for the Kubernetes version from the
//     life cycle of Kubernetes' own APIs, plus what the caller adds.
//   - .Release.Revision is what the caller says: 1 for an install and 2 for an
//     upgrade otherwise.
//   - A values.schema.json that refers to other documents is checked without
//     them, with a warning: Helm would fetch a URL or open a file.
//   - upgrade.preserveValues cannot be followed: the values of the running
//     release are not known. It is a warning.
//   - chart.spec.valuesFiles makes source-controller append the generation of
//     its HelmChart to the chart version. It is not known here.
//
// # Limits
//
// Templates are programs. A chart that computes for ever is abandoned when the
// context ends, but its goroutine goes on; a chart whose values make `tpl` call
// itself without end exhausts the stack as it does in Helm, which no program
// can recover from. Helm's libraries warn through the log and log/slog
// packages; a program that does not want these lines redirects them.
package chart
