{{/* (list $ "api"): what selects the pods of a component; never changes. */}}
{{- define "gpudev.selector" -}}
{{- $root := index . 0 -}}
app.kubernetes.io/name: {{ $root.Chart.Name }}
app.kubernetes.io/instance: {{ $root.Release.Name }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end -}}

{{/* Those of a pod: no version among them, so that a new chart alone rolls nothing. */}}
{{- define "gpudev.podLabels" -}}
{{ include "gpudev.selector" . }}
app.kubernetes.io/part-of: gpudev
{{- end -}}

{{- define "gpudev.labels" -}}
{{- $root := index . 0 -}}
{{ include "gpudev.selector" . }}
app.kubernetes.io/part-of: gpudev
app.kubernetes.io/version: {{ $root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ $root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" $root.Chart.Name $root.Chart.Version }}
{{- end -}}

{{/* (list $ "api" "ns" "name"): metadata of an object, its hook annotations left to the caller */}}
{{- define "gpudev.metadata" -}}
name: {{ index . 3 }}
namespace: {{ index . 2 }}
labels:
  {{- include "gpudev.labels" (list (index . 0) (index . 1)) | nindent 2 }}
{{- end -}}

{{/* (list $ "api"): metadata of a component's main object in the control plane */}}
{{- define "gpudev.own" -}}
{{- include "gpudev.metadata" (list (index . 0) (index . 1) (index . 0).Values.namespaces.controlplane (include "gpudev.name" .)) -}}
{{- end -}}

{{/* What rolls a pod: the configuration, and what an operator says of rotated secrets. */}}
{{- define "gpudev.checksums" -}}
gpudev.io/config: {{ include "gpudev.config" . | sha256sum | trunc 32 }}
gpudev.io/secrets: {{ .Values.secrets.revision | default "first" | quote }}
{{- end -}}
