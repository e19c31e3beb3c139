package charts

// The templates are written as those of real charts: named templates with labels, conditions, ranges, values through toYaml,
// checksums of the configuration, tpl, and questions about the cluster.

const helpers = `{{/* The names and labels that every template uses. */}}
{{- define "chart.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{- define "chart.fullname" -}}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 63 | trimSuffix "-" }}
{{- else }}
{{- $name := default .Chart.Name .Values.nameOverride }}
{{- if contains $name .Release.Name }}
{{- .Release.Name | trunc 63 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name $name | trunc 63 | trimSuffix "-" }}
{{- end }}
{{- end }}
{{- end }}

{{- define "chart.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{ include "chart.selectorLabels" . }}
{{- if .Chart.AppVersion }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
{{- end }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "chart.selectorLabels" -}}
app.kubernetes.io/name: {{ include "chart.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "chart.serviceAccountName" -}}
{{- if .Values.serviceAccount.create }}
{{- default (include "chart.fullname" .) .Values.serviceAccount.name }}
{{- else }}
{{- default "default" .Values.serviceAccount.name }}
{{- end }}
{{- end }}

{{- define "chart.image" -}}
{{- $image := .image -}}
{{ printf "%s/%s:%s" $image.registry $image.repository ($image.tag | toString) }}
{{- end }}
`

// kind is one of the templates of a worker. WORKER in it is the worker's key in the values.
type kind struct{ file, template string }

var kinds = []kind{
	{"configmap", configMapTemplate}, // first: the deployment includes it
	{"deployment", deploymentTemplate},
	{"service", serviceTemplate},
	{"serviceaccount", metadataOf("v1", "ServiceAccount", "serviceAccount") + "automountServiceAccountToken: {{ $.Values.serviceAccount.automount }}\n{{- end }}\n"},
	{"role", metadataOf("rbac.authorization.k8s.io/v1", "Role", "rbac") + "rules:\n  {{- toYaml $worker.rules | nindent 2 }}\n{{- end }}\n"},
	{"rolebinding", metadataOf("rbac.authorization.k8s.io/v1", "RoleBinding", "rbac") + `roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: Role
  name: {{ $name }}
subjects:
  - kind: ServiceAccount
    name: {{ include "chart.serviceAccountName" . }}
    namespace: {{ .Release.Namespace }}
{{- end }}
`},
	{"hpa", metadataOf("autoscaling/v2", "HorizontalPodAutoscaler", "autoscaling") + `spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: {{ $name }}}
  minReplicas: {{ $worker.autoscaling.minReplicas }}
  maxReplicas: {{ $worker.autoscaling.maxReplicas }}
  metrics:
    - type: Resource
      resource: {name: cpu, target: {type: Utilization, averageUtilization: {{ $worker.autoscaling.cpu }}}}
{{- end }}
`},
	{"pdb", metadataOf("policy/v1", "PodDisruptionBudget", "podDisruptionBudget") + `spec:
  minAvailable: {{ $worker.minAvailable | default 1 }}
  selector:
    matchLabels:
      {{- include "chart.selectorLabels" . | nindent 6 }}
{{- end }}
`},
	{"networkpolicy", metadataOf("networking.k8s.io/v1", "NetworkPolicy", "networkPolicy") + `spec:
  podSelector:
    matchLabels:
      {{- include "chart.selectorLabels" . | nindent 6 }}
  policyTypes: [Ingress, Egress]
  ingress:
    {{- range $from := $.Values.networkPolicy.from }}
    - from:
        - namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: {{ $from }}}}
      ports: [{port: {{ $worker.service.port }}, protocol: TCP}]
    {{- end }}
  egress: [{}]
{{- end }}
`},
	{"servicemonitor", `{{- if .Capabilities.APIVersions.Has "monitoring.coreos.com/v1" }}
` + metadataOf("monitoring.coreos.com/v1", "ServiceMonitor", "metrics") + `spec:
  endpoints: [{port: http, interval: {{ $.Values.metrics.interval }}}]
  selector:
    matchLabels:
      {{- include "chart.selectorLabels" . | nindent 6 }}
{{- end }}
{{- end }}
`},
	{"cronjob", metadataOf("batch/v1", "CronJob", "cronJob") + `spec:
  schedule: {{ $worker.schedule | quote }}
  concurrencyPolicy: Forbid
  jobTemplate:
    spec:
      template:
        spec:
          restartPolicy: Never
          serviceAccountName: {{ include "chart.serviceAccountName" . }}
          containers:
            - name: clean
              image: {{ include "chart.image" (dict "image" $.Values.image) }}
              args: [clean, --older-than, {{ $.Values.retention | quote }}]
              resources:
                {{- toYaml $worker.resources | nindent 16 }}
{{- end }}
`},
	{"ingress", metadataOf("networking.k8s.io/v1", "Ingress", "ingress") + `spec:
  rules:
    {{- range $host := $.Values.ingress.hosts }}
    - host: {{ tpl $host $ | quote }}
      http: {paths: [{path: /{{ $name }}, pathType: Prefix, backend: {service: {name: {{ $name }}, port: {name: http}}}}]}
    {{- end }}
{{- end }}
`},
}

// metadataOf is the beginning of a template: present where the switch is on, with name and labels. $worker are the worker's values.
func metadataOf(apiVersion, kind, enabledBy string) string {
	return `{{- $worker := .Values.workers.WORKER }}
{{- $name := printf "%s-WORKER" (include "chart.fullname" .) }}
{{- if and $worker.enabled .Values.` + enabledBy + `.enabled }}
apiVersion: ` + apiVersion + `
kind: ` + kind + `
metadata:
  name: {{ $name }}
  namespace: {{ .Release.Namespace }}
  labels:
    {{- include "chart.labels" . | nindent 4 }}
    app.kubernetes.io/component: WORKER
  {{- with .Values.commonAnnotations }}
  annotations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
`
}

const configMapTemplate = `{{- $worker := .Values.workers.WORKER }}
{{- if $worker.enabled }}
apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ include "chart.fullname" . }}-WORKER
  namespace: {{ .Release.Namespace }}
  labels:
    {{- include "chart.labels" . | nindent 4 }}
data:
  config.yaml: |
    {{- tpl (toYaml $worker.config) . | nindent 4 }}
  settings.ini: |
    [server]
    listen = 0.0.0.0:{{ $worker.service.port }}
    build = {{ .Chart.AppVersion }}
    {{- range $key, $value := $worker.settings }}
    {{ $key }} = {{ $value }}
    {{- end }}
{{- end }}
`

const serviceTemplate = `{{- $worker := .Values.workers.WORKER }}
{{- if $worker.enabled }}
apiVersion: v1
kind: Service
metadata:
  name: {{ include "chart.fullname" . }}-WORKER
  namespace: {{ .Release.Namespace }}
  labels:
    {{- include "chart.labels" . | nindent 4 }}
spec:
  type: {{ $worker.service.type }}
  ports:
    - port: {{ $worker.service.port }}
      targetPort: http
      protocol: TCP
      name: http
  selector:
    {{- include "chart.selectorLabels" . | nindent 4 }}
    app.kubernetes.io/component: WORKER
{{- end }}
`

const deploymentTemplate = `{{- $worker := .Values.workers.WORKER }}
{{- if $worker.enabled }}
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ include "chart.fullname" . }}-WORKER
  namespace: {{ .Release.Namespace }}
  labels:
    {{- include "chart.labels" . | nindent 4 }}
    app.kubernetes.io/component: WORKER
spec:
  {{- if not .Values.autoscaling.enabled }}
  replicas: {{ $worker.replicas }}
  {{- end }}
  revisionHistoryLimit: {{ .Values.revisionHistoryLimit }}
  selector:
    matchLabels:
      {{- include "chart.selectorLabels" . | nindent 6 }}
      app.kubernetes.io/component: WORKER
  template:
    metadata:
      annotations:
        checksum/config: {{ include (print $.Template.BasePath "/WORKER/configmap.yaml") . | sha256sum }}
      labels:
        {{- include "chart.selectorLabels" . | nindent 8 }}
        app.kubernetes.io/component: WORKER
    spec:
      serviceAccountName: {{ include "chart.serviceAccountName" . }}
      securityContext:
        {{- toYaml .Values.podSecurityContext | nindent 8 }}
      {{- with .Values.imagePullSecrets }}
      imagePullSecrets:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      containers:
        - name: {{ .Chart.Name }}
          image: {{ include "chart.image" (dict "image" .Values.image) }}
          imagePullPolicy: {{ .Values.image.pullPolicy }}
          securityContext:
            {{- toYaml .Values.securityContext | nindent 12 }}
          args:
            - serve
            - --config=/etc/{{ .Chart.Name }}/config.yaml
            {{- range .Values.extraArgs }}
            - {{ . | quote }}
            {{- end }}
          env:
            - name: POD_NAMESPACE
              valueFrom: {fieldRef: {fieldPath: metadata.namespace}}
            {{- range $key, $value := merge (dict) $worker.env .Values.env }}
            - name: {{ $key | upper }}
              value: {{ $value | quote }}
            {{- end }}
          ports:
            - name: http
              containerPort: {{ $worker.service.port }}
              protocol: TCP
          {{- with .Values.probes }}
          livenessProbe:
            {{- toYaml .liveness | nindent 12 }}
          readinessProbe:
            {{- toYaml .readiness | nindent 12 }}
          {{- end }}
          resources:
            {{- toYaml $worker.resources | nindent 12 }}
          volumeMounts:
            - name: config
              mountPath: /etc/{{ .Chart.Name }}
              readOnly: true
            {{- range .Values.extraVolumes }}
            - {name: {{ .name }}, mountPath: {{ .mountPath }}}
            {{- end }}
      volumes:
        - name: config
          configMap:
            name: {{ include "chart.fullname" . }}-WORKER
        {{- range .Values.extraVolumes }}
        - {name: {{ .name }}, emptyDir: {}}
        {{- end }}
      {{- with .Values.nodeSelector }}
      nodeSelector:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with .Values.tolerations }}
      tolerations:
        {{- toYaml . | nindent 8 }}
      {{- end }}
{{- end }}
`

const defaultValues = `# The defaults of %[1]s.
nameOverride: ""
fullnameOverride: ""
revisionHistoryLimit: 3
commonLabels: {}
commonAnnotations:
  example.org/team: platform
image:
  registry: registry.example.org
  repository: %[1]s
  tag: build-%[2]d
  pullPolicy: IfNotPresent
imagePullSecrets: []
# Each object can be turned off, and some have to be turned on.
serviceAccount:
  enabled: true
  create: true
  automount: false
  name: ""
rbac: {enabled: true}
autoscaling: {enabled: false}
podDisruptionBudget: {enabled: true}
networkPolicy:
  enabled: true
  from: [ingress, monitoring]
metrics: {enabled: false, interval: 30s}
cronJob: {enabled: false}
ingress:
  enabled: false
  hosts: ["{{ .Release.Name }}.example.org"]
retention: 720h
podSecurityContext:
  runAsNonRoot: true
  runAsUser: 65532
  seccompProfile: {type: RuntimeDefault}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: {drop: [ALL]}
extraArgs: [--log-format=json]
extraVolumes:
  - {name: tmp, mountPath: /tmp}
  - {name: cache, mountPath: /var/cache}
env:
  log_level: info
  max_connections: "100"
  upstream: http://upstream.example.org:8080
probes:
  liveness:
    httpGet: {path: /healthz, port: http}
    periodSeconds: 10
  readiness:
    httpGet: {path: /readyz, port: http}
    periodSeconds: 5
nodeSelector:
  kubernetes.io/os: linux
tolerations:
  - {key: example.org/dedicated, operator: Exists, effect: NoSchedule}
workers:
`

const workerValues = `  worker%02[1]d:
    enabled: true
    replicas: %[2]d
    minAvailable: 1
    schedule: "17 3 * * *"
    service: {type: ClusterIP, port: %[3]d}
    autoscaling: {minReplicas: 2, maxReplicas: 6, cpu: 80}
    resources:
      requests: {cpu: 100m, memory: 128Mi}
      limits: {cpu: "1", memory: 512Mi}
    rules:
      - apiGroups: [""]
        resources: [configmaps, pods, services]
        verbs: [get, list, watch]
      - apiGroups: [apps]
        resources: [deployments]
        verbs: [get, list]
    env: {mode: fast, build: "%[4]d"}
    settings:
      timeout: 30
      retries: 5
      backend: "{{ .Release.Name }}-backend"
    config:
      name: "{{ .Release.Name }}"
      limits: {requests: 100, burst: 200}
      routes:
        - {path: /v1, backend: v1, timeout: 10s}
        - {path: /v2, backend: v2, timeout: 20s}
`

const schema = `{
  "$schema": "http://json-schema.org/draft-07/schema#",
  "type": "object",
  "required": ["image", "workers"],
  "properties": {
    "revisionHistoryLimit": {"type": "integer", "minimum": 0},
    "image": {"type": "object", "required": ["registry", "repository"], "properties": {"tag": {"type": "string"}}},
    "workers": {"type": "object", "additionalProperties": {"type": "object", "required": ["service"], "properties": {"replicas": {"type": "integer"}}}}
  }
}
`
