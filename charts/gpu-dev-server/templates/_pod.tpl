{{/* What every pod and container of ours is held to: the profile "restricted" of Pod Security, and a read-only root.
https://kubernetes.io/docs/concepts/security/pod-security-standards/ */}}

{{/* the number of its user */}}
{{- define "gpudev.podSecurity" -}}
runAsNonRoot: true
runAsUser: {{ . }}
runAsGroup: {{ . }}
fsGroup: {{ . }}
fsGroupChangePolicy: OnRootMismatch
seccompProfile: {type: RuntimeDefault}
{{- end -}}

{{- define "gpudev.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end -}}

{{/* Where a pod may go: (list $ values) */}}
{{- define "gpudev.scheduling" -}}
{{- $values := index . 1 -}}
{{- with (index . 0).Values.imagePullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
{{- with $values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with $values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* Two pods of a component rather on two nodes. */}}
{{- define "gpudev.spread" -}}
topologySpreadConstraints:
  - maxSkew: 1
    topologyKey: kubernetes.io/hostname
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels:
        {{- include "gpudev.selector" . | nindent 8 }}
{{- end -}}

{{/* The files of a component's secrets, each from the Secret that has it; only those that it needs. */}}
{{- define "gpudev.secretSources" -}}
{{- $root := index . 0 -}}{{- $dsns := list -}}{{- $others := list -}}
{{- range index . 1 -}}
{{- if hasSuffix "-dsn" . -}}{{- $dsns = append $dsns . -}}{{- else -}}{{- $others = append $others . -}}{{- end -}}
{{- end -}}
{{- range list (list (include "gpudev.databaseSecretName" $root) $dsns) (list (include "gpudev.secretName" $root) $others) }}
{{- if index . 1 }}
- secret:
    name: {{ index . 0 }}
    items:
      {{- range index . 1 }}
      - {key: {{ . }}, path: {{ . }}}
      {{- end }}
{{- end }}
{{- end }}
{{- end -}}

{{/* Packages that are installed beside the image: wheels into an empty folder, which Python then finds plugins in. */}}
{{- define "gpudev.pluginStep" -}}
- name: plugins
  image: {{ include "gpudev.image" (list . .Values.images.services) }}
  imagePullPolicy: {{ .Values.images.services.pullPolicy }}
  command: [python, -m, pip, install, --no-cache-dir, --upgrade, "--only-binary=:all:", --target=/opt/plugins]
  args:
    {{- with .Values.plugins.indexUrl }}
    - --index-url={{ . }}
    {{- end }}
    {{- range .Values.plugins.packages }}
    - {{ . | quote }}
    {{- end }}
  securityContext:
    {{- include "gpudev.containerSecurity" . | nindent 4 }}
  resources:
    requests: {cpu: 100m, memory: 128Mi}
    limits: {memory: 512Mi}
  volumeMounts:
    - {name: plugins, mountPath: /opt/plugins}
    - {name: tmp, mountPath: /tmp}
{{- end -}}

{{/* The pod of one of our services. A dict: root, component, values, args; perhaps env, files (of secrets), config, kube (its service
account's token), lingers (a Service leads to it), plugins, ports, probe (its port), tls (a Secret), restart, given (a Secret with a password). */}}
{{- define "gpudev.servicePod" -}}
{{- $root := .root -}}{{- $install := and .plugins $root.Values.plugins.packages -}}
serviceAccountName: {{ include "gpudev.name" (list $root .component) }}
automountServiceAccountToken: {{ .kube | default false }}
enableServiceLinks: false
securityContext:
  {{- include "gpudev.podSecurity" 10001 | nindent 2 }}
terminationGracePeriodSeconds: 30
restartPolicy: {{ .restart | default "Always" }}
{{- include "gpudev.scheduling" (list $root .values) }}
{{- if not .restart }}
{{ include "gpudev.spread" (list $root .component) }}
{{- end }}
{{- if $install }}
initContainers:
  {{- include "gpudev.pluginStep" $root | nindent 2 }}
{{- end }}
containers:
  - name: {{ .component }}
    image: {{ include "gpudev.image" (list $root $root.Values.images.services) }}
    imagePullPolicy: {{ $root.Values.images.services.pullPolicy }}
    args:
      {{- range .args }}
      - {{ . | quote }}
      {{- end }}
      {{- if .config }}
      - --config=/etc/gpudev/config.toml
      {{- end }}
      {{- if .files }}
      - --secrets=/var/run/gpudev/secrets
      {{- end }}
    {{- with merge (dict) (.env | default dict) (ternary (dict "PYTHONPATH" "/opt/plugins") dict (not (empty $install))) }}
    env:
      {{- range $name, $value := . }}
      - {name: {{ $name }}, value: {{ $value }}}
      {{- end }}
    {{- end }}
    {{- with .ports }}
    ports:
      {{- range $name, $port := . }}
      - {name: {{ $name }}, containerPort: {{ $port }}}
      {{- end }}
    {{- end }}
    {{- if .probe }}
    {{- include "gpudev.probes" . | nindent 4 }}
    {{- end }}
    {{- if .lingers }}
    # A Service goes on leading here for some moments after the pod was told to end.
    lifecycle: {preStop: {exec: {command: [sleep, "5"]}}}
    {{- end }}
    securityContext:
      {{- include "gpudev.containerSecurity" . | nindent 6 }}
    resources:
      {{- toYaml .values.resources | nindent 6 }}
    volumeMounts:
      - {name: tmp, mountPath: /tmp}
      {{- if .config }}
      - {name: config, mountPath: /etc/gpudev, readOnly: true}
      {{- end }}
      {{- if .files }}
      - {name: secrets, mountPath: /var/run/gpudev/secrets, readOnly: true}
      {{- end }}
      {{- if .given }}
      - {name: given, mountPath: /var/run/gpudev/given, readOnly: true}
      {{- end }}
      {{- if $install }}
      - {name: plugins, mountPath: /opt/plugins, readOnly: true}
      {{- end }}
volumes:
  {{- include "gpudev.volumes" . | nindent 2 }}
{{- end -}}

{{/* Alive is the process; ready is the database and its schema. A database that is away ends no pod. */}}
{{- define "gpudev.probes" -}}
startupProbe:
  httpGet: {path: /healthz, port: {{ .probe }}}
  periodSeconds: 2
  failureThreshold: 60
livenessProbe:
  httpGet: {path: /healthz, port: {{ .probe }}}
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 6
readinessProbe:
  httpGet: {path: /readyz, port: {{ .probe }}}
  periodSeconds: 5
  timeoutSeconds: 5
  failureThreshold: 2
{{- end -}}

{{- define "gpudev.volumes" -}}
{{- $root := .root -}}
- name: tmp
  emptyDir: {sizeLimit: 256Mi}
{{- if .config }}
- name: config
  configMap: {name: {{ include "gpudev.name" (list $root "config") }}}
{{- end }}
{{- if .files }}
- name: secrets
  projected:
    defaultMode: 0400
    sources:
      {{- include "gpudev.secretSources" (list $root .files) | nindent 6 }}
      {{- with .tls }}
      - secret:
          name: {{ . }}
          {{- if include "gpudev.selfSigned" $root }}
          items:
            - {key: ca.crt, path: ca.crt}
            - {key: ca.key, path: ca.key}
          {{- end }}
      {{- end }}
{{- end }}
{{- with .given }}
- name: given
  secret:
    secretName: {{ .name }}
    defaultMode: 0400
    items:
      - {key: {{ .key }}, path: owner-password}
{{- end }}
{{- if and .plugins $root.Values.plugins.packages }}
- name: plugins
  emptyDir: {sizeLimit: 1Gi}
{{- end }}
{{- end -}}
