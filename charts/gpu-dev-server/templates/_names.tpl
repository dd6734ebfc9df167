{{/* Names come from here alone. Whatever is in a namespace begins with the release's name; whatever is the cluster's own begins with
that and the namespace of the control plane, so that two releases never meet. */}}

{{- define "gpudev.fullname" -}}
{{- .Values.fullnameOverride | default .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- end -}}

{{/* (list $ "api") → RELEASE-api */}}
{{- define "gpudev.name" -}}
{{- printf "%s-%s" (include "gpudev.fullname" (index . 0)) (index . 1) -}}
{{- end -}}

{{/* (list $ "engine") → RELEASE.NAMESPACE.engine, for what has no namespace */}}
{{- define "gpudev.clusterName" -}}
{{- $root := index . 0 -}}
{{- printf "%s.%s.%s" (include "gpudev.fullname" $root) $root.Values.namespaces.controlplane (index . 1) -}}
{{- end -}}

{{- define "gpudev.secretName" -}}
{{- .Values.secrets.existingSecret | default (include "gpudev.name" (list . "secrets")) -}}
{{- end -}}

{{- define "gpudev.databaseSecretName" -}}
{{- if eq .Values.postgres.mode "external" -}}
{{- .Values.postgres.external.existingSecret -}}
{{- else -}}
{{- include "gpudev.secretName" . -}}
{{- end -}}
{{- end -}}

{{/* Says yes where the API shows a certificate by an authority of the release's own: wherever nothing else would serve TLS. */}}
{{- define "gpudev.selfSigned" -}}
{{- $api := .Values.apiService -}}
{{- if and $api.tls.selfSigned (not (or $api.tls.existingSecret $api.ingress.enabled $api.route.enabled $api.service.allowPlainHttp)) }}yes{{ end -}}
{{- end -}}

{{/* The Secret that the API's pods serve TLS with; empty where TLS ends in front of them. */}}
{{- define "gpudev.tlsSecret" -}}
{{- if .Values.apiService.tls.existingSecret -}}
{{- .Values.apiService.tls.existingSecret -}}
{{- else if include "gpudev.selfSigned" . -}}
{{- include "gpudev.name" (list . "authority") -}}
{{- end -}}
{{- end -}}

{{- define "gpudev.apiScheme" -}}
{{- if include "gpudev.tlsSecret" . }}https{{ else }}http{{ end -}}
{{- end -}}

{{- define "gpudev.apiPort" -}}
{{- .Values.apiService.service.port | default (ternary 443 80 (eq (include "gpudev.apiScheme" .) "https")) | int -}}
{{- end -}}

{{- define "gpudev.databaseHost" -}}
{{- if eq .Values.postgres.mode "cloudnative-pg" -}}
{{- printf "%s-rw.%s.svc" .Values.postgres.cloudNativePG.cluster (.Values.postgres.cloudNativePG.namespace | default .Values.namespaces.controlplane) -}}
{{- else -}}
{{- printf "%s.%s.svc" (include "gpudev.name" (list . "postgres")) .Values.namespaces.controlplane -}}
{{- end -}}
{{- end -}}

{{- define "gpudev.databasePort" -}}
{{- if eq .Values.postgres.mode "external" }}{{ .Values.postgres.external.port | int }}{{ else }}5432{{ end -}}
{{- end -}}

{{/* A class the chart makes is named by its key; any other is there already. */}}
{{- define "gpudev.storageClass" -}}
{{- $root := index . 0 -}}
{{- $class := index . 1 | default $root.Values.storage.class -}}
{{- if and $class (hasKey ($root.Values.storage.classes | default dict) $class) -}}
{{- include "gpudev.clusterName" (list $root $class) -}}
{{- else -}}
{{- $class -}}
{{- end -}}
{{- end -}}

{{/* Whether a namespace of privileged pods is needed at all. */}}
{{- define "gpudev.privileged" -}}
{{- if .Values.nvidia.devicePlugin.enabled }}yes{{ end -}}
{{- end -}}

{{/* (list $ .Values.images.services) → REPOSITORY:TAG[@DIGEST]; a digest of its own counts more than the one that the tag has */}}
{{- define "gpudev.image" -}}
{{- $root := index . 0 -}}{{- $image := index . 1 -}}
{{- $tag := $image.tag | default $root.Chart.AppVersion -}}
{{- $image.repository }}:{{ with $image.digest }}{{ regexReplaceAll "@.*" $tag "" }}@{{ . }}{{ else }}{{ $tag }}{{ end -}}
{{- end -}}
